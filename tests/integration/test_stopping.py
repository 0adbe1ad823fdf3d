"""On a real API server: what stops a run early, how fast, what it leaves, and who goes on."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml
from helpers.batches import NAMESPACES, deployments, jobs, measured, run_batch, witness
from helpers.beside import beside
from helpers.collection import CHECKOUT
from helpers.waiting import until

#: From the injected failure to the end of the load: a moment on an idle machine, and far less than the load would take.
SOON_SECONDS = 30
LONG = {"simulate_duration": "120s", "simulate_duration_max": "121s"}
SMALL = {
    "namespaces_total": 2,
    "build_jobs_per_namespace": 2,
    "build_jobs_parallelism": 2,
    "build_jobs_completions": 2,
    "build_jobs_active_per_namespace": 1,
    "deployments_enabled": False,
    "statefulsets_enabled": False,
}


def guard_of(profile: str) -> dict[str, Any]:
    """The module's option as a profile has it."""
    values = yaml.safe_load((CHECKOUT / "playbooks" / "profiles" / f"{profile}.yml").read_text())
    return {name.removeprefix("guard_"): value for name, value in values.items() if name.startswith("guard_")}


def seconds_of(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def selector(run_id: str) -> str:
    return f"kubestress.core/run-id={run_id}"


@pytest.mark.parametrize("profile", ["safe", "reproduce"])
def test_an_image_that_cannot_be_pulled(
    kubeconfig: Path, kubectl: Any, run_id: str, prefix: str, tmp_path: Path, profile: str
) -> None:
    failing = deployments(6, simulate={"simulate": "image-pull-failure"}, ready_timeout=12)
    many = jobs(8, parallelism=2, completions=2, active=1)
    result = run_batch(
        kubeconfig=str(kubeconfig), run_id=run_id, namespace_prefix=prefix, namespace_total=1,
        fragments=[NAMESPACES, failing, many], results_dir=str(tmp_path), guard=guard_of(profile),
    )  # fmt: skip
    document = measured(tmp_path)
    row = next(row for row in document["guard"]["signs"] if row["name"] == "image_pulls")
    if profile == "reproduce":
        # It is given up by its own time, as without a guard, and all else was done.
        assert result["stopped_by"] is None
        assert result["objects"]["Job"]["ready"] == 8
        assert row["peak"] == 6
        assert any(
            text.startswith("guard: pods whose image cannot be pulled: 6 at the pe") for text in result["warnings"]
        )
        return
    assert result["stopped_by"] == document["stopped_by"] == "guard"
    assert result["msg"].startswith(
        "aborted: guard: pods whose image cannot be pulled: 1 within 60 s, at or above the "
    )
    assert "threshold of 1 (guard_image_pulls); ErrImagePull 1; first Pod " in result["msg"]
    assert result["objects"]["Job"]["created"] < 8
    events = kubectl("get", "events", f"-n={prefix}-1", "--field-selector=type=Warning,reason=Failed")["items"]
    first = min(seconds_of(event.get("firstTimestamp") or event["eventTime"]) for event in events)
    assert seconds_of(row["crossed"]) - first < SOON_SECONDS
    assert seconds_of(document["finished"]) - first < 2 * SOON_SECONDS


@pytest.fixture
def own_node(kubectl: Any, run_id: str) -> Iterator[str]:
    """Have a simulated node that only this test's pods go to."""
    like = next(
        node for node in kubectl("get", "nodes")["items"] if "kwok.x-k8s.io/node" in node["metadata"]["annotations"]
    )
    metadata = {
        "name": run_id,
        "annotations": {"kwok.x-k8s.io/node": "fake"},
        "labels": {**like["metadata"]["labels"], "kubernetes.io/hostname": run_id},
    }
    taints = [{"key": "only", "value": run_id, "effect": "NoSchedule"}]
    # As a kubelet registers it: without an address, no pod gets one.
    status = {name: like["status"][name] for name in ("addresses", "allocatable", "capacity")}
    node = {"apiVersion": "v1", "kind": "Node", "metadata": metadata, "spec": {"taints": taints}, "status": status}
    kubectl("create", "-f", "-", stdin=json.dumps(node))
    kubectl("wait", f"node/{run_id}", "--for=condition=Ready", "--timeout=240s")
    yield run_id
    kubectl("delete", "node", run_id, "--ignore-not-found")


def test_a_node_that_is_gone(
    kubeconfig: Path, kubectl: Any, run_id: str, prefix: str, tmp_path: Path, own_node: str
) -> None:
    gone: list[float] = []

    def take_it_away() -> None:
        here = lambda: kubectl("get", "pods", "-A", "-l", selector(run_id), "--field-selector=status.phase=Running")  # noqa: E731
        until(lambda: len(here()["items"]) == 2)
        gone.append(time.time())
        kubectl("delete", "node", own_node, "--wait=false")

    fragment = jobs(20, parallelism=2, completions=2, active=1, simulate=LONG)
    spec = fragment["steps"][0][0]["definition"]["spec"]["template"]["spec"]
    spec["nodeSelector"] = {"kubernetes.io/hostname": own_node}
    spec["tolerations"] = [{"operator": "Exists"}]
    with beside(take_it_away):
        result = run_batch(
            kubeconfig=str(kubeconfig), run_id=run_id, namespace_prefix=prefix, namespace_total=1,
            fragments=[NAMESPACES, fragment], results_dir=str(tmp_path), guard=guard_of("safe"), preflight="skip",
        )  # fmt: skip
    stopped = measured(tmp_path)["guard"]["stopped"]
    assert (stopped["sign"], stopped["cause"]) == ("lost_nodes", f"{own_node}: deleted")
    assert seconds_of(stopped["at"]) - gone[0] < SOON_SECONDS
    assert result["objects"]["Job"]["created"] == 1
    assert "nodes with the run's pods that are gone or not Ready: 1 at once" in result["msg"]


def report_failed_fork(kubectl: Callable[..., Any], namespace: str, pod: str) -> None:
    """Write the event that a kubelet writes of a sandbox whose network plug-in could not be started."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    message = (
        'Failed to create pod sandbox: rpc error: code = Unknown desc = plugin type="loopback" failed (add): '
        "fork/exec /opt/cni/bin/loopback: resource temporarily unavailable"
    )
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{pod}.{time.time_ns():x}", "namespace": namespace},
        "involvedObject": {"apiVersion": "v1", "kind": "Pod", "namespace": namespace, "name": pod},
        "type": "Warning",
        "reason": "FailedCreatePodSandBox",
        "message": message,
        "source": {"component": "kubelet", "host": "node-1"},
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }
    kubectl("create", "-f", "-", stdin=json.dumps(event))


def test_a_fork_that_fails(ansible_playbook: Any, kubectl: Any, run_id: str, prefix: str, tmp_path: Path) -> None:
    """The whole way: `safe` ends at the first sign, reports and cleans up."""
    failed: list[float] = []

    def fail() -> None:
        pods = lambda: kubectl("get", "pods", "-A", "-l", selector(run_id))["items"]  # noqa: E731
        until(pods)
        metadata = pods()[0]["metadata"]
        failed.append(time.time())
        report_failed_fork(kubectl, metadata["namespace"], metadata["name"])

    extra_vars = {
        **SMALL, "run_id": run_id, "namespaces_prefix": prefix, "run_results_dir": str(tmp_path),
        "cleanup_on_completion": True,
    }  # fmt: skip
    with beside(fail):
        done = ansible_playbook("kubestress.core.safe", extra_vars=extra_vars)
    summary = json.loads((tmp_path / run_id / "summary.json").read_text())
    assert (done.rc, summary["verdict"], summary["stopped_by"]) == (2, "aborted", "guard")
    stopped = summary["guard"]["stopped"]
    assert (stopped["sign"], stopped["figure"], stopped["threshold"]) == ("fork_failures", 1, 1)
    assert "resource temporarily unavailable" in stopped["cause"]
    assert seconds_of(stopped["at"]) - failed[0] < SOON_SECONDS
    reason = summary["reasons"][0]
    assert "guard: failed forks: 1 within 60 s, at or above the threshold of 1 (guard_fork_failures)" in reason
    assert sum("guard: failed forks" in line and "fatal:" in line for line in done.output.splitlines()) <= 2
    assert "nothing more is sent" in done.output
    # What was measured until then is all there, and nothing else.
    assert summary["objects"]["Job"]["created"] == 2
    folder = tmp_path / run_id
    case = ET.fromstring((folder / "junit.xml").read_text()).find(".//testcase[@name='the run finishes']/error")
    assert case is not None
    assert "guard: failed forks" in case.get("message", "")
    assert (
        f'kubestress_run_stopped_by{{run_id="{run_id}",profile="safe",by="guard"}} 1'
        in (folder / "metrics.prom").read_text()
    )
    page = (folder / "report.html").read_text()
    assert "guard_fork_failures" in page
    assert kubectl("get", "namespaces", "-l", selector(run_id))["items"] == []


def test_jobs_that_are_deleted_by_their_label(
    ansible_playbook: Any, kubectl: Any, kubectl_binary: str, kubeconfig: Path, run_id: str, prefix: str, tmp_path: Path
) -> None:
    def delete() -> None:
        found = lambda: kubectl("get", "jobs", "-A", "-l", selector(run_id))["items"]  # noqa: E731
        until(lambda: len(found()) == 2)
        kubectl("delete", "jobs", "--all-namespaces", "-l", "type=build-job")

    extra_vars = {**SMALL, "run_id": run_id, "namespaces_prefix": prefix, "run_results_dir": str(tmp_path)}
    with witness(kubectl_binary, kubeconfig, tmp_path, kind="jobs", run_id=run_id) as seen, beside(delete):
        done = ansible_playbook("kubestress.core.stress", "-e", "profile=safe", extra_vars=extra_vars)
    summary = json.loads((tmp_path / run_id / "summary.json").read_text())
    assert (done.rc, summary["verdict"], summary["stopped_by"]) == (2, "aborted", "deletion")
    assert "was deleted by somebody else during the run" in summary["reasons"][0]
    assert seen.added("Job").total() == 2
    assert len(seen.deleted("Job")) == 2
    assert kubectl("get", "jobs", "-A", "-l", selector(run_id))["items"] == []
