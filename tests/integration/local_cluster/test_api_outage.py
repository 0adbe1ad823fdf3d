"""An API server that is killed in the middle of a run: one that comes back loses nothing, one that does not ends it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from helpers.batches import NAMESPACES, config_maps, deployments, measured, run_batch
from helpers.local_cluster import Driver
from helpers.waiting import until

AWAY_SECONDS = 60
NAMESPACE_COUNT = 40
#: In each namespace: itself, 21 ConfigMaps, and 3 Deployments with a ConfigMap each.
OBJECTS = NAMESPACE_COUNT * (1 + 21 + 3 * 2)
FRAGMENTS = [NAMESPACES, config_maps(21), deployments(3)]


@dataclass
class ApiServer:
    """The API server's process, which can be killed and started again as it was."""

    command: list[str]
    folder: Path
    pid: int
    replaced: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def kill(self) -> None:
        """Without warning."""
        os.kill(self.pid, signal.SIGKILL)
        until(lambda: has_ended(self.pid))

    def start(self) -> None:
        """Start it again."""
        with (self.folder / "again.log").open("ab") as log:
            process = subprocess.Popen(self.command, cwd=self.folder, stdout=log, stderr=subprocess.STDOUT)
        self.replaced.append(process)
        self.pid = process.pid


def has_ended(pid: int) -> bool:
    try:
        return not Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return True


@pytest.fixture
def api_server(driver: Driver, tmp_path: Path) -> Iterator[ApiServer]:
    """The module's cluster; a server that a test killed is started again, and ended with the cluster."""
    pid = driver.ok()["parts"]["kube-apiserver"]["pid"]
    command = Path(f"/proc/{pid}/cmdline").read_bytes().decode().rstrip("\0").split("\0")
    server = ApiServer(command, tmp_path, pid)
    yield server
    for process in server.replaced:
        process.kill()  # asked to end, it would wait a minute for open watches
        process.wait(timeout=240)


def in_the_middle_of(own_kubectl: Callable[..., Any], run_id: str, act: Callable[[], None]) -> threading.Thread:
    """Call `act` in a thread once a fifth of the run's ConfigMaps are there."""

    def wait_and_act() -> None:
        names = ("get", "configmaps", "-A", "-l", f"kubestress.core/run-id={run_id}", "-o", "name")
        until(lambda: own_kubectl(*names, parse=False).count("\n") > OBJECTS / 5)
        act()

    thread = threading.Thread(target=wait_and_act)
    thread.start()
    return thread


def options(driver: Driver, run_id: str, folder: Path) -> dict[str, Any]:
    return {
        "kubeconfig": str(driver.data_dir / "kubeconfig"),
        "run_id": run_id,
        "namespace_prefix": run_id,
        "namespace_total": NAMESPACE_COUNT,
        "fragments": FRAGMENTS,
        "preflight": "skip",
        # So slow that the server is killed in the middle.
        "qps": 60,
        "results_dir": str(folder),
    }


@pytest.mark.slow
def test_a_server_that_is_gone_for_a_minute_costs_a_run_nothing_but_the_time(
    driver: Driver, own_kubectl: Callable[..., Any], api_server: ApiServer, tmp_path: Path
) -> None:
    def kill_and_start_again() -> None:
        api_server.kill()
        time.sleep(AWAY_SECONDS)  # what is tested is that this time passes
        api_server.start()

    killing = in_the_middle_of(own_kubectl, "away", kill_and_start_again)
    result = run_batch(**options(driver, "away", tmp_path))
    killing.join()

    assert not result["failed"], result["msg"]
    assert sum(row["created"] for row in result["objects"].values()) == OBJECTS == 1120
    assert sum(row["ready"] for row in result["objects"].values()) == OBJECTS
    kinds = "configmaps,deployments.apps,namespaces"
    names = own_kubectl("get", kinds, "-A", "-l", "kubestress.core/run-id=away", "-o", "name", parse=False)
    assert len(names.splitlines()) == OBJECTS
    outages = result["outages"]
    assert (outages["number"], outages["list"][0]["over"]) == (1, True)
    # Longer by what a server takes to start, which is long on a slow machine.
    assert AWAY_SECONDS - 1 <= outages["seconds"] < AWAY_SECONDS + 100
    assert measured(tmp_path)["outages"] == outages


@pytest.mark.slow
def test_a_server_that_does_not_come_back_ends_the_run_within_the_limit(
    driver: Driver, own_kubectl: Callable[..., Any], api_server: ApiServer, tmp_path: Path
) -> None:
    killed_at: list[float] = []

    def kill() -> None:
        killed_at.append(time.monotonic())
        api_server.kill()

    killing = in_the_middle_of(own_kubectl, "gone", kill)
    result = run_batch(**options(driver, "gone", tmp_path), outage_limit=20)
    seconds = time.monotonic() - killed_at[0]
    killing.join()

    assert 20 <= seconds < 100, "the limit that is set counts, not that of 300 s"
    assert result["failed"]
    assert "could not be reached for 20 s" in result["msg"]
    written = json.dumps(measured(tmp_path)["outages"]["list"])
    assert '"over": false' in written
