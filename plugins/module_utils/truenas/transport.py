# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What both transports share: the HTTP session that follows nobody, the words of failures, decoding."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Protocol

from ..cluster.connection import ssl_context
from ..cluster.decoding import decoder
from ..cluster.proof import Unproven
from ..cluster.transport import cause_of, import_aiohttp, is_about_trust
from ..libraries import AIOHTTP, MissingLibrary
from .errors import BadOption, Broken, plain
from .options import BoxOptions
from .questions import Question

#: Largest answer. 20,000 snapshots with their properties are about 30 MiB; aiohttp's own limit is 4 MiB a message.
MAX_ANSWER_BYTES = 256 * 1024 * 1024
USER_AGENT = "kubestress.core"


class Transport(Protocol):
    """One login to a box. `name` is one of TRANSPORTS."""

    name: str

    async def ask(self, question: Question) -> Any:
        """The answer, decoded as the question's kind. Raises BoxError."""


@asynccontextmanager
async def http_session(options: BoxOptions) -> AsyncIterator[Any]:
    """An aiohttp session that trusts the box by the options, and that refuses to be sent elsewhere.

    Raises MissingLibrary, and BadOption for certificates that cannot be read.
    """
    try:
        aiohttp = import_aiohttp()
    except ImportError as error:
        raise MissingLibrary([AIOHTTP], error) from error
    tracing = aiohttp.TraceConfig()
    # ws_connect() follows redirects by itself, and the login would go wherever they lead.
    tracing.on_request_redirect.append(_refuse_redirect)
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=_tls(options)),
        timeout=aiohttp.ClientTimeout(total=None, connect=options.connect_timeout),
        headers={"User-Agent": USER_AGENT},
        trace_configs=[tracing],
        trust_env=False,
        cookie_jar=aiohttp.DummyCookieJar(),
    )
    try:
        yield session
    finally:
        await session.close()


def _tls(options: BoxOptions) -> ssl.SSLContext:
    try:
        return ssl_context({"ca_file": options.ca_cert, "verify": options.validate_certs})
    except Exception as error:
        raise BadOption(f"ca_cert: {options.ca_cert}: {plain(error)}") from error


async def _refuse_redirect(_session: Any, _context: Any, redirect: Any) -> None:
    raise redirected(str(redirect.url.origin()), str(redirect.response.headers.get("Location", "")))


def redirected(url: str, location: str) -> Broken:
    """What is said of a redirect: it may lead to another host, and the key goes to the configured one only."""
    return Broken(
        f"{plain(url)} redirects to {plain(location) or 'nowhere'}, which is not followed; give that URL if it is right"
    )


def failure(options: BoxOptions, error: Exception) -> Broken:
    """What is said of a failed connection or request."""
    aiohttp = import_aiohttp()
    if isinstance(error, TimeoutError):
        return Broken(f"{options.url}: no answer in time")
    cause = plain(cause_of(aiohttp, error), secret=options.api_key)
    if is_about_trust(aiohttp, error):
        return Broken(
            f"{options.url}: its certificate is not trusted: {cause}; give its certificate or its issuer's with ca_cert"
        )
    return Broken(f"{options.url}: {cause}")


def reader(options: BoxOptions, kind: Any, what: str) -> Callable[[Any], Any]:
    """A function that decodes an answer to `what` as `kind`. It raises Broken. Raises MissingLibrary."""
    decode = decoder(kind)

    def read(body: Any) -> Any:
        try:
            return decode(body)
        except (Unproven, RecursionError) as error:
            said = plain(error, secret=options.api_key)
            raise Broken(f"{options.url}: the answer to {what} cannot be read: {said}") from None

    return read
