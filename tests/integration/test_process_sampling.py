"""Processes of build pods beside a batch: in its measurements where kubelets count them, else the cause."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.kubestress.core.plugins.module_utils.results.merge import merged_processes
from helpers.batches import NAMESPACES, jobs, measured, run_batch
from helpers.counting_proxy import counting_proxy

# Long enough for a few rounds of one second each.
LASTING = {"simulate_duration": "6s", "simulate_duration_max": "7s"}


def options(run_id: str, prefix: str, tmp_path: Path, **more: Any) -> dict[str, Any]:
    fragments = [NAMESPACES, jobs(2, parallelism=2, completions=2, simulate=LASTING)]
    return {
        "run_id": run_id, "namespaces": [f"{prefix}-1", f"{prefix}-2"], "fragments": fragments,
        "results_dir": str(tmp_path), "process_interval": 1, **more,
    }  # fmt: skip


def test_kubelets_that_count_are_in_the_measurements(kubeconfig: Path, run_id: str, prefix: str, tmp_path: Path):
    with counting_proxy(kubeconfig, processes=72) as proxy:
        result = run_batch(host=proxy.url, **options(run_id, prefix, tmp_path))
    assert not result["failed"], result["msg"]
    found = result["processes"]["per_build_pod"]
    assert (found["min"], found["median"], found["max"], found["source"]) == (72, 72, 72, "kubelet")
    assert 1 <= sum(found["plateaus"].values()) <= result["pods"]["succeeded"] == 8
    assert found["samples"] >= 2
    # One request a second, whatever the number of nodes.
    assert 2 <= proxy.kubelets_asked <= result["seconds"] + 1
    assert measured(tmp_path)["processes"] == result["processes"]
    assert merged_processes([measured(tmp_path)])["per_build_pod"]["max"] == 72


def test_simulated_nodes_have_a_cause_and_no_figures(kubeconfig: Path, run_id: str, prefix: str, tmp_path: Path):
    with counting_proxy(kubeconfig) as proxy:
        result = run_batch(host=proxy.url, **options(run_id, prefix, tmp_path))
    assert not result["failed"], result["msg"]
    found = result["processes"]["per_build_pod"]
    assert (found["min"], found["max"], found["samples"], found["source"]) == (None, None, 0, "none")
    assert found["cause"].endswith(": simulated node: it runs no processes")
    assert proxy.kubelets_asked == 0


def test_nobody_is_asked_where_that_is_not_wanted(kubeconfig: Path, run_id: str, prefix: str, tmp_path: Path):
    with counting_proxy(kubeconfig, processes=72) as proxy:
        result = run_batch(host=proxy.url, **options(run_id, prefix, tmp_path, process_interval=0))
    assert not result["failed"], result["msg"]
    assert result["processes"]["per_build_pod"]["source"] == "none"
    assert proxy.kubelets_asked == 0
