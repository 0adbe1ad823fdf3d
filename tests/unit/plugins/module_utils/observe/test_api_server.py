"""An API server that answers, refuses, lacks, lies or is silent: figures or a cause; and the skew of its clock."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from email.utils import formatdate
from typing import Any

import pytest
from aiohttp import web
from ansible_collections.kubestress.core.plugins.module_utils.cluster.client import Cluster
from ansible_collections.kubestress.core.plugins.module_utils.cluster.connection import Connection
from ansible_collections.kubestress.core.plugins.module_utils.observe import api_server as room
from ansible_collections.kubestress.core.plugins.module_utils.observe.api_server import ApiServerPart, ClockSkew
from helpers.fake_server import cluster_on, status
from helpers.server_metrics import metrics

SLICE = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes"


class World:
    """An API server; each reading of its metrics finds ten posts more, unless `answer` says otherwise."""

    def __init__(self, answer: Callable[[int], web.StreamResponse] | None = None, *, addresses: int = 1) -> None:
        self.answer = answer or self.told
        self.addresses = addresses
        self.asked: Counter[str] = Counter()
        self.peers: set[Any] = set()
        self.changed = asyncio.Condition()

    def told(self, number: int) -> web.Response:
        posts = {"0.05": 9 * number, "0.1": 10 * number, "+Inf": 10 * number}
        return web.Response(body=metrics(cpu=number, posts=posts, mutating=number))

    async def handle(self, request: web.Request) -> web.StreamResponse:
        async with self.changed:
            self.asked[request.path] += 1
            self.changed.notify_all()
        if request.path == SLICE:
            slices = [{"addresses": [f"10.0.0.{number}"]} for number in range(self.addresses)]
            return web.json_response({"endpoints": slices}) if slices else status(404, reason="NotFound")
        if request.path == "/metrics":
            self.peers.add(request.transport and request.transport.get_extra_info("peername"))
            return self.answer(self.asked["/metrics"])
        return web.json_response({})

    async def reached(self, path: str, number: int) -> None:
        async with asyncio.timeout(120), self.changed:
            await self.changed.wait_for(lambda: self.asked[path] >= number)


@contextlib.asynccontextmanager
async def part_of(world: World, *, interval: float = 0.0) -> AsyncIterator[tuple[ApiServerPart, Cluster]]:
    async with cluster_on(world.handle) as cluster:
        yield ApiServerPart(cluster, interval_seconds=interval, started=time.monotonic()), cluster


async def whole(world: World) -> dict[str, Any]:
    async with part_of(world) as (part, _cluster):
        await part.begin()
        await part.run()
        await part.end()
        return part.document()


async def test_before_and_after_give_the_difference():
    world = World()
    async with part_of(world) as (part, cluster):
        assert part.document()["api_server"]["cause"] == "the metrics were not read yet"
        await part.begin()
        assert part.document()["api_server"]["source"] == "none"
        await part.run()
        await part.end()
        assert cluster.traffic.requests == 0
    document = part.document()["api_server"]
    assert (document["source"], document["servers"], document["scrapes"]) == ("metrics", 1, 2)
    assert (document["sli"][0]["count"], document["failed_scrapes"], document["cpu_seconds"]) == (10, {}, 1.0)
    assert part.document()["skew"]["samples"] == 3
    assert abs(part.document()["skew"]["estimate_ms"]) <= part.document()["skew"]["error_ms"]
    assert part.warnings == []


async def test_readings_between_until_cancelled():
    world = World()
    async with part_of(world, interval=0.01) as (part, _cluster):
        await part.begin()
        task = asyncio.create_task(part.run())
        await world.reached("/metrics", 4)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await part.end()
    document = part.document()["api_server"]
    assert document["scrapes"] == len(document["series"]["t"]) >= 4
    assert document["inflight"]["mutating_max"] == world.asked["/metrics"]


@pytest.mark.parametrize(
    ("answer", "cause", "readings"),
    [
        (lambda _n: status(403, reason="Forbidden", message="no"), "the user may not get /metrics", 1),
        (lambda _n: status(404, reason="NotFound", message="no"), "the API server has no /metrics", 1),
        (lambda _n: web.Response(text="<html>"), "/metrics: the answer is no metrics of a process", 1),
        (lambda _n: web.Response(body=b"\xff" * 99), "/metrics: the answer is no metrics of a process", 1),
        (lambda _n: status(503, message="not now"), "/metrics: not now", 2),
        (lambda _n: status(302, message="elsewhere"), "/metrics: http://127.0.0.1:", 2),
    ],
    ids=["403", "404", "html", "bytes", "503", "302"],
)
async def test_no_data_with_the_cause_and_no_further_question_where_it_is_final(answer, cause, readings):
    world = World(answer)
    document = (await whole(world))["api_server"]
    assert (document["source"], document["scrapes"], document["sli"]) == ("none", 0, [])
    assert document["cause"].startswith(cause)
    assert document["failed_scrapes"] == {document["cause"]: readings}
    assert world.asked["/metrics"] == readings
    assert (document["cpu_seconds"], document["resident_bytes_max"], document["window"]) == (None, None, None)


async def test_who_may_not_read_the_metrics_still_learns_of_the_clocks():
    world = World(lambda _number: status(403, reason="Forbidden", message="no"))
    async with part_of(world, interval=60) as (part, _cluster):
        await part.begin()
        task = asyncio.create_task(part.run())
        await world.reached("/version", 2)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await part.end()
    assert part.document()["api_server"]["cause"] == "the user may not get /metrics"
    skew = part.document()["skew"]
    assert skew["samples"] >= 1
    assert abs(skew["estimate_ms"]) <= skew["error_ms"]


async def test_an_expired_token_is_renewed_for_the_whole_run():
    world = World()

    async def handle(request: web.Request) -> web.StreamResponse:
        fresh = request.headers.get("Authorization") == "Bearer new"
        return await world.handle(request) if fresh else status(401, message="expired")

    async def renew() -> Connection:
        return Connection(host=cluster.connection.host, headers=(("Authorization", "Bearer new"),))

    async with cluster_on(handle, renew=renew) as cluster:
        part = ApiServerPart(cluster, interval_seconds=0, started=time.monotonic())
        await part.begin()
        await part.end()
        assert ("Authorization", "Bearer new") in cluster.connection.headers
    assert (part.document()["api_server"]["source"], part.document()["api_server"]["failed_scrapes"]) == ("metrics", {})


async def test_refused_credentials_are_asked_with_again_because_somebody_may_renew_them():
    document = (await whole(World(lambda _number: status(401, message="who?"))))["api_server"]
    assert (document["source"], document["cause"]) == ("none", "/metrics: who?")
    assert document["failed_scrapes"] == {"/metrics: who?": 2}


async def test_silence_is_no_data(monkeypatch):
    monkeypatch.setattr(room, "_TIMEOUT_SECONDS", 0.1)
    silent = asyncio.Event()

    async def handle(request: web.Request) -> web.StreamResponse:
        if request.path == "/metrics":
            await silent.wait()
        return web.json_response({})

    async with cluster_on(handle) as cluster:
        part = ApiServerPart(cluster, interval_seconds=0, started=time.monotonic())
        await part.begin()
        await part.end()
        silent.set()
    document = part.document()["api_server"]
    assert (document["source"], document["cause"]) == ("none", "no answer within 0.1 s")
    assert document["failed_scrapes"] == {"no answer within 0.1 s": 2}


async def test_a_failure_in_between_is_counted_and_the_rest_is_kept():
    world = World()
    world.answer = lambda number: world.told(number) if number != 2 else status(500, message="broken")
    async with part_of(world, interval=0.01) as (part, _cluster):
        await part.begin()
        task = asyncio.create_task(part.run())
        await world.reached("/metrics", 3)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await part.end()
    document = part.document()["api_server"]
    assert (document["source"], document["cause"], document["failed_scrapes"]) == (
        "metrics",
        None,
        {"/metrics: broken": 1},
    )


async def test_several_servers_are_asked_side_by_side():
    starts = [1_700_000_000.5, 1_700_000_001.5, 1_700_000_002.5]
    world = World(addresses=3)
    world.answer = lambda number: web.Response(body=metrics(started=starts[number % 3], cpu=number))
    document = (await whole(world))["api_server"]
    assert (document["servers"], document["scrapes"], len(document["instances"])) == (3, 6, 3)
    assert document["cpu_seconds"] == 9.0
    assert len(world.peers) == 3


async def test_servers_that_are_not_entered_are_not_counted():
    document = (await whole(World(addresses=0)))["api_server"]
    assert (document["servers"], document["source"]) == (None, "metrics")


async def test_an_end_without_a_beginning_asks_nothing():
    world = World()
    async with part_of(world) as (part, _cluster):
        await part.end()
    assert world.asked.total() == 0
    assert part.document()["api_server"]["cause"] == "the metrics were not read yet"


NOW = 1_700_000_000.3


class Server:
    """Answers after `seconds` with the date of a clock that is `skew` ahead of ours; it writes it halfway."""

    def __init__(self, *, skew: float, seconds: float) -> None:
        self.skew, self.seconds = skew, seconds

    def ask(self, clock: ClockSkew, at: float) -> float:
        written = at + self.seconds / 2 + self.skew
        clock.observe(formatdate(int(written), usegmt=True), sent=at, received=at + self.seconds)
        return at + self.seconds


def test_one_answer_leaves_a_second():
    clock = ClockSkew()
    Server(skew=0.2, seconds=0.01).ask(clock, NOW)
    figures = clock.figures()
    assert figures["error_ms"] == pytest.approx(505)
    assert abs(figures["estimate_ms"] - 200) <= figures["error_ms"]


@pytest.mark.parametrize("skew", [-3600.0, -1.7, -0.04, 0.0, 0.45, 2.25, 86400.5])
@pytest.mark.parametrize("seconds", [0.001, 0.03, 0.4])
def test_answers_at_the_right_moments_find_it(skew, seconds):
    clock, server, now = ClockSkew(), Server(skew=skew, seconds=seconds), NOW
    now = server.ask(clock, now)
    for number in itertools.count():
        pause = clock.pause_seconds(now)
        assert 0 <= pause <= 60
        if pause == 60:
            break
        now = server.ask(clock, now + pause)
        assert number < 20, "it never has enough"
    figures = clock.figures()
    assert abs(figures["estimate_ms"] - skew * 1000) <= figures["error_ms"] + 0.1
    assert figures["error_ms"] <= max(20, seconds * 1000) + 0.5
    assert figures["contradictions"] == 0


def test_a_clock_that_is_set_is_noticed_and_the_newest_answer_believed():
    clock = ClockSkew()
    Server(skew=0.0, seconds=0.01).ask(clock, NOW)
    Server(skew=5.0, seconds=0.01).ask(clock, NOW + 10)
    figures = clock.figures()
    assert figures["contradictions"] == 1
    assert abs(figures["estimate_ms"] - 5000) <= figures["error_ms"]


@pytest.mark.parametrize("date", [None, "", "yesterday", "Mon, 99 Foo 2026 25:00:00 GMT"])
def test_an_answer_without_a_date_tells_nothing(date):
    clock = ClockSkew()
    assert clock.observe(date, sent=NOW, received=NOW) is None
    assert clock.figures() == {"estimate_ms": None, "error_ms": None, "samples": 0, "contradictions": 0}
    assert clock.pause_seconds(NOW) == 60


async def test_in_an_outage_the_metrics_are_not_asked_for_and_afterwards_again():
    world, is_down = World(), asyncio.Event()

    async def handle(request: web.Request) -> web.StreamResponse:
        if is_down.is_set():
            world.asked["down " + request.path] += 1
            return status(503)
        return web.Response(text="ok") if request.path == "/readyz" else await world.handle(request)

    async with cluster_on(handle, outage_limit_seconds=60) as cluster:
        part = ApiServerPart(cluster, interval_seconds=0.02, started=time.monotonic())
        await cluster.get("/x")
        await part.begin()
        running = asyncio.create_task(part.run())
        is_down.set()
        waiting = asyncio.create_task(cluster.get("/x"))
        async with asyncio.timeout(120):
            while not cluster.reachability.is_outage:
                await asyncio.sleep(0.01)
        asked = world.asked["down /metrics"]
        await asyncio.sleep(0.5)
        assert world.asked["down /metrics"] <= asked + 1  # one may have been under way
        is_down.clear()
        await waiting
        await world.reached("/metrics", world.asked["/metrics"] + 2)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await part.end()
