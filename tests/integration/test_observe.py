"""Module and role observe: what happens between start and stop is in the file, and only what was started is stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.kubestress.core.plugins.module_utils.machine.process import Process
from ansible_collections.kubestress.core.plugins.module_utils.machine.sync import wait_until
from helpers.one_task import returned

SECONDS = 180.0
Observe = Callable[..., dict[str, Any]]


@pytest.fixture
def observe(ansible_playbook: Any, tmp_path: Path) -> Iterator[Observe]:
    """Yield a function that runs the module in a play of its own; what it started ends with the test."""
    pids = []

    def run(*arguments: str, **options: Any) -> dict[str, Any]:
        given = {"results_dir": str(tmp_path / "results"), "api_interval": 1, "node_interval": 1, **options}
        _rc, answer = returned(ansible_playbook, tmp_path, "kubestress.core.observe", given, *arguments)
        if answer.get("pid"):
            pids.append(Process.of(answer["pid"]))
        return answer

    yield run
    for process in pids:
        if process is not None:
            process.send(signal.SIGKILL)


def document(answer: dict[str, Any]) -> dict[str, Any]:
    return json.loads(Path(answer["observation_path"]).read_text())


def pods_of(answer: dict[str, Any], **groups: int) -> None:
    """The pods whose start was seen are those of these groups and numbers."""
    startup = document(answer)["pods"]["startup"]
    assert {group: stages["watched"]["count"] for group, stages in startup.items()} == groups


def deployment(name: str, **labels: str) -> dict[str, Any]:
    """Return a Deployment of two pods, which become ready."""
    template = {"metadata": {"labels": {"app": name, **labels}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": name}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def job(name: str) -> dict[str, Any]:
    """Return a Job of one pod, which completes."""
    annotations = {"kubestress.core/simulate-duration": "1s", "kubestress.core/simulate-duration-max": "1s"}
    template = {
        "metadata": {"annotations": annotations},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]},
    }
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": {"template": template}}


def warning(reason: str, namespace: str) -> dict[str, Any]:
    """Return an Event of type Warning about a pod."""
    about = {"kind": "Pod", "namespace": namespace, "name": "p"}
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return {
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": f"p.{reason.lower()}"}, "involvedObject": about,
        "type": "Warning", "reason": reason, "message": "it sulks", "firstTimestamp": now, "lastTimestamp": now,
        "count": 1,
    }  # fmt: skip


@pytest.fixture
def namespaces(kubectl: Any, prefix: str) -> Iterator[list[str]]:
    """Yield two namespaces that are no run's."""
    names = [f"{prefix}-a", f"{prefix}-b"]
    for name in names:
        kubectl("create", "namespace", name)
    yield names
    kubectl("delete", "namespaces", *names, "--wait=false")


def make(kubectl: Any, namespace: str, *objects: dict[str, Any]) -> None:
    """Make the objects and wait until they are done."""
    kubectl("apply", "-n", namespace, "-f", "-", stdin=yaml.safe_dump_all(objects))
    for obj in objects:
        condition = "available" if obj["kind"] == "Deployment" else "complete"
        name = f"{obj['kind'].lower()}/{obj['metadata']['name']}"
        kubectl("wait", "-n", namespace, name, f"--for=condition={condition}", "--timeout=240s")


def test_what_somebody_else_did_meanwhile_is_in_the_file(
    observe: Observe, kubectl: Any, namespaces: list[str], tmp_path: Path
) -> None:
    here, elsewhere = namespaces
    make(kubectl, here, deployment("before"))
    options = {"run_id": "others-work", "namespaces": [here]}
    started = observe(**options)
    assert (started["changed"], started["running"]) == (True, True), started
    assert document(started)["finished"] is None
    again = observe(**options)
    assert (again["changed"], again["pid"]) == (False, started["pid"])
    make(kubectl, here, deployment("web"), job("build"))
    kubectl("apply", "-n", here, "-f", "-", stdin=yaml.safe_dump(warning("Sulking", here)))
    kubectl("apply", "-n", elsewhere, "-f", "-", stdin=yaml.safe_dump(warning("Sulking", elsewhere)))
    make(kubectl, elsewhere, deployment("not-mine"))
    stopped = observe(state="stopped", **options)
    assert (stopped["changed"], stopped["running"], stopped["pid"]) == (True, False, None), stopped
    found = document(stopped)
    assert found["finished"] is not None
    assert found["started"] < found["finished"]
    pods_of(stopped, stateless=2, job=1)
    assert (found["jobs"]["complete"], found["jobs"]["duration"]["count"], found["jobs"]["failed"]) == (1, 1, 0)
    series = found["timeline"]["series"]
    # The two that were there before run as well, but how they started nobody has seen.
    assert series["pods_running"][-1] == 4
    assert series["pods_succeeded"][-1] == 1
    (told,) = found["events"]["warnings"]
    assert (told["reason"], told["kind"], told["count"]) == ("Sulking", "Pod", 1)
    assert stopped["observation"]["jobs"]["complete"] == 1
    assert "timeline" not in stopped["observation"]
    third = observe(state="stopped", **options)
    assert (third["changed"], third["running"]) == (False, False)
    assert third["observation"] == stopped["observation"]
    assert [path.name for path in (tmp_path / "results" / "observations").glob("*.json")] == ["001-observe.json"]


def test_without_namespaces_the_runs_own_pods_count(
    observe: Observe, kubectl: Any, namespaces: list[str], run_id: str
) -> None:
    ours = {"app.kubernetes.io/managed-by": "kubestress", "kubestress.core/run-id": run_id}
    observe(run_id=run_id)
    for namespace, labels in zip(namespaces, (ours, {}), strict=True):
        make(kubectl, namespace, deployment("web", **labels))
    pods_of(observe(run_id=run_id, state="stopped"), stateless=2)


def test_two_names_are_two_observations_and_one_name_is_one(observe: Observe) -> None:
    first = observe(run_id="r", name="first", namespaces=["default"])
    second = observe(run_id="r", name="second", namespaces=["default"])
    assert first["pid"] != second["pid"]
    assert second["observation_path"].endswith("/002-second.json")
    other = observe(run_id="r", name="second", namespaces=["kube-system"])
    assert other["failed"]
    assert "second is already being observed, with namespaces ['default'] instead of ['kube-system']" in other["msg"]
    observe(run_id="r", name="first", state="stopped")
    assert Process.of(first["pid"]) is None
    assert Process.of(second["pid"]) is not None


def test_a_killed_process_leaves_what_it_had_written_and_a_new_one_its_own_file(observe: Observe) -> None:
    options = {"run_id": "r", "namespaces": ["default"]}
    started = observe(**options)
    process = Process.of(started["pid"])
    assert process is not None
    process.send(signal.SIGKILL)
    assert wait_until(lambda: not process.alive, timeout_seconds=SECONDS)
    stopped = observe(state="stopped", **options)
    assert stopped["changed"] is False
    assert stopped["observation"]["finished"] is None
    assert stopped["observation"]["pods"]["failed"] == 0
    assert "the observing process had ended before" in stopped["warnings"][0]
    assert observe(**options)["observation_path"].endswith("/002-observe.json")


def test_another_process_of_that_number_is_not_stopped(observe: Observe, tmp_path: Path) -> None:
    started = observe(run_id="r", namespaces=["default"])
    state = tmp_path / "results" / "observations" / ".observe.process"
    known = json.loads(state.read_text())
    with subprocess.Popen(["sleep", "600"]) as stranger:
        try:
            known["process"]["pid"] = stranger.pid
            state.write_text(json.dumps(known))
            assert observe(run_id="r", state="stopped")["changed"] is False
            assert stranger.poll() is None
        finally:
            stranger.kill()
    assert Process.of(started["pid"]) is not None


def test_it_ends_by_itself(observe: Observe) -> None:
    started = observe(run_id="r", namespaces=["default"], max_seconds=1)
    assert wait_until(lambda: Process.of(started["pid"]) is None, timeout_seconds=SECONDS)
    found = document(started)
    assert found["finished"] is not None
    assert "not stopped, so it ended by itself after max_seconds (1 s)" in found["warnings"]
    assert observe(run_id="r", state="stopped")["changed"] is False


def test_it_holds_nothing_of_the_task(observe: Observe) -> None:
    pid = observe(run_id="r", namespaces=["default"])["pid"]
    assert os.getsid(pid) != os.getsid(0)
    assert all(os.readlink(f"/proc/{pid}/fd/{number}") == os.devnull for number in (0, 1, 2))


def test_check_mode_starts_and_stops_nothing(observe: Observe, tmp_path: Path) -> None:
    options = {"run_id": "r", "namespaces": ["default"]}
    would = observe("--check", **options)
    assert (would["changed"], would["pid"]) == (True, None)
    assert not (tmp_path / "results").exists()
    started = observe(**options)
    assert observe("--check", **options)["changed"] is False
    assert observe("--check", state="stopped", **options)["changed"] is True
    assert Process.of(started["pid"]) is not None


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"impersonate_user": "nobody"}, "pods is forbidden"),
        ({"host": "http://127.0.0.1:9"}, "the API server cannot be reached"),
        ({"kubeconfig": "/no/such/file"}, "no file at /no/such/file"),
    ],
)
def test_what_cannot_be_observed_is_told_before_the_task_ends(
    observe: Observe, tmp_path: Path, options: dict[str, Any], told: str
) -> None:
    answer = observe(run_id="r", namespaces=["default"], **options)
    assert answer["failed"]
    assert told in answer["msg"]
    assert "\n" not in answer["msg"]
    folder = tmp_path / "results" / "observations"
    assert list(folder.glob("*.json")) == []
    assert not (folder / ".observe.process").exists()
