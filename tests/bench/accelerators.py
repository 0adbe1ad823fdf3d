"""Accelerator jobs on simulated nodes: slices that wait for a pool of their own, by the engine and by the bare loop."""

from __future__ import annotations

import json
import statistics
from typing import Any

from helpers.example_settings import settings
from helpers.role_plans import role_fragments

from bench import workload
from bench.client import measure
from bench.parts import RUN, Sizes, in_turn
from bench.plane import Plane, fresh_plane
from bench.table import Row, median_row
from bench.task import Measured

SHARE = 1.10
#: The scheduler's own work is most of it: each slice that finds no pool is tried again and again.
TIMEOUT_SECONDS = 1200
NODES_OF_A_SLICE = 4
JOBS_PER_NAMESPACE = 50


def pools(nodes: int) -> list[dict[str, Any]]:
    """Pools of four nodes, each one slice of a TPU."""
    return [{"name": f"v5e-{one}", "type": "v5e", "topology": "4x4"} for one in range(nodes // NODES_OF_A_SLICE)]


def fragments(per_namespace: int) -> list[dict[str, Any]]:
    """What the role makes of its settings, in a namespace of the bench; each pod runs a second."""
    given = {"type": "v5e", "topology": "4x4", "count": per_namespace, "duration": 1}
    chosen = {f"accelerator_jobs_{name}": value for name, value in given.items()}
    made = role_fragments("accelerator_jobs", settings(accelerator_jobs_enabled=True, **chosen))
    return [workload.namespace_fragment(), *made]


def accelerators(sizes: Sizes) -> list[Row]:
    """First request to all complete, in turn, after one run to warm the server. One pool takes one slice at a time."""
    jobs, nodes = sizes.accelerator_jobs, sizes.accelerator_nodes
    each = min(JOBS_PER_NAMESPACE, jobs)
    text = json.dumps(pools(nodes), separators=(",", ":"))
    found: dict[str, list[Measured]] = {"engine": [], "reference": []}
    with fresh_plane({"local_cluster_nodes": 0, "local_cluster_node_pools": text}) as plane:
        _work(plane, "reference", f"warm-up-{RUN}", each, namespaces=1)
        for client, pair in in_turn(sizes.pairs):
            found[client].append(_work(plane, client, f"slices-{client}-{RUN}-{pair}", each, namespaces=jobs // each))
    ours, bare = found["engine"], found["reference"]
    what = f"{jobs} slices of {NODES_OF_A_SLICE} pods on {nodes} nodes"
    return [
        median_row("accelerators: bare loop, first request to all complete", [m.seconds for m in bare], "s", note=what),
        median_row("accelerators: engine, first request to all complete", [m.seconds for m in ours], "s", note=what),
        median_row(
            "accelerators: engine / bare loop",
            [one.seconds / other.seconds for one, other in zip(ours, bare, strict=True)],
            "",
            goal=SHARE,
            note=f"median of {sizes.pairs} pairs; CPU: {_cpu(ours):.1f} s, and {_cpu(bare):.1f} s of the bare loop",
        ),
    ]


def _cpu(found: list[Measured]) -> float:
    return statistics.median(one.cpu_seconds for one in found)


def _work(plane: Plane, client: str, run_id: str, each: int, *, namespaces: int) -> Measured:
    plane.wait_until_quiet()
    return measure(
        plane,
        timeout_seconds=TIMEOUT_SECONDS,
        client=client,
        run_id=run_id,
        fragments=fragments(each),
        namespaces=workload.names(run_id, namespaces),
    )
