# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TrueNAS' JSON-RPC 2.0 over WebSocket: one connection, one login, and calls within the box's limits."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from ..cluster.transport import import_aiohttp
from .errors import Broken, CallRefused, LoginRefused, NotServed, plain
from .options import JSON_RPC, BoxOptions
from .questions import Question
from .transport import MAX_ANSWER_BYTES, failure, http_session, reader

PATH = "/api/current"
#: The box refuses the eleventh call at once on a connection, and closes it at the twenty-first.
MAX_CALLS = 8
#: Bytes of a request that the box reads, before and after the login.
_MAX_BEFORE_LOGIN, _MAX_REQUEST = 8 * 1024, 64 * 1024
#: The box closes a connection on which it hears nothing for 60 s.
_PING_SECONDS = 20.0
_FIRST_PAUSE_SECONDS, _MAX_PAUSE_SECONDS = 0.1, 3.0
_METHOD_NOT_FOUND, _TOO_MANY_CALLS, _CALL_ERROR = -32601, -32000, -32001
#: The code of WebSocket for a message that is larger than its reader allows.
_TOO_BIG = 1009
#: What a server answers to the upgrade that knows no such path, or no WebSocket.
_NO_SUCH_PATH = (200, 400, 404, 405, 426, 501)

_LOGIN = {
    "AUTH_ERR": "refuses the API key: it is wrong, revoked, or not of the user that is given (option username)",
    "EXPIRED": "says that the API key has expired",
    "DENIED": "says that this user may not use the API; a role such as READONLY_ADMIN is needed",
    "OTP_REQUIRED": "asks for a one-time password, which an API key cannot give",
    "REDIRECT": "sends the login to another host, which is not followed; give that host's URL if it is right",
}


class JsonRpc:
    """A connection that is logged in. Calls may be made at the same time; they wait for their turn."""

    name = JSON_RPC

    def __init__(self, options: BoxOptions, socket: Any) -> None:
        import msgspec

        self._options = options
        self._socket = socket
        self._max_bytes = _MAX_BEFORE_LOGIN
        self._slots = asyncio.Semaphore(MAX_CALLS)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._ended: Broken | None = None
        envelope = msgspec.defstruct(
            "Envelope", [("id", Any, None), ("result", msgspec.Raw, msgspec.Raw(b"")), ("error", Any, None)]
        )
        self._envelope = reader(options, envelope, "a call")
        self._number = 0

    async def ask(self, question: Question) -> Any:
        """The answer, decoded. Raises BoxError."""
        return await self._call(question.method, list(question.params), question.kind)

    async def _call(self, method: str, params: list[Any], kind: Any) -> Any:
        read = reader(self._options, kind, method)
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                async with self._slots:
                    result = await self._once(method, params)
                return read(result)
            except CallRefused as refused:
                if not refused.busy:
                    raise
            # Somebody's calls fill the limit: wait outside of our own, a little longer each time. The caller's
            # deadline ends this.
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(2 * pause, _MAX_PAUSE_SECONDS)

    async def _once(self, method: str, params: list[Any]) -> Any:
        if self._ended is not None:
            raise self._ended
        self._number += 1
        number = self._number
        request = json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        if len(request.encode()) > self._max_bytes:
            raise CallRefused(f"{method}: a request of {len(request):,} bytes; the box reads {self._max_bytes:,}")
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            await self._socket.send_str(request)
            envelope = await answer
        except (OSError, RuntimeError) as error:
            raise self._ended or failure(self._options, error) from error
        finally:
            del self._waiting[number]
        if envelope.error is not None:
            raise self._refusal(method, envelope.error)
        return envelope.result

    def _refusal(self, method: str, error: Any) -> NotServed | CallRefused:
        entry = error if isinstance(error, dict) else {"message": error}
        code, data = entry.get("code"), entry.get("data")
        said = entry.get("message") or "no message"
        if code == _METHOD_NOT_FOUND:
            return NotServed(f"{self._options.url} has no method {method}")
        if code == _CALL_ERROR and isinstance(data, dict):
            said = data.get("reason") or said
            if data.get("errname"):
                said = f"{data['errname']}: {said}"
        said = plain(said, secret=self._options.api_key)
        return CallRefused(f"{method}: {said}", busy=code == _TOO_MANY_CALLS)

    async def login(self) -> None:
        """Log in, once. Raises LoginRefused."""
        options = self._options
        given = {"mechanism": "API_KEY_PLAIN", "username": options.username, "api_key": options.api_key}
        try:
            answer = await self._call("auth.login_ex", [given], dict[str, Any])
        except CallRefused as error:
            raise LoginRefused(f"{options.url} refuses the login: {error}") from error
        response = answer.get("response_type")
        if response != "SUCCESS":
            why = _LOGIN.get(str(response), f"answers {plain(response, secret=options.api_key)} to the login")
            raise LoginRefused(f"{options.url} {why}")
        self._max_bytes = _MAX_REQUEST

    async def receive(self) -> None:
        """Hand out answers until the connection ends; then every call fails with the cause."""
        aiohttp = import_aiohttp()
        try:
            while True:
                message = await self._socket.receive()
                if message.type == aiohttp.WSMsgType.ERROR:
                    self._end(self._error(message.data))
                    return
                if message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED):
                    # The code that the box gave. The socket's own is 1006 where our answer to that came too late.
                    code = message.data if message.type == aiohttp.WSMsgType.CLOSE else self._socket.close_code
                    self._end(Broken(f"{self._options.url} has closed the connection (code {code})"))
                    return
                if message.type != aiohttp.WSMsgType.TEXT:
                    continue
                envelope = self._envelope(message.data)
                answer = self._waiting.get(envelope.id) if isinstance(envelope.id, int) else None
                if answer is not None and not answer.done():
                    answer.set_result(envelope)
        except Broken as error:
            self._end(error)
        except (aiohttp.ClientError, OSError) as error:
            self._end(failure(self._options, error))

    def _error(self, error: Any) -> Broken:
        if getattr(error, "code", None) == _TOO_BIG:
            return Broken(f"{self._options.url}: an answer is larger than {MAX_ANSWER_BYTES // 2**20} MiB")
        return failure(self._options, error)

    def _end(self, cause: Broken) -> None:
        self._ended = cause
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(cause)

    async def keep_open(self) -> None:
        """Ping until cancelled. Nobody waits for the pongs: they come behind an answer of many megabytes."""
        while self._ended is None:
            await asyncio.sleep(_PING_SECONDS)
            with suppress(OSError, RuntimeError):
                await self._socket.ping()


@asynccontextmanager
async def json_rpc(options: BoxOptions) -> AsyncIterator[JsonRpc]:
    """Connect and log in. Raises NotServed if the box speaks no JSON-RPC, and other BoxError."""
    async with http_session(options) as session:
        socket = await _connect(options, session)
        box = JsonRpc(options, socket)
        tasks = [asyncio.create_task(box.receive()), asyncio.create_task(box.keep_open())]
        try:
            try:
                async with asyncio.timeout(options.connect_timeout):
                    await box.login()
            except TimeoutError:
                raise Broken(f"{options.url}: no answer to the login within {options.connect_timeout:g} s") from None
            yield box
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            with suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await socket.close()


async def _connect(options: BoxOptions, session: Any) -> Any:
    aiohttp = import_aiohttp()
    try:
        async with asyncio.timeout(options.connect_timeout):
            return await session.ws_connect(options.url + PATH, max_msg_size=MAX_ANSWER_BYTES)
    except aiohttp.WSServerHandshakeError as error:
        said = f"{options.url}{PATH} answers the upgrade to WebSocket with HTTP {error.status}"
        raise (NotServed if error.status in _NO_SUCH_PATH else Broken)(said) from error
    except TimeoutError:
        raise Broken(f"{options.url}: no connection within {options.connect_timeout:g} s") from None
    except (aiohttp.ClientError, OSError) as error:
        raise failure(options, error) from error
