"""Sampling beside a batch: only where build pods run, within its budget, and without harm where nothing is told."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from ansible_collections.kubestress.core.plugins.module_utils.load.sampling import ProcessSampling
from ansible_collections.kubestress.core.plugins.module_utils.measure.pods import PodBook
from helpers.fake_server import cluster_on, status

REAL = {"metadata": {"name": "n"}, "status": {"daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}}}}
SIMULATED = {"metadata": {"name": "n", "annotations": {"kwok.x-k8s.io/node": "fake"}}, "status": REAL["status"]}
RBAC = 'nodes "n" is forbidden: User "u" cannot get resource "nodes/proxy"'


class World:
    """Nodes with a kubelet each, and the build pods that the batch knows of."""

    def __init__(self, *, node: dict[str, Any] | None = REAL) -> None:
        self.node = node
        self.pods = PodBook()
        self.asked: Counter[str] = Counter()
        self.summaries: Counter[str] = Counter()
        self.changed = asyncio.Condition()
        self.answer: Callable[[str], web.StreamResponse] = self.counting

    def run_pod(self, name: str, node: str) -> None:
        owner = {"kind": "Job", "name": "build", "controller": True}
        metadata = {"name": name, "namespace": "ns", "uid": name, "ownerReferences": [owner]}
        self.pods.observe("ADDED", {"metadata": metadata, "spec": {"nodeName": node}, "status": {"phase": "Running"}})

    def counting(self, node: str) -> web.Response:
        pods = [
            {"podRef": {"namespace": "ns", "name": name, "uid": name}, "process_stats": {"process_count": count}}
            for name, count in ((f"{node}-build", 72), (f"{node}-system", 500))
        ]
        return web.json_response({"node": {}, "pods": pods})

    async def handle(self, request: web.Request) -> web.StreamResponse:
        words = request.path.strip("/").split("/")
        async with self.changed:
            (self.summaries if words[-1] == "summary" else self.asked)[words[3]] += 1
            self.changed.notify_all()
        if words[-1] == "summary":
            return self.answer(words[3])
        return web.json_response(self.node) if self.node else status(403, reason="Forbidden", message="nodes")

    async def until(self, met: Callable[[], bool]) -> None:
        async with asyncio.timeout(20), self.changed:
            await self.changed.wait_for(met)


@asynccontextmanager
async def sampling(world: World, *, interval_seconds: float = 0.01) -> AsyncIterator[tuple[ProcessSampling, Any]]:
    """Yield the sampling and its task, which is cancelled as a batch does at its end."""
    async with cluster_on(world.handle) as cluster:
        sampled = ProcessSampling(cluster, world.pods, interval_seconds=interval_seconds)
        task = asyncio.create_task(sampled.run())
        try:
            yield sampled, task
        finally:
            task.cancel()
            (result,) = await asyncio.gather(task, return_exceptions=True)
            assert result is None or isinstance(result, asyncio.CancelledError), result


async def test_build_pods_are_counted_and_other_pods_are_not():
    world = World()
    for node in ("n1", "n2"):
        world.run_pod(f"{node}-build", node)
    async with sampling(world) as (sampled, _task):
        await world.until(lambda: min(world.summaries[node] for node in ("n1", "n2")) >= 4)
    found = sampled.figures()["per_build_pod"]
    assert (found["min"], found["median"], found["max"], found["source"]) == (72, 72, 72, "kubelet")
    assert found["plateaus"] == {"72": 2}
    assert found["samples"] >= 6
    assert world.asked == {"n1": 1, "n2": 1}
    assert sampled.requests == world.asked.total() + world.summaries.total()


async def test_nodes_without_build_pods_are_never_asked():
    world = World()
    async with sampling(world) as (sampled, _task):
        await asyncio.sleep(0.1)  # there is nothing that could be waited for
    assert (world.asked, world.summaries) == ({}, {})
    assert sampled.figures()["per_build_pod"]["source"] == "none"
    assert "cause" not in sampled.figures()["per_build_pod"]


async def test_simulated_nodes_cost_one_request_each_and_after_five_none():
    world = World(node=SIMULATED)
    for number in range(9):
        world.run_pod(f"b{number}", f"n{number}")
    async with sampling(world) as (sampled, task):
        await asyncio.wait_for(task, 20)
    assert (world.asked.total(), world.summaries.total()) == (5, 0)
    found = sampled.figures()["per_build_pod"]
    assert (found["samples"], found["source"]) == (0, "none")
    assert found["cause"] == "n0: simulated node: it runs no processes"


async def test_nodes_that_may_not_be_read_may_still_have_a_kubelet_that_tells():
    world = World(node=None)
    world.run_pod("n1-build", "n1")
    async with sampling(world) as (sampled, _task):
        await world.until(lambda: world.summaries["n1"] >= 3)
    assert sampled.figures()["per_build_pod"]["max"] == 72


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (lambda: status(403, reason="Forbidden", message=RBAC), "n0: the user may not get nodes/proxy"),
        (lambda: web.Response(status=404, text="404 page not found"), "n0: the kubelet has no stats/summary"),
        (lambda: web.Response(text="<html>"), "n0: stats/summary: the answer is no JSON: '<html>'"),
        (lambda: web.Response(status=503, text="down"), "n0: the kubelet cannot be asked: down"),
    ],
)
async def test_kubelets_that_tell_nothing_are_asked_once_and_after_five_nobody_is(answer, cause):
    world = World()
    world.answer = lambda _node: answer()
    for number in range(9):
        world.run_pod(f"n{number}-build", f"n{number}")
    async with sampling(world) as (sampled, task):
        await asyncio.wait_for(task, 20)
    assert world.summaries == {f"n{number}": 1 for number in range(5)}
    assert sampled.figures()["per_build_pod"] == {
        "min": None, "median": None, "max": None, "plateaus": {}, "samples": 0, "source": "none", "cause": cause,
    }  # fmt: skip


async def test_a_kubelet_that_does_not_count_yet_is_asked_again():
    world = World()
    world.run_pod("n1-build", "n1")
    world.answer = lambda node: (
        world.counting(node) if world.summaries[node] > 3 else web.json_response({"node": {}, "pods": []})
    )
    async with sampling(world) as (sampled, _task):
        await world.until(lambda: world.summaries["n1"] >= 8)
    assert sampled.figures()["per_build_pod"]["max"] == 72
    assert "cause" not in sampled.figures()["per_build_pod"]


async def test_one_silent_node_among_others_is_left_alone():
    world = World()
    for node in ("n1", "n2"):
        world.run_pod(f"{node}-build", node)
    world.answer = lambda node: web.Response(status=503) if node == "n1" else world.counting(node)
    async with sampling(world) as (sampled, _task):
        await world.until(lambda: world.summaries["n2"] >= 10)
    assert world.summaries["n1"] == 1
    assert sampled.figures()["per_build_pod"]["plateaus"] == {"72": 1}


async def test_many_nodes_take_turns_within_the_budget():
    world = World()
    for number in range(20):
        world.run_pod(f"n{number}-build", f"n{number}")
    async with sampling(world, interval_seconds=0.01) as (sampled, _task):
        await world.until(lambda: world.summaries.total() >= 50)
    # One a round at this interval and this little load, each as often as the others.
    assert max(world.summaries.values()) - min(world.summaries.values()) <= 1
    assert sampled.figures()["per_build_pod"]["plateaus"] == {"72": 20}


async def test_a_fault_of_the_sampling_is_a_warning_and_the_batch_goes_on():
    world = World()
    world.run_pod("n1-build", "n1")
    async with cluster_on(world.handle) as cluster:
        sampled = ProcessSampling(cluster, world.pods, interval_seconds=0.01)

        def fault(_uid: str) -> bool:
            raise ZeroDivisionError("a fault")

        sampled._sampler._is_build_pod = fault
        async with sampled.beside(wanted=True) as task:
            await asyncio.wait([task], timeout=20)
    assert sampled.warnings == ["processes were no longer counted after a fault: ZeroDivisionError('a fault')"]


async def test_a_sampling_that_is_not_wanted_asks_nobody():
    world = World()
    world.run_pod("n1-build", "n1")
    async with cluster_on(world.handle) as cluster:
        sampled = ProcessSampling(cluster, world.pods, interval_seconds=0.001)
        async with sampled.beside(wanted=False):
            await asyncio.sleep(0.05)
    assert (world.asked, sampled.warnings) == ({}, [])
