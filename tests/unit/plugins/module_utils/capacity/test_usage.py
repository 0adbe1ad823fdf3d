"""What runs on nodes: counted, and estimated where only some nodes were counted."""

from __future__ import annotations

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.capacity.supply import Node
from ansible_collections.kubestress.core.plugins.module_utils.capacity.usage import (
    Usage,
    evenly,
    sample_of,
    use,
    use_estimate,
)

GPU = "nvidia.com/gpu"


def node(name, *, cpu=4000, memory=8000, pods=110, **extended):
    return Node(
        name=name,
        ready=True,
        unschedulable=False,
        labels={},
        taints=(),
        cpu=cpu,
        memory=memory,
        pods=pods,
        cores=4,
        simulated=True,
        software={},
        extended={GPU: extended["gpu"]} if "gpu" in extended else {},
    )


def usage(pods, **requests):
    container = {"resources": {"requests": {name.replace("gpu", GPU): value for name, value in requests.items()}}}
    found = Usage()
    for _ in range(pods):
        found.add({"containers": [container]})
    return found


def used(one):
    return one.used_pods, one.used_cpu, one.used_memory, dict(one.used_extended)


@pytest.mark.parametrize(
    ("count", "number", "chosen"),
    [(0, 5, []), (4, 0, []), (3, 5, [0, 1, 2]), (4, 4, [0, 1, 2, 3]), (10, 3, [0, 3, 6]), (120, 1, [0])],
)
def test_as_many_as_asked_for_at_equal_distances(count, number, chosen):
    assert evenly(range(count), number) == chosen


def test_what_was_counted_is_set_and_nothing_elsewhere():
    busy, idle = node("busy", gpu=8), node("idle")
    use([busy, idle], {"busy": usage(2, cpu="1500m", memory="1k", gpu="2"), "gone": usage(1, cpu="1")})
    assert used(busy) == (2, 3000, 2000, {GPU: 4})
    assert used(idle) == (0, 0, 0, {})


def test_a_sample_has_some_of_every_kind_however_few_they_are():
    nodes = [node(f"n{number}") for number in range(998)] + [node("gpu-1", gpu=8), node("gpu-2", gpu=8)]
    names = [one.name for one in sample_of(nodes, 50)]
    assert len(names) == 50
    assert names[:3] == ["n0", "n20", "n40"]
    assert names[-1] == "gpu-1"
    assert sample_of([], 50) == []


def test_the_other_nodes_are_as_full_as_the_counted_ones_of_their_kind():
    counted, larger, gpu, other_gpu = node("a"), node("b", cpu=8000, pods=220), node("c", gpu=8), node("d", gpu=4)
    use_estimate(
        [counted, larger, gpu, other_gpu],
        {"a": usage(11, cpu="100m", memory="100"), "c": usage(3, cpu="1", memory="10", gpu="2")},
    )
    assert used(counted) == (11, 1100, 1100, {})
    assert used(larger) == (22, 2200, 1100, {})
    assert used(gpu) == (3, 3000, 30, {GPU: 6})
    assert used(other_gpu) == (3, 3000, 30, {GPU: 3})


def test_a_kind_of_which_none_was_counted_is_as_full_as_all_counted_nodes():
    plain, gpu = node("a"), node("b", gpu=8)
    use_estimate([plain, gpu], {"a": usage(11, cpu="1", memory="100")})
    assert used(gpu) == (11, 11_000, 1100, {GPU: 0})


def test_nothing_counted_is_nothing_in_use():
    one = node("a")
    use_estimate([one], {})
    assert used(one) == (0, 0, 0, {})
