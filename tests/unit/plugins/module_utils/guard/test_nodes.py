"""What the conditions of nodes mean to the guard; and the watch of them, on the API server in memory."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.cluster.errors import Forbidden
from ansible_collections.kubestress.core.plugins.module_utils.guard.nodes import NodeHealth, node_events
from helpers.memory_api import MemoryApi, MemoryCluster, failure
from helpers.virtual_time import in_virtual_time


def node(name: str = "node-1", ready: str | None = "True", **conditions: str) -> dict[str, Any]:
    given = ({} if ready is None else {"Ready": ready}) | conditions
    rows = [{"type": kind, "status": status, "reason": "Because"} for kind, status in given.items()]
    return {"metadata": {"name": name}, "status": {"conditions": rows}}


@pytest.mark.parametrize(
    ("change", "seen", "lost", "pressed"),
    [
        ("MODIFIED", node(), None, None),
        ("MODIFIED", node(ready="False"), "Ready is False: Because", None),
        ("MODIFIED", node(ready="Unknown"), "Ready is Unknown: Because", None),
        ("MODIFIED", node(ready=None), None, None),
        ("MODIFIED", {"metadata": {"name": "node-1"}}, None, None),
        ("MODIFIED", node(PIDPressure="True"), None, "PIDPressure"),
        ("MODIFIED", node(MemoryPressure="True", DiskPressure="True"), None, "MemoryPressure, DiskPressure"),
        ("MODIFIED", node(PIDPressure="Unknown", NetworkUnavailable="True"), None, None),
        ("DELETED", node(), "deleted", None),
    ],
)
def test_what_a_node_says(change: str, seen: dict[str, Any], lost: str | None, pressed: str | None) -> None:
    health = NodeHealth()
    assert health.take(change, seen) is bool(lost or pressed)
    assert (health.lost.get("node-1"), health.pressed.get("node-1")) == (lost, pressed)
    assert health.is_well is (lost is None and pressed is None)


def test_a_node_that_recovers_is_forgotten() -> None:
    health = NodeHealth()
    health.take("MODIFIED", node(ready="False", DiskPressure="True"))
    assert health.take("MODIFIED", node()) is True
    assert health.take("MODIFIED", node()) is False
    health.take("DELETED", node())
    assert health.take("ADDED", node()) is True
    assert health.is_well


@in_virtual_time
async def test_only_what_changes_from_now_on_is_heard() -> None:
    api = MemoryApi()
    api.put("nodes", node("old", ready="False"))
    heard = []

    async def listen() -> None:
        async with MemoryCluster(api) as cluster:
            async for event in node_events(cluster):
                heard.append(event)  # noqa: PERF401  a comprehension would never end

    listening = asyncio.create_task(listen())
    await asyncio.sleep(1)
    api.put("nodes", node("new"))
    api.remove("nodes", "new")
    await asyncio.sleep(1)
    listening.cancel()
    names = [(event.type, event.object["metadata"]["name"]) for event in heard]
    assert names == [("ADDED", "new"), ("DELETED", "new")]
    assert api.requests["GET", "nodes"] == 1


@in_virtual_time
async def test_who_may_not_watch_nodes_is_told() -> None:
    api = MemoryApi()
    api.refuse = lambda _method, path: failure(403, "Forbidden", "may not") if path.endswith("/nodes") else None
    async with MemoryCluster(api) as cluster:
        with pytest.raises(Forbidden):
            await anext(aiter(node_events(cluster)))
