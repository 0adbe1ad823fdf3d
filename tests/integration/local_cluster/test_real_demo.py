"""The demo on a real node: processes, kills and requests that really happened, told in summary.json. Twice in a row."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import real_node
from helpers.commands import CHECKOUT, Completed, run
from helpers.local_cluster import Driver

NAME = "demo"
NAMESPACES, REPLICAS = 2, 3

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not sys.platform.startswith("linux") or os.geteuid() != 0, reason="a real node needs Linux and root"
    ),
]


@pytest.fixture(scope="module")
def kubeconfig_of_node(driver: Driver) -> Iterator[str]:
    """A cluster with a real node, at an address of these tests' own."""
    driver.options |= {"real_node": True, "node_network": "10.231.7.8/30", "nodes": 1}
    yield driver.ok()["kubeconfig"]
    driver.ok(state="absent")


@pytest.fixture(scope="module", params=["first", "again"])
def summary(
    request: pytest.FixtureRequest,
    kubeconfig_of_node: str,
    cluster_free_playbook: Callable[..., Completed],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Any]:
    """What the demo measured, with the settings that `make demo REAL_NODE=true` has."""
    results = tmp_path_factory.mktemp(request.param)
    cluster = {"K8S_AUTH_KUBECONFIG": kubeconfig_of_node}
    removed = cluster_free_playbook("kubestress.core.cleanup", extra_vars={"run_id": NAME}, env=cluster)
    assert removed.rc == 0, removed.output
    settings = {"run_id": NAME, "namespaces_prefix": NAME, "run_results_dir": str(results)}
    done = cluster_free_playbook("kubestress.core.smoke", extra_vars=settings | real_node.DEMO_SETTINGS, env=cluster)
    assert done.rc == 0, done.output
    return json.loads((results / NAME / "summary.json").read_text())


def test_it_passes(summary: dict[str, Any]) -> None:
    assert (summary["verdict"], summary["reasons"]) == ("passed", [])
    # Eight builds, and the check of the Services in each namespace, which fails if one is not answered.
    assert summary["jobs"]["complete"] == 8 + NAMESPACES
    assert summary["pods"]["failed"] == 0


def test_build_pods_hold_their_processes_while_they_compile(summary: dict[str, Any]) -> None:
    counted = summary["processes"]["per_build_pod"]
    assert counted["source"] == "kubelet"
    assert 60 <= counted["min"] <= counted["median"] <= counted["max"] <= 85
    # 16 pods compile for 5 to 15 seconds. Their kubelet is asked every second, and answers late on a busy machine.
    assert counted["samples"] >= 4


def test_each_replica_is_killed_and_restarted(summary: dict[str, Any]) -> None:
    replicas = NAMESPACES * REPLICAS
    assert summary["statefulsets"]["pods_killed"] == replicas
    assert summary["statefulsets"]["oom_kills"] >= replicas
    assert summary["statefulsets"]["restarts"] >= replicas
    assert summary["pods"]["oom_kills"] >= replicas


def test_node_is_watched(summary: dict[str, Any]) -> None:
    """Its threads against its limit: what an outage begins with."""
    (node,) = (one for one in summary["nodes"]["nodes"] if one["name"] == "real-0001")
    assert node["samples"] >= 10
    assert 0 < node["threads_peak"] < node["max_threads"]
    assert node["conditions"] == []


def test_make_refuses_a_real_node_on_somebodys_cluster(tmp_path: Path) -> None:
    environment = {"KUBECONFIG": str(tmp_path / "kubeconfig"), "DEMO_CLUSTER": "current", "REAL_NODE": "true"}
    done = run("make", "demo", cwd=CHECKOUT, env=environment)
    assert done.rc != 0
    assert "REAL_NODE applies to the embedded cluster, but DEMO_CLUSTER is current" in done.output
