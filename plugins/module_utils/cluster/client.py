# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to one API server: bytes in, bytes out, with counted retries and our own exceptions.

Also loads aiohttp, with less memory than by default.
"""

from __future__ import annotations

import asyncio
import contextlib
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
from .proof import Unproven, document_of, foreign, is_foreign, unread

#: Limit of one line of a watch: an object may have 1.5 MiB in etcd, and its JSON is larger.
MAX_LINE_BYTES = 16 * 1024 * 1024
#: Two full TLS records.
_TLS_BUFFER_BYTES = 32 * 1024
#: Where OpenSSL looks for the system's certificate authorities.
_CA_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
Admission = Callable[[], contextlib.AbstractAsyncContextManager[Any]]


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """How often and for how long a transient failure is retried.

    `deadline_seconds` covers all attempts and pauses of one operation, but not the time it waited for our own limits.
    The pause before attempt n is random in 0..min(`max_pause_seconds`, `first_pause_seconds` * 2^(n-1)) ("full
    jitter"), or the server's Retry-After plus up to a quarter of it, so that clients that were refused together do not
    return together.
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
    """The answer to one operation.

    `document` is what `decode` made of the body. `seconds` is the last attempt alone, from sending to the end of the
    answer; `total_seconds` includes pauses and earlier attempts. `headers` is case-insensitive.
    """

    status: int
    body: bytes
    attempts: int
    seconds: float
    total_seconds: float
    headers: Mapping[str, str]
    document: Any = None

    @property
    def date(self) -> str | None:
        """The Date header: the server's clock when it answered, in whole seconds."""
        return self.headers.get("Date")


@dataclass(frozen=True, slots=True)
class _Asked:
    """One operation, as each of its attempts sends and judges it."""

    method: str
    path: str
    url: Any
    body: bytes | None
    content_type: str
    accept: str | None
    decode: Callable[[bytes], Any] | None
    expected_status: int | None
    measured_as: tuple[str, str] | None


@dataclass
class Traffic:
    """Counters of all requests of one Cluster. Watches are not counted as in flight.

    `errors` counts failed attempts by cause, `retries` those that were followed by another. A subclass can measure
    more: every attempt passes through here.
    """

    in_flight: int = 0
    peak_in_flight: int = 0
    requests: int = 0
    retries: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)

    def begin(self) -> float:
        """A request is sent. Returns the time, in monotonic seconds."""
        self.requests += 1
        self.in_flight += 1
        if self.in_flight > self.peak_in_flight:
            self.peak_in_flight = self.in_flight
        return time.monotonic()

    def end(self, sent: float, failure: str | None = None, measured_as: tuple[str, str] | None = None) -> float:
        """The answer has arrived, or the attempt failed with this cause. Returns the seconds since it was sent.

        `measured_as` is the verb and kind under which the attempt is counted.
        """
        self.in_flight -= 1
        if failure is not None:
            self.errors[failure] += 1
        return time.monotonic() - sent

    def retry(self, cause: str) -> None:
        """A request that failed with this cause will be retried."""
        self.retries[cause] += 1


class Cluster:
    """One API server. An async context manager; `Cluster.open(options)` makes one from module options.

    `admission` is entered for every attempt, lists and retries included, so a limit given here holds for everything
    that is sent; it is left during the pause before a retry. A watch does not count as in flight; the API server does
    not count it either.
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
        self._was_accepted = False
        self._session: Any = None
        self._aiohttp: Any = None
        self._no_timeout: Any = None

    @classmethod
    async def open(cls, options: dict[str, Any], **settings: Any) -> Cluster:
        """Connect by module options (names as in connection.AUTH_ENVIRONMENT). Raises ConfigurationError."""
        with contextlib.suppress(ImportError):  # __aenter__ reports what is missing
            # Imported before the fork that reads the kubeconfig, so that the child need not import it again.
            import_aiohttp()
        connection = await open_connection(options)
        return cls(connection, renew=lambda: open_connection(options), **settings)

    async def __aenter__(self) -> Cluster:
        try:
            aiohttp = import_aiohttp()
        except ImportError as error:
            raise ConfigurationError(f"the Python library aiohttp is needed: {error}") from error
        self._aiohttp = aiohttp
        # One for all requests: asyncio.timeout() is what ends them.
        self._no_timeout = aiohttp.ClientTimeout(total=None)
        use_small_tls_buffers()
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=self.connection.ssl_context or False, keepalive_timeout=60),
            auto_decompress=True,
            cookie_jar=aiohttp.DummyCookieJar(),
            read_bufsize=MAX_LINE_BYTES // 16,
            # The proxy is part of the Connection; the kubeconfig loader has read the environment already.
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
        decode: Callable[[bytes], Any] | None = None,
        expected_status: int | None = None,
        deadline_seconds: float | None = None,
        measured_as: tuple[str, str] | None = None,
    ) -> Reply:
        """Send one operation until it is answered, fails permanently, or its deadline has passed.

        `accept` asks for another form of the answer, such as metadata only (watch.METADATA_ONLY). `decode` makes the
        reply's document of the body, and raises Unproven if it is no answer of an API server (proof.py); that is
        retried, and so is a success other than `expected_status`. `measured_as` (verb, kind) is passed to the traffic
        for each attempt. Raises a PermanentError at once, a TransientError with the last cause after the deadline.
        """
        started = time.monotonic()
        deadline = started + (self.retry.deadline_seconds if deadline_seconds is None else deadline_seconds)
        url = self._url(path, query)
        asked = _Asked(method, path, url, body, content_type, accept, decode, expected_status, measured_as)
        attempt, refusals, maybe_done = 0, 0, False
        answered: TransientError | None = None
        while True:
            attempt += 1
            connection = self.connection
            waiting_since = time.monotonic()
            try:
                async with self.admission():
                    # Waiting for our own limits is not the server's fault, so the deadline moves by as much.
                    deadline += time.monotonic() - waiting_since
                    response, answer, document, seconds = await self._attempt(asked, deadline)
                total = time.monotonic() - started
                return Reply(response.status, answer, attempt, seconds, total, response.headers, document)
            except TransientError as error:
                error.attempts = attempt
                # With 429 the server has done nothing; after any other failure it may have carried out the request.
                maybe_done = maybe_done or error.cause != "429"
                pause = self.retry.pause_seconds(attempt, error.retry_after_seconds)
                if time.monotonic() + pause >= deadline:
                    # If the deadline cut this attempt short, the answer before it is the better cause.
                    cut = error.cause == "timeout" and time.monotonic() >= deadline
                    cause = answered if cut and answered else error
                    raise self._given_up(cause, attempt, time.monotonic() - started) from error
                answered = error
                self.traffic.retry(error.cause)
                await asyncio.sleep(pause)
            except Unauthorized as error:
                error.attempts, refusals = attempt, refusals + 1
                if not await self.accepted_again(connection, refusals, deadline):
                    raise
            except ClusterError as error:
                error.attempts, error.maybe_done_before = attempt, maybe_done
                raise

    async def _attempt(self, asked: _Asked, deadline: float) -> tuple[Any, bytes, Any, float]:
        timeout = min(self.request_timeout_seconds, max(0.001, deadline - time.monotonic()))
        failure: str | None = "cancelled"  # all other outcomes overwrite this
        sent = self.traffic.begin()
        try:
            async with asyncio.timeout(timeout):
                response = await self._send(asked.method, asked.url, asked.body, asked.content_type, asked.accept)
                answer = await response.read()
            arrived = time.monotonic()
            document = self._judged(asked, response, answer)
            sent += time.monotonic() - arrived  # how long we read is not the server's time
            failure, self._was_accepted = None, True
        except Exception as error:
            mapped = self._mapped(error)
            failure = failure_cause(mapped, asked.method)
            if mapped is error:
                raise
            raise mapped from error
        finally:
            seconds = self.traffic.end(sent, failure, asked.measured_as)
        return response, answer, document, seconds

    def _judged(self, asked: _Asked, response: Any, body: bytes) -> Any:
        """The document of a success. Raises ClusterError for a refusal, and for what is no API server's answer."""
        status, headers = response.status, response.headers
        # A redirect is not followed: it may lead to a server that the user did not name.
        if status >= 300 and not is_foreign(status, body, must_prove=asked.decode is not None):
            raise from_response(status, headers, body)
        if status >= 300 or asked.expected_status not in (None, status):
            raise foreign(self._named(asked.method, asked.path), status, headers)
        if asked.decode is None:
            return None
        try:
            return asked.decode(body)
        except Unproven as error:
            raise unread(self._named(asked.method, asked.path), status, headers, body, error) from error

    def _named(self, method: str, path: str) -> str:
        return f"{self.connection.host}: {method} {path}"

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
            timeout=self._no_timeout,
        )

    def _url(self, path: str, query: Mapping[str, str] | None) -> Any:
        # Names were validated before, so yarl need not encode the path again, which takes 20 µs per request.
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
        """The only place where exceptions of aiohttp and the system become ours."""
        aiohttp = self._aiohttp
        host = self.connection.host
        if is_about_trust(aiohttp, error):
            return TrustError(
                f"{host}: TLS failed: {error}; give the right ca_cert or kubeconfig "
                "(validate_certs: false accepts any server)"
            )
        if isinstance(error, TimeoutError):
            return TransientError(f"{host}: no answer in time", cause="timeout")
        if isinstance(error, (aiohttp.ClientError, OSError)):
            return TransientError(f"{host}: {str(error) or type(error).__name__}", cause="connection")
        return error

    async def accepted_again(self, refused: Connection, refusals: int, deadline: float) -> bool:
        """Wait after a 401 and get new credentials; False if asking once more cannot help. `deadline` is monotonic.

        Tokens expire during long runs, and while one is rotated, the new one may not be valid yet. So the first refusal
        is followed by a renewal at once, and more of them by pauses. Credentials that were never accepted are wrong,
        however: for them, one renewal is enough.
        """
        pause = self.retry.pause_seconds(refusals - 1, None) if refusals > 1 else 0.0
        if refusals > 1 and (not self._was_accepted or time.monotonic() + pause >= deadline):
            return False
        await asyncio.sleep(pause)
        return await self.renew_credentials(refused)

    async def renew_credentials(self, refused: Connection) -> bool:
        """Get new credentials after the API server answered 401 to those of `refused`; False if there is no way to.

        Requests that were refused together share one renewal, because an exec plug-in may take seconds.
        """
        if self._renew is None:
            return False
        async with self._renewing:
            if self.connection is refused:
                self.connection = await self._renew()
        return True

    # -- built on request() -------------------------------------------------------------------------------------------

    async def get(self, path: str, *, decode: Callable[[bytes], Any] = document_of, **arguments: Any) -> Any:
        """GET a JSON object. `arguments` as of request()."""
        return (await self.request("GET", path, decode=decode, **arguments)).document

    async def version(self, *, deadline_seconds: float = 10.0) -> dict[str, str]:
        """The server's /version, which also shows that it can be reached and accepts us.

        Raises ClusterError with a message for the user.
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
        return answer

    @contextlib.asynccontextmanager
    async def stream(self, path: str, *, query: Mapping[str, str]) -> AsyncIterator[AsyncIterator[bytes]]:
        """One long GET, line by line. Not counted as in flight. Raises like request(), but does not retry.

        The server ends it after the query's `timeoutSeconds`; silence for a minute longer means a dead connection.
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
                allow_redirects=False,
                timeout=timeout,
            ) as response:
                status, headers = response.status, response.headers
                if status >= 300 and not is_foreign(status, body := await response.read(), must_prove=True):
                    raise from_response(status, headers, body)
                if status >= 300 or response.content_type == "text/html":
                    raise foreign(self._named("GET", f"{path} (watch)"), status, headers)
                yield lines_of(response.content)
        except (ClusterError, asyncio.CancelledError, GeneratorExit):
            raise
        except Exception as error:
            raise self._mapped(error) from error


def import_aiohttp() -> Any:
    """Import aiohttp without the system's certificate authorities. Raises ImportError.

    aiohttp loads them twice for its default TLS contexts, which takes almost half of the import's time and 2 MB. A
    Connection always brings its own context, or uses plain HTTP.
    """
    before = {name: os.environ.get(name) for name in _CA_VARIABLES}
    os.environ.update(dict.fromkeys(_CA_VARIABLES, os.devnull))
    try:
        import aiohttp
    finally:
        for name, value in before.items():
            del os.environ[name]
            if value is not None:
                os.environ[name] = value
    return aiohttp


def use_small_tls_buffers() -> None:
    """Reduce asyncio's read buffer of 256 KiB per TLS connection: 12 MB for 50 connections with answers of 1 KB."""
    if getattr(sslproto.SSLProtocol, "max_size", 0) > _TLS_BUFFER_BYTES:
        sslproto.SSLProtocol.max_size = _TLS_BUFFER_BYTES


def is_about_trust(aiohttp: Any, error: Exception) -> bool:
    """Whether TLS refused a certificate. A handshake that broke off is an ordinary connection error."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return True
    inner = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    broken_off = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)
    return isinstance(inner, ssl.SSLError) and not isinstance(inner, broken_off)


async def lines_of(content: Any) -> AsyncIterator[bytes]:
    """Lines of a stream, of up to MAX_LINE_BYTES (the limit of aiohttp's readline is far smaller)."""
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
