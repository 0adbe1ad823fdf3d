"""Targets keep off the user's clusters, unless told to use one in so many words."""

from __future__ import annotations

import json
import os
from pathlib import Path

import dev
import pytest
from steps import TargetFailedError

USERS = {"KUBECONFIG": "/mine", "K8S_AUTH_HOST": "https://mine:6443", "K8S_AUTH_API_KEY": "s3cret"}


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """Environment and `-e {…}` of all commands that a target ran; the user's variables name a cluster."""
    for name in [name for name in os.environ if name.startswith("K8S_AUTH_")]:
        monkeypatch.delenv(name)
    for name in ("DEMO_CLUSTER", "REAL_NODE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in USERS.items():
        monkeypatch.setenv(name, value)
    environments: list[dict[str, str]] = []

    def run(*command: str, env: dict[str, str] | None = None) -> None:
        given = [json.loads(word) for word in command if word.startswith("{")]
        environments.append({**os.environ, **(env or {}), **{name: each[name] for each in given for name in each}})

    monkeypatch.setattr(dev, "run", run)
    monkeypatch.setattr(dev.real_node, "install_debian_packages", lambda _packages: None)
    monkeypatch.setattr(dev.control_plane, "start", lambda _variables: Path("/embedded"))
    return environments


def cluster_of(environment: dict[str, str]) -> dict[str, str]:
    prefixes = ("KUBECONFIG", "K8S_AUTH_", "kubestress_")
    return {name: value for name, value in environment.items() if name.startswith(prefixes)}


def test_demo_keeps_off_the_cluster_that_the_environment_names(ran: list, capsys: pytest.CaptureFixture) -> None:
    dev.demo([])
    # As a setting: only then have the commands that the run shows for later the cluster in them.
    assert [cluster_of(environment) for environment in ran] == [{"kubestress_kubeconfig": "/embedded"}] * 2
    said = capsys.readouterr().out
    assert "scripts/dev run" in said
    assert "KUBECONFIG" in said
    assert "DEMO_CLUSTER=current" in said


def test_demo_uses_it_when_asked_to(ran: list, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setenv("DEMO_CLUSTER", "current")
    dev.demo([])
    assert [cluster_of(environment) for environment in ran] == [USERS] * 2
    said = capsys.readouterr().out
    assert "KUBECONFIG=/mine, K8S_AUTH_HOST=https://mine:6443" in said
    assert "s3cret" not in said


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"DEMO_CLUSTER": "yes"}, "DEMO_CLUSTER is 'yes'; allowed is current"),
        ({"DEMO_CLUSTER": "current", "REAL_NODE": "false"}, "REAL_NODE applies to the embedded cluster"),
    ],
)
def test_half_a_yes_is_refused(variables: dict, said: str, ran: list, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(TargetFailedError, match=said):
        dev.demo([])
    assert ran == []


@pytest.mark.parametrize("target", ["bench", "docs"])
def test_no_other_target_can_reach_it(target: str, ran: list, monkeypatch: pytest.MonkeyPatch) -> None:
    """K8S_AUTH_HOST of the environment would win over the kubeconfig that the bench gives its playbooks."""
    monkeypatch.setattr(dev.sys, "argv", ["dev", target])
    monkeypatch.setattr(dev.signal, "signal", lambda _number, _handler: None)
    monkeypatch.setenv("ANSIBLE_COLLECTIONS_PATH", "/collections")
    dev.main()
    assert [cluster_of(environment) for environment in ran] == [{}]


@pytest.mark.parametrize(("value", "passed"), [("", "--defence=on"), ("off", "--defence=off")])
def test_faults_are_withstood_unless_said_otherwise(value: str, passed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEFENCE", value)
    given: list[str] = []
    monkeypatch.setattr(dev, "pytest", lambda _folder, arguments: given.extend(arguments))
    dev.faults(["-k", "etcd"])
    assert given[:2] == ["tests/faults", passed]
    assert given[-2:] == ["-k", "etcd"]


def test_a_defence_is_off_or_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEFENCE", "none")
    with pytest.raises(TargetFailedError, match="DEFENCE is 'none'; allowed is off"):
        dev.faults([])
