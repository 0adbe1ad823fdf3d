# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TrueNAS' REST API v2.0, deprecated in 25.04 and gone in 26: for boxes that have nothing else."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from ..cluster.transport import import_aiohttp
from .errors import Broken, CallRefused, LoginRefused, NotServed, plain
from .options import REST, BoxOptions
from .questions import Question
from .transport import MAX_ANSWER_BYTES, failure, http_session, reader, redirected

PATH = "/api/v2.0"
#: As with JSON-RPC, although nobody counts here: the box does the same work for each.
MAX_REQUESTS = 4
_BUSY = (429, 503)
_FIRST_PAUSE_SECONDS, _MAX_PAUSE_SECONDS = 0.2, 5.0


class Rest:
    """A box by its REST API; each request carries the key."""

    name = REST

    def __init__(self, options: BoxOptions, session: Any) -> None:
        self._options = options
        self._session = session
        self._slots = asyncio.Semaphore(MAX_REQUESTS)

    async def ask(self, question: Question) -> Any:
        """The answer, decoded. Raises BoxError."""
        if not question.path:
            raise NotServed(f"{self._options.url}: REST has no {question.method}")
        read = reader(self._options, question.kind, question.path)
        pause = _FIRST_PAUSE_SECONDS
        while True:
            async with self._slots:
                status, body = await self._once(question)
            if status == 200:
                return read(body)
            if status not in _BUSY:
                raise self._refusal(question.path, status, body)
            # The caller's deadline ends this.
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(2 * pause, _MAX_PAUSE_SECONDS)

    async def _once(self, question: Question) -> tuple[int, bytes]:
        from yarl import URL

        aiohttp = import_aiohttp()
        url = URL(self._options.url + PATH + question.path, encoded=True).update_query(dict(question.query))
        headers = {"Authorization": f"Bearer {self._options.api_key}", "Accept": "application/json"}
        try:
            async with self._session.get(url, headers=headers, allow_redirects=False) as response:
                if 300 <= response.status < 400:
                    raise redirected(self._options.url, response.headers.get("Location", ""))
                body = bytearray()
                async for chunk in response.content.iter_any():
                    body += chunk
                    if len(body) > MAX_ANSWER_BYTES:
                        limit = f"{MAX_ANSWER_BYTES // 2**20} MiB"
                        raise Broken(f"{self._options.url}: the answer to {question.path} is larger than {limit}")
                return response.status, bytes(body)
        except (aiohttp.ClientError, OSError) as error:
            raise failure(self._options, error) from error

    def _refusal(self, path: str, status: int, body: bytes) -> LoginRefused | NotServed | CallRefused:
        url = self._options.url
        if status == 401:
            return LoginRefused(f"{url} refuses the API key: it is wrong, revoked or expired")
        if status == 404:
            return NotServed(f"{url} has no {PATH}{path}")
        said = plain(body.decode(errors="replace"), secret=self._options.api_key)
        if status == 403:
            return CallRefused(f"{path}: not allowed (HTTP 403): {said}; a role such as READONLY_ADMIN is needed")
        return CallRefused(f"{path}: HTTP {status}: {said}")


@asynccontextmanager
async def rest(options: BoxOptions) -> AsyncIterator[Rest]:
    """A box by REST; nothing is sent before the first question. Raises BoxError."""
    async with http_session(options) as session:
        yield Rest(options, session)
