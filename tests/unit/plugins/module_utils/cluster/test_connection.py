"""Where the API server is: options before kubeconfig before pod, read in a child process, errors as one line."""

from __future__ import annotations

import base64
import os
import ssl
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import yaml
from ansible_collections.kubestress.core.plugins.module_utils.cluster.child import run_in_child
from ansible_collections.kubestress.core.plugins.module_utils.cluster.connection import open_connection
from ansible_collections.kubestress.core.plugins.module_utils.cluster.errors import ConfigurationError
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.pki import Pki

SERVER = "https://127.0.0.1:6443"


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    made = Pki(tmp_path_factory.mktemp("pki"))
    made.create(["127.0.0.1"])
    return made


@pytest.fixture(autouse=True)
def _no_cluster_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"):
        monkeypatch.delenv(name, raising=False)


def kubeconfig(tmp_path: Path, *, cluster: dict, user: dict) -> str:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": SERVER, **cluster}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "one", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "one",
    }
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(document))
    return str(path)


def inline(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


@pytest.mark.parametrize(
    "given",
    [
        {"Proxy-Authorization": "Basic s3cret", "X-Team": "7"},
        '{"Proxy-Authorization": "Basic s3cret", "X-Team": 7}',
        "Proxy-Authorization='Basic s3cret',X-Team=7",
    ],
    ids=["dictionary", "JSON", "pairs"],
)
async def test_proxy_headers_as_data_or_text_and_never_shown(given: object) -> None:
    connection = await open_connection({"host": SERVER, "api_key": "t0ken", "proxy_headers": given})
    assert connection.proxy_headers == {"Proxy-Authorization": "Basic s3cret", "X-Team": "7"}
    assert "s3cret" not in repr(connection)


async def test_broken_proxy_headers_are_refused_without_showing_them() -> None:
    with pytest.raises(ConfigurationError, match="proxy_headers: a dictionary is needed") as refused:
        await open_connection({"host": SERVER, "proxy_headers": "s3cret"})
    assert "s3cret" not in str(refused.value)


async def test_token_and_authority_out_of_a_kubeconfig(tmp_path: Path, pki: Pki) -> None:
    path = kubeconfig(
        tmp_path,
        cluster={"certificate-authority-data": inline(pki.ca_certificate), "tls-server-name": "kubernetes"},
        user={"token": "secret-token"},
    )
    connection = await open_connection({"kubeconfig": path})
    assert connection.host == SERVER
    assert ("Authorization", "Bearer secret-token") in connection.headers
    assert connection.server_hostname == "kubernetes"
    assert connection.ssl_context is not None
    assert connection.ssl_context.verify_mode == ssl.CERT_REQUIRED
    (authority,) = connection.ssl_context.get_ca_certs()
    assert dict(field[0] for field in authority["subject"])["commonName"] == "kubestress local cluster"
    assert "secret-token" not in repr(connection)


@pytest.mark.parametrize("form", ["inline", "relative file"])
async def test_client_certificate_out_of_a_kubeconfig_leaves_no_file(
    tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    names = {"client-certificate": pki.server_certificate, "client-key": pki.server_key}
    if form == "inline":
        user = {f"{name}-data": inline(path) for name, path in names.items()}
    else:
        for path in names.values():
            (tmp_path / path.name).write_bytes(path.read_bytes())
        user = {name: path.name for name, path in names.items()}
    path = kubeconfig(tmp_path, cluster={"certificate-authority-data": inline(pki.ca_certificate)}, user=user)
    connection = await open_connection({"kubeconfig": path})
    assert connection.ssl_context is not None
    assert list(scratch.iterdir()) == []


async def test_the_task_goes_before_the_kubeconfig(tmp_path: Path, pki: Pki) -> None:
    path = kubeconfig(tmp_path, cluster={"insecure-skip-tls-verify": True}, user={"token": "theirs"})
    options = {"kubeconfig": path, "host": "https://other:1/", "api_key": "ours", "ca_cert": str(pki.ca_certificate)}
    connection = await open_connection({**options, "validate_certs": True})
    assert connection.host == "https://other:1"
    assert ("Authorization", "Bearer ours") in connection.headers
    assert connection.ssl_context is not None
    assert connection.ssl_context.check_hostname
    skipping = await open_connection(options)
    assert skipping.ssl_context is not None
    assert skipping.ssl_context.verify_mode == ssl.CERT_NONE


async def test_an_exec_plugin_is_asked(tmp_path: Path, pki: Pki) -> None:
    plugin = tmp_path / "plugin"
    plugin.write_text(
        f"#!{sys.executable}\nprint('"
        '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","status":{"token":"from-plugin"}}'
        "')\n"
    )
    plugin.chmod(0o755)
    execute = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(plugin), "interactiveMode": "Never"}
    path = kubeconfig(
        tmp_path,
        cluster={"certificate-authority-data": inline(pki.ca_certificate)},
        user={"exec": execute},
    )
    connection = await open_connection({"kubeconfig": path})
    assert ("Authorization", "Bearer from-plugin") in connection.headers


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "no API server is given"),
        ({"kubeconfig": "/nonexistent"}, "kubeconfig: no file at /nonexistent"),
        ({"host": SERVER, "ca_cert": "/nonexistent"}, "ca_cert: no file at /nonexistent"),
        ({"host": SERVER, "username": "a"}, "username and password: give both or neither"),
    ],
)
async def test_what_cannot_be_used_is_named_in_one_line(options: dict, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        await open_connection(options)
    assert "\n" not in str(caught.value)


async def test_an_unknown_context_is_named(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, cluster={}, user={})
    with pytest.raises(ConfigurationError, match="with context 'two' cannot be used"):
        await open_connection({"kubeconfig": path, "context": "two"})


async def test_a_child_does_the_work_and_leaves_nothing() -> None:
    parent = os.getpid()
    assert await run_in_child(os.getpid) != parent
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


async def test_with_other_threads_nothing_is_forked() -> None:
    ended = threading.Event()
    thread = threading.Thread(target=ended.wait)
    thread.start()
    try:
        assert await run_in_child(os.getpid) == os.getpid()
    finally:
        ended.set()
        thread.join()


async def test_a_fault_of_ours_comes_with_the_childs_traceback() -> None:
    def fault() -> None:
        raise KeyError("here")

    with pytest.raises(RuntimeError, match="KeyError: 'here'"):
        await run_in_child(fault)


async def test_a_child_that_dies_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="ended without an answer"):
        await run_in_child(lambda: os._exit(3))


def test_the_process_stays_small(tmp_path: Path, pki: Pki) -> None:
    """What reading a kubeconfig needs is 20 MB that a module's process need not have."""
    path = kubeconfig(tmp_path, cluster={"certificate-authority-data": inline(pki.ca_certificate)}, user={"token": "t"})
    script = (
        "import asyncio, sys\n"
        "from ansible_collections.kubestress.core.plugins.module_utils.cluster.client import Cluster\n"
        f"asyncio.run(Cluster.open({{'kubeconfig': {path!r}}}))\n"
        "assert 'aiohttp' in sys.modules\n"
        "assert not [name for name in sys.modules if name.startswith(('kubernetes', 'pydantic'))]\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


async def test_a_kubeconfig_of_the_environment_that_does_not_exist_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/nowhere/config")
    with pytest.raises(ConfigurationError, match=r"KUBECONFIG: no file at /nowhere/config$"):
        await open_connection({})
    monkeypatch.setenv("K8S_AUTH_KUBECONFIG", "/nowhere/other")
    with pytest.raises(ConfigurationError, match=r"K8S_AUTH_KUBECONFIG: no file at /nowhere/other$"):
        await open_connection({"kubeconfig": "/nowhere/other"})
