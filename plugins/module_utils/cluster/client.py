# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to one API server: bytes in, bytes out, our own errors, retries that are counted."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import ssl
import time
from asyncio import sslproto
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any
from urllib.parse import urlencode

from .connection import Connection, open_connection
from .errors import (
    ClusterError,
    ConfigurationError,
    Forbidden,
    TransientError,
    TrustError,
    Unauthorized,
    failure_cause,
    from_response,
)


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """How often and how long a transient failure is tried again.

    `deadline_seconds` bounds one operation, all its attempts and pauses included, but not the time for which our own
    limits held it back. The pause before attempt n is drawn
    from 0..min(`max_pause_seconds`, `first_pause_seconds` * 2^(n-1)) ("full jitter"), or the server's Retry-After plus
    up to a quarter of it, so that clients that were turned away together don't come back together.
    """

    deadline_seconds: float = 120.0
    first_pause_seconds: float = 0.1
    max_pause_seconds: float = 10.0

    def pause_seconds(self, attempt: int, retry_after_seconds: float | None) -> float:
        """Seconds to wait after the failed attempt number `attempt` (from 1)."""
        if retry_after_seconds is not None:
            return retry_after_seconds * (1 + random.random() / 4)
        return random.random() * min(self.max_pause_seconds, self.first_pause_seconds * 2 ** min(attempt - 1, 30))


@dataclass(slots=True)
class Reply:
    """What came back for one operation: HTTP `status`, `body`, tries needed, and seconds.

    `seconds` is the last attempt alone, from sending to the whole answer; `total_seconds` is everything, pauses and
    earlier attempts included. `headers` are looked up without regard to case.
    """

    status: int
    body: bytes
    attempts: int
    seconds: float
    total_seconds: float
    headers: Mapping[str, str]

    @property
    def date(self) -> str | None:
        """The server's clock when it answered, as HTTP's Date header has it: whole seconds."""
        return self.headers.get("Date")

    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)


@dataclass
class Traffic:
    """Counters over everything that one Cluster sent. `peak_in_flight` leaves out watches, which only listen.

    `errors` counts failed attempts by cause, `retries` those of them that were followed by another. Who wants to
    measure more makes a subclass: every attempt passes through here.
    """

    in_flight: int = 0
    peak_in_flight: int = 0
    requests: int = 0
    retries: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)

    def begin(self) -> float:
        """A request goes out. Returns when, in monotonic seconds."""
        self.requests += 1
        self.in_flight += 1
        if self.in_flight > self.peak_in_flight:
            self.peak_in_flight = self.in_flight
        return time.monotonic()

    def end(self, sent: float, failure: str | None = None, measured_as: tuple[str, str] | None = None) -> float:
        """Its answer, or its failure with this cause, is in. Returns the seconds since it was sent.

        `measured_as` is what the sender calls it: a verb and a kind.
        """
        self.in_flight -= 1
        if failure is not None:
            self.errors[failure] += 1
        return time.monotonic() - sent

    def retry(self, cause: str) -> None:
        """A request that failed with this cause will be tried again."""
        self.retries[cause] += 1


#: Bytes of one line of a watch; an object may have 1.5 MiB in etcd, and JSON is larger than what is stored.
MAX_LINE_BYTES = 16 * 1024 * 1024
#: Two TLS records of full size.
_TLS_BUFFER_BYTES = 32 * 1024
_AUTHORITIES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


def import_aiohttp() -> Any:
    """The library. Raises ImportError.

    When it is imported it reads the system's certificate authorities, twice, for contexts that serve who gives none of
    his own: that is almost half of its import and 2 MB. The Connection always has its own, or plain HTTP.
    """
    before = {name: os.environ.get(name) for name in _AUTHORITIES}
    os.environ.update(dict.fromkeys(_AUTHORITIES, os.devnull))
    try:
        import aiohttp
    finally:
        for name, value in before.items():
            del os.environ[name]
            if value is not None:
                os.environ[name] = value
    return aiohttp


def use_small_tls_buffers() -> None:
    """Asyncio gives each TLS connection a read buffer of 256 KiB: 12 MB for 50 connections whose answers have 1 KB."""
    if getattr(sslproto.SSLProtocol, "max_size", 0) > _TLS_BUFFER_BYTES:
        sslproto.SSLProtocol.max_size = _TLS_BUFFER_BYTES


def is_about_trust(aiohttp: Any, error: Exception) -> bool:
    """Whether TLS itself said no. A handshake that only broke off is a broken connection like any other."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return True
    inner = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    broken_off = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)
    return isinstance(inner, ssl.SSLError) and not isinstance(inner, broken_off)


async def lines_of(content: Any) -> AsyncIterator[bytes]:
    """Lines of a stream, of any length up to MAX_LINE_BYTES (aiohttp's own readline has a far smaller limit)."""
    rest: list[bytes] = []
    size = 0
    async for chunk in content.iter_any():
        parts = chunk.split(b"\n")
        rest.append(parts[0])
        size += len(parts[0])
        if size > MAX_LINE_BYTES:
            raise ClusterError(f"a watch event larger than {MAX_LINE_BYTES} bytes")
        for part in parts[1:]:
            line = b"".join(rest)
            rest, size = [part], len(part)
            if line:
                yield line
    last = b"".join(rest)
    if last:
        yield last


Admission = Callable[[], contextlib.AbstractAsyncContextManager[Any]]


class Cluster:
    """One API server. An async context manager; `Cluster.open(options)` makes one from module options.

    `admission` is asked before every attempt, lists and retries included, so a cap given here holds for all that is
    sent; during a pause between two attempts nothing is held. A watch is not a request in flight: the API server
    does not count it either.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        retry: RetryPolicy | None = None,
        request_timeout_seconds: float = 60.0,
        admission: Admission | None = None,
        renew: Callable[[], Any] | None = None,
        traffic: Traffic | None = None,
    ) -> None:
        self.connection = connection
        self.retry = retry or RetryPolicy()
        self.request_timeout_seconds = request_timeout_seconds
        self.admission: Admission = admission or contextlib.nullcontext
        self.traffic = traffic or Traffic()
        self._renew = renew
        self._renewing: asyncio.Lock = asyncio.Lock()
        self._session: Any = None
        self._aiohttp: Any = None

    @classmethod
    async def open(cls, options: dict[str, Any], **settings: Any) -> Cluster:
        """Connect by module options (names as in connection.AUTH_ENVIRONMENT). Raises ConfigurationError."""
        with contextlib.suppress(ImportError):  # who enters the Cluster says what is missing
            # Before the kubeconfig is read in a child process, which then has it for nothing.
            import_aiohttp()
        connection = await open_connection(options)
        return cls(connection, renew=lambda: open_connection(options), **settings)

    async def __aenter__(self) -> Cluster:
        try:
            aiohttp = import_aiohttp()
        except ImportError as error:
            raise ConfigurationError(f"the Python library aiohttp is needed: {error}") from error
        self._aiohttp = aiohttp
        use_small_tls_buffers()
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=self.connection.ssl_context or False, keepalive_timeout=60),
            auto_decompress=True,
            cookie_jar=aiohttp.DummyCookieJar(),
            read_bufsize=MAX_LINE_BYTES // 16,
            # Only for connections named by the user's proxy settings; the environment's are in the kubeconfig loader.
            trust_env=False,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    # -- one operation, with retries ---------------------------------------------------------------------------------

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        content_type: str = "application/json",
        accept: str | None = None,
        deadline_seconds: float | None = None,
        measured_as: tuple[str, str] | None = None,
    ) -> Reply:
        """Send one operation until it is answered, fails for good, or its deadline is over.

        `accept` asks for another form of the answer, such as metadata only (watch.METADATA_ONLY). `measured_as` (verb,
        kind) is passed on to the traffic, for each attempt.
        Raises a PermanentError at once; a TransientError when the deadline is over, with the last cause.
        """
        started = time.monotonic()
        deadline = started + (self.retry.deadline_seconds if deadline_seconds is None else deadline_seconds)
        url = self._url(path, query)
        attempt = 0
        renewed = maybe_done = False
        answered: TransientError | None = None
        while True:
            attempt += 1
            connection = self.connection
            asked = time.monotonic()
            try:
                async with self.admission():
                    # A place that was long in coming is no fault of the server: the deadline moves by as much.
                    deadline += time.monotonic() - asked
                    response, answer, seconds = await self._attempt(
                        method, url, body, content_type, accept, deadline, measured_as
                    )
                return Reply(response.status, answer, attempt, seconds, time.monotonic() - started, response.headers)
            except TransientError as error:
                error.attempts = attempt
                # Whoever is told 429 was turned away at the door; after any other failure it may have been done.
                maybe_done = maybe_done or error.cause != "429"
                pause = self.retry.pause_seconds(attempt, error.retry_after_seconds)
                if time.monotonic() + pause >= deadline:
                    # An attempt that only the deadline cut short says less than the answer before it.
                    cut = error.cause == "timeout" and time.monotonic() >= deadline
                    cause = answered if cut and answered else error
                    raise self._given_up(cause, attempt, time.monotonic() - started) from error
                answered = error
                self.traffic.retry(error.cause)
                await asyncio.sleep(pause)
            except Unauthorized as error:
                # Tokens of exec plug-ins and service accounts expire during long runs: ask for a new one, once.
                error.attempts = attempt
                if renewed or not await self.renew_credentials(connection):
                    raise
                renewed = True
            except ClusterError as error:
                error.attempts, error.maybe_done_before = attempt, maybe_done
                raise

    async def _attempt(
        self,
        method: str,
        url: Any,
        body: bytes | None,
        content_type: str,
        accept: str | None,
        deadline: float,
        measured_as: tuple[str, str] | None,
    ) -> tuple[Any, bytes, float]:
        timeout = min(self.request_timeout_seconds, max(0.001, deadline - time.monotonic()))
        failure: str | None = "cancelled"  # by ourselves; every other end of the block says what it was
        sent = self.traffic.begin()
        try:
            async with asyncio.timeout(timeout):
                response = await self._send(method, url, body, content_type, accept)
                answer = await response.read()
            if response.status >= 300:  # a redirection is not followed: it would lead away from what the user named
                raise from_response(response.status, response.headers, answer)
            failure = None
        except Exception as error:
            mapped = self._mapped(error)
            failure = failure_cause(mapped, method)
            if mapped is error:
                raise
            raise mapped from error
        finally:
            seconds = self.traffic.end(sent, failure, measured_as)
        return response, answer, seconds

    async def _send(self, method: str, url: Any, body: bytes | None, content_type: str, accept: str | None) -> Any:
        headers = list(self.connection.headers)
        if accept is not None:
            headers.append(("Accept", accept))
        if body is not None:
            headers.append(("Content-Type", content_type))
        return await self._session.request(
            method,
            url,
            data=body,
            headers=headers,
            proxy=self.connection.proxy,
            proxy_headers=self.connection.proxy_headers,
            server_hostname=self.connection.server_hostname,
            allow_redirects=False,
            timeout=_no_session_timeout(self._aiohttp),
        )

    def _url(self, path: str, query: Mapping[str, str] | None) -> Any:
        # Names are checked before they get here, so the path needs no second encoding: yarl's costs 20 µs a request.
        from yarl import URL

        text = self.connection.host + path + (("?" + urlencode(query)) if query else "")
        return URL(text, encoded=True)

    def _given_up(self, error: TransientError, attempts: int, seconds: float) -> TransientError:
        tries = f"{attempts} tries" if attempts > 1 else "1 try"
        given_up = TransientError(
            f"{error} (gave up after {tries} in {seconds:.1f} s)",
            cause=error.cause,
            status=error.status,
            reason=error.reason if error.status else error.cause,
        )
        given_up.attempts = attempts
        return given_up

    def _mapped(self, error: Exception) -> Exception:
        """Foreign exceptions become ours here and nowhere else."""
        aiohttp = self._aiohttp
        host = self.connection.host
        if is_about_trust(aiohttp, error):
            return TrustError(
                f"{host}: TLS failed: {error}; give the right ca_cert or kubeconfig "
                "(validate_certs: false only where you accept any server)"
            )
        if isinstance(error, TimeoutError):
            return TransientError(f"{host}: no answer in time", cause="timeout")
        if isinstance(error, (aiohttp.ClientError, OSError)):
            return TransientError(f"{host}: {str(error) or type(error).__name__}", cause="connection")
        return error

    async def renew_credentials(self, refused: Connection) -> bool:
        """Ask for new credentials, because the API server answered 401 to those of `refused`; False if there are none.

        Requests that were refused together share one renewal: an exec plug-in may take seconds.
        """
        if self._renew is None:
            return False
        async with self._renewing:
            if self.connection is refused:
                self.connection = await self._renew()
        return True

    # -- helpers over it ---------------------------------------------------------------------------------------------

    async def get(self, path: str, **arguments: Any) -> Any:
        """GET and parse JSON. `arguments` as of request()."""
        return (await self.request("GET", path, **arguments)).json()

    async def version(self, *, deadline_seconds: float = 10.0) -> dict[str, str]:
        """The server's /version; also the proof that it can be reached and trusts us.

        Raises ClusterError with a text fit for a user.
        """
        try:
            answer: dict[str, str] = await self.get("/version", deadline_seconds=deadline_seconds)
        except (Unauthorized, Forbidden, TrustError):
            raise
        except TransientError as error:
            raise TransientError(
                f"the API server cannot be reached: {error}; check kubeconfig, context, host and proxy",
                cause=error.cause,
            ) from error
        except ValueError as error:
            raise ClusterError(f"{self.connection.host} does not answer like a Kubernetes API server") from error
        return answer

    @contextlib.asynccontextmanager
    async def stream(self, path: str, *, query: Mapping[str, str]) -> AsyncIterator[AsyncIterator[bytes]]:
        """One long GET, line by line. Not counted as in flight. Raises like request(), but does not retry.

        The server ends it after `timeoutSeconds` of the query; silence for a minute longer means a dead connection.
        """
        silence = float(query.get("timeoutSeconds", "300")) + 60.0
        timeout = self._aiohttp.ClientTimeout(total=None, sock_connect=self.request_timeout_seconds, sock_read=silence)
        try:
            async with self._session.get(
                self._url(path, query),
                headers=list(self.connection.headers),
                proxy=self.connection.proxy,
                proxy_headers=self.connection.proxy_headers,
                server_hostname=self.connection.server_hostname,
                timeout=timeout,
            ) as response:
                if response.status >= 300:
                    raise from_response(response.status, response.headers, await response.read())
                yield lines_of(response.content)
        except (ClusterError, asyncio.CancelledError, GeneratorExit):
            raise
        except Exception as error:
            raise self._mapped(error) from error


def _no_session_timeout(aiohttp: Any) -> Any:
    global _NO_TIMEOUT
    if _NO_TIMEOUT is None:
        _NO_TIMEOUT = aiohttp.ClientTimeout(total=None)
    return _NO_TIMEOUT


_NO_TIMEOUT: Any = None
