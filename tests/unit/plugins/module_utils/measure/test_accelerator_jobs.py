"""How long accelerator jobs waited and where they ran, from events with a clock of the test's own."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.measure.accelerator_jobs import AcceleratorJobBook
from ansible_collections.kubestress.core.plugins.module_utils.measure.job_pools import Pool

ROLE = "accelerator_jobs"
V5E = Pool("cloud.google.com/gke-nodepool", "v5e", "tpu-v5-lite-podslice", "ct5lp-hightpu-4t", "4x4")
H100 = Pool("cloud.google.com/gke-nodepool", "h100", "nvidia-h100-80gb", "a3-highgpu-8g")


class Clock:
    """Seconds that pass when the test says so."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def book(clock: Clock) -> AcceleratorJobBook:
    made = AcceleratorJobBook(clock)
    made.pools.cause = None
    made.pools.pool_of = {"a-1": V5E, "a-2": V5E, "b-1": H100}
    return made


def at(second: int) -> str:
    return f"2026-01-01T00:00:{second:02}Z"


def conditions(**true_since: int) -> list[dict[str, Any]]:
    return [{"type": kind, "status": "True", "lastTransitionTime": at(since)} for kind, since in true_since.items()]


def job(name: str = "j", *, pods: int = 2, queue: str = "", priority: str = "", ended: str = "") -> dict[str, Any]:
    labels = {"kueue.x-k8s.io/queue-name": queue} if queue else {}
    return {
        "metadata": {"namespace": "n", "name": name, "uid": name, "labels": labels},
        "spec": {
            "parallelism": 8,
            "completions": pods,
            "template": {"spec": {"priorityClassName": priority} if priority else {}},
        },
        "status": {"conditions": conditions(**{ended: 9})} if ended else {},
    }


def job_set(*, restarts: int = 0, ended: str = "", replicas: int = 2) -> dict[str, Any]:
    part = {"replicas": replicas, "template": {"spec": {"parallelism": 1, "completions": 1, "template": {"spec": {}}}}}
    return {
        "metadata": {"namespace": "n", "name": "s", "uid": "s"},
        "spec": {"replicatedJobs": [part]},
        "status": {"restarts": restarts, "conditions": conditions(**{ended: 9}) if ended else []},
    }


def pod(
    name: str,
    owner: str = "j",
    *,
    node: str = "",
    phase: str = "Pending",
    told: str = "",
    job_set_uid: str = "",
    exit_code: int = 0,
    **metadata: Any,
) -> dict[str, Any]:
    status: dict[str, Any] = {"phase": phase}
    if told:
        status["conditions"] = [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": told}]
    if exit_code:
        status["containerStatuses"] = [{"name": "main", "state": {"terminated": {"exitCode": exit_code}}}]
    owners = [{"kind": "Job", "name": owner, "uid": owner, "controller": True}]
    labels = {"jobset.sigs.k8s.io/jobset-uid": job_set_uid} if job_set_uid else {}
    return {
        "metadata": {
            "namespace": "n",
            "name": name,
            "uid": name,
            "ownerReferences": owners,
            "labels": labels,
            **metadata,
        },
        "spec": {"nodeName": node} if node else {},
        "status": status,
    }


def workload(owner: str = "j", *, message: str = "", finished: bool = False, **true_since: int) -> dict[str, Any]:
    found = conditions(**true_since, **({"Finished": 50} if finished else {}))
    if message:
        found.append({"type": "QuotaReserved", "status": "False", "reason": "Pending", "message": message})
    return {
        "metadata": {
            "namespace": "n",
            "name": f"w-{owner}",
            "uid": f"w-{owner}",
            "creationTimestamp": at(10),
            "ownerReferences": [{"kind": "Job", "name": owner, "uid": owner, "controller": True}],
        },
        "status": {"conditions": found},
    }


def wait(book: AcceleratorJobBook, stage: str, number: int = 0) -> tuple[int, float] | None:
    """Return how many were measured and the longest, if any, of a role, queue and priority."""
    row = book.figures()["waits"][number]["stages"].get(stage)
    return (row["count"], row["max_s"]) if row else None


def feed(book: AcceleratorJobBook, *objects: dict[str, Any], kind: str = "MODIFIED", from_list: bool = False) -> None:
    """Events of Jobs, JobSets and pods, told apart by what they have."""
    for obj in objects:
        is_pod = "ownerReferences" in obj["metadata"]
        if is_pod:
            book.pod(kind, obj, ROLE, from_list=from_list)
        else:
            book.job(kind, obj, ROLE, from_list=from_list)


def test_without_a_queue_a_job_waits_until_its_last_pod_has_a_node(book: AcceleratorJobBook, clock: Clock):
    feed(book, job(priority="high"), pod("p1"), pod("p2"))
    clock.now += 2
    feed(book, pod("p1", node="a-1"))
    assert wait(book, "scheduled") is None
    assert book.figures()["waits"][0]["waiting"] == 1
    clock.now += 3
    feed(book, pod("p2", node="a-2"))
    row = book.figures()["waits"][0]
    assert wait(book, "scheduled") == (1, 5.0)
    assert (row["queue"], row["priority"], row["jobs"], row["waiting"]) == ("", "high", 1, 0)


def test_pods_may_be_heard_of_before_their_job(book: AcceleratorJobBook, clock: Clock):
    feed(book, pod("p1", node="a-1"), pod("p2", node="a-2"))
    clock.now += 1
    feed(book, job())
    assert wait(book, "scheduled") == (1, 0.0)


def test_a_job_that_ends_before_its_pods_are_heard_of_is_measured(book: AcceleratorJobBook, clock: Clock):
    feed(book, job(pods=1), job(pods=1, ended="Complete"))
    assert book.figures()["waits"][0]["waiting"] == 0
    clock.now += 1
    feed(book, pod("p1", node="a-1", phase="Succeeded"), kind="ADDED")
    assert wait(book, "scheduled") == (1, 1.0)


def test_a_pod_that_goes_before_the_others_have_nodes_is_replaced_first(book: AcceleratorJobBook, clock: Clock):
    feed(book, job(), pod("p1", node="a-1"))
    feed(book, pod("p1", node="a-1"), kind="DELETED")
    feed(book, pod("p2", node="a-2"))
    assert wait(book, "scheduled") is None
    clock.now += 4
    feed(book, pod("p3", node="a-1"))
    assert wait(book, "scheduled") == (1, 4.0)


def test_the_wait_in_the_queue_is_told_by_queue_and_priority(book: AcceleratorJobBook, clock: Clock):
    feed(book, job("j", queue="team", priority="high"), job("k", queue="team", priority="low"))
    for name in "jk":
        book.workload("ADDED", workload(name))
    clock.now += 2
    book.workload("MODIFIED", workload("j", QuotaReserved=12))
    clock.now += 1
    book.workload("MODIFIED", workload("j", QuotaReserved=12, Admitted=13))
    book.workload("MODIFIED", workload("j", QuotaReserved=12, Admitted=13))
    clock.now += 5
    book.workload("MODIFIED", workload("k", QuotaReserved=18, Admitted=18))
    waits = book.figures()["waits"]
    assert [(row["queue"], row["priority"]) for row in waits] == [("team", "high"), ("team", "low")]
    found = [
        (wait(book, "reserved", one), wait(book, "admitted", one), wait(book, "admitted_own", one)) for one in (0, 1)
    ]
    assert found == [((1, 2.0), (1, 3.0), (1, 3.0)), ((1, 8.0), (1, 8.0), (1, 8.0))]


def test_a_class_of_kueue_orders_the_queue_and_goes_first(book: AcceleratorJobBook):
    labelled = job(priority="pods-class")
    labelled["metadata"]["labels"]["kueue.x-k8s.io/priority-class"] = "queue-class"
    feed(book, labelled)
    assert book.figures()["waits"][0]["priority"] == "queue-class"


def test_a_workload_may_be_heard_of_before_its_job(book: AcceleratorJobBook, clock: Clock):
    book.workload("ADDED", workload())
    clock.now += 2
    book.workload("MODIFIED", workload(Admitted=12))
    assert book.figures()["waits"] == []
    feed(book, job(queue="team"))
    assert wait(book, "admitted") == (1, 2.0)


def test_the_first_and_the_last_admission_of_a_priority_are_kept(book: AcceleratorJobBook):
    for name, priority, seconds in (("a", "low", 30), ("b", "high", 12), ("c", "low", 20), ("d", "low", None)):
        feed(book, job(name, queue="team", priority=priority))
        book.workload("ADDED", workload(name))
        if seconds is not None:
            book.workload("MODIFIED", workload(name, Admitted=seconds))
    rows = {row["priority"]: (row["first_admitted"], row["last_admitted"]) for row in book.figures()["waits"]}
    assert {name: tuple(at[-3:-1] for at in times) for name, times in rows.items()} == {
        "high": ("12", "12"),
        "low": ("20", "30"),
    }


def test_a_workload_of_somebody_else_is_left_out(book: AcceleratorJobBook):
    book.workload("ADDED", workload("theirs", message="no quota"))
    book.workload("MODIFIED", workload("theirs", Admitted=12))
    figures = book.figures()
    assert (figures["waits"], figures["unschedulable"]) == ([], [])


def test_what_the_queue_tells_is_counted_until_it_admits(book: AcceleratorJobBook, clock: Clock):
    text = "insufficient unused quota for cpu in flavor default"
    for name in "jk":
        feed(book, job(name, queue="team"))
        book.workload("ADDED", workload(name))
        book.workload("MODIFIED", workload(name, message=f"{text}, {len(name)} more needed"))
    clock.now += 7
    book.workload("MODIFIED", workload("j", Admitted=17))
    clock.now += 1
    (row,) = book.figures()["unschedulable"]
    assert (row["by"], row["cause"], row["told"], row["pending"], row["longest_s"]) == ("queue", text, 2, 1, 8.0)
    assert row["example"] == f"{text}, 1 more needed"
    assert (book.why_queued(ROLE), book.why_queued("another")) == (text, "")
    book.workload("MODIFIED", workload("k", Admitted=18))
    assert book.why_queued(ROLE) == ""


def test_evictions_are_counted_once_each(book: AcceleratorJobBook):
    feed(book, job(queue="team"))
    book.workload("ADDED", workload(Admitted=11))
    evicted = workload(Evicted=20)
    evicted["status"]["conditions"][0]["reason"] = "Preempted"
    book.workload("MODIFIED", evicted)
    book.workload("MODIFIED", evicted)
    again = workload(Evicted=30)
    again["status"]["conditions"][0]["reason"] = "Preempted"
    book.workload("MODIFIED", again)
    assert book.figures()["waits"][0]["evicted"] == {"Preempted": 2}


def test_a_workload_that_finishes_at_once_is_measured(book: AcceleratorJobBook, clock: Clock):
    feed(book, job(queue="team"))
    book.workload("ADDED", workload())
    clock.now += 1
    book.workload("MODIFIED", workload(Admitted=11, finished=True))
    assert wait(book, "admitted") == (1, 1.0)


def test_clocks_that_disagree_are_told(book: AcceleratorJobBook):
    feed(book, job(queue="team"))
    book.workload("ADDED", workload())
    book.workload("MODIFIED", workload(Admitted=5))
    assert book.figures()["clock_backwards"] == 1
    assert wait(book, "admitted_own") == (1, 0)


def test_the_scheduler_s_causes_are_grouped(book: AcceleratorJobBook, clock: Clock):
    feed(book, job())
    few = "0/2 nodes are available: 2 Insufficient google.com/tpu."
    more = (
        "0/5 nodes are available: 2 node(s) didn't match Pod's node affinity/selector, 3 Insufficient google.com/tpu."
    )
    feed(book, pod("p1"), pod("p2"))
    feed(book, pod("p1", told=few), pod("p2", told=few))
    clock.now += 3
    feed(book, pod("p1", told=more), pod("p1", told=more))
    clock.now += 1
    feed(book, pod("p2", node="a-1"))
    clock.now += 6
    told = {row["cause"]: row for row in book.figures()["unschedulable"]}
    tpu = told["Insufficient google.com/tpu"]
    assert (tpu["told"], tpu["pending"], tpu["longest_s"], tpu["example"]) == (2, 1, 10.0, more)
    other = told["node(s) didn't match Pod's node affinity/selector"]
    assert (other["told"], other["pending"], other["by"]) == (1, 1, "scheduler")
    waits = book.figures()["waits"][0]
    assert (waits["waiting"], waits["waiting_longest_s"]) == (1, 10.0)


def test_a_pod_that_is_deleted_waits_no_longer(book: AcceleratorJobBook, clock: Clock):
    message = "0/2 nodes are available: 2 Insufficient cpu."
    feed(book, job(), pod("p1", told=message))
    clock.now += 2
    feed(book, pod("p1", told=message), kind="DELETED")
    (row,) = book.figures()["unschedulable"]
    assert (row["told"], row["pending"], row["longest_s"]) == (1, 0, 2.0)


def test_pods_and_slices_are_counted_by_pool(book: AcceleratorJobBook):
    book.pools.fitting = {ROLE: {V5E: 2, Pool("l", "empty"): 4}}  # type: ignore[dict-item]
    feed(book, job("j"), job("k"))
    feed(book, pod("p1", node="a-1"), pod("p2", node="a-2"), pod("p3", "k", node="a-1"))
    feed(book, pod("p1", node="a-1", phase="Succeeded"), pod("p2", node="a-2", phase="Succeeded"))
    feed(book, pod("p4", "k", node="b-1"))
    rows = [
        (row["pool"], row["nodes"], row["nodes_used"], row["pods"], row["slices"]) for row in book.figures()["pools"]
    ]
    assert rows == [("v5e", 2, 2, 3, 2), ("h100", 1, 1, 1, 1), ("empty", 4, 0, 0, 0)]


def test_slices_one_after_another_are_never_there_at_once(book: AcceleratorJobBook):
    feed(book, job("j", pods=1), job("k", pods=1))
    feed(book, pod("p1", node="a-1"))
    feed(book, pod("p1", node="a-1", phase="Succeeded"))
    feed(book, pod("p2", "k", node="a-1"))
    assert book.figures()["pools"][0]["slices_at_once"] == 1
    feed(book, job("l", pods=1), pod("p3", "l", node="a-2"))
    assert book.figures()["pools"][0]["slices_at_once"] == 2


def test_a_node_that_came_with_the_load_has_its_pool_later(book: AcceleratorJobBook):
    feed(book, job(), pod("p1", node="new"))
    assert book.figures()["pools"][0]["pool"] == ""
    assert book.pools.unknown_nodes() == {"new"}
    book.pools.pool_of["new"] = V5E
    (row,) = book.figures()["pools"]
    # How many were there at once was not seen.
    assert (row["pool"], row["pods"], row["slices_at_once"]) == ("v5e", 1, None)


def test_a_job_set_is_one_job_with_its_slices_and_restarts(book: AcceleratorJobBook, clock: Clock):
    feed(book, job_set())
    clock.now += 1
    for number in "12":
        feed(book, pod(f"p{number}", f"child-{number}", node=f"a-{number}", job_set_uid="s"))
    feed(book, pod("p1", "child-1", node="a-1", phase="Failed", exit_code=7, job_set_uid="s"))
    # The other slice is deleted for the restart: it did not fail.
    feed(book, pod("p2", "child-2", phase="Failed", exit_code=143, job_set_uid="s", deletionTimestamp=at(9)))
    feed(book, job_set(restarts=1), job_set(restarts=1))
    feed(book, job_set(restarts=2, ended="Failed"))
    feed(book, job_set(restarts=2, ended="Failed"), kind="DELETED")
    figures = book.figures()
    assert wait(book, "scheduled") == (1, 1.0)
    assert figures["restarts"] == [
        {"role": ROLE, "jobs": 1, "restarted": 1, "restarts": 2, "failed_pods": 1, "exit_codes": {"7": 1}}
    ]
    assert [(row["slices"], row["slices_at_once"]) for row in figures["pools"]] == [(2, 2)]


def test_jobs_of_a_job_set_are_no_jobs_of_their_own(book: AcceleratorJobBook):
    child = job("child")
    child["metadata"]["ownerReferences"] = [{"kind": "JobSet", "name": "s", "uid": "s", "controller": True}]
    book.job("ADDED", child, ROLE, from_list=False)
    assert book.figures()["waits"] == []


def test_a_pod_that_failed_without_a_container_has_the_kubelet_s_reason(book: AcceleratorJobBook):
    evicted = pod("p1", node="a-1", phase="Failed")
    evicted["status"]["reason"] = "Evicted"
    feed(book, job(), evicted, evicted)
    assert book.figures()["restarts"][0]["exit_codes"] == {"Evicted": 1}


def test_what_an_earlier_attempt_has_counted_is_not_counted_again(book: AcceleratorJobBook):
    feed(
        book, job("done", ended="Complete"), pod("old", "done", node="a-1", phase="Failed", exit_code=1), from_list=True
    )
    feed(book, job_set(restarts=3), from_list=True)
    feed(book, job_set(restarts=4))
    figures = book.figures()
    assert figures["restarts"] == [
        {"role": ROLE, "jobs": 1, "restarted": 1, "restarts": 1, "failed_pods": 0, "exit_codes": {}}
    ]
    assert figures["pools"] == []


def test_what_a_list_shows_has_no_beginning(book: AcceleratorJobBook):
    feed(book, job(pods=1), pod("p1", told="0/1 nodes are available: 1 Insufficient cpu."), from_list=True)
    figures = book.figures()
    assert figures["waits"][0]["waiting_longest_s"] is None
    assert figures["unschedulable"][0]["longest_s"] is None
    feed(book, pod("p1", node="a-1"))
    assert wait(book, "scheduled") is None
    assert book.figures()["waits"][0]["waiting"] == 0


def test_nothing_of_a_job_is_kept_when_it_and_its_pods_have_ended(book: AcceleratorJobBook):
    for number in range(100):
        name = f"j{number}"
        feed(book, job(name, pods=1, queue="team"))
        book.workload("ADDED", workload(name))
        book.workload("MODIFIED", workload(name, Admitted=11))
        feed(book, pod(f"p{number}", name, node="a-1"), pod(f"p{number}", name, node="a-1", phase="Succeeded"))
        feed(book, job(name, pods=1, queue="team", ended="Complete"))
        book.workload("MODIFIED", workload(name, Admitted=11, finished=True))
    assert (book._jobs, book._pods, book._workloads) == ({}, {}, {})
    assert wait(book, "scheduled") == (100, 0.0)
