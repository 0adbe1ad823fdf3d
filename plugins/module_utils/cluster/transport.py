# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the client needs of aiohttp and TLS: loaded with less memory than by default, and lines of a stream."""

from __future__ import annotations

import os
import socket
import ssl
from asyncio import sslproto
from collections.abc import AsyncIterator
from typing import Any

from .errors import ClusterError

#: Limit of one line of a watch: an object may have 1.5 MiB in etcd, and its JSON is larger.
MAX_LINE_BYTES = 16 * 1024 * 1024
#: Two full TLS records.
_TLS_BUFFER_BYTES = 32 * 1024
#: Where OpenSSL looks for the system's certificate authorities.
_CA_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


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


def cause_of(aiohttp: Any, error: Exception) -> str:
    """What went wrong, in the system's words where it has some: aiohttp's repeat the address around them."""
    inner: Any = None
    # Of a proxy, the address around them is not the one that the caller names.
    if isinstance(error, aiohttp.ClientConnectorError) and not isinstance(error, aiohttp.ClientProxyConnectionError):
        inner = error.os_error
    elif isinstance(error, aiohttp.ClientConnectorCertificateError):
        inner = error.certificate_error
    if isinstance(inner, ssl.SSLCertVerificationError):
        return inner.verify_message
    if isinstance(inner, socket.gaierror):
        return inner.strerror or str(error)
    if isinstance(inner, OSError) and inner.errno and not isinstance(inner, ssl.SSLError):
        return os.strerror(inner.errno)
    return str(error) or type(error).__name__


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
