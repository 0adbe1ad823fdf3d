"""How a cluster is reached, against the stand-in, and a kubeconfig that keeps everything else."""

from __future__ import annotations

import base64
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.kubestress.core.plugins.module_utils.errors import ModuleFailed
from ansible_collections.kubestress.core.plugins.module_utils.gcp import kubeconfig
from ansible_collections.kubestress.core.plugins.module_utils.gcp.gke import ARGUMENTS, run_module
from helpers.cloud import PROJECT, Cloud, running

PEM = "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n"
CLUSTER = {
    "endpoint": "203.0.113.10", "status": "RUNNING", "currentMasterVersion": "1.36.3-gke.1000",
    "masterAuth": {"clusterCaCertificate": base64.b64encode(PEM.encode()).decode()},
    "controlPlaneEndpointsConfig": {
        "dnsEndpointConfig": {"endpoint": "gke-0a1b.europe-west4.gke.goog"},
        "ipEndpointsConfig": {"privateEndpoint": "10.0.0.2"},
    },
}  # fmt: skip
NAME = f"kubestress_{PROJECT}_europe-west4_training"
Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    stand_in = Cloud()
    stand_in.clusters[PROJECT, "europe-west4", "training"] = CLUSTER
    with running(stand_in):
        yield stand_in


@pytest.fixture
def ask(cloud: Cloud, tmp_path: Path) -> Ask:
    """A function that does what the module does."""
    common = {
        "project": PROJECT, "location": "europe-west4", "name": "training",
        "credentials_file": str(cloud.key_file(tmp_path)), "endpoints": {"container": cloud.url},
    }  # fmt: skip

    def run(*, check_mode: bool = False, **options: Any) -> dict[str, Any]:
        checked = ArgumentSpecValidator(ARGUMENTS).validate({**common, **options})
        assert not checked.error_messages
        return run_module(checked.validated_parameters, check_mode=check_mode, environ={})

    return run


def test_what_is_returned_and_nothing_written(ask: Ask, cloud: Cloud, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    answer = ask(project=f"{PROJECT}\n")
    (token,) = cloud.tokens
    assert (answer["host"], answer["ca_data"], answer["api_key"]) == ("https://203.0.113.10", PEM, token)
    assert (answer["changed"], answer["version"], answer["status"]) == (False, "1.36.3-gke.1000", "RUNNING")
    assert answer["expires"].endswith("Z")
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("address", "host", "authority"),
    [("private", "https://10.0.0.2", PEM), ("dns", "https://gke-0a1b.europe-west4.gke.goog", "")],
)
def test_other_addresses(ask: Ask, address: str, host: str, authority: str) -> None:
    answer = ask(address=address)
    assert (answer["host"], answer["ca_data"]) == (host, authority)


def test_a_kubeconfig_keeps_everything_else(ask: Ask, cloud: Cloud, tmp_path: Path) -> None:
    path = tmp_path / "real"
    theirs: dict[str, Any] = {
        "apiVersion": "v1", "kind": "Config", "preferences": {"colors": True}, "current-context": "mine",
        "clusters": [{"name": "mine", "cluster": {"server": "https://mine", "proxy-url": "http://p"}}],
        "users": [{"name": "mine", "user": {"exec": {"command": "gke-gcloud-auth-plugin"}}}],
        "contexts": [
            {"name": "mine", "context": {"cluster": "mine", "user": "mine"}},
            {"name": NAME, "context": {"cluster": "old", "user": "old", "namespace": "jobs"}},
        ],
        "extensions": [{"name": "x", "extension": 1}],
    }  # fmt: skip
    path.write_text(yaml.safe_dump(theirs))
    (tmp_path / "config").symlink_to(path)
    assert ask(kubeconfig=str(tmp_path / "config"), check_mode=True)["changed"]
    assert yaml.safe_load(path.read_text()) == theirs
    answer = ask(kubeconfig=str(tmp_path / "config"))
    made = yaml.safe_load(path.read_text())
    assert answer["changed"]
    assert answer["msg"] == f"https://203.0.113.10: wrote context {NAME} to {tmp_path / 'config'}"
    assert made == {
        **theirs,
        "clusters": [*theirs["clusters"], {"name": NAME, "cluster": {
            "server": "https://203.0.113.10", "certificate-authority-data": base64.b64encode(PEM.encode()).decode(),
        }}],
        "users": [*theirs["users"], {"name": NAME, "user": {"token": answer["api_key"]}}],
        "contexts": [theirs["contexts"][0], {"name": NAME, "context": {
            "cluster": NAME, "user": NAME, "namespace": "jobs",
        }}],
    }  # fmt: skip
    assert path.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "config").is_symlink()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["config", "key.json", "real"]


def test_a_new_kubeconfig_and_the_current_context(ask: Ask, tmp_path: Path) -> None:
    path = tmp_path / "new" / "config"
    ask(kubeconfig=str(path), context="one")
    assert yaml.safe_load(path.read_text())["current-context"] == "one"
    ask(kubeconfig=str(path), context="two")
    assert yaml.safe_load(path.read_text())["current-context"] == "one"
    ask(kubeconfig=str(path), context="two", current_context="yes")
    assert yaml.safe_load(path.read_text())["current-context"] == "two"


def test_a_file_of_the_certificate_that_is_no_text_is_replaced(ask: Ask, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_bytes(b"\x30\x82\xff")
    assert ask(ca_file=str(path))["changed"]
    assert path.read_text() == PEM


def test_a_token_that_the_service_says_back_is_not_told(ask: Ask, cloud: Cloud) -> None:
    cloud.echoes, cloud.clusters = True, {}
    with pytest.raises(ModuleFailed, match=r"HTTP 404: x+ Bearer \*\*\*") as caught:
        ask()
    assert [token for token in cloud.tokens if token in str(caught.value)] == []


def test_nothing_with_the_token_is_left_where_a_kubeconfig_cannot_be_replaced(ask: Ask, tmp_path: Path) -> None:
    target = tmp_path / "folder" / "config"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kubeconfig.os, "replace", full)
        with pytest.raises(ModuleFailed, match=r"kubeconfig: .*config cannot be written: No space left on device"):
            ask(kubeconfig=str(target))
    assert list(target.parent.iterdir()) == []


def full(*_arguments: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_file_of_the_certificate(ask: Ask, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    assert ask(ca_file=str(path), check_mode=True)["changed"]
    assert not path.exists()
    answer = ask(ca_file=str(path))
    assert (answer["changed"], answer["ca_cert"], path.read_text()) == (True, str(path), PEM)
    assert not ask(ca_file=str(path))["changed"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"name": "other"}, f"cluster other in europe-west4 of project {PROJECT}: HTTP 404: Not found: projects/"),
        ({"name": "Training"}, "name: 'Training' is not the name of a cluster"),
        ({"location": "europe/west4"}, "location: 'europe/west4' is not a location"),
        ({"project": "my-\nproject"}, "project: 'my- project' is not the id of a project"),
        ({"endpoints": {"container": "http://x.example"}}, "endpoints.container: 'http://x.example'"),
        ({"kubeconfig": "BROKEN"}, "kubeconfig: BROKEN is not YAML"),
        ({"kubeconfig": "/proc/x/config"}, "kubeconfig: /proc/x/config cannot be written"),
        ({"ca_file": "/proc/x/ca.pem"}, "ca_file: /proc/x/ca.pem cannot be written"),
    ],
)
def test_what_fails_is_named_in_one_line(
    ask: Ask, cloud: Cloud, tmp_path: Path, options: dict[str, Any], said: str
) -> None:
    broken = tmp_path / "broken"
    broken.write_text("{secret: [")
    given = {name: str(broken) if value == "BROKEN" else value for name, value in options.items()}
    with pytest.raises(ModuleFailed) as caught:
        ask(**given)
    text = str(caught.value)
    assert text.startswith(f"gke_credentials: {said.replace('BROKEN', str(broken))}")
    assert "\n" not in text
    assert not [secret for secret in [*cloud.secrets(), "secret"] if secret in text]
    assert broken.read_text() == "{secret: ["


def test_a_cluster_that_is_being_made(ask: Ask, cloud: Cloud) -> None:
    cloud.clusters[PROJECT, "europe-west4", "training"] = {"status": "PROVISIONING"}
    with pytest.raises(ModuleFailed, match="has no public endpoint; its status is PROVISIONING"):
        ask()


def test_a_kubeconfig_that_another_program_changes(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "config.lock").touch()
    with pytest.raises(ModuleFailed, match=r"another program changes .*config now; if none does, remove .*config.lock"):
        ask(kubeconfig=str(tmp_path / "config"))
    assert not (tmp_path / "config").exists()
