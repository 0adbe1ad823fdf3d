# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What aiohttp needs for one API server: a cheap start, little memory, lines of any length, errors told apart."""

from __future__ import annotations

import os
import ssl
from asyncio import sslproto
from collections.abc import AsyncIterator
from typing import Any

from .errors import ClusterError

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
