"""Waiting: what ends it, what is kept of an object, and what is said about the rest."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest
from aiohttp import web
from ansible_collections.kubestress.core.plugins.module_utils.cluster.discovery import Resource
from ansible_collections.kubestress.core.plugins.module_utils.cluster.errors import Forbidden
from ansible_collections.kubestress.core.plugins.module_utils.cluster.watch import Event
from ansible_collections.kubestress.core.plugins.module_utils.readiness.registry import predicate_for
from ansible_collections.kubestress.core.plugins.module_utils.readiness.state import FINISHED, READY, failed, waiting
from ansible_collections.kubestress.core.plugins.module_utils.wait.waiter import Goal, Waiter, Wanted, Watched
from helpers.fake_api import FakeApi
from helpers.fake_server import cluster_on, status

JOB = Wanted(api_version="batch/v1", kind="Job")
COMPLETE = {"conditions": [{"type": "Complete", "status": "True"}]}
BROKEN = {"conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]}


def watched(goal: Goal, *, count: int = 1) -> Watched:
    wanted = Wanted(api_version="batch/v1", kind="Job", count=count)
    resource = Resource("batch/v1", "Job", "jobs", True, frozenset())
    return Watched(wanted, resource, predicate_for("batch/v1", "Job"), goal)


@pytest.mark.parametrize(
    ("goal", "states", "count", "unsettled"),
    [
        (Goal.READY, [], 1, 1),
        (Goal.READY, [], 0, 0),
        (Goal.READY, [READY, FINISHED], 2, 0),
        (Goal.READY, [READY], 3, 2),
        (Goal.READY, [READY, waiting("x"), failed("y")], 1, 2),
        (Goal.FINISHED, [FINISHED, failed("y")], 2, 0),
        (Goal.FINISHED, [READY, waiting("x")], 1, 2),
        (Goal.ABSENT, [], 5, 0),
        (Goal.ABSENT, [FINISHED, READY], 0, 2),
    ],
)
def test_how_many_are_not_as_wanted(goal: Goal, states: list[Any], count: int, unsettled: int) -> None:
    board = watched(goal, count=count)
    for number, state in enumerate(states):
        board.put(("a", str(number)), waiting("first"))
        board.put(("a", str(number)), state)
    assert board.unsettled == unsettled


def test_a_finished_job_that_its_ttl_removes_stays_counted_and_others_do_not() -> None:
    board = watched(Goal.FINISHED, count=2)
    board.put(("a", "done"), FINISHED)
    board.gone(("a", "done"))
    board.put(("a", "removed"), waiting("x"))
    board.gone(("a", "removed"), waiting("x"))
    assert list(board.states) == [("a", "done")]
    assert board.missing == 1


def test_old_events_and_those_of_an_object_that_had_the_name_before_change_nothing() -> None:
    def event(kind: str, uid: str, version: int, status: dict[str, Any]) -> Event:
        metadata = {"name": "one", "namespace": "a", "uid": uid, "resourceVersion": str(version)}
        return Event(kind, {"metadata": metadata, "spec": {}, "status": status})

    board = watched(Goal.READY)
    board.take(event("MODIFIED", "now", 9, COMPLETE))
    for old in (
        event("MODIFIED", "now", 8, {}),
        event("DELETED", "before", 7, {}),
        event("MODIFIED", "before", 6, BROKEN),
    ):
        board.take(old)
        assert (board.unsettled, board.failed_objects()) == (0, [])
    board.take(event("ADDED", "next", 10, {}))
    assert board.unsettled == 1


class JobApi(FakeApi):
    """As FakeApi, with discovery of single groups as the waiter asks for it."""

    async def handle(self, request: Any) -> Any:
        if request.path in ("/api/v1", "/apis/batch/v1", "/apis/apps/v1"):
            version = request.path.removeprefix("/apis/").removeprefix("/api/")
            resources = [
                {"name": plural, "kind": kind, "namespaced": namespaced, "verbs": self.verbs[plural]}
                for plural, (its, kind, namespaced) in self.kinds.items()
                if its == version
            ]
            return web.json_response({"resources": resources})
        return await super().handle(request)


@contextlib.asynccontextmanager
async def a_waiter(api: FakeApi, *wanted: Wanted, goal: Goal = Goal.READY, namespaces: list[str] | None = None) -> Any:
    async with cluster_on(api.handle) as cluster:
        yield Waiter(cluster, list(wanted), label_selector="", namespaces=namespaces or [], goal=goal)


def a_job(name: str, status: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "a", "uid": name}, "spec": {}, "status": status or {}}


async def test_it_ends_when_the_last_object_is_ready() -> None:
    api = JobApi()
    api.add("jobs", "one", "a", status=COMPLETE)
    api.add("jobs", "two", "a")
    async with a_waiter(api, JOB) as waiter:
        await api.watched.put(("MODIFIED", a_job("two", COMPLETE)))
        await waiter.run(timeout_seconds=5)
        assert waiter.outcome == "done"
        assert waiter.counts() == (2, 2)


async def test_a_failed_object_ends_it_before_the_timeout() -> None:
    api = JobApi()
    api.add("jobs", "one", "a")
    async with a_waiter(api, JOB) as waiter:
        await api.watched.put(("MODIFIED", a_job("one", BROKEN)))
        await asyncio.wait_for(waiter.run(timeout_seconds=60), 5)
        assert waiter.outcome == "hopeless"
        rows = await waiter.unsettled_rows(20)
        assert [(row["name"], row["cause"]) for row in rows] == [("one", "BackoffLimitExceeded")]


async def test_the_first_list_is_read_to_its_end_before_anything_is_judged() -> None:
    api = JobApi()
    api.add("jobs", "a-failed", "a", status=BROKEN)
    api.add("jobs", "b-failed", "a", status=BROKEN)
    async with a_waiter(api, JOB) as waiter:
        await waiter.run(timeout_seconds=5)
        assert [row["name"] for row in waiter.failed_rows(20)] == ["a-failed", "b-failed"]


async def test_the_timeout_leaves_causes_and_a_bounded_list() -> None:
    api = JobApi()
    for number in range(30):
        api.add("jobs", f"j{number:02}", "a", spec={"completions": 1})
    async with a_waiter(api, JOB) as waiter:
        await waiter.run(timeout_seconds=0.3)
        assert waiter.outcome == "timeout"
        rows = await waiter.unsettled_rows(20)
        assert len(rows) == 20
        assert rows[0]["cause"] == "0 of 1 pods succeeded, 0 active"
        assert waiter.counts() == (0, 30)


async def test_once_looks_and_does_not_wait() -> None:
    api = JobApi()
    api.add("jobs", "one", "a")
    async with a_waiter(api, JOB) as waiter:
        await asyncio.wait_for(waiter.run(timeout_seconds=60, once=True), 5)
        assert waiter.outcome == "seen"


async def test_a_forbidden_kind_is_an_error_not_a_timeout() -> None:
    api = JobApi()
    api.refused["/apis/batch/v1/jobs"] = status(403, reason="Forbidden", message="jobs is forbidden")
    async with a_waiter(api, JOB) as waiter:
        with pytest.raises(Forbidden, match="jobs is forbidden"):
            await waiter.run(timeout_seconds=60)


async def test_pods_that_may_not_be_watched_only_cost_their_causes() -> None:
    api = JobApi()
    api.refused["/api/v1/pods"] = status(403, reason="Forbidden", message="pods is forbidden")
    api.add("jobs", "one", "a")
    async with a_waiter(api, JOB) as waiter:
        task = asyncio.create_task(waiter.run(timeout_seconds=5))
        while not waiter.warnings:
            await asyncio.sleep(0)
        await api.watched.put(("MODIFIED", a_job("one", COMPLETE)))
        await task
        assert waiter.outcome == "done"
        assert "pods is forbidden" in waiter.warnings[0]


async def test_a_few_namespaces_are_watched_by_themselves() -> None:
    api = JobApi()
    api.add("jobs", "one", "a", status=COMPLETE)
    api.add("jobs", "other", "b")
    async with a_waiter(api, JOB, namespaces=["a"]) as waiter:
        await waiter.run(timeout_seconds=5)
        assert waiter.outcome == "done"
    listed = {path for _method, path, query in api.asked if path.endswith("/jobs") and "watch" not in query}
    assert listed == {"/apis/batch/v1/namespaces/a/jobs"}


async def test_many_namespaces_share_one_watch_and_others_objects_do_not_count() -> None:
    api = JobApi()
    api.add("jobs", "one", "a", status=COMPLETE)
    api.add("jobs", "other", "b")
    async with a_waiter(api, JOB, namespaces=["a", *(f"none-{number}" for number in range(30))]) as waiter:
        await waiter.run(timeout_seconds=5)
        assert waiter.outcome == "done"
        assert waiter.counts() == (1, 1)


async def test_pods_that_can_never_start_end_the_wait_for_their_controller() -> None:
    api = JobApi()
    labels = {"app": "x"}
    api.add("jobs", "one", "a", spec={"completions": 1, "selector": {"matchLabels": labels}})
    api.add(
        "pods",
        "one-x",
        "a",
        labels=labels,
        ownerReferences=[{"kind": "Job", "uid": "uid-jobs-a-one"}],
        status={
            "phase": "Pending",
            "conditions": [{"type": "PodScheduled", "status": "True"}],
            "containerStatuses": [{"name": "main", "state": {"waiting": {"reason": "InvalidImageName"}}}],
        },
    )
    async with a_waiter(api, JOB) as waiter:
        await asyncio.wait_for(waiter.run(timeout_seconds=60), 10)
        assert waiter.outcome == "hopeless"
        rows = await waiter.unsettled_rows(20)
        assert rows[0]["cause"].endswith("pod one-x: container main: InvalidImageName")
