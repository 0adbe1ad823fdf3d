"""Jobs in queues against the queues that there are: which would never admit them, in words."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.capacity.compare import compare
from ansible_collections.kubestress.core.plugins.module_utils.capacity.queues import (
    ClusterQueue,
    LocalQueue,
    QueueSupply,
    cluster_queue_of,
    local_queue_of,
)
from ansible_collections.kubestress.core.plugins.module_utils.capacity.rows import NO_DATA, OK, OVER, WARNING, Row
from ansible_collections.kubestress.core.plugins.module_utils.capacity.supply import Supply
from ansible_collections.kubestress.core.plugins.module_utils.plan.demand import demand_of
from ansible_collections.kubestress.core.plugins.module_utils.plan.fragment import Context, parse_fragments

NAMESPACES = ["a", "b"]
QUEUE = "namespaces whose queue team takes jobs of train"
MIB = 2**20


def rows(supply: QueueSupply | None, *, pods: int = 1, makes_queues: bool = False) -> dict[str, Row]:
    """The rows of a plan of Jobs in the queue `team`, which need 500m and 512Mi a pod; several pods are a slice."""
    alone = {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "pool", "labelSelector": {}}]}
    requests = {"cpu": "500m", "memory": "512Mi"}
    spec = {
        "containers": [{"name": "a", "image": "x", "resources": {"requests": requests}}],
        **({"affinity": {"podAffinity": alone, "podAntiAffinity": alone}} if pods > 1 else {}),
    }
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "{{ index }}", "labels": {"kueue.x-k8s.io/queue-name": "team"}},
        "spec": {"completions": pods, "parallelism": pods, "template": {"spec": spec}},
    }
    queue = {"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "LocalQueue", "metadata": {"name": "team"}}
    levers = {"queue": {"jobs_queue": "team"}, "requests": {"jobs_requests": ""}}
    plan: list[dict[str, Any]] = [{"role": "train", "count": 3, "steps": [[{"definition": job}]], "levers": levers}]
    if makes_queues:
        plan.append({"role": "queues", "steps": [[{"definition": queue}]]})
    demand = demand_of(parse_fragments(plan, Context(run_id="r")), namespaces=list(enumerate(NAMESPACES, 1)))
    found = compare(demand, Supply(queues=supply), own_namespaces=set())
    return {row.name: row for row in found if "queue" in row.name.lower()}


def local(*namespaces: str, cause: str = "") -> dict[tuple[str, str], LocalQueue]:
    return {(name, "team"): LocalQueue(cluster_queue="shared", cause=cause) for name in namespaces}


def shared(cause: str = "", **quota: int) -> dict[str, ClusterQueue]:
    return {"shared": ClusterQueue(name="shared", cause=cause, quota=quota)}


def test_queues_that_are_there_with_room_are_fine() -> None:
    supply = QueueSupply(namespaces=NAMESPACES, local=local("a", "b"), cluster=shared(cpu=500, memory=512 * MIB))
    (row,) = rows(supply).values()
    assert (row.needed, row.offered, row.verdict, row.cure) == (2, 2, OK, "")


def test_a_queue_that_is_missing_stops_the_run() -> None:
    row = rows(QueueSupply(namespaces=NAMESPACES, local=local("b")))[QUEUE]
    assert row.verdict == OVER
    assert row.line() == (
        "namespaces whose queue team takes jobs of train: 2 needed, 1 offered (there is no LocalQueue team (in a)): "
        "create the queue in each namespace, or change jobs_queue=team"
    )


def test_a_queue_that_the_plan_makes_is_not_missing() -> None:
    row = rows(QueueSupply(namespaces=NAMESPACES, local={}), makes_queues=True)[QUEUE]
    assert (row.offered, row.verdict) == (2, OK)


@pytest.mark.parametrize(
    ("cluster", "note"),
    [
        (shared("references missing ResourceFlavor(s): gpu"), "ClusterQueue shared: references missing"),
        ({}, "Can't submit new workloads (in a, b)"),
    ],
)
def test_a_queue_that_is_not_active_is_a_warning_with_the_cause(cluster: dict[str, ClusterQueue], note: str) -> None:
    supply = QueueSupply(namespaces=NAMESPACES, local=local("a", "b", cause="Can't submit new workloads"))
    supply.cluster = cluster
    (row,) = rows(supply).values()
    assert (row.offered, row.verdict) == (0, WARNING)
    assert row.note.startswith(note)


def test_a_slice_larger_than_the_whole_quota_is_never_admitted() -> None:
    supply = QueueSupply(namespaces=NAMESPACES, local=local("a", "b"), cluster=shared(cpu=1500, memory=2**40))
    assert list(rows(supply)) == [QUEUE]
    row = rows(supply, pods=4)["cpu quota of ClusterQueue shared for one slice of train"]
    assert row.line() == (
        "cpu quota of ClusterQueue shared for one slice of train: 2 needed, 1.5 offered: lower jobs_requests, or give "
        "ClusterQueue shared more: it never admits jobs that need 2"
    )
    assert row.verdict == OVER


def test_a_resource_without_quota_is_a_warning() -> None:
    supply = QueueSupply(namespaces=NAMESPACES, local=local("a", "b"), cluster=shared(cpu=5000))
    row = rows(supply)["memory quota of ClusterQueue shared for one pod of train"]
    assert (row.verdict, row.note) == (WARNING, "ClusterQueue shared has no quota for it")


def test_what_could_not_be_read_is_no_data() -> None:
    assert rows(None) == {}
    (row,) = rows(QueueSupply(namespaces=NAMESPACES, unread="localqueues is forbidden")).values()
    assert (row.verdict, row.note) == (NO_DATA, "localqueues is forbidden")


def test_queues_are_read_from_their_objects() -> None:
    inactive = {"type": "Active", "status": "False", "reason": "Stopped", "message": "is stopped."}
    obj = {"metadata": {"name": "team", "namespace": "a"}, "spec": {"clusterQueue": "shared"}}
    assert local_queue_of(obj) == LocalQueue(cluster_queue="shared")
    assert local_queue_of({**obj, "status": {"conditions": [inactive]}}).cause == "Stopped: is stopped"
    flavors = [
        {"name": name, "resources": [{"name": "cpu", "nominalQuota": "1500m"}, {"name": "x.io/npu", "nominalQuota": 2}]}
        for name in ("spot", "reserved")
    ]
    whole: dict[str, Any] = {"metadata": {"name": "shared"}, "spec": {"resourceGroups": [{"flavors": flavors}]}}
    assert cluster_queue_of(whole).quota == {"cpu": 3000, "x.io/npu": 4}
    assert cluster_queue_of({**whole, "spec": {**whole["spec"], "cohortName": "all"}}).quota is None
