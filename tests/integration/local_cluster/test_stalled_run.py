"""A run whose controller manager stops in the middle: it ends within its patience, and names the cause."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.batches import NAMESPACES, jobs, run_batch
from helpers.control_plane import free_ports
from helpers.local_cluster import Driver
from helpers.waiting import until

STALL_SECONDS = 20
# For the last pods to end, the looks at the leases and the explanations, on a machine that does other things too.
MARGIN_SECONDS = 100


@pytest.fixture
def electing_manager(driver: Driver, own_kubectl: Any, tmp_path: Path) -> Iterator[int]:
    """Replace the cluster's controller manager by one with leader election; yield its pid."""
    own = driver.ok()["parts"]["kube-controller-manager"]["pid"]
    command = Path(f"/proc/{own}/cmdline").read_bytes().decode().rstrip("\0").split("\0")
    (port,) = free_ports(1)
    replaced = {"--leader-elect": "true", "--secure-port": str(port)}
    command = [f"{name}={replaced.get(name, value)}" if sign else name for name, sign, value in map(option, command)]
    os.kill(own, signal.SIGSTOP)
    with (tmp_path / "manager.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=subprocess.STDOUT)
    try:
        until(lambda: renewals(own_kubectl))
        yield process.pid
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait(timeout=240)
        os.kill(own, signal.SIGCONT)


def option(word: str) -> tuple[str, str, str]:
    return word.partition("=")


def renewals(own_kubectl: Any) -> str:
    """When the lease was last renewed; empty as long as there is none."""
    with contextlib.suppress(AssertionError):
        lease = own_kubectl("get", "lease", "kube-controller-manager", "-n", "kube-system")
        return str(lease["spec"].get("renewTime", ""))
    return ""


@pytest.mark.slow
def test_a_run_whose_controller_manager_stops_ends_with_that_cause(
    driver: Driver, own_kubectl: Any, electing_manager: int
):
    stopped_at: list[float] = []

    def stop_after_the_first_job() -> None:
        def complete() -> bool:
            found = own_kubectl("get", "jobs", "-n", "stalled-1")["items"]
            return any(job.get("status", {}).get("succeeded") for job in found)

        until(complete)
        os.kill(electing_manager, signal.SIGSTOP)
        stopped_at.append(time.monotonic())

    stopping = threading.Thread(target=stop_after_the_first_job)
    stopping.start()
    fragment = jobs(200, active=1, stall_timeout=STALL_SECONDS)
    fragment["steps"][0][0]["definition"]["spec"]["activeDeadlineSeconds"] = 15
    result = run_batch(
        kubeconfig=str(driver.data_dir / "kubeconfig"),
        run_id="stalled",
        namespace_prefix="stalled",
        namespace_total=2,
        fragments=[NAMESPACES, fragment],
        observe={"enabled": False},
    )
    ended_at = time.monotonic()
    stopping.join()

    assert result["failed"]
    assert f"aborted: nothing of jobs has come forward for {STALL_SECONDS} s (objects unfinished: 2, " in result["msg"]
    assert "; kube-controller-manager has not renewed its lease for at least " in result["msg"]
    assert "kube-scheduler" not in result["msg"]
    assert ended_at - stopped_at[0] < STALL_SECONDS + MARGIN_SECONDS
    assert {row["kind"] for row in result["not_ready"]} == {"Job"}
    assert result["jobs"]["complete"] >= 1
