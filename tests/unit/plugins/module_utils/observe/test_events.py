"""Watching Warnings beside a load: those of its namespaces and nodes, from its beginning, or "no data" with a cause."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from ansible_collections.kubestress.core.plugins.module_utils.cluster.scopes import Scopes
from ansible_collections.kubestress.core.plugins.module_utils.observe.events import EventPart
from helpers.fake_server import cluster_on, events, status

REFUSED = 'events is forbidden: User "u" cannot list resource "events" in API group "" at the cluster scope'


def warning(
    name: str, *, namespace: str = "mine-1", kind: str = "Pod", about: str = "p", **rest: Any
) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": namespace, "uid": name, "resourceVersion": "7"},
        "involvedObject": {"kind": kind, "namespace": namespace, "name": about},
        "reason": "FailedScheduling", "message": "no room", "type": "Warning", "count": 1,
        "firstTimestamp": "2026-01-01T00:00:01Z", "lastTimestamp": "2026-01-01T00:00:01Z", **rest,
    }  # fmt: skip


class Server:
    """Lists are answered in turn from `lists`, watches are sent what is put into `changes`."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self.changes: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.lists: list[Callable[[], web.StreamResponse]] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        assert request.path.endswith("/events")
        self.asked.append(dict(request.query))
        if "watch" in request.query:
            response = web.StreamResponse()
            await response.prepare(request)
            while (line := await self.changes.get()) is not None:
                await response.write(line)
            return response
        if self.lists:
            return self.lists.pop(0)()
        return web.json_response({"metadata": {"resourceVersion": "5", "continue": "more"}, "items": []})


@asynccontextmanager
async def observing(server: Server, **more: Any) -> AsyncIterator[EventPart]:
    """Yield a part at work; it is ended as an observer ends it."""
    async with cluster_on(server.handle) as cluster:
        part = EventPart(cluster, **more)
        await part.begin()
        task = asyncio.create_task(part.run())
        try:
            yield part
        finally:
            await server.changes.put(None)
            task.cancel()
            (result,) = await asyncio.gather(task, return_exceptions=True)
            await part.end()
            assert result is None or isinstance(result, asyncio.CancelledError), result


def found(part: EventPart) -> dict[str, Any]:
    """Return the document, which must be JSON."""
    return json.loads(json.dumps(part.document(), allow_nan=False))["events"]


async def until_total(part: EventPart, total: int) -> None:
    async with asyncio.timeout(120):
        while found(part)["total"] != total:
            await asyncio.sleep(0.005)


async def test_warnings_from_now_on_are_grouped_and_nothing_is_listed_for_it():
    server = Server()
    async with observing(server) as part:
        assert found(part)["total"] in (None, 0)
        await server.changes.put(events(("ADDED", warning("a")), ("MODIFIED", warning("a", count=3))))
        await server.changes.put(events(("ADDED", warning("b", reason="BackOff"))))
        await until_total(part, 4)
    rows = found(part)["warnings"]
    assert [(row["reason"], row["kind"], row["count"]) for row in rows] == [
        ("FailedScheduling", "Pod", 3), ("BackOff", "Pod", 1),
    ]  # fmt: skip
    assert rows[0]["example"] == {"namespace": "mine-1", "name": "p", "message": "no room"}
    assert (found(part)["source"], found(part)["cause"], found(part)["left_off"]) == ("watch", None, 0)
    listed, watched = server.asked
    assert listed == {"limit": "1"}
    assert (watched["fieldSelector"], watched["resourceVersion"]) == ("type=Warning", "5")


async def test_only_the_runs_namespaces_and_nodes_count():
    server = Server()
    mine = {"mine-1"}
    async with observing(server, namespaces=lambda: mine, nodes=lambda: {"n1"}) as part:
        told = [
            warning("a"),
            warning("b", namespace="another"),
            warning("c", namespace="default", kind="Node", about="n1"),
            warning("d", namespace="default", kind="Node", about="n2"),
        ]
        await server.changes.put(events(*(("ADDED", one) for one in told)))
        await until_total(part, 2)
        mine.add("mine-2")
        await server.changes.put(events(("ADDED", warning("e", namespace="mine-2"))))
        await until_total(part, 3)
    assert {(row["kind"], row["count"]) for row in found(part)["warnings"]} == {("Pod", 2), ("Node", 1)}


async def test_each_warning_that_counts_is_told_with_how_often_it_happened_anew():
    server, heard = Server(), list[tuple[str, int]]()
    listen = {"heard": lambda event, number: heard.append((event["metadata"]["name"], number))}
    async with observing(server, namespaces=lambda: {"mine-1"}, **listen) as part:
        await server.changes.put(events(("ADDED", warning("a")), ("ADDED", warning("b", namespace="another"))))
        await server.changes.put(events(("MODIFIED", warning("a", count=4)), ("MODIFIED", warning("a", count=4))))
        await until_total(part, 4)
        assert part.missing is None
    assert heard == [("a", 1), ("a", 3)]


async def test_who_may_not_see_events_has_no_data_and_a_cause():
    server = Server()
    server.lists = [lambda: status(403, reason="Forbidden", message=REFUSED) for _time in range(2)]
    async with cluster_on(server.handle) as cluster:
        part = EventPart(cluster)
        assert part.missing == "not watched yet"
        await part.begin()
        await asyncio.wait_for(part.run(), 120)
    assert part.missing == "the user may not list and watch events in all namespaces"
    assert found(part) == {
        "source": "none", "cause": "the user may not list and watch events in all namespaces", "total": None,
        "warnings": [], "left_off": 0, "watch_breaks": {},
    }  # fmt: skip


class NarrowServer(Server):
    """Refuses to show the events of all namespaces. `paths`: what else it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.paths: set[str] = set()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/api/v1/events":
            return status(403, reason="Forbidden", message=REFUSED)
        self.paths.add(request.path)
        return await super().handle(request)


async def test_who_may_see_those_of_some_namespaces_sees_these_and_is_told_what_is_missing():
    server = NarrowServer()
    async with observing(server, scopes=Scopes(["mine-1"])) as part:
        await server.changes.put(events(("ADDED", warning("a"))))
        await until_total(part, 1)
    assert server.paths == {"/api/v1/namespaces/mine-1/events"}
    assert found(part)["source"] == "watch"
    assert found(part)["cause"] == "none of nodes: the user may watch events only in the run's namespaces"


async def test_who_does_not_want_events_asks_for_none():
    server = Server()
    async with cluster_on(server.handle) as cluster:
        part = EventPart(cluster, wanted=False)
        await part.begin()
        await asyncio.wait_for(part.run(), 120)
    assert server.asked == []
    assert (found(part)["source"], found(part)["total"]) == ("none", None)
    assert found(part)["cause"] == part.missing == "not read: events is false"


async def test_who_may_list_events_and_not_watch_them_is_told_so():
    async def handle(request: web.Request) -> web.StreamResponse:
        if "watch" in request.query:
            return status(403, reason="Forbidden", message=REFUSED)
        return web.json_response({"metadata": {"resourceVersion": "5"}, "items": []})

    async with cluster_on(handle) as cluster:
        part = EventPart(cluster)
        await part.begin()
        await asyncio.wait_for(part.run(), 120)
    assert found(part)["source"] == "none"
    assert found(part)["total"] is None
    assert found(part)["cause"] == "the user may not list and watch events in all namespaces"


async def test_a_server_that_answers_late_is_heard_from_then_on_and_that_is_told():
    server = Server()
    server.lists = [lambda: status(400, reason="BadRequest", message="not yet")]
    async with observing(server) as part:
        await server.changes.put(events(("ADDED", warning("a"))))
        await until_total(part, 1)
    assert found(part)["cause"].startswith("no events before 20")
    assert found(part)["cause"].endswith(": not yet")


async def test_after_a_watch_that_the_server_forgot_old_events_do_not_count_again():
    server = Server()
    items = [
        warning("seen", count=4, lastTimestamp="2026-01-01T00:00:30Z"),
        warning("missed", lastTimestamp="2026-01-01T00:00:20Z"),
        warning("old", count=100, lastTimestamp="2025-12-31T23:50:00Z"),
    ]
    server.lists = [
        lambda: web.json_response({"metadata": {"resourceVersion": "5"}, "items": []}),
        lambda: web.json_response({"metadata": {"resourceVersion": "9"}, "items": items}),
    ]
    async with observing(server) as part:
        await server.changes.put(events(("ADDED", warning("seen"))))
        await until_total(part, 1)
        await server.changes.put(events(("ERROR", {"kind": "Status", "code": 410, "message": "too old"})))
        await server.changes.put(None)  # as an API server does after an error
        await until_total(part, 5)
        await server.changes.put(events(("MODIFIED", warning("old", count=102)), ("ADDED", warning("new"))))
        await until_total(part, 8)
    assert found(part)["watch_breaks"] == {"gone": 1}
    assert found(part)["cause"] is None
