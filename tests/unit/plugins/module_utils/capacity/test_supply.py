"""Nodes, pods and quotas as the API server shows them."""

from __future__ import annotations

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.capacity.supply import (
    node_of,
    quota_of,
    refusal,
)
from ansible_collections.kubestress.core.plugins.module_utils.plan.pods import PodShape

MIB = 1024 * 1024


def node_object(*, taints=(), labels=None, unschedulable=False, ready="True", port=10250, annotations=None):
    return {
        "metadata": {"name": "n1", "labels": labels or {}, "annotations": annotations or {}},
        "spec": {"taints": list(taints), "unschedulable": unschedulable},
        "status": {
            "allocatable": {"cpu": "3800m", "memory": "7Gi", "pods": "110"},
            "capacity": {"cpu": "4", "memory": "8Gi", "pods": "110"},
            "conditions": [{"type": "DiskPressure", "status": "False"}, {"type": "Ready", "status": ready}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
            "nodeInfo": {"kubeletVersion": "v1.36.3"},
        },
    }


def test_a_node():
    node = node_of(node_object())
    assert (node.cpu, node.memory, node.pods, node.cores) == (3800, 7 * 1024 * MIB, 110, 4)
    assert (node.ready, node.simulated, node.software["kubeletVersion"]) == (True, False, "v1.36.3")


def test_everything_else_that_a_node_offers_is_extended():
    document = node_object()
    document["status"]["allocatable"] |= {"ephemeral-storage": "1Gi", "nvidia.com/gpu": "8", "hugepages-2Mi": "4Mi"}
    assert node_of(document).extended == {"nvidia.com/gpu": 8, "hugepages-2Mi": 4 * MIB}
    assert node_of(node_object()).extended == {}


@pytest.mark.parametrize("changed", [{"annotations": {"kwok.x-k8s.io/node": "fake"}}, {"port": 0}])
def test_a_simulated_node(changed):
    assert node_of(node_object(**changed)).simulated


TAINT = {"key": "dedicated", "value": "ci", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("node", "selector", "tolerations", "reason"),
    [
        ({}, {}, [], None),
        ({"ready": "Unknown"}, {}, [], "not ready"),
        ({"unschedulable": True}, {}, [], "cordoned"),
        ({"labels": {"pool": "ci"}}, {"pool": "ci"}, [], None),
        ({"labels": {"pool": "web"}}, {"pool": "ci"}, [], "without the label pool=ci"),
        ({"taints": [TAINT]}, {}, [], "tainted dedicated=ci:NoSchedule"),
        ({"taints": [TAINT]}, {}, [{"operator": "Exists"}], None),
        ({"taints": [TAINT]}, {}, [{"key": "dedicated", "operator": "Exists"}], None),
        ({"taints": [TAINT]}, {}, [{"key": "dedicated", "value": "ci", "effect": "NoSchedule"}], None),
        ({"taints": [TAINT]}, {}, [{"key": "dedicated", "value": "web"}], "tainted"),
        ({"taints": [TAINT]}, {}, [{"key": "dedicated", "value": "ci", "effect": "NoExecute"}], "tainted"),
        ({"taints": [{"key": "x", "effect": "NoExecute"}]}, {}, [], "tainted x:NoExecute"),
        ({"taints": [{"key": "x", "effect": "PreferNoSchedule"}]}, {}, [], None),
    ],
)
def test_which_node_takes_the_pods(node, selector, tolerations, reason):
    found = refusal(node_of(node_object(**node)), PodShape(node_selector=selector, tolerations=tuple(tolerations)))
    assert found is None if reason is None else found is not None and found.startswith(reason)


def test_a_quota_and_one_that_counts_some_pods_only():
    document = {
        "metadata": {"namespace": "a", "name": "q"},
        "spec": {"hard": {"pods": "4"}},
        "status": {"hard": {"pods": "4"}, "used": {"pods": "3"}},
    }
    quota = quota_of(document)
    assert (quota.hard, quota.used, quota.scoped) == ({"pods": "4"}, {"pods": "3"}, False)
    assert quota_of({**document, "spec": {"hard": {"pods": "4"}, "scopes": ["BestEffort"]}}).scoped
