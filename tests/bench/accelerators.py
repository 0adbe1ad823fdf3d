"""Accelerator jobs on simulated nodes: slices that wait in a queue for a pool, by the engine and by the bare loop."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import requests
from helpers.example_settings import settings
from helpers.role_plans import role_fragments

from bench import workload
from bench.client import measure
from bench.parts import RUN, Sizes, in_turn
from bench.plane import Plane, fresh_plane
from bench.table import Row, median_row
from bench.task import Measured

SHARE = 1.10
TIMEOUT_SECONDS = 1200
NODES_OF_A_SLICE, CHIPS_OF_A_NODE = 4, 4
JOBS_PER_NAMESPACE = 50
#: One job in so many has the higher priority.
URGENT = 5
_JOB = workload.ROLES / "accelerator_jobs/templates/job.yml.j2"
_PRIORITY = "{{ accelerator_jobs_priority or none }}"


def pools(nodes: int) -> list[dict[str, Any]]:
    """Pools of four nodes, each one slice of a TPU."""
    return [{"name": f"v5e-{one}", "type": "v5e", "topology": "4x4"} for one in range(nodes // NODES_OF_A_SLICE)]


def cluster_objects(nodes: int) -> dict[str, dict[str, Any]]:
    """Priorities and the queue by path. The quota is what the nodes have, so that no job has to wait for a pool."""
    quota = {"cpu": nodes, "memory": f"{nodes}Gi", "google.com/tpu": nodes * CHIPS_OF_A_NODE}
    resources = [{"name": name, "nominalQuota": amount} for name, amount in quota.items()]
    flavors = [{"name": "bench", "resources": resources}]
    group = {"coveredResources": list(quota), "flavors": flavors}
    kueue, scheduling = "kueue.x-k8s.io/v1beta2", "scheduling.k8s.io/v1"
    named = {"metadata": {"name": "bench"}}
    queue = {"spec": {"namespaceSelector": {}, "resourceGroups": [group]}}
    return {
        f"/apis/{kueue}/resourceflavors": {"apiVersion": kueue, "kind": "ResourceFlavor", **named},
        f"/apis/{kueue}/clusterqueues": {"apiVersion": kueue, "kind": "ClusterQueue", **named, **queue},
        f"/apis/{scheduling}/priorityclasses": {
            "apiVersion": scheduling,
            "kind": "PriorityClass",
            "metadata": {"name": "bench-urgent"},
            "value": 1000,
        },
    }


def _prepare(plane: Plane, nodes: int) -> None:
    for path, body in cluster_objects(nodes).items():
        headers = {"Authorization": f"Bearer {plane.token}"}
        answer = requests.post(plane.server + path, json=body, headers=headers, verify=str(plane.ca_file), timeout=60)
        answer.raise_for_status()


def fragments(per_namespace: int, folder: Path) -> list[dict[str, Any]]:
    """What the role makes of its settings, in a namespace of the bench with a queue; each pod runs a second.

    `folder`: where the role's template is copied to, with a priority that depends on the job.
    """
    template = folder / "job.yml.j2"
    text = _JOB.read_text()
    assert _PRIORITY in text
    template.write_text(text.replace(_PRIORITY, f"{{{{ 'bench-urgent' if index % {URGENT} == 0 else none }}}}"))
    given = {"type": "v5e", "topology": "4x4", "count": per_namespace, "duration": 1, "queue": "bench"}
    chosen = {f"accelerator_jobs_{name}": value for name, value in given.items()}
    (made,) = role_fragments("accelerator_jobs", settings(accelerator_jobs_enabled=True, **chosen))
    queue = {"role": "queues", "count": 1, "steps": [[{"template": str(workload.TEMPLATES / "local_queue.yml.j2")}]]}
    return [workload.namespace_fragment(), queue, {**made, "steps": [[{"template": str(template)}]]}]


def accelerators(sizes: Sizes) -> list[Row]:
    """First request to all complete, in turn, after one run to warm the server. A pool takes one slice at a time."""
    jobs, nodes = sizes.accelerator_jobs, sizes.accelerator_nodes
    each = min(JOBS_PER_NAMESPACE, jobs)
    text = json.dumps(pools(nodes), separators=(",", ":"))
    found: dict[str, list[Measured]] = {"engine": [], "reference": []}
    options = {"local_cluster_nodes": 0, "local_cluster_node_pools": text, "local_cluster_kueue": True}
    with TemporaryDirectory(prefix="kubestress-bench-") as folder, fresh_plane(options) as plane:
        _prepare(plane, nodes)
        load = fragments(each, Path(folder))
        _work(plane, "reference", f"warm-up-{RUN}", load, namespaces=1)
        for client, pair in in_turn(sizes.pairs):
            found[client].append(_work(plane, client, f"slices-{client}-{RUN}-{pair}", load, namespaces=jobs // each))
    ours, bare = found["engine"], found["reference"]
    what = f"{jobs} slices of {NODES_OF_A_SLICE} pods in a queue, on {nodes} nodes"
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


def _work(plane: Plane, client: str, run_id: str, load: list[dict[str, Any]], *, namespaces: int) -> Measured:
    plane.wait_until_quiet()
    return measure(
        plane,
        timeout_seconds=TIMEOUT_SECONDS,
        client=client,
        run_id=run_id,
        fragments=load,
        namespaces=workload.names(run_id, namespaces),
    )
