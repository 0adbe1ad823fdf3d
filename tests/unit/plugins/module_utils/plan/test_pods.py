"""What a pod's spec asks of a node."""

from __future__ import annotations

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.plan.pods import requests_of, shape_of

MIB = 1024 * 1024


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
    found = requests_of(spec)
    assert (found.get("cpu", 0), found.get("memory", 0)) == requests


def test_a_pod_takes_extended_resources_by_the_same_rules():
    spec = {
        "containers": [container("1", "1Mi"), {"resources": {"requests": {"nvidia.com/gpu": "2"}}}],
        "initContainers": [
            {"resources": {"requests": {"example.com/nic": "1"}}, "restartPolicy": "Always"},
            {"resources": {"requests": {"nvidia.com/gpu": "4", "ephemeral-storage": "1k"}}},
        ],
        "overhead": {"cpu": "10m"},
    }
    assert requests_of(spec) == {
        "cpu": 1010,
        "memory": MIB,
        "nvidia.com/gpu": 4,
        "example.com/nic": 1,
        "ephemeral-storage": 1000,
    }


def test_a_limit_without_a_request_is_the_request():
    spec = {"containers": [{"resources": {"limits": {"cpu": "1", "nvidia.com/gpu": 2}, "requests": {"cpu": "100m"}}}]}
    assert requests_of(spec) == {"cpu": 100, "nvidia.com/gpu": 2}
    assert shape_of(spec).extended == {"nvidia.com/gpu": 2}


def test_where_a_pod_may_run_is_part_of_its_shape():
    term = {"matchExpressions": [{"key": "zone", "operator": "Exists"}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    spec = {
        "nodeSelector": {"pool": "a"},
        "tolerations": [{"operator": "Exists"}],
        "affinity": {"nodeAffinity": required},
    }
    shape = shape_of(spec)
    assert (shape.node_selector, shape.tolerations, shape.affinity_terms) == (
        {"pool": "a"},
        ({"operator": "Exists"},),
        (term,),
    )
    assert shape.key != shape_of({**spec, "nodeSelector": {}}).key
    assert shape.key == shape_of(dict(spec)).key
