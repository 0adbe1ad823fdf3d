"""How long pods took to start: stages out of their own times, the worst of them, and why."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.measure import pod_times
from ansible_collections.kubestress.core.plugins.module_utils.measure.latency import RELATIVE_ERROR, LatencySketch
from ansible_collections.kubestress.core.plugins.module_utils.measure.pods import PodBook

OWNERS = {"stateless": "ReplicaSet", "stateful": "StatefulSet", "job": "Job", "other": None}
CREATED = 1_790_000_000


def at(second: float | None) -> str | None:
    """Return the time so many seconds after the pods' creation, as the API writes it."""
    return None if second is None else datetime.fromtimestamp(CREATED + second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def condition(kind: str, second: float | None, status: str = "True", **more: str) -> dict[str, Any]:
    return {"type": kind, "status": status, "lastTransitionTime": at(second), **more}


def container(
    started: float | None = None,
    *,
    waits: str = "ContainerCreating",
    ended: tuple[int, str] | None = None,
    restarts: int = 0,
    last: float | None = None,
    name: str = "main",
) -> dict[str, Any]:
    """Return a container's status: it runs since `started`, or has `ended` (code, reason), or waits."""
    state: dict[str, Any] = {"waiting": {"reason": waits}}
    if ended:
        state = {"terminated": {"exitCode": ended[0], "reason": ended[1], "startedAt": at(started)}}
    elif started is not None:
        state = {"running": {"startedAt": at(started)}}
    before = {"terminated": {"exitCode": 1, "reason": "Error", "startedAt": at(last)}} if last is not None else {}
    return {"name": name, "state": state, "lastState": before, "restartCount": restarts}


def pod(
    name: str = "p",
    *,
    group: str = "stateless",
    created: float = 0,
    scheduled: float | None = None,
    initialized: float | None = None,
    ready: float | None = None,
    containers: tuple[dict[str, Any], ...] = (),
    phase: str = "Pending",
    node: str | None = "n1",
    conditions: tuple[dict[str, Any], ...] = (),
    **status: Any,
) -> dict[str, Any]:
    owner = OWNERS[group]
    times = {"PodScheduled": scheduled, "Initialized": initialized, "Ready": ready}
    return {
        "metadata": {
            "name": name,
            "namespace": "a-1",
            "uid": f"uid-{name}",
            "creationTimestamp": at(created),
            "ownerReferences": [{"kind": owner, "name": "o", "controller": True}] if owner else [],
        },
        "spec": {"nodeName": node} if node and scheduled is not None else {},
        "status": {
            "phase": phase,
            "conditions": [*conditions, *(condition(kind, s) for kind, s in times.items() if s is not None)],
            "containerStatuses": list(containers),
            **status,
        },
    }


def told(*pods: dict[str, Any], from_list: bool = False, book: PodBook | None = None) -> PodBook:
    """Return a book that was fed with these states of pods, the first as ADDED."""
    book = book or PodBook()
    seen: set[str] = set()
    for each in pods:
        uid = each["metadata"]["uid"]
        book.observe("MODIFIED" if uid in seen else "ADDED", each, from_list=from_list and uid not in seen)
        seen.add(uid)
    return book


def maxima(book: PodBook, group: str) -> dict[str, float]:
    """Return the longest of each stage; of one pod that is the pod's own, exactly."""
    return {stage: row["max_s"] for stage, row in book.start_figures()["startup"][group].items() if stage != "watched"}


READY = {"scheduled": 1, "initialized": 3, "ready": 10, "containers": (container(7),), "phase": "Running"}


@dataclass(frozen=True)
class Case:
    """States of one pod in order, and the stages that follow from them."""

    name: str
    states: list[dict[str, Any]]
    stages: dict[str, float] = field(default_factory=dict)
    group: str = "stateless"
    from_list: bool = False


ALL = {"scheduled": 1, "initialized": 2, "started": 4, "ready": 3, "total": 10}
CASES = (
    Case("is seen at each step", [pod(), pod(scheduled=1), pod(scheduled=1, initialized=3), pod(**READY)], ALL),
    Case("is first seen when it is ready", [pod(**READY)], ALL),
    Case("came by a list", [pod(**READY)], ALL, from_list=True),
    Case("starts within one second", [pod(scheduled=0, initialized=0, ready=0, containers=(container(0),))],
         dict.fromkeys(ALL, 0)),
    Case("has two containers: the later one counts",
         [pod(**READY | {"containers": (container(4), container(9, name="b"))})], ALL | {"started": 6, "ready": 1}),
    Case("is initialised anew before it starts: the last time counts",
         [pod(), pod(scheduled=1, initialized=2), pod(scheduled=1, initialized=3), pod(**READY)], ALL),
    Case("has its init containers run again after it started",
         [pod(), pod(scheduled=1, initialized=3, containers=(container(7),)), pod(**READY | {"initialized": 9})], ALL),
    Case("becomes unready and ready again: the first time counts",
         [pod(**READY), pod(**READY | {"ready": 50})], ALL),
    Case("crashes before it is ready: its first start counts",
         [pod(scheduled=1, initialized=3, containers=(container(7, ended=(1, "Error")),)),
          pod(scheduled=1, initialized=3, containers=(container(20, restarts=2, last=15),)),
          pod(**READY | {"ready": 30, "containers": (container(20, restarts=2, last=15),)})],
         ALL | {"ready": 23, "total": 30}),
    Case("has restarted once when it is first seen to run: lastState has the first start",
         [pod(), pod(**READY | {"ready": 30, "containers": (container(20, restarts=1, last=7),)})],
         ALL | {"ready": 23, "total": 30}),
    Case("has restarted twice when it is first seen to run: nobody knows its first start",
         [pod(), pod(**READY | {"ready": 30, "containers": (container(20, restarts=2, last=15),)})],
         {"scheduled": 1, "initialized": 2, "total": 30}),
    Case("has restarted when a list shows it: its Ready may be a later one",
         [pod(**READY | {"ready": 30, "containers": (container(20, restarts=1, last=7),)})],
         {"scheduled": 1, "initialized": 2, "started": 4}, from_list=True),
    Case("was initialised by a clock that is behind: 0 s, not less",
         [pod(**READY | {"initialized": -1})], ALL | {"initialized": 0, "started": 8}),
    Case("ends before it is ready", [pod(), pod(scheduled=1, phase="Failed", reason="Evicted")], {"scheduled": 1}),
    Case("is a Job's: started is the end of its start",
         [pod(group="job"), pod(group="job", **READY)], ALL | {"total": 7}, group="job"),
    Case("is a Job's and ends unready",
         [pod(group="job"), pod(group="job", scheduled=1, phase="Succeeded",
                                containers=(container(7, ended=(0, "Completed")),),
                                conditions=(condition("Initialized", 9, reason="PodCompleted"),
                                            condition("Ready", 9, status="False", reason="PodCompleted")))],
         {"scheduled": 1, "total": 7}, group="job"),
    Case("has a container that never ran, whose start is the kubelet's zero",
         [pod(), pod(scheduled=1, phase="Failed",
                     containers=({"name": "main", "restartCount": 0, "state": {"terminated": {
                         "exitCode": 128, "reason": "StartError", "startedAt": "1970-01-01T00:00:00Z"}}},))],
         {"scheduled": 1}),
    Case("belongs to a DaemonSet or nobody", [pod(group="other", **READY)], ALL, group="other"),
    Case("belongs to a StatefulSet", [pod(group="stateful", **READY)], ALL, group="stateful"),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_stages_of_a_pod_that(case: Case):
    book = told(*case.states, from_list=case.from_list)
    book.observe("DELETED", case.states[-1])
    assert maxima(book, case.group) == case.stages
    assert list(book.start_figures()["startup"]) == [case.group]
    assert all(row["count"] == 1 for row in book.start_figures()["startup"][case.group].values())


def test_clocks_that_disagree_are_counted():
    assert told(pod(**READY | {"initialized": -1})).start_figures()["clock_backwards"] == 1
    assert told(pod(**READY)).start_figures()["clock_backwards"] == 0


def test_watched_is_from_the_first_event_to_the_start_by_this_machines_clock(monkeypatch: pytest.MonkeyPatch):
    now = 100.0
    monkeypatch.setattr(pod_times, "time", SimpleNamespace(monotonic=lambda: now))
    book = told(pod())
    now = 102.5
    book.observe("MODIFIED", pod(scheduled=1, containers=(container(7),)))
    now = 110.0
    row = book.start_figures()["startup"]["stateless"]["watched"]
    assert (row["count"], row["max_s"]) == (1, 2.5)
    assert book.startup.count == 1
    assert book.start_figures()["worst"][0]["waited_s"] == 10.0


def test_what_was_not_watched_has_no_such_figure():
    listed = told(pod(), pod(**READY), from_list=True)
    unseen = told(pod(**READY))
    assert [book.startup.count for book in (listed, unseen)] == [0, 0]


@dataclass(frozen=True)
class Missing:
    """States of a pod that never became ready, and the cause that is told."""

    name: str
    states: list[dict[str, Any]]
    cause: str
    deleted: bool = False


UNSCHEDULABLE = condition(
    "PodScheduled", 0, status="False", reason="Unschedulable", message="0/3 nodes are available: 3 Insufficient cpu."
)
PULL = container(waits="ImagePullBackOff")
MISSING = (
    Missing("nobody has looked at", [pod()], "Pending: its scheduler has not looked at it yet"),
    Missing("has no node to go to", [pod(), pod(conditions=(UNSCHEDULABLE,))],
            "Unschedulable: 0/3 nodes are available: 3 Insufficient cpu."),
    Missing("found its node at last", [pod(conditions=(UNSCHEDULABLE,)), pod(scheduled=5)],
            "Pending: scheduled, but the kubelet of n1 has not reported yet"),
    Missing("is being made", [pod(scheduled=1, containers=(container(),))], "its containers are being created on n1"),
    Missing("cannot have its image", [pod(), pod(scheduled=1, containers=(PULL,))], "container main: ImagePullBackOff"),
    Missing("runs and is not ready", [pod(scheduled=1, containers=(container(3),), phase="Running")],
            "its containers have started, but it is not Ready"),
    Missing("crashes all the time",
            [pod(), pod(scheduled=1, phase="Running",
                        containers=(container(waits="CrashLoopBackOff", restarts=4, last=9),))],
            "container main: CrashLoopBackOff after 4 restarts, last: Error (exit code 1)"),
    Missing("was evicted", [pod(), pod(phase="Failed", reason="Evicted", message="low on memory")],
            "Failed; Evicted: low on memory"),
    Missing("was deleted while its image was missing",
            [pod(), pod(scheduled=1, containers=(PULL,))], "Deleted; container main: ImagePullBackOff", deleted=True),
    Missing("is a Job's and has not started", [pod(group="job", scheduled=1, containers=(PULL,))],
            "container main: ImagePullBackOff"),
)  # fmt: skip


@pytest.mark.parametrize("case", MISSING, ids=lambda case: case.name)
def test_the_cause_of_a_pod_that(case: Missing):
    book = told(*case.states)
    if case.deleted:
        last = case.states[-1]
        book.observe("MODIFIED", {**last, "metadata": {**last["metadata"], "deletionTimestamp": at(30)}})
        book.observe("DELETED", {**last, "metadata": {**last["metadata"], "deletionTimestamp": at(30)}})
    figures = book.start_figures()
    assert figures["never_ready"] == 1
    assert [(row["name"], row["total_s"], row["cause"]) for row in figures["worst"]] == [("p", None, case.cause)]
    assert (figures["worst"][0]["waited_s"] is None) == (case.deleted or "Failed" in case.cause)


NOT_MISSING = {
    "has started and is a Job's": [pod(group="job", scheduled=1, containers=(container(3),), phase="Running")],
    "was ready and is deleted": [pod(**READY)],
    "ran to its end, though never ready": [pod(group="other", scheduled=1, phase="Succeeded")],
}


@pytest.mark.parametrize("name", NOT_MISSING)
def test_never_ready_is_not_said_of_a_pod_that(name: str):
    book = told(*NOT_MISSING[name])
    assert book.start_figures()["never_ready"] == 0
    book.observe("DELETED", NOT_MISSING[name][-1])
    assert book.start_figures()["never_ready"] == 0


def test_the_worst_are_those_without_an_end_and_then_the_slowest():
    book = told(pod("stuck", created=5, scheduled=6, containers=(PULL,)), pod("first", created=2))
    for number in range(40):
        told(pod(f"q{number}", **READY | {"ready": 10 + (number * 7) % 40}), book=book)
    worst = book.start_figures()["worst"]
    assert len(worst) == pod_times.KEPT_WORST
    assert [row["name"] for row in worst[:2]] == ["first", "stuck"]  # the one that has waited longest first
    assert [row["total_s"] for row in worst[2:]] == [49, 48, 47, 46, 45, 44, 43, 42]


def test_of_equally_slow_pods_the_first_are_kept():
    book = told(*(pod(f"q{number}", **READY) for number in range(30)))
    assert [row["name"] for row in book.start_figures()["worst"]] == [f"q{number}" for number in range(10)]


SLOW = {
    "10 of 10 s from created to scheduled; Unschedulable: 0/3 nodes are available: 3 Insufficient cpu.": [
        pod(conditions=(UNSCHEDULABLE,)),
        pod(**READY | {"scheduled": 10, "initialized": 10, "containers": (container(10),)}),
    ],
    "4 of 10 s from initialized to started; container main: ErrImagePull": [
        pod(scheduled=1, initialized=3, containers=(container(waits="ErrImagePull"),)),
        pod(**READY),
    ],
    "9 of 10 s from started to ready": [pod(scheduled=0, initialized=0, ready=10, containers=(container(1),))],
    "9 of 10 s from scheduled to initialized": [pod(scheduled=0, initialized=9, ready=10, containers=(container(10),))],
    "": [pod(scheduled=0, initialized=0, ready=0, containers=(container(0),))],
}


@pytest.mark.parametrize("cause", SLOW)
def test_a_slow_start_is_explained_by_its_longest_stage_and_what_held_it_up(cause: str):
    row = told(*SLOW[cause]).start_figures()["worst"][0]
    assert row["cause"] == cause
    assert row["total_s"] == sum(row["stages"].values())
    assert (row["namespace"], row["group"], row["node"]) == ("a-1", "stateless", "n1")


def test_percentiles_of_many_pods_are_those_of_their_times():
    draw = random.Random(7)
    book, totals = PodBook(), []
    for number in range(500):
        steps = [draw.choice((0, 0, 0, 1, 2, 30)) for _ in range(4)]
        scheduled, initialized, started, ready = (sum(steps[: n + 1]) for n in range(4))
        totals.append(ready)
        told(pod(f"q{number}", created=0, scheduled=scheduled, initialized=initialized, ready=ready,
                 containers=(container(started),)), book=book)  # fmt: skip
    row = book.start_figures()["startup"]["stateless"]["total"]
    for percent in (50, 90, 95, 99):
        exact = sorted(totals)[math.ceil(500 * percent / 100) - 1]
        assert row[f"p{percent}_s"] == pytest.approx(exact, rel=RELATIVE_ERROR * 1.01)
    assert (row["count"], row["max_s"]) == (500, max(totals))
    assert LatencySketch.from_dict(row["histogram"]).summary_s().items() <= row.items()


def test_seconds_of_which_none_has_passed_are_nought():
    book = told(*(pod(f"q{n}", **READY | {"scheduled": 0 if n < 90 else 1}) for n in range(100)))
    row = book.start_figures()["startup"]["stateless"]["scheduled"]
    assert (row["p50_s"], row["p90_s"], row["max_s"]) == (0, 0, 1)
    assert row["p99_s"] == pytest.approx(1, rel=RELATIVE_ERROR)


def test_pods_that_are_older_than_the_observation_count_from_then_on():
    since = PodBook(created_since=CREATED)
    crashed = (container(7, restarts=3, last=5),)
    old = pod("old", created=-100, **READY | {"containers": crashed})
    for each in (old, pod("gone", created=-90, phase="Failed", reason="Evicted")):
        since.observe("ADDED", each, from_list=True)
    assert since.counts() == {"pending": 0, "running": 1, "succeeded": 0, "failed": 0}
    assert (since.restarts, since.failed, since.start_figures()["startup"]) == (0, 0, {})

    since.observe("MODIFIED", pod("old", created=-100, **READY | {"containers": (container(9, restarts=4, last=7),)}))
    told(pod("new", **READY), book=since)
    since.observe("DELETED", pod("gone", created=-90, phase="Failed", reason="Evicted"))
    assert since.restarts == 1
    assert maxima(since, "stateless") == ALL
    since.observe("MODIFIED", pod("old", created=-100, phase="Failed", reason="Evicted"))
    assert (since.failed, since.start_figures()["never_ready"]) == (1, 0)


def test_nothing_is_kept_of_pods_that_have_arrived():
    """Memory: what a living pod needs is small, and only those on their way have their times kept."""
    book = told(*(pod(f"q{n}", **READY) for n in range(100)))
    assert not book._starting
    assert len(book.starts._slowest) == pod_times.KEPT_WORST


@pytest.mark.parametrize("broken", [{}, {"status": None}, {"status": {"conditions": None, "containerStatuses": None}}])
def test_a_pod_with_hardly_any_text_has_no_figures_and_breaks_nothing(broken: dict[str, Any]):
    book = told({"metadata": {"name": "p", "namespace": "a-1", "uid": "u"}, **broken})
    assert book.start_figures()["startup"] == {}
    assert book.start_figures()["worst"][0]["stages"] == dict.fromkeys(("scheduled", "initialized", "started", "ready"))
