"""The playbook and its role: variables arrive, bad ones are refused, and the last message is the kubeconfig's line."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from helpers.commands import Completed
from helpers.local_cluster import Driver, processes_of

PLAYBOOK = "kubestress.core.local_cluster"


@pytest.fixture
def play(driver: Driver, cluster_free_playbook: Callable[..., Completed]) -> Callable[..., Completed]:
    def run(*arguments: str, **variables: Any) -> Completed:
        given = {f"local_cluster_{name}": value for name, value in {**driver.options, **variables}.items()}
        return cluster_free_playbook(PLAYBOOK, *arguments, extra_vars=given)

    return run


def test_the_last_message_is_the_kubeconfigs_line(driver: Driver, play: Callable[..., Completed]) -> None:
    done = play(nodes="2")
    assert done.rc == 0, done.output
    messages = re.findall(r'"msg": "(.*)"', done.stdout)
    assert messages[-1] == f"KUBECONFIG={driver.data_dir}/kubeconfig"
    assert driver.ok(nodes=2)["changes"] == []


def test_again_changes_nothing(play: Callable[..., Completed]) -> None:
    assert "changed=0" in play(nodes=2).stdout


def test_an_inventorys_localhost_changes_nothing(play: Callable[..., Completed]) -> None:
    """As in AWX, where the inventory defines localhost and Ansible would look for another Python."""
    done = play("-i", "localhost,", nodes=2)
    assert done.rc == 0, done.output


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"state": "running"}, "local_cluster_state: 'running' is not allowed; choose one of present, absent, built"),
        ({"nodes": "many"}, "local_cluster_nodes: 'many' is not a whole number, 0 to 5,000"),
        (
            {"node": 3},
            "local_cluster_node: no role of kubestress.core has such a variable",
        ),
        ({"nodes": -1}, "local_cluster_nodes: -1 is not allowed; it must be 0 to 5,000"),
    ],
)
def test_bad_values_are_refused(play: Callable[..., Completed], variables: dict[str, Any], message: str) -> None:
    done = play(**variables)
    assert done.rc != 0
    assert message in " ".join(done.output.split())


def test_check_mode_tells_the_kubeconfig_too(driver: Driver, play: Callable[..., Completed]) -> None:
    done = play("--check", nodes=4)
    assert done.rc == 0, done.output
    assert f"KUBECONFIG={driver.data_dir}/kubeconfig" in done.stdout
    assert driver.ok(nodes=2)["changes"] == []


def test_absent_leaves_nothing(driver: Driver, play: Callable[..., Completed]) -> None:
    done = play(state="absent")
    assert done.rc == 0, done.output
    assert "KUBECONFIG=" not in done.stdout
    assert not driver.data_dir.exists()
    assert processes_of(driver.data_dir) == {}
