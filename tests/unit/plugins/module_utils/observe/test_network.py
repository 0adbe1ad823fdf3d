"""The network plug-in's operations beside a load: from the embedded node's log, from counters, or "no data" and why."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from ansible_collections.kubestress.core.plugins.module_utils.measure.network import KUBELET, PLUGIN
from ansible_collections.kubestress.core.plugins.module_utils.observe import network as room
from ansible_collections.kubestress.core.plugins.module_utils.observe.network import NetworkPart
from helpers.fake_server import cluster_on, status

ENDPOINT = {"daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}}}
EMBEDDED = {"labels": {"kubestress.core/node": "real"}}
SIMULATED = {"annotations": {"kwok.x-k8s.io/node": "fake"}}
RBAC = 'nodes "n" is forbidden: User "u" cannot get resource "nodes/proxy"'


class World:
    """Nodes, what the plug-in of an embedded one has written, and how often a kubelet has called its runtime."""

    def __init__(self, **nodes: dict[str, Any]) -> None:
        self.nodes = {name: {"metadata": {"name": name, **more}, "status": ENDPOINT} for name, more in nodes.items()}
        self.log: bytes | None = b""
        self.runs = 0
        self.refusal: Callable[[], web.Response] | None = None
        self.asked: Counter[tuple[str, str]] = Counter()

    def operate(self, verb: str, number: int, code: int = 0) -> None:
        self.log = (self.log or b"") + f"{1795233570 + number} {verb} {number * 7919:064x} {code}\n".encode()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        words = request.path.strip("/").split("/")
        if len(words) < 4:
            if self.nodes:
                return web.json_response({"items": list(self.nodes.values()), "metadata": {"remainingItemCount": 7}})
            return status(403, reason="Forbidden", message="nodes is forbidden")
        self.asked[words[3], words[-1]] += 1
        if self.refusal is not None:
            return self.refusal()
        if words[-1] == "metrics":
            return web.Response(
                text=f'kubelet_runtime_operations_total{{operation_type="run_podsandbox"}} {self.runs}\n'
            )
        return web.Response(status=404) if self.log is None else web.Response(body=self.log)


def forbidden() -> web.Response:
    return status(403, reason="Forbidden", message=RBAC)


@asynccontextmanager
async def observing(world: World, interval_seconds: float = 5) -> AsyncIterator[NetworkPart]:
    async with cluster_on(world.handle) as cluster:
        part = NetworkPart(cluster, interval_seconds=interval_seconds)
        await part.begin()
        yield part
        await part.end()


def found_by(part: NetworkPart) -> dict[str, Any]:
    return json.loads(json.dumps(part.document(), allow_nan=False))["network_operations"]


async def test_the_log_of_an_embedded_node_is_counted_from_the_beginning_of_the_load() -> None:
    world = World(real=EMBEDDED, fake=SIMULATED)
    world.operate("ADD", 1)
    async with observing(world) as part:
        world.operate("DEL", 1)
        world.operate("ADD", 2, code=1)
        world.operate("ADD", 2, code=1)
    found = found_by(part)
    counts = {name: found["sources"][PLUGIN][name] for name in ("nodes", "add", "del", "failed", "total")}
    assert counts == {"nodes": 1, "add": 1, "del": 1, "failed": 1, "total": 2}
    assert "distinct request" in found["sources"][PLUGIN]["rule"]
    assert [row["start"] for row in found["minutes"]] == ["2026-11-21T03:59:00Z"]
    assert found["nodes"] == {"seen": 2, "simulated": 1, "silent": 0, "not_asked": 7}
    assert set(world.asked) == {("real", "operations.log")}
    assert found["requests"] == 1 + world.asked.total()


@pytest.mark.parametrize("more", [{}, EMBEDDED])
async def test_other_nodes_and_those_of_older_releases_have_their_kubelets_counters(more: dict[str, Any]) -> None:
    world = World(worker=more)
    world.log, world.runs = None, 40
    async with observing(world) as part:
        world.runs = 45
    found = found_by(part)
    assert list(found["sources"]) == [KUBELET]
    assert found["sources"][KUBELET]["add"] == 5
    assert sum(row["sources"][KUBELET]["total"] for row in found["hours"]) == 5


async def test_nodes_are_read_while_the_load_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_EVERY_SECONDS", 1.0)
    world = World(worker={})
    async with observing(world, interval_seconds=1) as part:
        task = asyncio.create_task(part.run())
        world.runs = 3
        async with asyncio.timeout(120):
            while not found_by(part)["minutes"]:
                await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert found_by(part)["sources"][KUBELET]["add"] == 3


@pytest.mark.parametrize(
    ("world", "refusal", "cause"),
    [
        (World(fake=SIMULATED), None, "all nodes are simulated: no network plug-in works for their pods"),
        (World(), None, "the user may not get nodes"),
        (World(n={}), forbidden, "n: the user may not get nodes/proxy"),
        (World(n={}), lambda: web.Response(text="hello 1\n"), "n: metrics: without kubelet_runtime_operations_total"),
    ],
)  # fmt: skip
async def test_without_figures_the_cause_is_said(
    world: World, refusal: Callable[[], web.Response] | None, cause: str
) -> None:
    world.refusal = refusal
    async with observing(world) as part:
        pass
    found = found_by(part)
    assert (found["sources"], found["minutes"], found["cause"]) == ({}, [], cause)
    assert found["failed_readings"] == (refusal is not None) * world.asked.total()
    if refusal is forbidden:
        assert world.asked.total() == 1, "it is not asked again"


async def test_an_interval_of_0_asks_nothing() -> None:
    world = World(n={})
    async with observing(world, interval_seconds=0) as part:
        await part.run()
    assert found_by(part)["cause"] == "not read: the interval is 0"
    assert not world.asked
