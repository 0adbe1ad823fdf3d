"""What is said of a credential that the API server refuses: which it is and where from, and nothing of its value."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.kubestress.core.plugins.module_utils.cluster.credentials import refused
from ansible_collections.kubestress.core.plugins.module_utils.cluster.errors import Unauthorized

HOST = "https://127.0.0.1:6443"


@pytest.fixture(autouse=True)
def _nothing_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("KUBECONFIG", "K8S_AUTH_API_KEY", "K8S_AUTH_KUBECONFIG"):
        monkeypatch.delenv(name, raising=False)


def said(**options: Any) -> str:
    error = refused(HOST, options, Unauthorized("Unauthorized", status=401))
    assert (error.status, error.reason) == (401, "Unauthorized")
    assert "s3cret" not in str(error)
    return str(error)


def kubeconfig(path: Path, **user: Any) -> Path:
    context = {"name": "one", "context": {"cluster": "c", "user": "u"}}
    document = {"users": [{"name": "u", "user": user}], "contexts": [context], "current-context": "one"}
    path.write_text(yaml.safe_dump(document))
    return path


def token(expires_in: float) -> str:
    parts = [{"alg": "none"}, {"exp": time.time() + expires_in, "sub": "s3cret"}]
    return ".".join([*(base64.urlsafe_b64encode(json.dumps(part).encode()).decode() for part in parts), "s3cret"])


@pytest.mark.parametrize(
    ("user", "named"),
    [
        ({"token": "s3cret"}, "the token of user 'u' in {path}; it has likely expired, or is for another cluster"),
        ({"token": token(-2.5 * 86_400)}, "the token of user 'u' in {path}; it expired "),
        ({"token": token(3600)}, "it has not expired, so it is for another cluster"),
        ({"client-certificate-data": "s3cret"}, "the client certificate of user 'u' in {path}; it has likely expired"),
        (
            {"exec": {"command": "/usr/bin/oidc-login"}},
            "the exec plug-in oidc-login of user 'u' in {path}; log in again",
        ),
        ({"tokenFile": "/run/token"}, "the token in /run/token of user 'u'"),
        ({"username": "me", "password": "s3cret"}, "the password of user 'u'"),
        ({}, "the missing credential of user 'u' in {path}; the kubeconfig has none for it"),
    ],
)
def test_the_user_of_a_kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: dict, named: str) -> None:
    path = kubeconfig(tmp_path / "config", **user)
    expected = named.format(path=path)
    assert f"{HOST}: Unauthorized: the API server does not accept the" in said(kubeconfig=str(path))
    assert expected in said(kubeconfig=str(path))
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/none:{path}")
    assert expected in said()
    assert expected.replace(str(path), "the option kubeconfig") in said(kubeconfig=yaml.safe_load(path.read_text()))


def test_options_and_their_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "the token of the option api_key; it has likely expired" in said(host=HOST, api_key="s3cret")
    monkeypatch.setenv("K8S_AUTH_API_KEY", "s3cret")
    assert "the token of K8S_AUTH_API_KEY; it has likely expired" in said(host=HOST, api_key="s3cret")
    assert "the client certificate /c.crt (the option client_cert)" in said(host=HOST, client_cert="/c.crt")
    assert "the password of user 'me' (the option username)" in said(host=HOST, username="me", password="s3cret")
    assert "a connection without credentials; give api_key" in said(host=HOST)
    assert "the token of this pod's service account" in said()
