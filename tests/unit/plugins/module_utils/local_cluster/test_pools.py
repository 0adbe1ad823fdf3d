"""Pools of simulated nodes: from what users write to nodes, or to a line that says what cannot be."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.node_kinds import TAINT, NodeSize
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.pools import Pool, parse_pools

SIZE = NodeSize("64", "256Gi", 500)
POOL = "cloud.google.com/gke-nodepool"


def pool(**given: Any) -> Pool:
    (found,), problems = parse_pools([given])
    assert problems == []
    return found


def test_a_slice_of_a_topology() -> None:
    found = pool(name="tpu", type="v5e", topology="4x4").nodes(SIZE, beside_real=False)
    assert list(found) == ["tpu-0001", "tpu-0002", "tpu-0003", "tpu-0004"]
    node = found["tpu-0001"]
    assert node.resources == {**SIZE.resources, "google.com/tpu": "4"}
    assert node.labels == {
        "cloud.google.com/gke-tpu-accelerator": "tpu-v5-lite-podslice",
        "cloud.google.com/gke-tpu-topology": "4x4",
        "node.kubernetes.io/instance-type": "ct5lp-hightpu-4t",
        "kubernetes.io/arch": "amd64",
        POOL: "tpu",
    }
    assert node.taints == ({"key": "google.com/tpu", "value": "present", "effect": "NoSchedule"},)


def test_gpus_and_what_is_given_beside_the_type() -> None:
    found = pool(
        name="gpu",
        type="nvidia-gb200",
        count=3,
        labels={"zone": "b"},
        taints=[{"key": "team", "value": "x", "effect": "NoExecute"}],
        resources={"cpu": 144, "nvidia.com/gpu": "2", "hugepages-2Mi": "1Gi"},
    ).nodes(SIZE, beside_real=False)
    assert len(found) == 3
    node = found["gpu-0003"]
    assert node.resources == {**SIZE.resources, "cpu": "144", "nvidia.com/gpu": "2", "hugepages-2Mi": "1Gi"}
    assert node.labels["kubernetes.io/arch"] == "arm64"
    assert (node.labels["zone"], node.labels["node.kubernetes.io/instance-type"]) == ("b", "a4x-highgpu-4g")
    assert [taint["key"] for taint in node.taints] == ["nvidia.com/gpu", "kubernetes.io/arch", "team"]


def test_a_pool_of_cpus() -> None:
    found = pool(name="cpu", machine="n2-standard-8", resources={"cpu": "8"}).nodes(SIZE, beside_real=False)
    (node,) = found.values()
    assert node.labels == {POOL: "cpu", "node.kubernetes.io/instance-type": "n2-standard-8"}
    assert (node.taints, node.resources["cpu"]) == ((), "8")


def test_types_of_the_users_own() -> None:
    own = {"gaudi": {"resource": "habana.ai/gaudi", "labels": {"habana": "yes"}, "machines": {"hls-3": 8}}}
    ((found,), problems) = parse_pools([{"name": "a", "type": "gaudi", "count": 2}], catalogue=own)
    assert (problems, found.resources) == ([], {"habana.ai/gaudi": "8"})
    _pools, (problem,) = parse_pools([{"name": "a", "type": "v6e"}], catalogue={"gaudi": {"resource": "x"}})
    assert "catalogue: the type gaudi has no machines" in problem


def test_beside_a_real_node_no_pool_takes_pods_that_say_nothing() -> None:
    assert pool(name="cpu").nodes(SIZE, beside_real=True)["cpu-0001"].taints == (TAINT,)
    tpu = pool(name="tpu", type="v6e", topology="1x1").nodes(SIZE, beside_real=True)
    assert [taint["key"] for taint in tpu["tpu-0001"].taints] == ["google.com/tpu"]


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ({"name": "A"}, "node_pools: entry with the name 'A'; lower-case letters"),
        ({"name": "x" * 59}, "at most 58 characters"),
        ({"name": "simulated"}, "node_pools: the name simulated is taken; choose another"),
        ({"name": "a", "count": -1}, "node_pools: pool a has count -1; 0 or more are allowed"),
        (
            {"name": "a", "type": "v5e", "topology": "4x4", "count": 8},
            "node_pools: pool a has count 8, but a slice of 4x4 on ct5lp-hightpu-4t has 4 nodes, and a pool",
        ),
        ({"name": "a", "type": "v4-8"}, "node_pools: entry 1, type: 'v4-8' is ambiguous"),
        ({"name": "a", "type": "v5e", "topology": "3x3"}, "node_pools: entry 1, topology: '3x3': v5e comes in"),
        ({"name": "a", "topology": "4x4"}, "node_pools: entry 1, topology: '4x4' is given without a type"),
        ({"name": "a", "machine": "a b"}, "node_pools: entry 1, machine: 'a b' is not allowed"),
        ({"name": "a", "type": "nvidia-l4"}, "node_pools: entry 1, machine: none is given; nvidia-l4 comes in"),
        ({"name": "a", "labels": {"x": 1}}, "node_pools: pool a has the label x: 1, which is not text"),
        ({"name": "a", "taints": [{"key": "x"}]}, "node_pools: pool a has the taint x with the effect ''"),
        ({"name": "a", "resources": {"cpu": "lots"}}, "node_pools: pool a has 'lots' of cpu; a Kubernetes quantity"),
        ({"name": "a", "resources": {"cpu": "-1"}}, "node_pools: pool a has '-1' of cpu"),
        (
            {"name": "a", "resources": {"gpu": 1}},
            "pool a has the resource 'gpu'; cpu, memory, pods, ephemeral-storage, or",
        ),
        ({"name": "a", "resources": {"a b/c": 1}}, "node_pools: pool a has the resource 'a b/c'"),
        ({"name": "a", "resources": {"nvidia.com/gpu": "0.5"}}, "pool a has '0.5' of nvidia.com/gpu; of an extended"),
    ],
)
def test_what_cannot_be(entry: dict[str, Any], text: str) -> None:
    pools, (problem,) = parse_pools([entry])
    assert pools == ()
    assert text in problem
    assert "\n" not in problem


def test_a_name_comes_once() -> None:
    _pools, (problem,) = parse_pools([{"name": "a"}, {"name": "a"}])
    assert problem == "node_pools: the name a comes twice"
