# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to Google's services: with a token that is renewed when it has expired, and errors as one line."""

from __future__ import annotations

import datetime
import re
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from .credentials import said_of
from .errors import BadOption, GcpError, NoCredentials, ServiceRefused, Unanswered, plain

#: Seconds for connecting, and for each wait for bytes of an answer.
_TIMEOUT_SECONDS = 60
_UNAUTHORIZED = 401
_LOOPBACK = re.compile(r"localhost|127\.[0-9.]+|::1")
#: A signed claim, which is as good as a token for as long as it is valid.
_JWT = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")
HIDDEN = "***"
_FIRST_PAUSE_SECONDS, _MAX_PAUSE_SECONDS = 1.0, 30.0


def endpoint(given: object, *, option: str, default: str) -> str:
    """The base address of a service. Raises BadOption: a token must not travel in the clear."""
    text = str(given or "").strip().rstrip("/") or default
    found = urlsplit(text)
    if found.scheme == "http" and _LOOPBACK.fullmatch(found.hostname or ""):
        return text
    if found.scheme != "https" or not found.netloc or found.username is not None or found.query or found.fragment:
        raise BadOption(f"endpoints.{option}: {plain(text)!r}; allowed is https://HOST[:PORT][/PATH], or http:// here")
    return text


class Session:
    """`on_token` gets every token as it comes, so that it can be kept out of all output.

    Tokens are renewed here and not by google-auth's AuthorizedSession, which also sends them to a service of its own
    choice (iamcredentials, for the places where an account may be used), whatever the endpoints are.
    """

    def __init__(self, credentials: Any, *, on_token: Callable[[str], None]) -> None:
        from google.auth.transport.requests import Request

        self._credentials = credentials
        self._on_token = on_token
        self._session = _plain_session()
        self._tokens = Request(self._session)
        #: What no message may have, even where a service says back what it was sent.
        own = [secret for name in ("refresh_token", "client_secret") if (secret := getattr(credentials, name, None))]
        # Also as a form has them.
        self._secrets = [*own, *(quote(secret, safe="") for secret in own)]

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def token(self) -> tuple[str, float]:
        """A token, and when it expires in seconds since 1970, 0 if nobody knows. Raises GcpError."""
        self._guarded("the token", self._valid)
        expiry = self._credentials.expiry
        # google-auth's times have no zone and are UTC.
        expires = expiry.replace(tzinfo=datetime.UTC).timestamp() if expiry else 0.0
        return self._credentials.token, expires

    def call(
        self,
        method: str,
        url: str,
        *,
        about: str,
        params: Mapping[str, str] | None = None,
        json: Any = None,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        accept: tuple[int, ...] = (200,),
    ) -> Any:
        """The response of requests. `about` is what messages name.

        :raises ServiceRefused: for a status that is not in `accept`; Unanswered: without an answer.
        :raises NoCredentials: if nobody gives a token.
        """
        # The token goes to the configured host only.
        options = {"params": params, "json": json, "data": data, "timeout": _TIMEOUT_SECONDS, "allow_redirects": False}

        def send() -> Any:
            return self._session.request(method, url, headers=self._authorized(headers), **options)

        def sent() -> Any:
            response = send()
            if response.status_code == _UNAUTHORIZED:
                # It has expired earlier than was said, or was withdrawn.
                self._renew()
                response = send()
            return response

        response = self._guarded(about, sent)
        if response.status_code in accept:
            return response
        raise ServiceRefused(
            f"{about}: {_said(response, self._hidden)}",
            status=response.status_code,
            retry_after_seconds=_seconds(response.headers.get("Retry-After")),
        )

    def document(self, response: Any, *, about: str) -> dict[str, Any]:
        """A response's JSON object. Raises GcpError."""
        try:
            found = response.json()
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise GcpError(f"{about}: the answer is not a JSON object: {plain(self._hidden(response.text)[:200])!r}")
        return found

    def _authorized(self, headers: Mapping[str, str] | None) -> dict[str, str]:
        self._valid()
        complete = dict(headers or {})
        # Beside the token, the project that pays, if the credentials name one.
        self._credentials.apply(complete)
        return complete

    def _valid(self) -> None:
        if not self._credentials.valid:
            self._renew()

    def _renew(self) -> None:
        self._credentials.refresh(self._tokens)
        self._secrets.append(self._credentials.token)
        self._on_token(self._credentials.token)

    def _hidden(self, text: object) -> str:
        return hidden(_JWT.sub(HIDDEN, str(text)), self._secrets)

    def later(self, work: Callable[[], Any], *, until: float, look: Callable[[], None], unanswered: bool = True) -> Any:
        """Do `work` again while the service says that it may work later, until a time of the monotonic clock.

        Without `unanswered`, a service that does not answer is not asked again: its address may be wrong. `look` is
        called before each pause and may raise. Raises what `work` raised last.
        """
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                return work()
            except ServiceRefused as error:
                wait = max(pause, error.retry_after_seconds)
                is_final = not error.is_transient or (not unanswered and isinstance(error, Unanswered))
                if is_final or time.monotonic() + wait > until:
                    raise
            look()
            time.sleep(wait)
            pause = min(2 * pause, _MAX_PAUSE_SECONDS)

    def _guarded(self, about: str, work: Callable[[], Any]) -> Any:
        import google.auth.exceptions
        import requests

        try:
            return work()
        except google.auth.exceptions.RefreshError as error:
            # Without the error itself, which has all of the answer.
            raise NoCredentials(f"{about}: no token: {plain(self._hidden(said_of(error)))}") from None
        except (google.auth.exceptions.GoogleAuthError, requests.RequestException) as error:
            raise Unanswered(f"{about}: {_cause(error)}") from error


def _plain_session() -> Any:
    """A session of requests that sends our token and no login of ~/.netrc, and nothing for this machine to a proxy."""
    import requests

    class Plain(requests.Session):
        def merge_environment_settings(self, url: Any, proxies: Any, *others: Any) -> Any:
            settings = super().merge_environment_settings(url, proxies, *others)
            if _LOOPBACK.fullmatch(urlsplit(url).hostname or ""):
                # Without TLS the proxy would read the token.
                settings["proxies"] = {}
            return settings

    session = Plain()
    # With an authorization of its own, requests does not look for one in ~/.netrc, which would replace the token.
    session.auth = lambda request: request
    return session


def hidden(text: str, secrets: Iterable[str]) -> str:
    """A text without secrets."""
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    return text


def _said(response: Any, hide: Callable[[object], str]) -> str:
    """An error in the service's words: its JSON has a message, anything else is named by its status."""
    try:
        found = response.json()["error"]
        message = found["message"] if isinstance(found, dict) else found
    except (ValueError, KeyError, TypeError):
        message = hide(response.text)[:200] or response.reason
    if 300 <= response.status_code < 400:
        message = f"redirects to {response.headers.get('Location', 'nowhere')}, which is not followed"
    return f"HTTP {response.status_code}: {plain(hide(message))}"


def _seconds(text: str | None) -> float:
    return float(text) if text and text.isdigit() else 0.0


def _cause(error: BaseException) -> str:
    """The innermost cause: requests and urllib3 wrap it several times, with the address of the object in the text."""
    seen: BaseException = error
    while (inner := seen.__cause__ or getattr(seen, "reason", None) or seen.__context__) and isinstance(
        inner, BaseException
    ):
        seen = inner
    return plain(getattr(seen, "strerror", None) or seen or type(seen).__name__)
