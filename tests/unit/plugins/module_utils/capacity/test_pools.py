"""Slices against pools: one of its own for each, and the one that comes nearest in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.accelerators.shape import shape_of
from ansible_collections.kubestress.core.plugins.module_utils.capacity.compare import compare
from ansible_collections.kubestress.core.plugins.module_utils.capacity.rows import OK, OVER, WARNING, Row
from ansible_collections.kubestress.core.plugins.module_utils.capacity.supply import Node, Supply
from ansible_collections.kubestress.core.plugins.module_utils.plan.demand import demand_of
from ansible_collections.kubestress.core.plugins.module_utils.plan.fragment import Context, parse_fragments

POOL = "cloud.google.com/gke-nodepool"


def pool(name: str, kind: str, *, nodes: int = 0, used: int = 0, **asked: Any) -> Iterator[Node]:
    """The nodes of a pool, on which pods use `used` chips each."""
    shape = shape_of(kind, **asked)
    for number in range(1, (nodes or shape.nodes) + 1):
        yield Node(
            name=f"{name}-{number}",
            ready=True,
            unschedulable=False,
            labels={**shape.node_selector, POOL: name},
            taints=tuple(shape.taints),
            cpu=64_000,
            memory=2**38,
            pods=110,
            cores=64,
            simulated=True,
            software={},
            extended={shape.resource: shape.chips_per_node} if shape.resource else {},
            used_extended={shape.resource: used} if used else {},
        )


def rows(
    nodes: Sequence[Node], *, jobs: int = 1, queue: str = "", tolerate: bool = True, requests: Any = None, **asked: Any
) -> dict[str, Row]:
    """The rows of a plan of Jobs, each a slice."""
    shape = shape_of(asked.pop("kind"), **asked)
    alone = {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": shape.pool_label, "labelSelector": {}}]}
    spec = {
        "nodeSelector": dict(shape.node_selector),
        "tolerations": shape.tolerations if tolerate else [],
        "containers": [{"name": "a", "image": "x", "resources": {"limits": shape.limits, "requests": requests}}],
        **({"affinity": {"podAffinity": alone, "podAntiAffinity": alone}} if shape.pool_label else {}),
    }
    definition = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "{{ index }}", "labels": {"kueue.x-k8s.io/queue-name": queue} if queue else {}},
        "spec": {"completions": shape.nodes, "parallelism": shape.nodes, "template": {"spec": spec}},
    }
    levers = {"pods": {"jobs_count": jobs}, "nodes": {"jobs_topology": shape.topology}}
    plan = [{"role": "train", "count": jobs, "steps": [[{"definition": definition}]], "levers": levers}]
    demand = demand_of(parse_fragments(plan, Context(run_id="r")), namespaces=[(1, "ns")])
    found = compare(demand, Supply(nodes=list(nodes), pods_counted=True, namespaces=1, quotas=[]), own_namespaces=set())
    return {row.name: row for row in found}


SLICES = "slices of train that find a pool"
NO_NODES = "nodes that take the pods of train"
FOUR_BY_FOUR = {"kind": "v5e", "topology": "4x4"}


def test_each_slice_has_a_pool_of_its_own() -> None:
    nodes = [*pool("a", "v5e", topology="4x4"), *pool("b", "v5e", topology="4x4")]
    row = rows(nodes, jobs=2, **FOUR_BY_FOUR)[SLICES]
    assert (row.needed, row.offered, row.verdict, row.cure) == (2, 2, OK, "")


def test_one_slice_too_many_is_named() -> None:
    nodes = [*pool("a", "v5e", topology="4x4"), *pool("b", "v5e", topology="4x4", used=4)]
    row = rows(nodes, jobs=2, **FOUR_BY_FOUR)[SLICES]
    assert row.verdict == OVER
    assert row.line() == (
        "slices of train that find a pool: 2 needed, 1 offered (nearest is pool b, with room for 0 of the 4 pods of a "
        "slice): lower jobs_count=2, or add pools of 4 such nodes"
    )


def test_chips_in_two_pools_are_no_slice() -> None:
    nodes = [*pool("a", "v5e", topology="4x4", nodes=3), *pool("b", "v5e", topology="4x4", nodes=2)]
    found = rows(nodes, **FOUR_BY_FOUR)
    assert found["google.com/tpu requests at peak"].verdict == OK
    assert (found[SLICES].verdict, found[SLICES].offered) == (OVER, 0)
    assert found[SLICES].note == "nearest is pool a, with room for 3 of the 4 pods of a slice"


def test_a_queue_holds_back_what_has_no_room_now() -> None:
    found = rows([*pool("a", "v5e", topology="4x4")], jobs=3, queue="team-a", **FOUR_BY_FOUR)
    assert found[SLICES].verdict == WARNING
    assert found["google.com/tpu requests at peak"].verdict == WARNING


@pytest.mark.parametrize(
    ("asked", "note"),
    [
        (
            {"kind": "v5e", "topology": "2x4"},
            (
                "nearest is pool v5e (4 nodes): cloud.google.com/gke-tpu-topology is 4x4, not 2x4, "
                "node.kubernetes.io/instance-type is ct5lp-hightpu-4t, not ct5lp-hightpu-8t, "
                "4 google.com/tpu on a node, 8 needed"
            ),
        ),
        (
            {"kind": "v5e", "topology": "4x4", "tolerate": False},
            "nearest is pool v5e (4 nodes): tainted google.com/tpu=present:NoSchedule, which the pods do not tolerate",
        ),
        (
            {"kind": "nvidia-h200-141gb"},
            (
                "nearest is pool h100 (2 nodes): cloud.google.com/gke-accelerator is nvidia-h100-80gb, not "
                "nvidia-h200-141gb, node.kubernetes.io/instance-type is a3-highgpu-8g, not a3-ultragpu-8g"
            ),
        ),
    ],
)
def test_a_slice_that_fits_no_pool_is_told_which_comes_nearest(asked: dict[str, Any], note: str) -> None:
    nodes = [
        *pool("v5e", "v5e", topology="4x4"),
        *pool("v6e", "v6e", topology="4x4"),
        *pool("h100", "nvidia-h100-80gb", machine="a3-highgpu-8g", nodes=2),
    ]
    row = rows(nodes, **asked)[NO_NODES]
    assert row.verdict == OVER
    assert row.note.startswith(note), row.note
    assert row.cure == f"make such nodes ready, or change jobs_topology={asked.get('topology', '')}"


def test_a_pod_with_more_chips_than_any_node_has() -> None:
    (node,) = pool("amd", "amd-mi300x", machine="4-gpu")
    row = rows([node, node], kind="amd-mi300x", machine="8-gpu")["pods of train that find a node"]
    assert row.verdict == OVER
    assert row.note == "nearest is pool amd (2 nodes): 4 amd.com/gpu on a node, 8 needed"


def test_a_pod_with_more_cores_than_the_nodes_of_its_pool_have() -> None:
    row = rows([*pool("a", "v5e", topology="4x4")], requests={"cpu": "65"}, **FOUR_BY_FOUR)[
        "pods of train that find a node"
    ]
    assert row.verdict == OVER
    assert row.note == "there are 4 nodes of ct5lp-hightpu-4t with 64 cores, 256 GiB, 4 google.com/tpu"


def test_where_nothing_comes_near_nothing_is_said() -> None:
    plain = Node(
        name="n",
        ready=True,
        unschedulable=False,
        labels={},
        taints=(),
        cpu=1,
        memory=1,
        pods=1,
        cores=1,
        simulated=True,
        software={},
    )
    row = rows([plain], **FOUR_BY_FOUR)[NO_NODES]
    assert row.note == "1 without the label cloud.google.com/gke-tpu-accelerator=tpu-v5-lite-podslice"
