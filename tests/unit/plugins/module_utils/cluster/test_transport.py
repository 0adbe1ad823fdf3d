"""What starting aiohttp leaves behind in the process."""

from __future__ import annotations

import os
import subprocess
import sys
from asyncio import sslproto

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.cluster.client import (
    import_aiohttp,
    use_small_tls_buffers,
)


@pytest.mark.parametrize("value", [None, "/some/ca.crt"])
def test_the_users_authorities_are_named_as_before(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    if value is not None:
        monkeypatch.setenv("SSL_CERT_FILE", value)
    assert import_aiohttp().ClientSession
    assert os.environ.get("SSL_CERT_FILE") == value


def test_no_system_authorities_are_loaded() -> None:
    script = (
        "from ansible_collections.kubestress.core.plugins.module_utils.cluster.client import import_aiohttp\n"
        "import_aiohttp()\n"
        "from aiohttp import connector\n"
        "assert connector._SSL_CONTEXT_VERIFIED.cert_store_stats()['x509'] == 0\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_connection_over_tls_has_a_small_buffer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sslproto.SSLProtocol, "max_size", 256 * 1024)
    use_small_tls_buffers()
    assert sslproto.SSLProtocol.max_size == 32 * 1024
