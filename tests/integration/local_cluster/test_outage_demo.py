"""The outage in small: fork failures with too low a limit, none after the fix, and a machine that stays usable."""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from helpers.commands import Completed
from helpers.local_cluster import processes_of
from helpers.traces import Traces

PLAYBOOK = "kubestress.core.outage_demo"
NETWORK = "10.231.7.12/30"
PID_MAX = 700
MINUTES = 12  # on a slow and busy machine; three on an idle one

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not sys.platform.startswith("linux") or os.geteuid() != 0, reason="a real node needs Linux and root"
    ),
]


@dataclass
class Machine:
    """Starts a process again and again, and notes how long that took and how many processes and threads there are."""

    fork_seconds: list[float] = field(default_factory=list)
    tasks: list[int] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        """Until told to stop."""
        while not self._stop.wait(0.25):
            began = time.monotonic()
            subprocess.run(["true"], check=True)
            self.fork_seconds.append(time.monotonic() - began)
            self.tasks.append(int(Path("/proc/loadavg").read_text().split()[3].split("/")[1]))

    def stop(self) -> None:
        """End the watch."""
        self._stop.set()


@dataclass(frozen=True)
class Shown:
    """What one run of the playbook printed, left behind and did to the machine."""

    done: Completed
    seconds: float
    results: Path
    machine: Machine
    before: Traces
    after: Traces

    def summary(self, name: str) -> dict[str, Any]:
        (path,) = self.results.glob(f"outage-*-{name}/summary.json")
        return json.loads(path.read_text())


@pytest.fixture(scope="module")
def state(short_folder: Callable[[], Path]) -> Path:
    return short_folder()


@pytest.fixture(scope="module")
def shown(
    state: Path, cluster_free_playbook: Callable[..., Completed], tmp_path_factory: pytest.TempPathFactory
) -> Shown:
    results = tmp_path_factory.mktemp("results")
    variables = {"outage_demo_node_network": NETWORK, "run_results_dir": str(results)}
    before = Traces.now()
    machine = Machine()
    watcher = threading.Thread(target=machine.watch)
    watcher.start()
    began = time.monotonic()
    try:
        done = cluster_free_playbook(PLAYBOOK, extra_vars=variables, env={"XDG_STATE_HOME": str(state)})
    finally:
        machine.stop()
        watcher.join()
    return Shown(done, time.monotonic() - began, results, machine, before, Traces.now())


def test_it_ends_well_and_in_time(shown: Shown) -> None:
    assert shown.done.rc == 0, shown.done.output
    assert shown.seconds < MINUTES * 60


def test_with_the_limit_forks_fail(shown: Shown) -> None:
    """In the pods, in words that their containers or the node's programs printed, and with a node that says so."""
    limited = shown.summary("limited")
    assert limited["verdict"] == "failed"
    failed = limited["pods"]["causes"].get("fork failed", 0)
    events = sum(row["fork_failures"] for row in limited["events"]["warnings"])
    assert failed + events > 0
    failures = [json.loads(line) for line in next(shown.results.glob("*-limited/failures.jsonl")).open()]
    messages = [one["message"].lower() for one in failures if one["reason"] == "fork failed"]
    assert len(messages) == failed
    assert all("resource temporarily unavailable" in message for message in messages)
    (node,) = limited["nodes"]["nodes"]
    # What a kubelet counts is a moment old; near the limit is what can be asked for.
    assert node["threads_peak"] > 0.8 * PID_MAX
    assert limited["events"]["total"] > 0


def test_the_gather_tells_of_the_failures_that_the_run_counted(shown: Shown) -> None:
    """Collected from the node while the cluster was there: the same failed forks, from the same moment on."""
    (folder,) = shown.results.glob("outage-*-limited/must-gather")
    told = json.loads((folder / "must-gather.json").read_text())
    limited = shown.summary("limited")
    failures = [json.loads(line) for line in next(shown.results.glob("*-limited/failures.jsonl")).open()]
    forks = {one["name"]: one["time"] for one in failures if one["reason"] == "fork failed"}
    counted = told["totals"]["errors_by_source"]["fork failed"]
    (pods,) = folder.glob("gather-*/namespaces/outage-*-limited-1/core/pods.yaml")
    # A Job that is over its deadline deletes its last pods, so that a gather can no longer have them.
    there = {pod["metadata"]["name"] for pod in json.loads(pods.read_text())["items"]}
    assert counted.get("pods", 0) == len(forks.keys() & there)
    assert counted.get("events", 0) >= sum(row["fork_failures"] for row in limited["events"]["warnings"])
    # The run's report has the moment at which the end of the pod was seen, the log that of the line before it.
    events = [row["first"] for row in limited["events"]["warnings"] if row["fork_failures"]]
    seen = min(datetime.fromisoformat(time) for time in (*forks.values(), *events))
    first = datetime.fromisoformat(told["first_failure"]["time"])
    assert told["first_failure"]["kind"] == "fork failed"
    assert told["first_failure"]["node"] == "real-0001"
    assert -1 <= (seen - first).total_seconds() < 40
    assert told["builds"]["by_namespace"].keys() == {pods.parents[1].name}


def test_the_gather_has_what_the_node_logged(shown: Shown) -> None:
    (gather,) = shown.results.glob("outage-*-limited/must-gather/gather-*")
    logs = gather / "nodes" / "real-0001" / "logs"
    for name in ("operations.log", "kubestress-node/kubelet.log", "kubestress-node/containerd.log"):
        assert (logs / name).stat().st_size > 0
    told = json.loads((gather.parent / "must-gather.json").read_text())
    requests = {tuple(line.split()[1:3]) for line in (logs / "operations.log").read_text().splitlines()}
    counted = told["totals"]["sources"]["embedded node"]
    assert counted["add"] + counted["del"] == len(requests)
    notes = json.loads((gather / "gather.json").read_text())
    assert notes["stopped"] is None
    assert {row["what"] for row in notes["missing"]} <= {"log of a pod"}, "a runtime that has exited shows no logs"


def test_after_the_fix_none_fails(shown: Shown) -> None:
    fixed = shown.summary("fixed")
    assert (fixed["verdict"], fixed["reasons"]) == ("passed", [])
    assert (fixed["pods"]["succeeded"], fixed["pods"]["failed"]) == (14, 0)
    assert sum(row["fork_failures"] for row in fixed["events"]["warnings"]) == 0
    (node,) = fixed["nodes"]["nodes"]
    assert node["conditions"] == []
    assert node["threads_peak"] > PID_MAX


def test_the_fix_comes_out_as_improved(shown: Shown) -> None:
    """On the screen, in the file, and on the page; by what failed, whatever else changed."""
    (folder,) = shown.results.glob("outage-*-compared")
    document = json.loads((folder / "comparison.json").read_text())
    assert document["verdict"] == "improved", document["reasons"]
    assert {"runs_not_passed", "jobs_failed", "pods_failed"} <= set(document["reasons"])
    rows = {row["name"]: row for row in document["metrics"]}
    (failed, none) = rows["pods_failed"]["before"] + rows["pods_failed"]["after"]
    assert (failed, none) == (shown.summary("limited")["pods"]["failed"], 0)
    assert rows["fork_failures"]["after"] == rows["fork_events"]["after"] == [0]
    assert any(f"pid_max {PID_MAX} → 4096" in line for line in document["warnings"]), document["warnings"]
    output = shown.done.stdout
    assert re.search(r"pods failed +[0-9]+ +0 .*improved\n", output)
    assert "verdict   improved: runs that did not pass 1 → 0" in output
    for path in (*shown.results.glob("outage-*-limited"), *shown.results.glob("outage-*-fixed"), folder):
        assert str(path) in output


def test_the_runs_can_be_compared_again_as_the_guide_says(
    shown: Shown, cluster_free_playbook: Callable[..., Completed], tmp_path: Path
) -> None:
    names = {side: next(shown.results.glob(f"outage-*-{side}")).name for side in ("limited", "fixed")}
    variables = {"compare_before": names["fixed"], "compare_after": names["limited"], "compare_fail_on": "regressed"}
    given = {**variables, "run_results_dir": str(shown.results), "compare_dest": str(tmp_path / "back")}
    done = cluster_free_playbook("kubestress.core.compare", extra_vars=given)
    assert done.rc != 0
    assert "compare_fail_on=regressed: regressed: runs that did not pass 0 → 1" in done.output
    assert (tmp_path / "back" / "comparison.html").exists()


def test_the_machine_stayed_usable(shown: Shown) -> None:
    """A process could be started at any moment, and there were never more than the node may have in addition."""
    machine = shown.machine
    assert len(machine.fork_seconds) > 100
    assert statistics.median(machine.fork_seconds) < 0.5
    assert max(machine.fork_seconds) < 60
    # The control plane, Ansible, and the fixed run with its 14 pods of 72 processes and a shim's threads.
    assert max(machine.tasks) - machine.tasks[0] < 3000


def test_the_machine_is_as_it_was(shown: Shown, state: Path) -> None:
    assert shown.after.left(shown.before) == {}
    assert not processes_of(state)
    assert list(state.rglob("outage_demo")) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--check"], "outage_demo has no check mode"),
        (["-e", "outage_demo_pid_max=100"], "outage_demo_pid_max is 100; allowed are 500 to 4000"),
        (["-e", "outage_demo_pods=many"], "outage_demo_pods is many; allowed are 1 to 40"),
    ],
)
def test_what_cannot_be_is_refused(
    arguments: list[str], message: str, state: Path, cluster_free_playbook: Callable[..., Completed], tmp_path: Path
) -> None:
    variables = {"outage_demo_node_network": NETWORK, "run_results_dir": str(tmp_path)}
    done = cluster_free_playbook(PLAYBOOK, *arguments, extra_vars=variables, env={"XDG_STATE_HOME": str(state)})
    assert done.rc != 0
    assert message in " ".join(done.output.split())
    assert list(tmp_path.iterdir()) == []
