"""Whole batches in simulated time whose API server cannot be reached, or whose watches stay closed, for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.cluster.discovery import Discovery
from ansible_collections.kubestress.core.plugins.module_utils.cluster.errors import TransientError
from ansible_collections.kubestress.core.plugins.module_utils.cluster.limits import Limits
from ansible_collections.kubestress.core.plugins.module_utils.cluster.retries import RetryPolicy
from ansible_collections.kubestress.core.plugins.module_utils.load.batch import Batch
from ansible_collections.kubestress.core.plugins.module_utils.load.opened import BatchSettings, OpenedCluster
from ansible_collections.kubestress.core.plugins.module_utils.plan.fragment import Context, parse_fragments
from helpers.batches import NAMESPACES, config_maps, jobs
from helpers.memory_api import Answer, MemoryApi, MemoryCluster, failure
from helpers.simulated_cluster import SimulatedCluster
from helpers.virtual_time import in_virtual_time

RETRY = RetryPolicy(deadline_seconds=20, first_pause_seconds=0.1, max_pause_seconds=5)
#: A request or the opening of a watch ("WATCH") -> an answer instead of the real one, or raises.
Fault = Callable[[str, str], Answer | None]


def refused(_method: str, _path: str) -> Answer | None:
    raise TransientError("memory: connection refused", cause="connection")


def busy_watches(method: str, _path: str) -> Answer | None:
    return failure(429, "TooManyRequests", "too many watches") if method == "WATCH" else None


async def run(
    *fragments: dict[str, Any],
    fault: Fault = refused,
    away: tuple[float, float],
    namespaces: int = 1,
    qps: float = 0.0,
    limit: float = 300,
    start_up_seconds: float = 0.0,
    once_stored: str = "",
    **options: Any,
) -> dict[str, Any]:
    """Run a batch on a simulated cluster whose server has this fault for a while; its measurements.

    `once_stored`: a kind's plural; the fault begins as soon as one of it is stored.
    """
    loop = asyncio.get_running_loop()
    simulated = SimulatedCluster(MemoryApi(), start_up_seconds=start_up_seconds)
    api = simulated.api
    limits = Limits(max_in_flight=50, per_second=qps)

    def leave() -> None:
        api.refuse = fault
        api.cut_watches()

    def come_back() -> None:
        api.refuse = lambda _method, _path: None

    if once_stored:
        api.created.insert(0, lambda plural, _obj: leave() if plural == once_stored else None)
    else:
        loop.call_at(away[0], leave)
    loop.call_at(away[1], come_back)
    async with MemoryCluster(api, retry=RETRY, outage_limit_seconds=limit, admission=lambda: limits) as cluster:
        await cluster.version()
        opened = OpenedCluster(cluster, Discovery(cluster), limits)
        names = [f"n-{number}" for number in range(1, namespaces + 1)]
        plan = parse_fragments(list(fragments), Context(run_id="r"))
        settings = BatchSettings(auth={}, run_id="r", namespaces=names, outage_limit_seconds=limit, **options)
        batch = Batch(settings, plan, **await opened.parts_for(plan))
        document = await batch.run()
        document["ended_at"] = loop.time()
        return document


@in_virtual_time
async def test_a_server_that_is_gone_for_a_minute_loses_nothing():
    """40 namespaces of 28 objects at 20 a second: the server goes in the middle, for longer than retries last."""
    document = await run(NAMESPACES, config_maps(27), namespaces=40, qps=20, away=(20, 80))
    assert document["aborted"] is None
    assert document["not_ready"] == []
    assert {kind: row["created"] for kind, row in document["objects"].items()} == {"ConfigMap": 1080, "Namespace": 40}
    assert {kind: row["ready"] for kind, row in document["objects"].items()} == {"ConfigMap": 1080, "Namespace": 40}
    assert sum(row["failed"] for row in document["objects"].values()) == 0
    outages = document["outages"]
    assert (outages["number"], outages["list"][0]["cause"]) == (1, "connection")
    assert 60 <= outages["seconds"] < 62


@in_virtual_time
async def test_a_server_that_never_returns_ends_the_run_within_the_limit():
    document = await run(NAMESPACES, config_maps(27), namespaces=40, qps=20, away=(20, 10_000), limit=60)
    assert 80 <= document["ended_at"] < 90
    assert document["aborted"].startswith("the API server memory could not be reached for 60 s")
    assert document["outages"]["number"] == 1
    assert not document["outages"]["list"][0]["over"]


@in_virtual_time
async def test_a_server_that_never_returns_while_nothing_is_sent_ends_the_run_too():
    document = await run(NAMESPACES, jobs(1), start_up_seconds=5_000, away=(200, 10_000), limit=60)
    assert 260 <= document["ended_at"] < 275
    assert "could not be reached for 60 s" in document["aborted"]


LIMITS = {"stall_timeout": {"stall_timeout": 100}, "ready_timeout": {"ready_timeout": 100, "stall_timeout": 0}}


@pytest.mark.parametrize("fault", [refused, busy_watches], ids=["outage", "watches refused with 429"])
@pytest.mark.parametrize("limit", LIMITS)
@in_virtual_time
async def test_the_clock_of_readiness_stands_still_while_nobody_can_see(limit: str, fault: Fault):
    """A Job whose pod takes 200 s to start: twice what it is given, but most of it passes unseen."""
    plan = jobs(1, **LIMITS[limit])
    document = await run(NAMESPACES, plan, fault=fault, start_up_seconds=200, away=(20, 220))
    assert document["aborted"] is None
    assert (document["jobs"]["complete"], document["not_ready"]) == (1, [])
    assert 195 <= document["outages"]["held_seconds"] < 215
    assert document["outages"]["number"] == (1 if fault is refused else 0)


@pytest.mark.parametrize("limit", LIMITS)
@in_virtual_time
async def test_what_is_late_by_the_time_that_could_be_seen_is_late(limit: str):
    document = await run(NAMESPACES, jobs(1, **LIMITS[limit]), start_up_seconds=10_000, away=(20, 120))
    assert len(document["not_ready"]) == 1
    assert 200 <= document["ended_at"] < 240


@in_virtual_time
async def test_the_limit_of_the_whole_wait_stands_still_too():
    plan = jobs(1)
    document = await run(NAMESPACES, plan, start_up_seconds=110, away=(20, 120), wait_timeout_seconds=100)
    assert (document["aborted"], document["jobs"]["complete"]) == (None, 1)


@in_virtual_time
async def test_watches_that_stay_closed_end_the_run():
    document = await run(NAMESPACES, jobs(1), fault=busy_watches, start_up_seconds=5_000, away=(20, 10_000), limit=100)
    assert 120 <= document["ended_at"] < 130
    assert "could not be watched for 10" in document["aborted"]
    assert "429" in document["aborted"]


@in_virtual_time
async def test_a_namespace_has_its_minute_by_the_time_that_can_be_seen():
    """The server goes when the namespace is stored, and what becomes of it is not seen for 100 s."""
    document = await run(NAMESPACES, jobs(1), away=(0, 100), once_stored="namespaces")
    assert (document["aborted"], document["not_ready"]) == (None, [])
    assert document["objects"]["Namespace"]["ready"] == 1
    assert document["outages"]["held_seconds"] > 95


@in_virtual_time
async def test_a_frozen_server_is_an_outage_though_no_connection_breaks():
    """Nothing is refused: every request hangs, and no watch is cut."""
    loop = asyncio.get_running_loop()
    simulated = SimulatedCluster(MemoryApi(), start_up_seconds=150)

    class Frozen(MemoryCluster):
        async def _send(self, *arguments: Any) -> Any:
            if 20 <= loop.time() < 120:
                await asyncio.sleep(1000)
            return await super()._send(*arguments)

    plan = parse_fragments([NAMESPACES, jobs(1, stall_timeout=100)], Context(run_id="r"))
    limits = Limits(max_in_flight=50)
    async with Frozen(simulated.api, retry=RETRY, outage_limit_seconds=300, admission=lambda: limits) as cluster:
        await cluster.version()
        opened = OpenedCluster(cluster, Discovery(cluster), limits)
        batch = Batch(BatchSettings(auth={}, run_id="r", namespaces=["n-1"]), plan, **await opened.parts_for(plan))
        document = await batch.run()
    assert (document["aborted"], document["jobs"]["complete"]) == (None, 1)
    # A watch's bookmark is an answer too, and may come in between.
    assert document["outages"]["number"] >= 1
    assert 85 <= document["outages"]["seconds"] < 125
