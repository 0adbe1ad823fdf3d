"""Processes of build pods beside a batch: in its observation where kubelets count them, else the cause."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.results.merge_observations import merged_processes
from helpers.batches import NAMESPACES, jobs, observed, run_batch
from helpers.counting_proxy import counting_proxy

# Long enough for a few rounds of one second each.
LASTING = {"simulate_duration": "6s", "simulate_duration_max": "7s"}


def options(run_id: str, prefix: str, tmp_path: Path, **more: Any) -> dict[str, Any]:
    fragments = [NAMESPACES, jobs(2, parallelism=2, completions=2, simulate=LASTING)]
    return {
        "run_id": run_id, "namespaces": [f"{prefix}-1", f"{prefix}-2"], "fragments": fragments,
        "results_dir": str(tmp_path), "observe": {"node_interval": 1, "api_interval": 0}, **more,
    }  # fmt: skip


def test_kubelets_that_count_are_in_the_observation(kubeconfig: Path, run_id: str, prefix: str, tmp_path: Path):
    with counting_proxy(kubeconfig, processes=72) as proxy:
        result = run_batch(host=proxy.url, **options(run_id, prefix, tmp_path))
    assert not result["failed"], result["msg"]
    found = observed(tmp_path)["processes"]["per_build_pod"]
    assert (found["min"], found["median"], found["max"], found["source"]) == (72, 72, 72, "kubelet")
    assert 1 <= sum(found["plateaus"].values()) <= result["pods"]["succeeded"] == 8
    assert found["samples"] >= 2
    # One request a second, whatever the number of nodes; some of them are for Nodes and limits.
    assert 2 <= proxy.kubelets_asked <= result["seconds"] + 1
    nodes = observed(tmp_path)["nodes"]
    assert nodes["source"] == "kubelet"
    assert nodes["requests"] <= result["seconds"] + 3
    told = [row for row in nodes["nodes"] if row["samples"]]
    assert {(row["pod_processes_peak"], row["pod_pids_limit"], row["threads_peak"]) for row in told} == {
        (72, 4096, None)
    }
    assert merged_processes([observed(tmp_path)])["per_build_pod"]["max"] == 72


def test_simulated_nodes_have_a_cause_and_no_figures(kubeconfig: Path, run_id: str, prefix: str, tmp_path: Path):
    with counting_proxy(kubeconfig) as proxy:
        result = run_batch(host=proxy.url, **options(run_id, prefix, tmp_path))
    assert not result["failed"], result["msg"]
    found = observed(tmp_path)["processes"]["per_build_pod"]
    assert (found["min"], found["max"], found["samples"], found["source"]) == (None, None, 0, "none")
    assert found["cause"].endswith(": simulated node: it runs no processes")
    assert observed(tmp_path)["nodes"]["cause"] == found["cause"]
    assert proxy.kubelets_asked == 0


@pytest.mark.parametrize("observe", [{"node_interval": 0}, {"enabled": False}], ids=["no interval", "no observer"])
def test_nobody_is_asked_where_that_is_not_wanted(
    kubeconfig: Path, run_id: str, prefix: str, tmp_path: Path, observe: dict[str, Any]
):
    with counting_proxy(kubeconfig, processes=72) as proxy:
        result = run_batch(host=proxy.url, **options(run_id, prefix, tmp_path, observe=observe))
    assert not result["failed"], result["msg"]
    assert proxy.kubelets_asked == 0
    if observe.get("enabled", True):
        assert observed(tmp_path)["nodes"]["cause"] == "not read: the interval is 0"
    else:
        assert not (tmp_path / "observations").exists()
