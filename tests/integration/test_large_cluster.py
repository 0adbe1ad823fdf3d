"""What runs already, counted and estimated, on a real API server: it accepts these lists and answers as expected."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.capacity.supply import Supply
from ansible_collections.kubestress.core.plugins.module_utils.cluster import watch
from ansible_collections.kubestress.core.plugins.module_utils.cluster.client import Cluster
from ansible_collections.kubestress.core.plugins.module_utils.preflight.survey import Wanted, survey

GPU = "example.com/gpu"
LABELS = {"app.kubernetes.io/managed-by": "kubestress"}


def node(name: str) -> dict[str, Any]:
    offered = {"cpu": "8", "memory": "16Gi", "pods": "110", GPU: "4"}
    stated = {"capacity": offered, "allocatable": offered}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "status": stated}


def pod(name: str, namespace: str, on: str, run_id: str) -> dict[str, Any]:
    amounts = {"cpu": "250m", "memory": "1Gi", GPU: "1"}
    container = {"name": "app", "image": "app", "resources": {"requests": amounts, "limits": amounts}}
    metadata = {"name": name, "namespace": namespace, "labels": {**LABELS, "kubestress.core/run-id": run_id}}
    spec = {"nodeName": on, "containers": [container], "automountServiceAccountToken": False}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


@pytest.fixture
def own_node(kubectl: Any, run_id: str, prefix: str) -> Iterator[str]:
    """Yield the name of a node that only this test uses: three pods of another run on it, and one of ours."""
    name = f"{prefix}-node"
    metadata = {"name": prefix, "labels": {**LABELS, "kubestress.core/run-id": run_id}}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": prefix}}
    pods = [pod(f"theirs-{number}", prefix, name, "another-run") for number in range(3)]
    pods.append(pod("ours", prefix, name, run_id))
    for document in (node(name), namespace):
        kubectl("create", "-f", "-", stdin=json.dumps(document))
    # Before a pod is accepted; the controller that makes it may be slower than we are.
    kubectl("apply", "-f", "-", stdin=json.dumps(account))
    for document in pods:
        kubectl("create", "-f", "-", stdin=json.dumps(document))
    yield name
    kubectl("delete", "node", name, "--wait=false")
    # Nobody else ends them: their node has no kubelet.
    kubectl("delete", "pods", "--all", "-n", prefix, "--force", "--grace-period=0", "--wait=false")


async def seen(kubeconfig: Path, run_id: str, own_node: str, *, exact_pods: int) -> Supply:
    wanted = Wanted(
        run_id=run_id,
        namespaces=[],
        access=[],
        pods=True,
        processes=False,
        nodes_sampled=0,
        budget_seconds=60.0,
        exact_pods=exact_pods,
    )
    async with await Cluster.open({"kubeconfig": str(kubeconfig)}) as cluster:
        return (await survey(cluster, wanted, takes_pods=lambda node: node.name == own_node)).supply


@pytest.mark.parametrize("page_size", [500, 2])
async def test_a_node_is_as_full_counted_as_estimated(kubeconfig, run_id, prefix, own_node, monkeypatch, page_size):
    monkeypatch.setattr(watch, "PAGE_SIZE", page_size)
    for exact_pods in (1_000_000, 0):
        supply = await seen(kubeconfig, run_id, own_node, exact_pods=exact_pods)
        (found,) = [node for node in supply.nodes or () if node.name == own_node]
        assert (found.used_pods, found.used_cpu, found.used_memory) == (3, 750, 3 * 2**30)
        assert (found.extended, found.used_extended) == ({GPU: 4}, {GPU: 3})
        assert supply.own_pods_in == {prefix}
        assert supply.pods_running >= 3
        assert supply.unread == {}
        assert supply.pods_estimated.startswith("estimated from 1 of 1 nodes; ") == (exact_pods == 0)
