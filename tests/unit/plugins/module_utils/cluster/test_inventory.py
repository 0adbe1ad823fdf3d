"""Reading lists, permissions and kubelets, against a server of our own that answers over real HTTP."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from ansible_collections.kubestress.core.plugins.module_utils.cluster.client import Cluster
from ansible_collections.kubestress.core.plugins.module_utils.cluster.connection import Connection
from ansible_collections.kubestress.core.plugins.module_utils.cluster.errors import TransientError
from ansible_collections.kubestress.core.plugins.module_utils.cluster.inventory import (
    kubelet_facts,
    read_each,
    serves_group,
)
from ansible_collections.kubestress.core.plugins.module_utils.cluster.retries import RetryPolicy


@asynccontextmanager
async def answering(handler: Callable) -> AsyncIterator[Cluster]:
    """Yield a Cluster on a loopback server on which every request goes to the handler."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        retry = RetryPolicy(deadline_seconds=0.2, first_pause_seconds=0.01)
        async with Cluster(Connection(host=f"http://127.0.0.1:{port}"), retry=retry) as cluster:
            yield cluster
    finally:
        await runner.cleanup()


def forbidden(text: str) -> web.Response:
    document = {"kind": "Status", "reason": "Forbidden", "message": text, "code": 403}
    return web.json_response(document, status=403)


def pages(count: int, *, size: int = 3) -> Callable:
    """Return a handler that serves `count` pages."""

    async def handler(request):
        number = int(request.query.get("continue", "0"))
        metadata = {"continue": str(number + 1), "remainingItemCount": 7} if number + 1 < count else {}
        items = [{"metadata": {"name": f"p{number}-{index}"}} for index in range(size)]
        return web.json_response({"metadata": metadata, "items": items})

    return handler


async def test_every_page_is_read():
    names = []
    async with answering(pages(4)) as cluster:
        assert await read_each(cluster, "/api/v1/pods", lambda item: names.append(item["metadata"]["name"])) is None
    assert names == [f"p{page}-{index}" for page in range(4) for index in range(3)]


async def test_a_budget_that_is_used_up_says_how_much_is_left():
    names = []
    async with answering(pages(4)) as cluster:
        why = await read_each(cluster, "/api/v1/pods", names.append, budget_seconds=0.0)
    assert (why, len(names)) == ("7 more than could be read in 0 s", 3)


async def test_a_last_page_that_comes_late_is_still_a_whole_list():
    async with answering(pages(1)) as cluster:
        assert await read_each(cluster, "/api/v1/pods", lambda _item: None, budget_seconds=0.0) is None


def expiring(times: int) -> Callable:
    """Return a handler that serves two pages; the token of the second has expired the first `times` times."""
    left = [times]
    paged = pages(2)

    async def handler(request):
        if "continue" in request.query and left[0]:
            left[0] -= 1
            document = {"kind": "Status", "reason": "Expired", "message": "too old", "code": 410}
            return web.json_response(document, status=410)
        return await paged(request)

    return handler


async def test_a_list_whose_pages_expire_begins_again_once():
    names = []

    def take(item):
        names.append(item["metadata"]["name"])

    async with answering(expiring(1)) as cluster:
        assert await read_each(cluster, "/api/v1/pods", take, begin_again=names.clear) is None
    assert names == [f"p{page}-{index}" for page in range(2) for index in range(3)]
    expired = "the list expired on the server while it was read"
    async with answering(expiring(2)) as cluster:
        assert await read_each(cluster, "/api/v1/pods", take, begin_again=names.clear) == expired
    async with answering(expiring(1)) as cluster:
        assert await read_each(cluster, "/api/v1/pods", take) == expired


async def test_a_list_is_decoded_as_asked():
    names = []

    def decode(body):
        return {"metadata": {}, "items": [len(json.loads(body)["items"])]}

    async with answering(pages(4)) as cluster:
        assert await read_each(cluster, "/api/v1/pods", names.append, decode=decode) is None
    assert names == [3]


async def test_a_list_that_is_not_permitted_is_an_answer_and_a_broken_server_is_an_error():
    async def refuse(_request):
        return forbidden("nodes is forbidden: no list")

    async def break_down(_request):
        return web.Response(status=503, text="down")

    async with answering(refuse) as cluster:
        assert await read_each(cluster, "/api/v1/nodes", lambda _item: None) == "nodes is forbidden: no list"
    async with answering(break_down) as cluster:
        with pytest.raises(TransientError, match="down"):
            await read_each(cluster, "/api/v1/nodes", lambda _item: None)


@pytest.mark.parametrize(("status", "served"), [(200, True), (404, False)])
async def test_whether_an_api_group_is_there(status, served):
    async def handler(request):
        assert request.path == "/apis/security.openshift.io"
        return web.json_response({"kind": "APIGroup" if served else "Status"}, status=status)

    async with answering(handler) as cluster:
        assert await serves_group(cluster, "security.openshift.io") is served


async def test_a_kubelet_tells_its_configuration_and_statistics():
    async def handler(request):
        if request.path == "/api/v1/nodes/n1/proxy/configz":
            return web.json_response({"kubeletconfig": {"podPidsLimit": 4096}})
        assert request.path == "/api/v1/nodes/n1/proxy/stats/summary"
        return web.json_response({"node": {"rlimit": {"maxpid": 32768, "curproc": 512}}, "pods": []})

    async with answering(handler) as cluster:
        facts = await kubelet_facts(cluster, "n1")
    assert facts.configuration["podPidsLimit"] == 4096
    assert facts.statistics["rlimit"] == {"maxpid": 32768, "curproc": 512}
    assert facts.cause is None


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (lambda: forbidden("nodes/proxy"), "reading nodes/proxy is not permitted"),
        (lambda: web.Response(status=404, text="no such node"), "the kubelet does not answer: no such node"),
        (lambda: web.Response(text="<html>"), "the kubelet does not answer"),
        (lambda: web.json_response([1]), "the kubelet's answer is not a JSON object"),
    ],
)
async def test_a_kubelet_that_says_nothing_gives_its_cause_and_no_figures(answer, cause):
    async def handler(_request):
        return answer()

    async with answering(handler) as cluster:
        facts = await kubelet_facts(cluster, "n1")
    assert (dict(facts.configuration), dict(facts.statistics)) == ({}, {})
    assert facts.cause is not None
    assert facts.cause.startswith(cause)
