# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""aiohttp at the price that one API server needs: start-up time and memory."""

from __future__ import annotations

import os
from asyncio import sslproto
from typing import Any

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
