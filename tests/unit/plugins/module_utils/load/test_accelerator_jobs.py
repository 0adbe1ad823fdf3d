"""What a batch asks for its accelerator jobs beside their objects, on an API server in memory."""

from __future__ import annotations

import asyncio
from typing import Any

from ansible_collections.kubestress.core.plugins.module_utils.cluster.scopes import Scopes
from ansible_collections.kubestress.core.plugins.module_utils.cluster.watch import Event
from ansible_collections.kubestress.core.plugins.module_utils.load.accelerator_jobs import AcceleratorJobs
from ansible_collections.kubestress.core.plugins.module_utils.plan.fragment import Context, parse_fragments
from helpers.batches import NAMESPACES, deployments, jobs, obj
from helpers.memory_api import Answer, MemoryApi, MemoryCluster, answer, failure
from helpers.virtual_time import in_virtual_time

Plan = list[dict[str, Any]]
GROUP = {"kind": "APIGroup", "preferredVersion": {"groupVersion": "kueue.x-k8s.io/v1beta2"}}
POOL = "cloud.google.com/gke-nodepool"


def queued(**pod: Any) -> dict[str, Any]:
    """Return a fragment of Jobs in a queue, for two chips each."""
    fragment = jobs(1)
    (template,) = fragment["steps"][0]
    definition = template["definition"]
    definition["metadata"]["labels"] = {"kueue.x-k8s.io/queue-name": "team"}
    spec = definition["spec"]["template"]["spec"]
    spec["containers"][0]["resources"] = {"limits": {"google.com/tpu": 2}}
    spec |= pod
    return fragment


def with_kueue(_method: str, path: str) -> Answer | None:
    return answer(GROUP) if path == "/apis/kueue.x-k8s.io" else None


def of_plan(api: MemoryApi, plan: Plan) -> AcceleratorJobs:
    fragments = parse_fragments(plan, Context(run_id="r"))
    return AcceleratorJobs(MemoryCluster(api), fragments, ["n-1"], Scopes())


def node(name: str, pool: str, *, chips: int, **labels: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "labels": {POOL: pool, **labels}},
        "spec": {},
        "status": {
            "allocatable": {"cpu": "8", "google.com/tpu": str(chips)},
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


def workload(name: str, namespace: str, *, is_admitted: bool = False) -> dict[str, Any]:
    owner = {"kind": "Job", "name": "j", "uid": "job-1", "controller": True}
    conditions = [{"type": "Admitted", "status": "True"}] if is_admitted else []
    metadata = {"name": name, "namespace": namespace, "uid": name, "ownerReferences": [owner]}
    return {"metadata": metadata, "status": {"conditions": conditions}}


def job_event() -> Event:
    labels = {"kueue.x-k8s.io/queue-name": "team"}
    metadata = {"name": "j", "namespace": "n-1", "uid": "job-1", "labels": labels}
    return Event("ADDED", {"kind": "Job", "metadata": metadata, "spec": {}, "status": {}})


@in_virtual_time
async def test_without_such_jobs_nothing_is_asked() -> None:
    api = MemoryApi()
    plain = of_plan(api, [NAMESPACES, deployments(1), jobs(1)])
    async with plain.beside():
        assert not plain.are_planned
    assert api.requests.total() == 0


@in_virtual_time
async def test_without_a_queue_no_workload_is_asked_for() -> None:
    api = MemoryApi()
    paths: list[str] = []

    def refuse(_method: str, path: str) -> None:
        paths.append(path)

    api.refuse = refuse
    sets = {"role": "sets", "steps": [[obj("JobSet", "s-{{ index }}", spec={"replicatedJobs": []})]]}
    jobs_of_sets = of_plan(api, [NAMESPACES, sets])
    async with jobs_of_sets.beside():
        assert jobs_of_sets.are_planned
    assert paths == ["/api/v1/nodes"]
    assert (jobs_of_sets.warnings, jobs_of_sets.workloads_cause) == ([], None)


@in_virtual_time
async def test_the_role_s_own_jobs_count_in_any_case() -> None:
    assert of_plan(MemoryApi(), [{**jobs(1), "role": "accelerator_jobs"}]).are_planned


@in_virtual_time
async def test_workloads_of_the_run_s_namespaces_are_measured_and_others_left_out() -> None:
    api = MemoryApi()
    api.refuse = with_kueue
    ours = of_plan(api, [NAMESPACES, queued()])
    async with ours.beside():
        await settled()
        ours.event("Job", "jobs", job_event(), False)
        api.put("workloads", workload("w", "n-1"))
        api.put("workloads", workload("x", "elsewhere"))
        await settled()
        api.put("workloads", workload("w", "n-1", is_admitted=True))
        api.put("workloads", workload("x", "elsewhere", is_admitted=True))
        await settled()
    (wait,) = ours.book.figures()["waits"]
    assert wait["stages"]["admitted"]["count"] == 1
    assert (ours.warnings, ours.workloads_cause) == ([], None)


async def settled() -> None:
    """Let the watch read what is on its way; in simulated time this takes none."""
    await asyncio.sleep(1)


@in_virtual_time
async def test_workloads_that_may_not_be_seen_are_a_warning_with_the_cause() -> None:
    api = MemoryApi()

    def refuse(method: str, path: str) -> Answer | None:
        if path.endswith("/workloads"):
            return failure(403, "Forbidden", "workloads.kueue.x-k8s.io is forbidden")
        return with_kueue(method, path)

    api.refuse = refuse
    ours = of_plan(api, [NAMESPACES, queued()])
    async with ours.beside():
        pass
    assert ours.workloads_cause is not None
    assert "workloads.kueue.x-k8s.io is forbidden" in ours.workloads_cause
    (warning,) = ours.warnings
    assert "the wait in the queue is not measured" in warning


@in_virtual_time
async def test_a_cluster_without_kueue_is_named() -> None:
    api = MemoryApi()
    api.refuse = lambda _method, path: failure(404, "NotFound") if "kueue" in path else None
    ours = of_plan(api, [NAMESPACES, queued()])
    async with ours.beside():
        pass
    assert ours.workloads_cause == "the API server has no kueue.x-k8s.io"


@in_virtual_time
async def test_pools_that_would_take_the_pods_are_known_and_those_that_came_later_too() -> None:
    api = MemoryApi()
    api.refuse = with_kueue
    for name, pool, chips in (("a-1", "a", 4), ("a-2", "a", 4), ("few-1", "few", 1)):
        api.put("nodes", node(name, pool, chips=chips, zone="z"))
    api.put("nodes", node("c-1", "c", chips=4, zone="y"))
    ours = of_plan(api, [NAMESPACES, queued(nodeSelector={"zone": "z"})])
    async with ours.beside():
        rows = ours.book.figures()["pools"]
        assert [(row["pool"], row["nodes"], row["pods"]) for row in rows] == [("a", 2, 0)]
        api.put("nodes", node("b-1", "b", chips=4, zone="z"))
        owner = {"kind": "Job", "name": "j", "uid": "job-1", "controller": True}
        metadata = {"name": "p", "namespace": "n-1", "uid": "p", "ownerReferences": [owner]}
        pod = {"kind": "Pod", "metadata": metadata, "spec": {"nodeName": "b-1"}, "status": {}}
        ours.event("Pod", "jobs", Event("ADDED", pod), False)
    rows = ours.book.figures()["pools"]
    assert [(row["pool"], row["nodes"], row["pods"]) for row in rows] == [("b", 1, 1), ("a", 2, 0)]


@in_virtual_time
async def test_nodes_that_may_not_be_listed_are_a_warning_with_the_cause() -> None:
    api = MemoryApi()
    api.refuse = lambda method, path: (
        failure(403, "Forbidden", "nodes is forbidden") if path.endswith("/nodes") else with_kueue(method, path)
    )
    ours = of_plan(api, [NAMESPACES, queued()])
    async with ours.beside():
        pass
    assert "nodes is forbidden" in (ours.book.figures()["pools_cause"] or "")
    assert any("pools of accelerator jobs are not known" in text for text in ours.warnings)
