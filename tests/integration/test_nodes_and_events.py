"""Nodes and Events beside a batch on a real API server: what was told, what was not and why, and the run unharmed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.batches import NAMESPACES, deployments, jobs, obj, observed, run_batch
from helpers.fake_kubelets import FakeKubelets, fake_kubelets, make_nodes, own_address

OBSERVE = {"node_interval": 1, "api_interval": 0}


@pytest.fixture
def kubelets(tmp_path: Path) -> Iterator[FakeKubelets]:
    address = own_address()
    if address is None:
        pytest.skip("an API server proxies to no loopback address, and this machine has no other")
    with fake_kubelets(address, tmp_path) as running:
        yield running


def pods_on(nodes: dict[str, str]) -> dict[str, Any]:
    """Return a fragment with a pod on each of the nodes, which nobody starts."""
    containers = [{"name": "c", "image": "registry.invalid/none:1"}]
    pods = [obj("Pod", f"p-{name}", spec={"nodeName": name, "containers": containers}) for name in nodes.values()]
    return {"role": "pods", "count": 1, "steps": [pods], "ready": False}


def lasting(seconds: int, node: str) -> dict[str, Any]:
    """Return a fragment with a Job on a simulated node, for which the batch waits."""
    fragment = jobs(1, simulate={"simulate_duration": f"{seconds}s", "simulate_duration_max": f"{seconds}s"})
    fragment["steps"][0][0]["definition"]["spec"]["template"]["spec"]["nodeName"] = node
    return fragment


def test_what_kubelets_do_not_tell_is_no_data_and_harms_nobody(
    kubeconfig: Path, kubectl: Any, kubelets: FakeKubelets, run_id: str, prefix: str, tmp_path: Path
):
    simulated = kubectl("get", "nodes", "-l", "type=kwok")["items"][0]["metadata"]["name"]
    nodes = make_nodes(kubectl, kubelets, prefix)
    try:
        result = run_batch(
            kubeconfig=str(kubeconfig), run_id=run_id, namespaces=[f"{prefix}-1"], results_dir=str(tmp_path),
            fragments=[NAMESPACES, pods_on(nodes), lasting(20, simulated)], observe=OBSERVE,
        )  # fmt: skip
    finally:
        kubectl("delete", "node", *nodes.values(), "--wait=false")
    assert not result["failed"], result["msg"]
    assert result["jobs"]["complete"] == 1
    document = observed(tmp_path)
    assert document["warnings"] == []
    found = document["nodes"]
    assert (found["source"], found["cause"], found["not_asked"]) == ("kubelet", None, 0)
    rows = {row["name"]: row for row in found["nodes"]}
    assert {name: rows[node]["cause"] for name, node in nodes.items() if name not in ("counting", "absent")} == {
        "forbidden": "the kubelet refuses stats/summary: "
        "Forbidden (user=u, verb=get, resource=nodes, subresource=stats)",
        "missing": "the kubelet has no stats/summary",
        "garbage": "stats/summary: the answer is no JSON: '<html><body>it works!</body></html>'",
        "silent": "no answer within 3 s",
    }
    assert rows[nodes["absent"]]["cause"].startswith("the kubelet cannot be reached: ")
    assert rows[simulated]["cause"] == "simulated node: it runs no processes"
    figures = (
        "samples", "threads_peak", "cpu_cores_peak", "memory_bytes_peak", "pods_peak", "pod_pids_limit",
        "pod_threads_peak",
    )  # fmt: skip
    counting = rows.pop(nodes["counting"])
    assert {tuple(row[name] for name in figures) for row in rows.values()} == {(0, *[None] * 6)}
    assert counting["samples"] >= 2
    assert [counting[name] for name in figures[1:]] == [1234, 2.5, 3 * 1024**3, 0, 4096, 640]
    pressure = {(one["type"], one["from"]) for one in counting["conditions"]}
    assert ("PIDPressure", "2026-01-01T00:00:00Z") in pressure
    assert [series["node"] for series in found["series"]] == [nodes["counting"]]
    # A kubelet that told nothing is left alone; and all together are one request a second.
    assert kubelets.asked["forbidden", "summary"] <= 2
    assert found["requests"] <= result["seconds"] + 3


def test_a_run_without_permission_for_events_and_kubelets_says_so_and_passes(
    kubeconfig: Path, kubectl: Any, kubelets: FakeKubelets, run_id: str, prefix: str, tmp_path: Path
):
    rules = [
        {"apiGroups": ["", "apps", "batch"], "verbs": ["create", "get", "list", "watch"],
         "resources": ["namespaces", "serviceaccounts", "pods", "jobs"]},
    ]  # fmt: skip
    subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": prefix}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": prefix}
    access: list[dict[str, Any]] = [
        {"kind": "ClusterRole", "rules": rules},
        {"kind": "ClusterRoleBinding", "roleRef": role, "subjects": [subject]},
    ]
    for one in access:
        document = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": prefix}, **one}
        kubectl("create", "-f", "-", stdin=json.dumps(document))
    nodes = make_nodes(kubectl, kubelets, prefix)
    simulated = kubectl("get", "nodes", "-l", "type=kwok")["items"][0]["metadata"]["name"]
    try:
        result = run_batch(
            kubeconfig=str(kubeconfig), impersonate_user=prefix, run_id=run_id, namespaces=[f"{prefix}-1"],
            results_dir=str(tmp_path), observe=OBSERVE,
            fragments=[NAMESPACES, pods_on({"counting": nodes["counting"]}), lasting(5, simulated)],
        )  # fmt: skip
    finally:
        kubectl("delete", "node", *nodes.values(), "--wait=false")
        kubectl("delete", "clusterrolebinding", prefix)
        kubectl("delete", "clusterrole", prefix)
    assert not result["failed"], result["msg"]
    document = observed(tmp_path)
    assert document["events"] == {
        "source": "none", "total": None,
        "cause": "the user may not list and watch events in all namespaces, nor in each of the run's",
        "warnings": [], "left_off": 0, "watch_breaks": {},
    }  # fmt: skip
    assert document["nodes"]["source"] == "none"
    assert document["nodes"]["cause"].endswith(": the user may not get nodes/proxy")
    assert {row["conditions_cause"] for row in document["nodes"]["nodes"]} == {"the user may not get nodes"}
    assert kubelets.asked.total() == 0


def test_warnings_are_grouped_with_their_example(
    kubeconfig: Path, kubectl: Any, run_id: str, prefix: str, tmp_path: Path
):
    # Somebody else's, from before and in between, counts nowhere.
    kubectl("create", "namespace", f"{prefix}-other")
    refused = {"serviceAccountName": "nobody", "restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}
    foreign = {
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "foreign", "namespace": f"{prefix}-other"},
        "spec": {"template": {"spec": refused}},
    }  # fmt: skip
    kubectl("create", "-f", "-", stdin=json.dumps(foreign))
    nowhere = {"nodeSelector": {"kubestress.core/test": prefix}, "containers": [{"name": "c", "image": "i"}]}
    pods = {"role": "pods", "count": 3, "steps": [[obj("Pod", "p-{{ index }}", spec=nowhere)]], "ready": False}
    job = obj("Job", "refused", spec={"template": {"spec": refused}})
    refused_jobs = {"role": "refused", "count": 1, "steps": [[job]], "ready": False}
    try:
        result = run_batch(
            kubeconfig=str(kubeconfig), run_id=run_id, namespaces=[f"{prefix}-1", f"{prefix}-2"],
            results_dir=str(tmp_path), observe=OBSERVE, preflight="skip",
            fragments=[NAMESPACES, pods, refused_jobs, deployments(1, simulate={"simulate_start_delay": "5s"})],
        )  # fmt: skip
    finally:
        kubectl("delete", "namespace", f"{prefix}-other", "--wait=false")
    assert not result["failed"], result["msg"]
    found = observed(tmp_path)["events"]
    assert (found["source"], found["cause"]) == ("watch", None)
    rows = {(row["reason"], row["kind"]): row for row in found["warnings"]}
    assert set(rows) == {("FailedScheduling", "Pod"), ("FailedCreate", "Job")}
    unplaced = rows["FailedScheduling", "Pod"]
    assert unplaced["count"] == 6
    assert unplaced["example"]["namespace"] in (f"{prefix}-1", f"{prefix}-2")
    assert unplaced["example"]["name"] in ("p-1", "p-2", "p-3")
    assert "nodes are available" in unplaced["example"]["message"]
    assert unplaced["first"] <= unplaced["last"]
    assert rows["FailedCreate", "Job"]["count"] >= 2
    assert 'serviceaccount "nobody" not found' in rows["FailedCreate", "Job"]["example"]["message"]
    assert found["total"] == sum(row["count"] for row in rows.values())
