"""Nodes: exactly as many as wanted, each as large as wanted."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster import nodes
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.nodes import NodeChanges, NodeSize

SIZE = NodeSize("64", "256Gi", 500)
READY = ({"type": "Ready", "status": "True"},)


def node(number, size=SIZE, conditions=READY, taints=()):
    result = nodes.node_object(number, size)
    result["status"]["conditions"] = list(conditions)
    result["spec"] = {"taints": [{"key": key} for key in taints]}
    return result


@pytest.mark.parametrize(
    ("existing", "count", "expected"),
    [
        ([], 0, NodeChanges()),
        ([], 2, NodeChanges(create=("simulated-0001", "simulated-0002"))),
        ([node(1), node(2)], 2, NodeChanges()),
        ([node(1), node(2), node(3)], 1, NodeChanges(delete=("simulated-0002", "simulated-0003"))),
        ([node(2)], 2, NodeChanges(create=("simulated-0001",))),
        ([node(1, NodeSize("64", "256Gi", 110))], 1, NodeChanges(resize=("simulated-0001",))),
        ([node(1, NodeSize("32", "256Gi", 500))], 1, NodeChanges(resize=("simulated-0001",))),
    ],
)
def test_compare(existing, count, expected):
    changes = nodes.compare(existing, count=count, size=SIZE)
    assert changes == expected
    assert bool(changes) == (expected != NodeChanges())


@pytest.mark.parametrize(
    ("existing", "expected"),
    [
        ([node(1)], []),
        ([node(1, conditions=[])], ["simulated-0001"]),
        ([node(1, conditions=[{"type": "Ready", "status": "Unknown"}])], ["simulated-0001"]),
        ([node(1), node(2, taints=["node.kubernetes.io/not-ready"])], ["simulated-0002"]),
        ([], []),
    ],
)
def test_not_ready(existing, expected):
    assert nodes.not_ready(existing) == expected


@pytest.mark.parametrize(
    ("seconds", "taints", "status", "expected"),
    [
        (60, [], "True", True),
        (4, [], "True", True),
        (1, [], "True", False),
        (60, ["node.kubernetes.io/not-ready"], "True", False),
        (60, [], "False", False),
    ],
)
def test_a_node_is_settled_once_the_controller_manager_has_seen_it_ready(seconds, taints, status, expected):
    ready = {"type": "Ready", "status": status, "lastTransitionTime": "2026-01-01T00:00:00Z"}
    now = datetime(2026, 1, 1, tzinfo=UTC).timestamp() + seconds
    assert nodes.is_settled(node(1, conditions=[ready], taints=taints), now=now) is expected


def test_a_node_without_conditions_is_not_settled():
    assert not nodes.is_settled(node(1, conditions=[]), now=0.0)


def test_every_node_has_an_address_of_its_own():
    addresses = {node(number)["status"]["addresses"][0]["address"] for number in range(1, 5001)}
    assert len(addresses) == 5000


def test_names_sort_as_they_count():
    names = [nodes.node_name(number) for number in range(1, 5001)]
    assert names == sorted(names)
