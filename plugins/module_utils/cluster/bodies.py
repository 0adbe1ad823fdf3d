# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bodies of answers that are read piece by piece, to keep them out of memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

#: Of a refusal, where the answer was to be read piece by piece.
_REFUSAL_BYTES = 64 * 1024
#: Makes a body of the pieces of an answer; it may stop early, by raising.
Read = Callable[[AsyncIterator[bytes]], Awaitable[bytes]]


async def body_of(response: Any, read: Read | None) -> bytes:
    """The body of an aiohttp response: whole, or what `read` makes of a success; of a refusal then only its beginning.

    An answer that was not read to its end is closed: the rest of it might come forever.
    """
    if read is None:
        whole: bytes = await response.read()
        return whole
    try:
        return await (read if response.status < 300 else _beginning)(response.content.iter_any())
    finally:
        if not response.content.at_eof():
            response.close()


async def _beginning(pieces: AsyncIterator[bytes]) -> bytes:
    found = b""
    async for piece in pieces:
        found += piece
        if len(found) >= _REFUSAL_BYTES:
            break
    return found
