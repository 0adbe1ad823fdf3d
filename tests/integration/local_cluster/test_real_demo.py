"""The demo on a real node: processes, kills and requests that really happened, told in summary.json."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
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


@pytest.fixture(scope="module")
def operations(kubeconfig_of_node: str, driver: Driver) -> Path:
    """What the node's network plug-in writes."""
    assert kubeconfig_of_node
    return Path(driver.ok()["real_node"]["cni_operations"])


@pytest.fixture(scope="module")
def summary(
    kubeconfig_of_node: str,
    cluster_free_playbook: Callable[..., Completed],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Any]:
    """What the demo measured, with the settings that `make demo REAL_NODE=true` has."""
    results = tmp_path_factory.mktemp("results")
    cluster = {"K8S_AUTH_KUBECONFIG": kubeconfig_of_node}
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


def test_what_was_expected_stands_beside_what_the_real_node_did(summary: dict[str, Any]) -> None:
    (role,) = summary["expected"]["roles"]
    seen = {row["name"]: row["seen_s"] for row in role["milestones"]}
    assert 0 < seen["first_pod"] < seen["first_finished"] < seen["all_finished"]
    # Compilation begins after two phases; it is seen with the next reading, which a busy machine answers late.
    assert summary["processes"]["per_build_pod"]["samples"]
    assert seen["first_pod"] < seen["first_busy"] < seen["all_finished"]
    expected = {row["name"]: row for row in role["milestones"]}
    assert expected["first_finished"]["earliest_s"] <= seen["first_finished"] + 2
    (node,) = (one for one in summary["expected"]["nodes"] if one["name"] == "real-0001")
    assert 1 <= node["build_pods_peak"] <= role["pods_at_once"]
    assert node["most"] == node["build_pods_peak"] * role["processes_busy"]
    assert node["rise"] > role["processes_busy"]


def test_make_refuses_a_real_node_on_somebodys_cluster(tmp_path: Path) -> None:
    environment = {"KUBECONFIG": str(tmp_path / "kubeconfig"), "DEMO_CLUSTER": "current", "REAL_NODE": "true"}
    done = run("make", "demo", cwd=CHECKOUT, env=environment)
    assert done.rc != 0
    assert "REAL_NODE applies to the embedded cluster, but DEMO_CLUSTER is current" in done.output


def test_operations_of_the_network_plug_in_are_those_that_it_wrote(summary: dict[str, Any], operations: Path) -> None:
    """Each line read by itself. What the kubelet takes down while the run ends may come after the last reading."""
    counted = summary["network_operations"]
    assert (counted["cause"], list(counted["sources"])) == (None, ["network plug-in"])
    begin, end = (datetime.fromisoformat(summary[name]).timestamp() for name in ("started", "finished"))
    first: dict[tuple[str, str], int] = {}
    for line in operations.read_text().splitlines():
        seconds, verb, sandbox, _code = line.split()
        first.setdefault((verb, sandbox), int(seconds))

    def written(verb: str, until: float) -> int:
        return sum(int(begin) <= seconds <= until for (word, _id), seconds in first.items() if word == verb)

    source = counted["sources"]["network plug-in"]
    assert source["add"] == written("ADD", end) > 0
    assert written("DEL", end - 3) <= source["del"] <= written("DEL", end + 3)
    for rows in (counted["minutes"], counted["hours"]):
        assert sum(row["sources"]["network plug-in"]["total"] for row in rows) == source["total"]
    minutes = Counter(
        seconds // 60 for (verb, _id), seconds in first.items() if verb == "ADD" and seconds >= int(begin)
    )
    assert {
        int(datetime.fromisoformat(row["start"]).timestamp()) // 60: row["sources"]["network plug-in"]["add"]
        for row in counted["minutes"]
        if row["sources"]["network plug-in"]["add"]
    } == minutes
