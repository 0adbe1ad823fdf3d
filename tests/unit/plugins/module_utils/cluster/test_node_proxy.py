"""Asking kubelets through the node proxy: once, through the load's own limits, and every refusal with its cause."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from ansible_collections.kubestress.core.plugins.module_utils.cluster.node_proxy import SUMMARY, Answer, NodeProxy
from helpers.fake_server import Handler, cluster_on, status

RBAC = 'nodes "n1" is forbidden: User "u" cannot get resource "nodes/proxy" in API group "" at the cluster scope'
KUBELET = "Forbidden (user=apiserver, verb=get, resource=nodes, subresource(s)=[stats proxy])"


@asynccontextmanager
async def proxy_on(handler: Handler, *, timeout_seconds: float = 5.0, **settings) -> AsyncIterator[NodeProxy]:
    async with cluster_on(handler, **settings) as cluster, NodeProxy(cluster, timeout_seconds=timeout_seconds) as proxy:
        yield proxy


async def test_an_answer_is_what_the_kubelet_sent():
    async def handler(request):
        assert request.path == "/api/v1/nodes/n1.example/proxy/stats/summary"
        return web.Response(body=b"\xff<whatever>")

    async with proxy_on(handler) as proxy:
        assert await proxy.read("n1.example", SUMMARY) == Answer(b"\xff<whatever>", None)


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (lambda: status(403, reason="Forbidden", message=RBAC), "the user may not get nodes/proxy"),
        (lambda: web.Response(status=403, text=KUBELET), f"the kubelet refuses stats/summary: {KUBELET}"),
        (lambda: status(404, reason="NotFound", message='nodes "n1" not found'), "no such node"),
        (lambda: web.Response(status=404, text="404 page not found\n"), "the kubelet has no stats/summary"),
        (lambda: web.Response(status=401, text="Unauthorized"), "the kubelet cannot be reached: Unauthorized"),
        (
            lambda: status(400, reason="BadRequest", message="lookup n1: no such host"),
            "the kubelet cannot be reached: lookup n1: no such host",
        ),
        (
            lambda: status(503, reason="ServiceUnavailable", message="error trying to reach service: dial tcp"),
            "the kubelet cannot be reached: error trying to reach service: dial tcp",
        ),
        (lambda: status(429, message="too many", **{"Retry-After": "1"}), "the kubelet cannot be reached: too many"),
        (lambda: web.Response(status=500, text="<p>" + "oh\n" * 500), "the kubelet cannot be reached: <p>oh oh"),
        (
            lambda: web.Response(status=302, headers={"Location": "http://x/"}),
            "the kubelet cannot be reached: http://127.0.0.1:",
        ),
    ],
)
async def test_every_refusal_is_one_request_and_a_short_cause(answer, cause):
    asked = []

    async def handler(request):
        asked.append(request.path)
        return answer()

    async with proxy_on(handler) as proxy:
        body, told = await proxy.read("n1", SUMMARY)
    assert body is None
    assert told is not None
    assert told.startswith(cause)
    assert len(told) <= 160
    assert len(asked) == proxy.requests == 1


async def test_a_kubelet_that_is_silent_costs_its_time_and_no_more():
    ended = asyncio.Event()

    async def handler(_request):
        await ended.wait()
        return web.Response()

    async with proxy_on(handler, timeout_seconds=0.2) as proxy:
        answers = await asyncio.gather(*(proxy.read(f"n{number}", SUMMARY) for number in range(20)))
        ended.set()
    assert {answer.cause for answer in answers} == {"no answer within 0.2 s"}
    assert proxy.requests == 20


async def test_a_connection_that_breaks_off_is_a_cause():
    async def handler(request):
        request.transport.close()
        return web.Response()

    async with proxy_on(handler) as proxy:
        body, cause = await proxy.read("n1", SUMMARY)
    assert body is None
    assert cause is not None
    assert cause.startswith("the kubelet cannot be reached: http://127.0.0.1")


async def test_the_loads_limit_holds_and_the_loads_counters_do_not_move():
    slots, running, most = asyncio.Semaphore(3), 0, 0

    async def handler(_request):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1
        return web.Response(body=b"{}")

    async with (
        cluster_on(handler, admission=lambda: slots) as cluster,
        NodeProxy(cluster, timeout_seconds=5.0) as proxy,
    ):
        await asyncio.gather(*(proxy.read(f"n{number}", SUMMARY) for number in range(12)))
        assert (cluster.traffic.requests, proxy.requests) == (0, 12)
    assert 0 < most <= 3


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (lambda: status(403, reason="Forbidden", message='nodes "n1" is forbidden'), "the user may not get nodes"),
        (lambda: status(404, reason="NotFound", message='nodes "n1" not found'), "no such node"),
        (lambda: status(503, message="not now"), "not now"),
        (lambda: web.Response(text="<html>"), "the answer is not a Node"),
        (lambda: web.json_response([]), "the answer is not a Node"),
        (lambda: web.json_response({"metadata": None}), "the answer is not a Node"),
    ],
)
async def test_a_node_that_cannot_be_read_has_a_cause_of_its_own(answer, cause):
    async def handler(_request):
        return answer()

    async with proxy_on(handler) as proxy:
        assert await proxy.node("n1") == (None, cause)
        assert proxy.requests == 1


async def test_a_node_is_read_without_its_kubelet():
    async def handler(request):
        assert request.path == "/api/v1/nodes/n1"
        return web.json_response({"metadata": {"name": "n1"}})

    async with proxy_on(handler) as proxy:
        assert await proxy.node("n1") == ({"metadata": {"name": "n1"}}, None)


async def test_a_node_that_is_long_in_coming_is_no_data():
    hanging = asyncio.Event()

    async def handler(_request):
        await hanging.wait()
        return web.Response()

    async with proxy_on(handler, timeout_seconds=0.1) as proxy:
        assert await proxy.node("n1") == (None, "no answer within 0.1 s")
        hanging.set()
