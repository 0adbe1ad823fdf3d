"""Nodes: exactly as many as wanted, each as large as wanted."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster import nodes
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.node_kinds import TAINT, NodeKind, NodeSize
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.nodes import NodeChanges

SIZE = NodeSize("64", "256Gi", 500)
READY = ({"type": "Ready", "status": "True"},)


def node(number, size=SIZE, conditions=READY, taints=()):
    kind = NodeKind(resources=size.resources)
    result = nodes.node_object(nodes.node_name(number), kind, address=f"10.245.0.{number}")
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
    changes = nodes.compare(existing, nodes.plain_nodes(count, SIZE))
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


class Api:
    """An API server's nodes, with merge patches as it applies them."""

    def __init__(self, *existing):
        self.nodes = {one["metadata"]["name"]: one for one in existing}

    def get(self, path):
        return {"items": list(self.nodes.values())} if "?" in path else self.nodes[path.rpartition("/")[2]]

    def post(self, _path, body):
        self.nodes[body["metadata"]["name"]] = body

    def delete(self, path):
        del self.nodes[path.rpartition("/")[2]]

    def merge_patch(self, path, patch):
        name = path.removeprefix(f"{nodes.PATH}/").removesuffix("/status")
        self._merge(self.nodes[name], patch)

    def _merge(self, target, patch):
        for key, value in patch.items():
            if isinstance(value, dict):
                self._merge(target.setdefault(key, {}), value)
            elif value is None:
                target.pop(key, None)
            else:
                target[key] = value


def settle(api, wanted):
    """Make the changes; afterwards there must be none left."""
    changes = nodes.compare(nodes.existing_nodes(api), wanted)
    nodes.apply(api, changes, wanted)
    assert not nodes.compare(nodes.existing_nodes(api), wanted)
    return changes


def test_every_node_has_an_address_of_its_own():
    api = Api()
    settle(api, nodes.plain_nodes(300, SIZE))
    settle(api, {**nodes.plain_nodes(2, SIZE), "tpu-0001": NodeKind(resources=SIZE.resources)})
    settle(api, {**nodes.plain_nodes(300, SIZE), "tpu-0001": NodeKind(resources=SIZE.resources)})
    addresses = [one["status"]["addresses"][0]["address"] for one in api.nodes.values()]
    assert len(set(addresses)) == 301


TPU_TAINT = {"key": "google.com/tpu", "value": "present", "effect": "NoSchedule"}
TPU_NODE = NodeKind(
    resources={**SIZE.resources, "google.com/tpu": "4"},
    labels={"topology": "4x4", "kubernetes.io/arch": "s390x"},
    taints=(TPU_TAINT,),
)


def test_a_node_of_a_pool_changes_in_place_and_keeps_what_others_gave_it():
    api = Api()
    settle(api, {"tpu-0001": TPU_NODE})
    made = api.nodes["tpu-0001"]
    made["metadata"]["labels"]["somebody"] = "else"
    of_others = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
    made["spec"]["taints"].append(of_others)
    made["status"]["capacity"]["example.com/other"] = "1"

    changes = settle(api, {"tpu-0001": NodeKind(resources=SIZE.resources, labels={"topology": "8x8"})})
    assert (changes.relabel, changes.taint, changes.resize) == (("tpu-0001",),) * 3
    assert (changes.create, changes.delete) == ((), ())
    assert made["metadata"]["labels"]["topology"] == "8x8"
    assert made["metadata"]["labels"]["somebody"] == "else"
    assert made["metadata"]["labels"]["kubernetes.io/arch"] != "s390x"
    assert made["spec"]["taints"] == [of_others]
    assert "google.com/tpu" not in made["status"]["capacity"]

    settle(api, {"tpu-0001": TPU_NODE})
    assert made["spec"]["taints"] == [of_others, TPU_TAINT]
    assert made["status"]["allocatable"]["google.com/tpu"] == "4"


def test_our_taint_goes_with_the_real_node():
    api = Api()
    settle(api, nodes.plain_nodes(1, SIZE))
    assert settle(api, nodes.plain_nodes(1, SIZE, tainted=True)).taint == ("simulated-0001",)
    assert api.nodes["simulated-0001"]["spec"]["taints"] == [TAINT]
    assert settle(api, nodes.plain_nodes(1, SIZE)).taint == ("simulated-0001",)
    assert api.nodes["simulated-0001"]["spec"]["taints"] == []


def test_names_sort_as_they_count():
    names = [nodes.node_name(number) for number in range(1, 5001)]
    assert names == sorted(names)
