# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to one API server: bytes in, bytes out, with counted retries and our own exceptions."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from urllib.parse import urlencode

from ..libraries import AIOHTTP, MissingLibrary
from .bodies import Read, body_of
from .connection import Connection, open_connection
from .credentials import refused
from .errors import (
    ClusterError,
    Forbidden,
    NotFound,
    TransientError,
    TrustError,
    Unauthorized,
    failure_cause,
    from_response,
    is_retried,
)
from .proof import (
    READY_PATH,
    Unproven,
    document_of,
    foreign,
    is_foreign,
    prove_ready,
    prove_version,
    unread,
)
from .reachability import Reachability
from .retries import Course, RetryPolicy
from .traffic import Traffic
from .transport import MAX_LINE_BYTES, cause_of, import_aiohttp, is_about_trust, lines_of, use_small_tls_buffers

Admission = Callable[[], contextlib.AbstractAsyncContextManager[Any]]


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
    read: Read | None


class Cluster:
    """One API server. An async context manager; `Cluster.open(options)` makes one from module options.

    `admission` is entered for every attempt, lists and retries included, so a limit given here holds for everything
    that is sent; it is left during the pause before a retry. A watch does not count as in flight; the API server does
    not count it either. Nor does the question whether the server can be reached, which is asked while nothing is
    answered. `outage_limit_seconds`: how long an outage is sat out, once the server has answered; None: not at all.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        retry: RetryPolicy | None = None,
        request_timeout_seconds: float = 60.0,
        admission: Admission | None = None,
        renew: Callable[[], Any] | None = None,
        credential: Mapping[str, Any] | None = None,
        traffic: Traffic | None = None,
        outage_limit_seconds: float | None = None,
    ) -> None:
        self.connection = connection
        self.retry = retry or RetryPolicy()
        self.request_timeout_seconds = request_timeout_seconds
        self.admission: Admission = admission or contextlib.nullcontext
        self.traffic = traffic or Traffic()
        self._renew = renew
        #: The options that credentials come from, for the message where they are refused.
        self._credential = credential
        self._renewing: asyncio.Lock = asyncio.Lock()
        self._was_accepted = False
        self.reachability = Reachability(
            connection.host, self._ask_whether_ready, limit_seconds=outage_limit_seconds, on_given_up=self._cut
        )
        self._cutting: asyncio.Task[None] | None = None
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
        return cls(connection, renew=lambda: open_connection(options), credential=options, **settings)

    async def __aenter__(self) -> Cluster:
        try:
            aiohttp = import_aiohttp()
        except ImportError as error:
            raise MissingLibrary([AIOHTTP], error) from error
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
        self.reachability.close()
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
        read: Read | None = None,
    ) -> Reply:
        """Send one operation until it is answered, fails permanently, or its deadline has passed.

        `accept` asks for another form of the answer, such as metadata only (watch.METADATA_ONLY). `decode` makes the
        reply's document of the body, and raises Unproven if it is no answer of an API server (proof.py); that is
        retried, and so is a success other than `expected_status`. `measured_as` (verb, kind) is passed to the traffic
        for each attempt. `read` makes the body of the pieces of a success, so that a long answer need not be held
        whole. Raises a PermanentError at once, a TransientError with the last cause after the deadline. An outage is
        sat out, unless the caller has given a deadline: Unreachable if it lasts too long.
        """
        reach, now = self.reachability, asyncio.get_running_loop().time
        url = self._url(path, query)
        asked = _Asked(method, path, url, body, content_type, accept, decode, expected_status, measured_as, read)
        allowed = self.retry.deadline_seconds if deadline_seconds is None else deadline_seconds
        course = Course(now(), allowed, sits_out=deadline_seconds is None)
        while True:
            course.attempt += 1
            connection = self.connection
            course.sent = waiting_since = now()
            try:
                async with self.admission():
                    # Waiting for our own limits is not the server's fault, so the deadline moves by as much.
                    course.sent = now()
                    course.deadline += course.sent - waiting_since
                    reach.check()
                    response, answer, document, seconds = await self._attempt(asked, course.deadline - course.sent)
                ended = now()
                if decode is not None:
                    reach.last_answer = ended
                    if reach.is_doubted:
                        reach.answered()
                total = ended - course.started
                return Reply(response.status, answer, course.attempt, seconds, total, response.headers, document)
            except TransientError as error:
                await self._pause_after(error, course)
            except Unauthorized as error:
                await self._renew_after(error, course, connection)
            except ClusterError as error:
                error.attempts, error.maybe_done_before = course.attempt, course.maybe_done
                if error.status is not None:
                    reach.answered()
                raise

    async def _pause_after(self, error: TransientError, course: Course) -> None:
        """Return when the operation may be tried again. Raises TransientError if it is given up."""
        reach, now = self.reachability, asyncio.get_running_loop().time
        reach.check()
        error.attempts = course.attempt
        # With 429 the server has done nothing; after any other failure it may have carried out the request.
        course.maybe_done = course.maybe_done or error.cause != "429"
        if course.sits_out and reach.reached_since > course.began_anew:
            course.begin_anew(reach.reached_since)
        reach.failed(error, course.sent)
        pause = self.retry.pause_seconds(course.attempt - course.first_attempt + 1, error.retry_after_seconds)
        if await self._is_sat_out(course, pause):
            pause = min(pause, self.retry.max_pause_seconds)
            course.deadline = now() + pause + course.allowed_seconds
        elif now() + pause >= course.deadline:
            # If the deadline cut this attempt short, the answer before it is the better cause.
            cut = error.cause == "timeout" and now() >= course.deadline
            cause = course.answered if cut and course.answered else error
            raise self._given_up(cause, course.attempt, now() - course.started) from error
        course.answered = error
        self.traffic.retry(error.cause)
        await reach.pause(pause)

    async def _renew_after(self, error: Unauthorized, course: Course, refused: Connection) -> None:
        """Return when the operation may be tried with new credentials. Raises the error if there are none."""
        error.attempts = course.attempt
        course.refusals += 1
        if self._was_accepted:
            self.reachability.failed(error, course.sent)
        if await self.accepted_again(refused, course.refusals, course.deadline):
            return
        if not await self._is_sat_out(course, math.inf) or not await self.accepted_again(
            refused, course.refusals, math.inf
        ):
            raise self.refused(error) from error
        course.deadline = asyncio.get_running_loop().time() + course.allowed_seconds

    async def _is_sat_out(self, course: Course, pause: float) -> bool:
        """Whether there is an outage that the operation waits for; Unreachable if that has lasted too long.

        Where the operation's time would be over after the pause, a mere doubt is decided first.
        """
        reach = self.reachability
        if not course.sits_out or not reach.is_doubted:
            return False
        is_over = asyncio.get_running_loop().time() + pause >= course.deadline
        outage = await reach.decided() if is_over else reach.is_outage
        reach.check()
        return outage

    async def _attempt(self, asked: _Asked, seconds_left: float) -> tuple[Any, bytes, Any, float]:
        reach = self.reachability
        timeout = min(self.request_timeout_seconds, max(0.001, seconds_left))
        if reach.is_doubted:
            timeout = min(timeout, max(0.1, reach.seconds_left))
        failure: str | None = "cancelled"  # all other outcomes overwrite this
        sent = self.traffic.begin()
        try:
            async with asyncio.timeout(timeout):
                response = await self._send(asked.method, asked.url, asked.body, asked.content_type, asked.accept)
                answer = await body_of(response, asked.read)
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
        if self.reachability.given_up:
            return self.reachability.unreachable()
        if is_about_trust(aiohttp, error):
            return TrustError(
                f"{host}: TLS failed: {cause_of(aiohttp, error)}; give the right ca_cert or kubeconfig "
                "(validate_certs: false accepts any server)"
            )
        if isinstance(error, TimeoutError):
            return TransientError(f"{host}: no answer in time", cause="timeout")
        if isinstance(error, (aiohttp.ClientError, OSError)):
            return TransientError(f"{host}: {cause_of(aiohttp, error)}", cause="connection")
        return error

    async def accepted_again(self, refused: Connection, refusals: int, deadline: float) -> bool:
        """Wait after a 401 and get new credentials; False if asking once more cannot help.

        `deadline` is by the event loop's clock.

        Tokens expire during long runs, and while one is rotated, the new one may not be valid yet. So the first refusal
        is followed by a renewal at once, and more of them by pauses. Credentials that were never accepted are wrong,
        however: for them, one renewal is enough.
        """
        pause = self.retry.pause_seconds(refusals - 1, None) if refusals > 1 else 0.0
        if refusals > 1 and (not self._was_accepted or asyncio.get_running_loop().time() + pause >= deadline):
            return False
        await self.reachability.pause(pause)
        return await self.renew_credentials(refused)

    def refused(self, error: Unauthorized) -> Unauthorized:
        """The error that names the credential that the API server does not accept."""
        return error if self._credential is None else refused(self.connection.host, self._credential, error)

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

    async def _ask_whether_ready(self, seconds: float) -> None:
        """Ask the server once, beside limits and traffic, whether it can do its work. Raises ClusterError if not.

        It says so under /readyz. Where that is not to be had, such as through some gateways, its version will do.
        """
        connection = self.connection
        try:
            async with asyncio.timeout(seconds):
                for path, decode in ((READY_PATH, prove_ready), ("/version", prove_version)):
                    asked = _Asked("GET", path, self._url(path, None), None, "", None, decode, None, None, None)
                    response = await self._send("GET", asked.url, None, "", None)
                    try:
                        self._judged(asked, response, await response.read())
                    except (Forbidden, NotFound, TransientError) as error:
                        # An API server that is not ready, or a gateway without one, is no reason to ask for more.
                        if path != READY_PATH or error.status is None or is_retried(error.status):
                            raise
                    else:
                        return
        except Unauthorized:
            await self.renew_credentials(connection)
            raise
        except ClusterError:
            raise
        except Exception as error:
            mapped = self._mapped(error)
            if isinstance(mapped, ClusterError):
                raise mapped from error
            raise TransientError(f"{self.connection.host}: {error!r}", cause="connection") from error

    def _cut(self) -> None:
        """Nothing is to be waited for any more: what is under way fails now."""
        if self._session is not None:
            self._cutting = asyncio.create_task(self._session.close())

    @contextlib.asynccontextmanager
    async def stream(
        self, path: str, *, query: Mapping[str, str], silence_seconds: float
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """One long GET, line by line. Not counted as in flight. Raises like request(), but does not retry.

        A TransientError with cause "silent" means that nothing came for `silence_seconds`: the connection is dead.
        """
        timeout = self._aiohttp.ClientTimeout(
            total=None, sock_connect=self.request_timeout_seconds, sock_read=silence_seconds
        )
        is_open = False
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
                is_open = True
                yield lines_of(response.content)
        except (ClusterError, asyncio.CancelledError, GeneratorExit):
            raise
        except Exception as error:
            if is_open and isinstance(error, TimeoutError):
                heard = f"{self._named('GET', path)} (watch): nothing was heard for {silence_seconds:g} s"
                raise TransientError(heard, cause="silent") from error
            raise self._mapped(error) from error
