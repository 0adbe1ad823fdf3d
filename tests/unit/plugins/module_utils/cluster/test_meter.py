"""The meter under a real Cluster: what it says of attempts is what the server saw."""

from __future__ import annotations

import asyncio
import time

import pytest
from aiohttp import web
from ansible_collections.kubestress.core.plugins.module_utils.cluster.errors import AlreadyExists, TransientError
from ansible_collections.kubestress.core.plugins.module_utils.cluster.meter import Meter
from helpers.fake_server import cluster_on, status

KEY = ("create", "Secret")


async def test_every_attempt_is_measured_and_every_failure_has_its_cause():
    answers = [status(429, **{"Retry-After": "0"}), status(503), web.json_response({})]

    async def handler(_request: web.Request) -> web.Response:
        await asyncio.sleep(0.02)
        return answers.pop(0)

    meter = Meter(max_in_flight=50)
    async with cluster_on(handler, traffic=meter) as cluster:
        reply = await cluster.request("POST", "/x", body=b"{}", measured_as=KEY)

    row = meter.attempts.table()["create"]["Secret"]
    assert (row["count"], row["errors"]) == (3, 2)
    # Each attempt by itself, without the pauses between them.
    assert 20 <= row["p50_ms"] <= row["max_ms"] <= reply.total_seconds * 1000
    assert meter.errors == meter.retries == {"429": 1, "503": 1}
    series = meter.timeline()["series"]
    assert (sum(series["requests"]), sum(series["errors"]), sum(series["retries"])) == (3, 2, 2)
    assert max(series["in_flight"]) == 1


async def test_an_answer_that_only_tells_what_is_there_is_no_failure():
    async def handler(request: web.Request) -> web.Response:
        return status(409, reason="AlreadyExists") if request.method == "POST" else status(404, reason="NotFound")

    meter = Meter(max_in_flight=50)
    async with cluster_on(handler, traffic=meter) as cluster:
        for method, verb in (("POST", "create"), ("GET", "get"), ("DELETE", "delete"), ("PATCH", "patch")):
            with pytest.raises(AlreadyExists if method == "POST" else Exception):
                await cluster.request(method, "/x", measured_as=(verb, "Secret"))
    table = meter.attempts.table()
    assert {verb: table[verb]["Secret"]["errors"] for verb in table} == {"create": 0, "delete": 0, "get": 0, "patch": 1}
    assert meter.errors == {"404": 1}


async def test_answers_that_never_come_are_failures_too():
    async def handler(_request: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return web.Response()

    meter = Meter(max_in_flight=50)
    async with cluster_on(handler, traffic=meter, request_timeout_seconds=0.1) as cluster:
        with pytest.raises(TransientError):
            await cluster.request("POST", "/x", deadline_seconds=0.05, measured_as=KEY)
        task = asyncio.create_task(cluster.request("POST", "/x", measured_as=KEY))
        while not meter.in_flight:
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert meter.errors == {"timeout": 1, "cancelled": 1}
    assert meter.attempts.table()["create"]["Secret"]["errors"] == 2
    assert meter.in_flight == 0


async def test_the_time_with_every_place_taken_is_counted():
    release = asyncio.Event()

    async def handler(_request: web.Request) -> web.Response:
        await release.wait()
        return web.json_response({})

    meter = Meter(max_in_flight=2)
    async with cluster_on(handler, traffic=meter) as cluster:
        first = asyncio.create_task(cluster.request("GET", "/x"))
        while meter.in_flight < 1:
            await asyncio.sleep(0)
        began = time.monotonic()
        second = asyncio.create_task(cluster.request("GET", "/x"))
        await asyncio.sleep(0.1)
        release.set()
        await asyncio.gather(first, second)
        ended = time.monotonic()
    assert 0.09 <= meter.full_seconds <= ended - began


async def test_the_loop_is_looked_at_while_the_block_runs():
    meter = Meter(max_in_flight=1)
    meter.pod_counts = lambda: {"pending": 1, "running": 2, "succeeded": 3, "failed": 4}
    async with meter.beside():
        while (figures := meter.client())["loop_lag_max_ms"] is None:
            await asyncio.sleep(0.01)
    assert figures["cpu_seconds"] <= figures["wall_seconds"] * max(1, figures["cores"])
    document = meter.timeline()
    assert document["bin_seconds"] == 1
    assert document["started"].endswith("Z")
    assert document["series"]["pods_failed"][-1] == 4


def test_an_attempt_costs_microseconds():
    """The processor's time, not the wall's, and the best of several rounds: other work must not count."""
    meter = Meter(max_in_flight=50)
    best = 1.0
    for _round in range(10):
        began = time.process_time()
        for _attempt in range(2000):
            meter.end(meter.begin(), None, KEY)
        best = min(best, (time.process_time() - began) / 2000)
    assert best < 10e-6
