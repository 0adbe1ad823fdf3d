"""Nodes, pods and quotas as the API server shows them."""

from __future__ import annotations

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.capacity.supply import (
    node_of,
    pod_requests,
    quota_of,
    refusal,
)

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
        ({"labels": {"pool": "web"}}, {"pool": "ci"}, [], "without the label pool=ci of run_node_selector"),
        ({"taints": [TAINT]}, {}, [], "tainted dedicated=ci:NoSchedule (not in run_tolerations)"),
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
    found = refusal(node_of(node_object(**node)), selector=selector, tolerations=tolerations)
    assert found is None if reason is None else found is not None and found.startswith(reason)


def container(cpu, memory, **more):
    return {"resources": {"requests": {"cpu": cpu, "memory": memory}}, **more}


@pytest.mark.parametrize(
    ("spec", "requests"),
    [
        ({"containers": [{}]}, (0, 0)),
        ({"containers": [container("50m", "1Mi"), container("1", "2Mi")]}, (1050, 3 * MIB)),
        # An init container that needs more than all that runs later.
        ({"containers": [container("50m", "1Mi")], "initContainers": [container("2", "1")]}, (2000, MIB)),
        # A sidecar keeps running, and the init container after it comes on top of it.
        (
            {
                "containers": [container("50m", "1Mi")],
                "initContainers": [container("100m", "1Mi", restartPolicy="Always"), container("200m", "1")],
            },
            (300, 2 * MIB),
        ),
        ({"containers": [container("50m", "1Mi")], "overhead": {"cpu": "10m", "memory": "1Mi"}}, (60, 2 * MIB)),
        ({"containers": [container("50m", "1Mi")], "resources": {"requests": {"cpu": "1"}}}, (1000, MIB)),
    ],
)
def test_what_the_scheduler_sets_aside_for_a_pod(spec, requests):
    assert pod_requests(spec) == requests


def test_a_quota_and_one_that_counts_some_pods_only():
    document = {
        "metadata": {"namespace": "a", "name": "q"},
        "spec": {"hard": {"pods": "4"}},
        "status": {"hard": {"pods": "4"}, "used": {"pods": "3"}},
    }
    quota = quota_of(document)
    assert (quota.hard, quota.used, quota.scoped) == ({"pods": "4"}, {"pods": "3"}, False)
    assert quota_of({**document, "spec": {"hard": {"pods": "4"}, "scopes": ["BestEffort"]}}).scoped
