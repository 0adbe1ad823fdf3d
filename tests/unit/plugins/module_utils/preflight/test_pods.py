"""Which pods run: counted page by page, or estimated, against a server of our own over real HTTP."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from typing import Any

import pytest
from aiohttp import web
from ansible_collections.kubestress.core.plugins.module_utils.capacity.supply import node_of
from ansible_collections.kubestress.core.plugins.module_utils.cluster.access import Access
from ansible_collections.kubestress.core.plugins.module_utils.cluster.errors import Invalid
from ansible_collections.kubestress.core.plugins.module_utils.preflight.pods import SampleReading, how_estimated
from ansible_collections.kubestress.core.plugins.module_utils.preflight.survey import Wanted, survey
from helpers.fake_server import cluster_on, status

GPU = "nvidia.com/gpu"
PODS = "/api/v1/pods"
MIB = 2**20
OURS = {"kubestress.core/run-id": "mine", "app.kubernetes.io/managed-by": "kubestress"}


def node(name: str, *, gpu: str = "0", **spec: Any) -> dict[str, Any]:
    offered = {"cpu": "64", "memory": "64Gi", "pods": "500", "ephemeral-storage": "1Ti", GPU: gpu}
    conditions = [{"type": "Ready", "status": "True", "message": "kubelet is ready"}]
    stated = {"allocatable": offered, "capacity": offered, "conditions": conditions}
    # Newer servers put more than texts in here.
    info = {"kubeletVersion": "v1.36.3", "swap": {"capacity": 1}}
    return {"metadata": {"name": name}, "spec": spec, "status": {**stated, "nodeInfo": info, "images": [{"names": []}]}}


def pod(number: int, on: str | None, *, labels: dict[str, str] | None = None, gpu: str = "") -> dict[str, Any]:
    asked = {"cpu": "100m", "memory": "10Mi"} | ({GPU: gpu} if gpu else {})
    spec: dict[str, Any] = {"containers": [{"name": "app", "resources": {"requests": asked, "limits": {}}}]}
    if on:
        spec["nodeName"] = on
    metadata = {"name": f"p{number}", "namespace": f"team-{number % 3}", "labels": labels or {"app": "a"}}
    return {"metadata": metadata, "spec": spec, "status": {"phase": "Running", "conditions": []}}


class Server:
    """A cluster as its API server shows it, in pages of at most `page_size`.

    `expirations`: how many page tokens of pods it has forgotten before one is still good. `silent`: nodes of which it
    never lists the pods. `forbidden`: paths.
    """

    def __init__(self, nodes: list[dict[str, Any]], pods: list[dict[str, Any]]) -> None:
        self.nodes, self.pods = nodes, pods
        self.page_size = 3
        self.says_how_many = True
        self.expirations = 0
        self.silent: set[str] = set()
        self.forbidden: set[str] = set()
        self.asked: list[dict[str, str]] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        path, query = request.path, dict(request.query)
        if path in self.forbidden:
            return status(403, reason="Forbidden", message=f"{path} is forbidden")
        if path == "/version":
            return web.json_response({"gitVersion": "v1.36.3"})
        if path.endswith("selfsubjectaccessreviews"):
            return web.json_response({"status": {"allowed": True}}, status=201)
        if path == "/api/v1/nodes":
            return self.page(self.nodes, query)
        if path == "/api/v1/namespaces":
            return self.page([{"metadata": {"name": f"team-{number}"}} for number in range(7)], query)
        if path == "/api/v1/resourcequotas":
            quota = {"metadata": {"name": "q", "namespace": "team-1"}, "spec": {"hard": {"pods": "4"}}, "status": {}}
            other = {**quota, "metadata": {"name": "q", "namespace": "team-2"}}
            return self.page([quota, other] * 3, query)
        if path == PODS:
            return await self.list_pods(query)
        return status(404, reason="NotFound", message=path)

    async def list_pods(self, query: dict[str, str]) -> web.StreamResponse:
        self.asked.append(query)
        if "continue" in query and self.expirations:
            self.expirations -= 1
            return status(410, reason="Expired", message="The provided continue parameter is too old")
        wanted = [term.split("=") for term in query.get("labelSelector", "").split(",") if term]
        found = [one for one in self.pods if all(one["metadata"]["labels"].get(key) == value for key, value in wanted)]
        on = re.search(r"spec.nodeName=([^,]+)", query.get("fieldSelector", ""))
        if on:
            if on[1] in self.silent:
                await asyncio.Event().wait()
            found = [one for one in found if one["spec"].get("nodeName") == on[1]]
        return self.page(found, query)

    def page(self, items: list[dict[str, Any]], query: dict[str, str]) -> web.Response:
        begin = int(query.get("continue", "0"))
        end = begin + min(self.page_size, int(query["limit"]))
        metadata: dict[str, Any] = {"resourceVersion": "1"}
        if end < len(items):
            metadata["continue"] = str(end)
            if self.says_how_many and not {"fieldSelector", "labelSelector"} & set(query):
                metadata["remainingItemCount"] = len(items) - end
        return web.json_response({"metadata": metadata, "items": items[begin:end] or None})


async def surveyed(server: Server, *, exact_pods: int = 1000, budget_seconds: float = 60.0, **more: Any) -> Any:
    wanted = Wanted(
        run_id="mine",
        namespaces=["team-1", "team-9"],
        access=[Access("", "pods", "list")],
        pods=True,
        processes=False,
        nodes_sampled=0,
        budget_seconds=budget_seconds,
        exact_pods=exact_pods,
    )
    async with cluster_on(server.handle) as cluster:
        return await survey(cluster, wanted, takes_pods=more.get("takes_pods", lambda node: not node.unschedulable))


def uniform(nodes: int = 120, each: int = 2) -> Server:
    """Every node with as many pods, the same ones; a fortieth of the nodes with GPUs, which one of their pods uses."""
    names = [f"n{number}" for number in range(nodes)]
    with_gpu = set(names[::40])
    pods = []
    for number, name in enumerate(names * each):
        pods.append(pod(number, name, gpu="2" if name in with_gpu and number < nodes else ""))
    return Server([node(name, gpu="8" if name in with_gpu else "0") for name in names], pods)


def in_use(supply: Any) -> list[tuple[Any, ...]]:
    return [(n.name, n.used_pods, n.used_cpu, n.used_memory, dict(n.used_extended)) for n in supply.nodes]


async def test_every_pod_is_counted_once_over_all_pages():
    server = Server(
        [node("a", gpu="8"), node("b")],
        [pod(0, "a"), pod(1, "a", gpu="2"), pod(2, "b"), pod(3, None), pod(4, "gone")],
    )
    supply = (await surveyed(server)).supply
    assert (supply.pods_counted, supply.pods_running, supply.pods_estimated) == (True, 5, "")
    assert in_use(supply) == [("a", 2, 200, 20 * MIB, {GPU: 2}), ("b", 1, 100, 10 * MIB, {GPU: 0})]
    assert supply.nodes[0].extended == {GPU: 8}
    assert supply.unread == {}


async def test_nodes_namespaces_and_quotas_are_read_over_all_pages():
    server = Server([node(f"n{number}") for number in range(8)], [])
    found = await surveyed(server)
    assert [one.name for one in found.supply.nodes] == [f"n{number}" for number in range(8)]
    assert (found.supply.namespaces, [one["metadata"]["name"] for one in found.namespaces]) == (7, ["team-1"])
    assert [(quota.namespace, dict(quota.hard)) for quota in found.supply.quotas] == [("team-1", {"pods": "4"})] * 3
    assert found.supply.nodes[0].software["kubeletVersion"] == "v1.36.3"


async def test_a_page_token_that_expired_begins_the_list_again_and_counts_nothing_twice():
    server = uniform(nodes=10)
    server.expirations = 1
    supply = (await surveyed(server)).supply
    assert (supply.pods_counted, supply.pods_running) == (True, 20)
    assert in_use(supply)[1] == ("n1", 2, 200, 20 * MIB, {GPU: 0})


async def test_a_list_that_expires_again_is_not_counted_and_says_why():
    server = uniform(nodes=10)
    server.expirations = 2
    supply = (await surveyed(server)).supply
    assert (supply.pods_counted, supply.unread) == (False, {"pods": "the list expired on the server while it was read"})


async def test_a_budget_that_ends_keeps_what_was_read_and_says_what_is_missing():
    supply = (await surveyed(uniform(nodes=10), budget_seconds=0.0)).supply
    # Lists with a selector have no number of what is left.
    assert supply.unread == {"pods": "more than could be read in 0 s"}
    assert (supply.pods_counted, supply.pods_running) == (False, 3)


@pytest.mark.parametrize("exact_pods", [0, 1000])
async def test_pods_that_may_not_be_listed_are_no_data(exact_pods):
    server = uniform(nodes=10)
    server.forbidden = {PODS}
    supply = (await surveyed(server, exact_pods=exact_pods)).supply
    assert (supply.pods_counted, supply.unread) == (False, {"pods": f"{PODS} is forbidden"})
    assert len(supply.nodes) == 10


async def test_counted_and_estimated_agree_where_all_nodes_are_alike():
    server = uniform()
    counted = (await surveyed(server)).supply
    estimated = (await surveyed(server, exact_pods=239)).supply
    assert in_use(estimated) == in_use(counted)
    assert (counted.pods_running, estimated.pods_running) == (240, 240)
    assert (counted.pods_estimated, estimated.pods_counted) == ("", True)
    assert estimated.pods_estimated == "estimated from 49 of 120 nodes; 240 pods counted, finished ones included"


async def test_the_limit_itself_is_still_counted():
    assert (await surveyed(uniform(nodes=10), exact_pods=20)).supply.pods_estimated == ""


async def test_an_estimate_asks_for_the_pods_of_few_nodes_and_from_the_servers_cache():
    server = uniform()
    server.page_size = 500
    await surveyed(server, exact_pods=0)
    how_many, *rest = server.asked
    assert how_many == {"limit": "1"}
    assert len(rest) == 1 + 49
    assert all(query["resourceVersion"] == "0" for query in rest)
    assert all("status.phase!=Succeeded,status.phase!=Failed" in query["fieldSelector"] for query in rest)


async def test_only_nodes_that_take_the_pods_are_sampled():
    server = uniform(nodes=10)
    server.nodes[0]["spec"]["unschedulable"] = True
    supply = (await surveyed(server, exact_pods=0)).supply
    assert supply.pods_estimated == "estimated from 9 of 9 nodes; 20 pods counted, finished ones included"


@pytest.mark.parametrize(("exact_pods", "running"), [(1000, 21), (0, 21)])
async def test_pods_of_an_earlier_attempt_are_kept_apart(exact_pods, running):
    server = uniform(nodes=10)
    foreign = {**OURS, "kubestress.core/run-id": "another"}
    unmarked = {"kubestress.core/run-id": "mine"}
    server.pods += [pod(30, "n0", labels=OURS), pod(31, None, labels=OURS)]
    server.pods += [pod(32, "n1", labels=foreign)]
    supply = (await surveyed(server, exact_pods=exact_pods)).supply
    assert supply.own_pods_in == {"team-0", "team-1"}
    assert supply.pods_running == running
    assert [pods for _name, pods, *_rest in in_use(supply)][:3] == [2, 3, 2]
    server.pods += [pod(33, "n2", labels=unmarked)]
    assert (await surveyed(server, exact_pods=exact_pods)).supply.pods_running == running + 1


async def test_a_server_that_does_not_say_how_many_pods_there_are_is_read_whole():
    server = uniform(nodes=10)
    server.says_how_many = False
    supply = (await surveyed(server, exact_pods=0)).supply
    assert (supply.pods_counted, supply.pods_running, supply.pods_estimated) == (True, 20, "")


async def test_an_estimate_without_nodes_still_has_the_number_of_pods():
    server = uniform(nodes=10)
    server.forbidden = {"/api/v1/nodes"}
    supply = (await surveyed(server, exact_pods=0)).supply
    assert (supply.nodes, supply.pods_running) == (None, 20)
    assert supply.pods_estimated == "20 pods counted, finished ones included"


async def test_a_sample_of_which_nothing_was_read_in_time_is_no_data():
    server = uniform(nodes=4)
    server.silent = {f"n{number}" for number in range(4)}
    supply = (await surveyed(server, exact_pods=0, budget_seconds=0.2)).supply
    assert (supply.pods_counted, supply.pods_estimated) == (False, "")
    assert supply.unread["pods"] == "8 pods, of which a sample was not read in 0.2 s"
    assert supply.pods_running == 8


async def test_a_node_whose_pods_were_not_read_in_time_is_left_out_whole():
    server = uniform(nodes=4)
    server.silent = {"n1", "n3"}
    async with cluster_on(server.handle) as cluster:
        reading = SampleReading(cluster, "mine")
        asked = asyncio.create_task(reading.nodes(map(node_of, server.nodes)))
        while len(reading.used) < 2:
            await asyncio.sleep(0.001)
        asked.cancel()
        with suppress(asyncio.CancelledError):
            await asked
    assert sorted(reading.used) == ["n0", "n2"]
    assert reading.used["n0"].pods == 2


async def test_an_error_of_the_server_in_an_estimate_ends_the_reading(monkeypatch):
    server = uniform(nodes=4)
    list_pods = server.list_pods

    async def refusing(query: dict[str, str]) -> web.StreamResponse:
        sampled = "nodeName" in query.get("fieldSelector", "")
        return status(400, message="no such selector") if sampled else await list_pods(query)

    monkeypatch.setattr(server, "list_pods", refusing)
    with pytest.raises(Invalid, match="no such selector"):
        await surveyed(server, exact_pods=0)


SOME = {"there": 100_000, "nodes": 2000, "sampled": 50, "read": 50, "own_known": True, "budget_seconds": 5.0}
WHOLE = "estimated from 50 of 2,000 nodes; 100,000 pods counted, finished ones included"


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({}, WHOLE),
        (
            {"read": 31},
            "estimated from 31 of 2,000 nodes (19 more not read in 5 s); 100,000 pods counted, finished ones included",
        ),
        ({"own_known": False}, f"{WHOLE}, and those of earlier attempts of this run"),
        ({"nodes": 0, "sampled": 0, "read": 0}, "100,000 pods counted, finished ones included"),
    ],
)
def test_an_estimate_says_how_it_was_made(changed, text):
    assert how_estimated(**{**SOME, **changed}) == text
