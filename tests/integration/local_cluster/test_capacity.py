"""A capacity search on a real node with few process numbers: it names the value that breaks it, and the cause."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers.commands import Completed
from helpers.local_cluster import Driver

PLAYBOOK = "kubestress.core.capacity"
SEARCH = "pids"
#: Pods of 72 processes and a few of its runtime: a node with 700 numbers runs two, and not fourteen.
PID_MAX, FITS, TOO_MANY = 700, 2, 14
SETTINGS: dict[str, Any] = {
    "profile": "smoke",
    "capacity_id": SEARCH,
    "capacity_knob": "build_jobs_completions,build_jobs_parallelism",
    "capacity_steps": [FITS, TOO_MANY],
    "capacity_settle": 0,
    # The kubelet counts the threads of the whole machine, not only those of its node.
    "capacity_max_node_threads": -1,
    "capacity_max_startup_p99": -1,
    "capacity_allow_pressure": True,
    "namespaces_prefix": SEARCH,
    "namespaces_total": 1,
    "deployments_enabled": False,
    "statefulsets_enabled": False,
    "build_jobs_per_namespace": 1,
    "build_jobs_active_per_namespace": 0,
    "build_jobs_wave_pause": 0,
    "build_jobs_backoff_limit": 1,
    "build_jobs_timeout": 75,
    "build_jobs_time_scale": 0.4,
    # Process numbers are to run out, not the machine's CPU.
    "build_jobs_cpu_workers": 0,
    "preflight_accept_over_limit": True,
}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not sys.platform.startswith("linux") or os.geteuid() != 0, reason="a real node needs Linux and root"
    ),
]


def test_forks_fail_above_what_the_node_bears(
    driver: Driver, own_kubectl: Callable[..., Any], cluster_free_playbook: Callable[..., Completed], tmp_path: Path
) -> None:
    driver.options |= {
        "real_node": True,
        "node_network": "10.231.7.52/30",
        "nodes": 0,
        "real_node_pid_max": PID_MAX,
        "real_node_eviction_pids": "",
    }
    cluster = {"K8S_AUTH_KUBECONFIG": driver.ok()["kubeconfig"]}
    settings = SETTINGS | {"run_results_dir": str(tmp_path)}
    done = cluster_free_playbook(PLAYBOOK, extra_vars=settings, env=cluster)
    assert done.rc == 0, done.output
    document = json.loads((tmp_path / f"capacity-{SEARCH}" / "capacity.json").read_text())
    assert (document["highest_safe"], document["broke_at"]) == (FITS, TOO_MANY)
    assert "report that a process could not be started (fork failed); 0 are allowed" in document["cause"]
    broken = document["steps"][1]["figures"]
    assert broken["fork_failures"] > 0
    assert document["steps"][0]["figures"]["fork_failures"] == 0
    assert f"{FITS} is safe; {TOO_MANY} broke." in done.stdout
    assert own_kubectl("get", "namespaces,jobs,pods", "-A", "-l", "kubestress.core/run-id")["items"] == []
