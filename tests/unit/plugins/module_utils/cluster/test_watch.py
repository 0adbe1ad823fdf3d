"""list + watch against a server of our own: pages, bookmarks, expiry, and connections that break."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from ansible_collections.kubestress.core.plugins.module_utils.cluster.client import Cluster
from ansible_collections.kubestress.core.plugins.module_utils.cluster.connection import Connection
from ansible_collections.kubestress.core.plugins.module_utils.cluster.discovery import Resource
from ansible_collections.kubestress.core.plugins.module_utils.cluster.errors import Forbidden, Unauthorized
from ansible_collections.kubestress.core.plugins.module_utils.cluster.watch import Event, ListWatch, _decoded
from helpers.fake_server import QUICK, cluster_on, events, serving, status

CONFIG_MAPS = Resource("v1", "ConfigMap", "configmaps", True, frozenset({"list", "watch"}))


def config_map(name: str, version: int) -> dict[str, Any]:
    return {"metadata": {"namespace": "a", "name": name, "resourceVersion": str(version)}}


def page(*items: dict[str, Any], version: int, token: str = "") -> web.Response:
    return web.json_response({"metadata": {"resourceVersion": str(version), "continue": token}, "items": list(items)})


class Script:
    """Lists and watches answered in turn; the last watch stays open and silent."""

    def __init__(self, *, lists: list[web.Response], watches: list[Any]) -> None:
        self.lists, self.watches = lists, watches
        self.asked: list[dict[str, str]] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(dict(request.query))
        if "watch" not in request.query:
            return self.lists.pop(0)
        if not self.watches:
            await asyncio.sleep(30)
        answer = self.watches.pop(0)
        if isinstance(answer, web.Response):
            return answer
        if answer == "never":
            await asyncio.sleep(30)
        data, how = answer
        response = web.StreamResponse()
        await response.prepare(request)
        if data:
            await response.write(data)
        if how == "silent":
            await asyncio.sleep(30)
        if how == "cut":
            assert request.transport is not None
            await asyncio.sleep(0.02)  # lets the bytes go out before the connection does
            request.transport.abort()
        return response


async def collected(
    cluster: Cluster, *, until: Callable[[list[Event]], bool], quiet_seconds: float = 5.0
) -> tuple[list[Event], Counter[str]]:
    watch = ListWatch(cluster, CONFIG_MAPS, label_selector="x=y", namespace="a", quiet_seconds=quiet_seconds)
    found: list[Event] = []
    async with asyncio.timeout(60):
        async for event in watch.events():
            found.append(event)
            if until(found):
                break
    return found, watch.broken


def story(found: list[Event]) -> list[str]:
    """Return what came, as "ADDED name" or "SYNCED"."""
    return [f"{event.type} {event.object.get('metadata', {}).get('name', '')}".strip() for event in found]


async def test_a_list_in_pages_then_what_changes():
    script = Script(
        lists=[page(config_map("one", 1), version=7, token="t"), page(config_map("two", 2), version=7)],
        watches=[(events(("ADDED", config_map("three", 8)), ("DELETED", config_map("one", 9))), "end")],
    )
    async with cluster_on(script.answer) as cluster:
        found, _broken = await collected(cluster, until=lambda found: len(found) == 5)

    assert story(found) == ["ADDED one", "ADDED two", "SYNCED", "ADDED three", "DELETED one"]
    assert found[2].names == {("a", "one"), ("a", "two")}
    assert found[0].object["kind"] == "ConfigMap"
    assert found[0].object["apiVersion"] == "v1"
    assert script.asked[1]["continue"] == "t"
    assert script.asked[2]["resourceVersion"] == "7"
    assert all(query["labelSelector"] == "x=y" for query in script.asked)


async def test_a_broken_watch_goes_on_from_the_last_event_or_bookmark():
    script = Script(
        lists=[page(version=7)],
        watches=[
            (events(("ADDED", config_map("one", 8))), "cut"),
            (events(("BOOKMARK", {"metadata": {"resourceVersion": "50"}})), "cut"),
            status(503),
            (events(("MODIFIED", config_map("one", 51))), "end"),
        ],
    )
    async with cluster_on(script.answer) as cluster:
        found, broken = await collected(cluster, until=lambda found: len(found) == 3)

    assert story(found) == ["SYNCED", "ADDED one", "MODIFIED one"]
    assert [query["resourceVersion"] for query in script.asked[1:]] == ["7", "8", "50", "50"]
    assert broken == {"connection": 2, "503": 1}


@pytest.mark.parametrize("cut", [1, 20, -2])
async def test_half_an_event_is_none_whether_the_connection_is_cut_or_closed(cut: int):
    whole = events(("ADDED", config_map("one", 8)))
    for how in ("cut", "end"):
        script = Script(lists=[page(version=7)], watches=[(whole[:cut], how), (whole, "end")])
        async with cluster_on(script.answer) as cluster:
            found, broken = await collected(cluster, until=lambda found: len(found) == 2)
        assert story(found) == ["SYNCED", "ADDED one"]
        assert broken == {"connection": 1}


@pytest.mark.parametrize(
    "line",
    [
        {"type": "ADDED", "object": None},
        {"type": "ERROR", "object": None},
        {"type": "ADDED"},
        {"type": None, "object": config_map("one", 8)},
        {"type": "RENAMED", "object": config_map("one", 8)},
        {"type": "ADDED", "object": {"metadata": None}},
        {"type": "ADDED", "object": {"metadata": {"name": "one"}}},
        {"type": "ADDED", "object": {"metadata": {"resourceVersion": "8"}}},
        {"error": "login required"},
        [],
        None,
        "hello",
    ],
    ids=json.dumps,
)
async def test_after_a_line_that_is_no_event_the_watch_begins_anew_with_a_list(line: Any):
    script = Script(
        lists=[page(config_map("one", 1), version=7), page(config_map("two", 20), version=30)],
        watches=[(json.dumps(line).encode() + b"\n", "end"), (events(("ADDED", config_map("three", 31))), "end")],
    )
    async with cluster_on(script.answer) as cluster:
        found, broken = await collected(cluster, until=lambda found: len(found) == 5)

    assert story(found) == ["ADDED one", "SYNCED", "ADDED two", "SYNCED", "ADDED three"]
    assert found[3].names == {("a", "two")}
    assert broken == {"garbled": 1}


LOGIN = "<html>\nPlease log in\n</html>"


@pytest.mark.parametrize(
    ("answer", "cause", "lists"),
    [
        pytest.param(web.Response(text=LOGIN, content_type="text/html"), "foreign", 1, id="page"),
        pytest.param(web.Response(status=302, headers={"Location": "/login"}), "foreign", 1, id="302"),
        pytest.param(web.Response(status=404, text=LOGIN), "foreign", 1, id="404"),
        pytest.param(web.Response(text=LOGIN), "garbled", 2, id="page without its type"),
    ],
)
async def test_a_watch_answered_by_something_else_is_asked_for_again(answer: web.Response, cause: str, lists: int):
    script = Script(
        lists=[page(version=7), page(version=7)],
        watches=[answer, (events(("ADDED", config_map("three", 31))), "end")],
    )
    async with cluster_on(script.answer) as cluster:
        found, broken = await collected(cluster, until=lambda found: found[-1].type == "ADDED")

    assert story(found) == ["SYNCED"] * lists + ["ADDED three"]
    assert broken == {cause: 1}
    assert [query.get("watch") for query in script.asked].count(None) == lists


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {"error": "login required"},
        {"metadata": {"resourceVersion": "7"}},
        {"metadata": None, "items": []},
        {"metadata": {}, "items": []},
        {"metadata": {"resourceVersion": "7"}, "items": [None]},
        {"metadata": {"resourceVersion": "7"}, "items": {"metadata": {"name": "x"}}},
    ],
    ids=json.dumps,
)
async def test_what_is_no_list_is_asked_for_again(document: Any):
    script = Script(lists=[web.json_response(document), page(config_map("one", 1), version=7)], watches=[])
    async with cluster_on(script.answer) as cluster:
        found, broken = await collected(cluster, until=lambda found: found[-1].type == "SYNCED")
        assert cluster.traffic.retries == {"foreign": 1}

    assert story(found) == ["ADDED one", "SYNCED"]
    assert not broken


@pytest.mark.parametrize("how", ["answer", "event"])
async def test_an_expired_version_means_a_new_list(how: str):
    gone = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}
    expired = status(410, reason="Expired") if how == "answer" else (events(("ERROR", gone)), "end")
    script = Script(
        lists=[page(config_map("one", 1), version=7), page(config_map("two", 20), version=30)],
        watches=[expired],
    )
    async with cluster_on(script.answer) as cluster:
        found, broken = await collected(cluster, until=lambda found: len(found) == 4)

    assert story(found) == ["ADDED one", "SYNCED", "ADDED two", "SYNCED"]
    assert found[3].names == {("a", "two")}
    assert broken == {"gone": 1}


async def test_a_page_token_that_expires_begins_the_list_anew():
    script = Script(
        lists=[
            page(config_map("one", 1), version=7, token="t"),
            status(410, reason="Expired"),
            page(config_map("one", 1), config_map("two", 2), version=9),
        ],
        watches=[],
    )
    async with cluster_on(script.answer) as cluster:
        found, _broken = await collected(cluster, until=lambda found: found[-1].type == "SYNCED")

    assert story(found) == ["ADDED one", "ADDED one", "ADDED two", "SYNCED"]
    assert found[-1].names == {("a", "one"), ("a", "two")}


async def test_a_watch_that_hears_nothing_is_opened_again_from_where_it_was():
    """A connection may be half open behind a load balancer; a bookmark shows that it is not."""
    bookmark = {"metadata": {"resourceVersion": "50"}}
    script = Script(
        lists=[page(version=7)],
        watches=[(events(("BOOKMARK", bookmark)), "silent"), (events(("ADDED", config_map("one", 51))), "end")],
    )
    async with cluster_on(script.answer) as cluster:
        found, broken = await collected(cluster, until=lambda found: len(found) == 2, quiet_seconds=0.1)

    assert story(found) == ["SYNCED", "ADDED one"]
    assert [query["resourceVersion"] for query in script.asked[1:]] == ["7", "50"]
    assert broken == {"silent": 1}


async def test_a_watch_that_is_not_answered_is_asked_for_again():
    script = Script(lists=[page(version=7)], watches=["never", (events(("ADDED", config_map("one", 8))), "end")])
    async with cluster_on(script.answer) as cluster:
        found, broken = await collected(cluster, until=lambda found: len(found) == 2, quiet_seconds=0.1)
    assert story(found) == ["SYNCED", "ADDED one"]
    assert broken == {"timeout": 1}


async def test_a_watch_that_always_ends_at_once_is_not_asked_for_in_a_tight_loop():
    script = Script(lists=[page(version=7)], watches=[(b"", "end")] * 2000)
    async with cluster_on(script.answer) as cluster:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2):
                assert [event.type async for event in ListWatch(cluster, CONFIG_MAPS).events()] == []
    # QUICK pauses 5 ms on average once it has backed off.
    assert 0 < 2000 - len(script.watches) < 1000


async def test_what_is_not_permitted_ends_it():
    script = Script(lists=[page(version=7)], watches=[status(403, message="may not watch")])
    async with cluster_on(script.answer) as cluster:
        with pytest.raises(Forbidden, match="may not watch"):
            await collected(cluster, until=lambda found: len(found) == 9)


@pytest.mark.parametrize("valid_after", [1, 4, None])
async def test_a_token_that_expires_or_is_rotated_during_a_watch_is_renewed(valid_after: int | None):
    renewals = 0

    async def handler(request: web.Request) -> web.StreamResponse:
        if "watch" not in request.query:
            return page(version=7)
        if request.headers.get("Authorization") != f"Bearer {valid_after}":
            return status(401, reason="Unauthorized", message="token expired")
        return web.Response(body=events(("ADDED", config_map("one", 8))))

    async with serving(handler) as url:

        async def renew() -> Connection:
            nonlocal renewals
            renewals += 1
            return Connection(host=url, headers=(("Authorization", f"Bearer {renewals}"),))

        limit = replace(QUICK, deadline_seconds=QUICK.deadline_seconds if valid_after else 0.5)
        async with Cluster(Connection(host=url), retry=limit, renew=renew) as cluster:
            if valid_after:
                found, broken = await collected(cluster, until=lambda found: len(found) == 2)
                assert story(found) == ["SYNCED", "ADDED one"]
                assert broken == {"401": valid_after}
                assert renewals == valid_after
            else:
                with pytest.raises(Unauthorized, match="token expired"):
                    await collected(cluster, until=lambda found: len(found) == 2)


async def test_an_event_larger_than_any_buffer_arrives_whole():
    large = config_map("large", 8)
    large["data"] = {"text": "x" * 3_000_000}
    script = Script(lists=[page(version=7)], watches=[(events(("ADDED", large)), "end")])
    async with cluster_on(script.answer) as cluster:
        found, _broken = await collected(cluster, until=lambda found: len(found) == 2)
    assert json.dumps(found[1].object, sort_keys=True) == json.dumps(large, sort_keys=True)


@pytest.mark.parametrize(
    "metadata",
    [
        {"name": "a", "managedFields": [{"manager": "m", "fieldsV1": {"f:spec": {"f:x": {}}}}]},
        {"name": "a", "managedFields": [{"fieldsV1": {'k:{"a":[{"b":1}]}': {}, "f:y": {}}}, {"manager": "n"}]},
        {"name": "a", "annotations": {"text": ',"managedFields":[{}]}'}, "managedFields": [{"manager": "m"}]},
        {"managedFields": [{"manager": "m"}], "name": "a"},
        {"name": "a"},
    ],
    ids=["as always", "what looks like their end", "what looks like their beginning", "first", "none"],
)
def test_managed_fields_are_cut_out_of_events_or_left_and_nothing_else_changes(metadata: dict[str, Any]) -> None:
    event: dict[str, Any] = {
        "type": "MODIFIED",
        "object": {"metadata": metadata, "spec": {"list": [{"x": [{}]}]}, "status": {"a": 1}},
    }
    decoded = _decoded(json.dumps(event, separators=(",", ":")).encode())
    for document in (event, decoded):
        document["object"]["metadata"].pop("managedFields", None)
    assert decoded == event


def test_half_an_event_is_no_event() -> None:
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        _decoded(b'{"type":"ADDED","object":{"metadata":{"name":"a","managedFields":[{"manager":"m"}]}')
