"""Loading aiohttp: the user's authorities stay named, none of the system's is loaded, and buffers are small."""

from __future__ import annotations

import errno
import os
import socket
import ssl
import subprocess
import sys
from asyncio import sslproto
from types import SimpleNamespace

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.cluster.transport import (
    cause_of,
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
        "from ansible_collections.kubestress.core.plugins.module_utils.cluster.transport import import_aiohttp\n"
        "import_aiohttp()\n"
        "from aiohttp import connector\n"
        "assert connector._SSL_CONTEXT_VERIFIED.cert_store_stats()['x509'] == 0\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_connection_over_tls_has_a_small_buffer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sslproto.SSLProtocol, "max_size", 256 * 1024)
    use_small_tls_buffers()
    assert sslproto.SSLProtocol.max_size == 32 * 1024


def untrusted() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed (_ssl.c:1006)")
    error.verify_message = "unable to get local issuer certificate"
    return error


@pytest.mark.parametrize(
    ("name", "inner", "cause"),
    [
        ("ClientConnectorError", OSError(errno.ECONNREFUSED, "Connect call failed ('::1', 9)"), "Connection refused"),
        ("ClientConnectorError", socket.gaierror(socket.EAI_NONAME, "Name unknown"), "Name unknown"),
        ("ClientConnectorCertificateError", untrusted(), "unable to get local issuer certificate"),
        # Several addresses were tried, or it is the proxy that does not answer: the message is kept.
        ("ClientConnectorError", OSError("Multiple exceptions: a, b"), "Cannot connect to host api.example:6443"),
        ("ClientProxyConnectionError", OSError(errno.ECONNREFUSED, "x"), "Cannot connect to host api.example:6443"),
    ],
)
def test_a_cause_is_told_in_the_systems_words(name: str, inner: OSError, cause: str) -> None:
    aiohttp = import_aiohttp()
    key = SimpleNamespace(host="api.example", port=6443, ssl=True, is_ssl=True)
    assert cause_of(aiohttp, getattr(aiohttp, name)(key, inner)).startswith(cause)


def test_a_cause_without_words_is_named_by_its_kind() -> None:
    assert cause_of(import_aiohttp(), ConnectionResetError()) == "ConnectionResetError"
