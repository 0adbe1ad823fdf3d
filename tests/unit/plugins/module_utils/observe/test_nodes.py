"""Kubelets beside a load: asked only where the run's pods are, within a budget, and without harm where none tells."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from ansible_collections.kubestress.core.plugins.module_utils.measure.pods import PodBook
from ansible_collections.kubestress.core.plugins.module_utils.observe import nodes as room
from ansible_collections.kubestress.core.plugins.module_utils.observe.nodes import NodePart
from helpers.fake_server import cluster_on, status

ENDPOINT = {"daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}}}
REAL = {"metadata": {"name": "n"}, "status": ENDPOINT}
SIMULATED = {"metadata": {"name": "n", "annotations": {"kwok.x-k8s.io/node": "fake"}}, "status": ENDPOINT}
POD = 'id="/kubepods/pod0f0c1c4e-6a55-4c55-9b0a-0d4c6d5a9b11",namespace="ns",pod="build"'
THREADS = f"container_threads{{{POD}}} 640\ncontainer_threads_max{{{POD}}} 1024\n"
RBAC = 'nodes "n" is forbidden: User "u" cannot get resource "nodes/proxy"'


def condition(kind: str, state: str, since: str) -> dict[str, str]:
    return {"type": kind, "status": state, "reason": f"Kubelet{kind}", "lastTransitionTime": since}


class World:
    """Nodes with a kubelet each, and the pods that the load knows of.

    `asked` counts by (node, endpoint); the Node itself is "node".
    """

    def __init__(self, *, node: dict[str, Any] | None = REAL) -> None:
        self.node: Callable[[str], dict[str, Any] | None] = lambda _name: node
        self.pods = PodBook()
        self.asked: Counter[tuple[str, str]] = Counter()
        self.cgroups: Callable[[], web.StreamResponse] = lambda: web.Response(text=THREADS)
        self.changed = asyncio.Condition()
        self.answer: Callable[[str], web.StreamResponse] = self.counting
        self.configuration: Callable[[], web.StreamResponse] = lambda: web.json_response(
            {"kubeletconfig": {"podPidsLimit": 4096}}
        )

    def run_pod(self, name: str, node: str, *, owner: str = "Job", phase: str = "Running") -> None:
        owners = [{"kind": owner, "name": "build", "controller": True}]
        metadata = {"name": name, "namespace": "ns", "uid": name, "ownerReferences": owners}
        self.pods.observe("ADDED", {"metadata": metadata, "spec": {"nodeName": node}, "status": {"phase": phase}})

    def counting(self, node: str) -> web.Response:
        pods = [
            {"podRef": {"namespace": "ns", "name": name, "uid": name}, "process_stats": {"process_count": count}}
            for name, count in ((f"{node}-build", 72), (f"{node}-system", 500))
        ]
        figures = {
            "rlimit": {"maxpid": 32768, "curproc": 1000},
            "cpu": {"usageNanoCores": 1_500_000_000},
            "memory": {"workingSetBytes": 4096},
        }
        return web.json_response({"node": figures, "pods": pods})

    def of(self, endpoint: str) -> Counter[str]:
        return Counter({node: count for (node, what), count in self.asked.items() if what == endpoint})

    @property
    def summaries(self) -> Counter[str]:
        return self.of("summary")

    async def handle(self, request: web.Request) -> web.StreamResponse:
        words = request.path.strip("/").split("/")
        endpoint = words[-1] if len(words) > 4 else "node"
        async with self.changed:
            self.asked[words[3], endpoint] += 1
            self.changed.notify_all()
        if endpoint == "summary":
            return self.answer(words[3])
        if endpoint == "cadvisor":
            return self.cgroups()
        if endpoint == "configz":
            return self.configuration()
        node = self.node(words[3])
        return web.json_response(node) if node else status(403, reason="Forbidden", message="nodes")

    async def until(self, met: Callable[[], bool]) -> None:
        async with asyncio.timeout(120), self.changed:
            await self.changed.wait_for(met)


async def rounds(part: NodePart, number: int) -> None:
    """Wait until the part has begun so many more rounds, for what must not happen in them."""
    until = part._round + number
    async with asyncio.timeout(120):
        while part._round < until:
            await asyncio.sleep(0.005)


@asynccontextmanager
async def observing(world: World, *, interval_seconds: float = 0.01, **more: Any) -> AsyncIterator[NodePart]:
    """Yield a part at work; it is ended as an observer ends it."""
    async with cluster_on(world.handle) as cluster:
        part = NodePart(cluster, world.pods, interval_seconds=interval_seconds, started=time.monotonic(), **more)
        await part.begin()
        task = asyncio.create_task(part.run())
        try:
            yield part
        finally:
            task.cancel()
            (result,) = await asyncio.gather(task, return_exceptions=True)
            await part.end()
            assert result is None or isinstance(result, asyncio.CancelledError), result


def nodes(part: NodePart) -> dict[str, Any]:
    """Return `nodes` of the document, which must be JSON."""
    return json.loads(json.dumps(part.document(), allow_nan=False))["nodes"]


def processes(part: NodePart) -> dict[str, Any]:
    return part.document()["processes"]["per_build_pod"]


def row(part: NodePart, name: str) -> dict[str, Any]:
    return next(row for row in nodes(part)["nodes"] if row["name"] == name)


# --- figures ----------------------------------------------------------------------------------------------------------


async def test_build_pods_are_counted_and_other_pods_are_not():
    world = World()
    for node in ("n1", "n2"):
        world.run_pod(f"{node}-build", node)
    async with observing(world) as part:
        await world.until(lambda: min(world.summaries[node] for node in ("n1", "n2")) >= 4)
    found = processes(part)
    assert (found["min"], found["median"], found["max"], found["source"]) == (72, 72, 72, "kubelet")
    assert found["plateaus"] == {"72": 2}
    assert found["samples"] >= 6


async def test_what_a_node_told_is_in_its_row_and_its_series():
    world = World()
    world.run_pod("n1-build", "n1")
    async with observing(world) as part:
        await world.until(lambda: world.summaries["n1"] >= 4)
    found = nodes(part)
    assert (found["source"], found["cause"], found["not_asked"], found["left_off"]) == ("kubelet", None, 0, 0)
    assert found["requests"] == world.asked.total()
    (told,) = found["nodes"]
    assert told.pop("samples") >= 3
    assert told == {
        "name": "n1", "simulated": False, "cause": None, "max_threads": 32768, "threads_peak": 1000,
        "pod_pids_limit": 4096, "pod_pids_limit_cause": None, "pod_processes_peak": 500,
        "pod_threads_peak": 640, "pod_threads_cause": None,
        "build_pods_peak": 1, "threads_low": 1000,
        "cpu_cores_peak": 1.5, "memory_bytes_peak": 4096, "pods_peak": 2, "conditions": None, "conditions_cause": None,
    }  # fmt: skip
    (series,) = found["series"]
    assert series["node"] == "n1"
    assert series["t"] == sorted(series["t"])
    assert {series[name][0] for name in ("threads", "memory_bytes", "pods")} == {1000, 4096, 2}
    assert world.of("configz") == {"n1": 1}


async def test_nodes_without_pods_of_ours_are_never_asked():
    world = World()
    async with observing(world) as part:
        await rounds(part, 5)
    assert world.asked == {}
    assert (nodes(part)["source"], nodes(part)["nodes"]) == ("none", [])
    assert nodes(part)["cause"] == "no pod of the run was on a node"
    assert (processes(part)["source"], processes(part)["max"]) == ("none", None)


async def test_a_load_that_is_over_before_the_first_reading_is_the_cause():
    world = World()
    world.run_pod("n1-build", "n1")
    async with observing(world, interval_seconds=60) as part:
        pass
    cause = "the load ended before the first reading, which is after 60 s"
    assert nodes(part)["cause"] == processes(part)["cause"] == cause
    assert world.asked == {}


async def test_an_interval_of_nought_asks_nobody():
    world = World()
    world.run_pod("n1-build", "n1")
    async with observing(world, interval_seconds=0) as part:
        await asyncio.wait_for(part.run(), 120)
    assert world.asked == {}
    assert nodes(part)["cause"] == "not read: the interval is 0"


async def test_pods_that_are_no_jobs_are_a_reason_to_ask_too():
    world = World()
    world.run_pod("n1-web", "n1", owner="ReplicaSet")
    async with observing(world) as part:
        await world.until(lambda: world.summaries["n1"] >= 3)
    assert row(part, "n1")["threads_peak"] == 1000
    assert processes(part)["source"] == "none"
    assert processes(part)["cause"] == "no kubelet reported more than a few processes in a pod of a Job"


# --- no data ----------------------------------------------------------------------------------------------------------


async def test_simulated_nodes_are_looked_up_once_and_their_kubelets_never():
    world = World(node=SIMULATED)
    for number in range(9):
        world.run_pod(f"b{number}", f"n{number}")
    async with observing(world) as part:
        await world.until(lambda: len(world.of("node")) == 9)
        await rounds(part, 5)
    assert world.of("node") == {f"n{number}": 1 for number in range(9)}
    assert world.summaries.total() == 0
    assert processes(part)["cause"] == nodes(part)["cause"] == "n0: simulated node: it runs no processes"
    assert {(told["simulated"], told["cause"], told["threads_peak"]) for told in nodes(part)["nodes"]} == {
        (True, "simulated node: it runs no processes", None)
    }


async def test_a_real_node_is_found_behind_simulated_ones():
    world = World()
    world.node = lambda name: REAL if name == "n7" else SIMULATED
    for number in range(9):
        world.run_pod(f"n{number}-build", f"n{number}")
    async with observing(world) as part:
        await world.until(lambda: world.summaries["n7"] >= 3)
    assert processes(part)["max"] == 72


async def test_nodes_that_may_not_be_read_may_still_have_a_kubelet_that_tells():
    world = World(node=None)
    world.run_pod("n1-build", "n1")
    async with observing(world) as part:
        await world.until(lambda: world.summaries["n1"] >= 3)
    assert processes(part)["max"] == 72
    told = row(part, "n1")
    assert (told["simulated"], told["conditions"]) == (None, None)
    assert told["conditions_cause"] == "the user may not get nodes"
    assert world.of("node") == {"n1": 1}


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (lambda: status(403, reason="Forbidden", message=RBAC), "the user may not get nodes/proxy"),
        (lambda: web.Response(status=404, text="404 page not found"), "the kubelet has no stats/summary"),
        (lambda: web.Response(text="<html>"), "stats/summary: the answer is no JSON: '<html>'"),
        (lambda: web.json_response([1]), "stats/summary: the answer is JSON, but no object: list"),
        (lambda: web.Response(status=503, text="down"), "the kubelet cannot be reached: down"),
    ],
)
async def test_kubelets_that_tell_nothing_are_asked_once_and_after_five_nobody_is(answer, cause):
    world = World()
    world.answer = lambda _node: answer()
    for number in range(9):
        world.run_pod(f"n{number}-build", f"n{number}")
    async with observing(world) as part:
        await world.until(lambda: world.summaries.total() >= 5)
        await rounds(part, 3)
    assert world.summaries == {f"n{number}": 1 for number in range(5)}
    assert processes(part) == {
        "min": None, "median": None, "max": None, "plateaus": {}, "samples": 0, "source": "none",
        "cause": f"n0: {cause}",
    }  # fmt: skip
    assert (nodes(part)["source"], nodes(part)["cause"]) == ("none", f"n0: {cause}")
    assert nodes(part)["series"] == []
    for number in range(5):
        told = row(part, f"n{number}")
        assert (told["cause"], told["samples"], told["threads_peak"], told["pods_peak"]) == (cause, 0, None, None)


async def test_a_kubelet_that_never_answers_is_told_and_holds_nobody_up(monkeypatch):
    monkeypatch.setattr(room, "_TIMEOUT_SECONDS", 0.2)
    world = World()
    world.run_pod("n1-build", "n1")
    hanging = asyncio.Event()

    async def handle(request: web.Request) -> web.StreamResponse:
        if request.path.endswith("summary"):
            await hanging.wait()
        return await World.handle(world, request)

    async with cluster_on(handle) as cluster:
        part = NodePart(cluster, world.pods, interval_seconds=0.01, started=time.monotonic())
        task = asyncio.create_task(part.run())
        await rounds(part, 3)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        hanging.set()
    assert row(part, "n1")["cause"] == "no answer within 0.2 s"
    assert row(part, "n1")["samples"] == 0


@pytest.mark.parametrize(
    ("configuration", "cause"),
    [
        (lambda: status(403, reason="Forbidden", message="no"), "the kubelet refuses configz: no"),
        (lambda: web.Response(text="<html>"), "configz: the answer is no JSON: '<html>'"),
        (lambda: web.json_response({"kubeletconfig": {"podPidsLimit": -1}}), "no limit is set"),
        (lambda: web.json_response({"kubeletconfig": {}}), "the kubelet's configuration has no podPidsLimit"),
    ],
)
async def test_a_limit_that_is_not_told_has_its_cause_and_is_asked_once(configuration, cause):
    world = World()
    world.configuration = configuration
    world.run_pod("n1-build", "n1")
    async with observing(world) as part:
        await world.until(lambda: world.summaries["n1"] >= 4)
    told = row(part, "n1")
    assert (told["pod_pids_limit"], told["pod_pids_limit_cause"], told["threads_peak"]) == (None, cause, 1000)
    assert world.of("configz") == {"n1": 1}


@pytest.mark.parametrize(
    ("cgroups", "cause"),
    [
        (lambda: status(403, reason="Forbidden", message="no"), "the kubelet refuses metrics/cadvisor: no"),
        (lambda: web.Response(status=404, text="404 page not found"), "the kubelet has no metrics/cadvisor"),
        (lambda: web.Response(text="<html>"), "metrics/cadvisor: the answer is no metrics of cAdvisor"),
    ],
)
async def test_threads_of_pods_that_are_not_told_have_their_cause_and_are_asked_for_once(monkeypatch, cgroups, cause):
    monkeypatch.setattr(room, "_CGROUPS_SECONDS", 0)
    world = World()
    world.cgroups = cgroups
    world.run_pod("n1-build", "n1")
    async with observing(world) as part:
        await world.until(lambda: world.summaries["n1"] >= 4)
    told = row(part, "n1")
    assert (told["pod_threads_peak"], told["pod_threads_cause"], told["threads_peak"]) == (None, cause, 1000)
    assert world.of("cadvisor") == {"n1": 1}


async def test_nodes_are_asked_for_the_threads_of_pods_by_turns(monkeypatch):
    monkeypatch.setattr(room, "_CGROUPS_SECONDS", 0.8)
    world = World()
    for node in ("n1", "n2", "n3"):
        world.run_pod(f"{node}-build", node)
    async with observing(world) as part:
        await world.until(lambda: world.of("cadvisor").total() >= 6)
    assert max(world.of("cadvisor").values()) - min(world.of("cadvisor").values()) <= 1
    assert {told["pod_threads_peak"] for told in nodes(part)["nodes"]} == {640}
    assert world.of("cadvisor").total() < world.summaries.total()


async def test_a_kubelet_that_does_not_count_yet_is_asked_again():
    world = World()
    world.run_pod("n1-build", "n1")
    world.answer = lambda node: (
        world.counting(node) if world.summaries[node] > 3 else web.json_response({"node": {}, "pods": []})
    )
    async with observing(world) as part:
        await world.until(lambda: world.summaries["n1"] >= 8)
    assert processes(part)["max"] == 72
    assert (nodes(part)["cause"], row(part, "n1")["cause"]) == (None, None)


async def test_one_silent_node_among_others_is_left_alone():
    world = World()
    for node in ("n1", "n2"):
        world.run_pod(f"{node}-build", node)
    world.answer = lambda node: web.Response(status=503) if node == "n1" else world.counting(node)
    async with observing(world) as part:
        await world.until(lambda: world.summaries["n2"] >= 8)
    assert 1 <= world.summaries["n1"] <= 2
    assert processes(part)["plateaus"] == {"72": 1}
    assert row(part, "n1")["cause"].startswith("the kubelet cannot be reached")
    assert nodes(part)["cause"] is None


async def test_a_kubelet_that_told_and_misses_its_moment_is_asked_again_soon():
    """As on a machine under load, which is just when there is something to be seen."""
    world = World()
    world.run_pod("n1-build", "n1")
    world.answer = lambda node: world.counting(node) if world.summaries[node] % 3 else web.Response(status=503)
    async with observing(world) as part:
        await world.until(lambda: world.summaries["n1"] >= 9)
        assert part._round < world.summaries["n1"] + room._SKIPPED_ROUNDS
    assert row(part, "n1")["samples"] >= 6


# --- the budget -------------------------------------------------------------------------------------------------------


async def test_many_nodes_take_turns_within_the_budget():
    world = World()
    for number in range(20):
        world.run_pod(f"n{number}-build", f"n{number}")
    async with observing(world) as part:
        await world.until(lambda: world.summaries.total() >= 50)
        # One a round at this interval and this little load.
        assert world.asked.total() <= part._round + 3
    assert max(world.summaries.values()) - min(world.summaries.values()) <= 1
    assert processes(part)["plateaus"] == {"72": 20}


async def test_a_larger_load_pays_for_more_nodes_of_which_jobs_have_two_thirds():
    world = World()
    for number in range(20):
        world.run_pod(f"j{number:02}-build", f"j{number:02}")
        world.run_pod(f"w{number:02}-web", f"w{number:02}", owner="ReplicaSet")
    async with cluster_on(world.handle) as cluster:
        part = NodePart(cluster, world.pods, interval_seconds=5, started=time.monotonic())
        for node in world.pods.nodes_of_pods():
            known = part._nodes[node] = room._Node(room.NodeLoad(name=node, samples=1), read_at=time.monotonic())
            known.configured = True
        cluster.traffic.requests += 900
        chosen = part._chosen(part._budget())
        assert (len([n for n in chosen if n[0] == "j"]), len([n for n in chosen if n[0] == "w"])) == (6, 3)
        assert part._budget() == 5, "nothing was sent meanwhile: one a second"
        part._parsed, part._parse_seconds = 10, 0.25
        assert part._budget() == 2, "each answer costs 25 ms, and 1 % of 5 s is 50 ms"
        part._overdrawn = 3
        assert part._chosen(part._budget()) == []


async def test_what_a_round_made_too_many_the_next_ones_make_less():
    world = World()
    world.run_pod("n1-build", "n1")
    async with observing(world, interval_seconds=0.05) as part:
        await world.until(lambda: world.summaries["n1"] >= 5)
        # Its Node, its summary and its configuration: three requests where a round has one.
        assert part._round >= world.asked.total()


async def test_simulated_nodes_do_not_hide_a_real_one_for_long():
    world = World()
    world.node = lambda name: REAL if name == "n19" else SIMULATED
    for number in range(20):
        world.run_pod(f"n{number:02}-build", f"n{number:02}")
    async with cluster_on(world.handle) as cluster:
        part = NodePart(cluster, world.pods, interval_seconds=10, started=time.monotonic())
        async with part._proxy() as proxy:
            await part._search(proxy, 10)
            assert len(world.of("node")) == 10
            part._round += 1
            await part._search(proxy, 20)
    assert row(part, "n19")["threads_peak"] == 1000


async def test_rows_and_series_are_bounded_and_the_highest_peaks_stay(monkeypatch):
    monkeypatch.setattr(room, "MAX_ROWS", 3)
    monkeypatch.setattr(room, "MAX_SERIES", 2)
    world = World()
    for number in range(6):
        world.run_pod(f"n{number}-build", f"n{number}")
    world.answer = lambda node: web.json_response({"node": {"rlimit": {"maxpid": 100, "curproc": 10 + int(node[1])}}})
    world.cgroups = lambda: web.Response(status=404)
    async with observing(world) as part:
        await world.until(lambda: len(world.of("configz")) == 6)
    found = nodes(part)
    assert [told["name"] for told in found["nodes"]] == ["n5", "n4", "n3"]
    assert [told["node"] for told in found["series"]] == ["n5", "n4"]
    assert found["left_off"] == 3


async def test_nodes_beyond_the_budget_are_counted():
    world = World()
    for number in range(20):
        world.run_pod(f"n{number}-build", f"n{number}")
    async with observing(world, interval_seconds=0.2) as part:
        await world.until(lambda: world.summaries.total() >= 1)
    found = nodes(part)
    assert found["not_asked"] == 20 - len(found["nodes"]) > 0


# --- conditions -------------------------------------------------------------------------------------------------------


async def test_pressure_is_told_with_its_times_and_once_more_read_at_the_end():
    world = World()
    world.run_pod("n1-build", "n1")
    state = ["True", "2026-01-01T00:00:10Z"]
    world.node = lambda _name: {
        **REAL, "status": {**ENDPOINT, "conditions": [condition("PIDPressure", *state)]},
    }  # fmt: skip
    async with observing(world) as part:
        await world.until(lambda: world.summaries["n1"] >= 2)
        assert row(part, "n1")["conditions"][0]["to"] is None
        state[:] = ["False", "2026-01-01T00:00:50Z"]
    assert row(part, "n1")["conditions"] == [
        {"type": "PIDPressure", "status": "True", "reason": "KubeletPIDPressure", "from": "2026-01-01T00:00:10Z",
         "to": "2026-01-01T00:00:50Z"},
    ]  # fmt: skip
    assert world.of("node") == {"n1": 2}


async def test_conditions_are_read_also_where_no_kubelet_tells_anything(monkeypatch):
    monkeypatch.setattr(room, "_NODE_AGAIN_SECONDS", 0.05)
    world = World()
    world.answer = lambda _node: status(403, reason="Forbidden", message=RBAC)
    lost = {**REAL, "status": {**ENDPOINT, "conditions": [condition("Ready", "Unknown", "2026-01-01T00:00:10Z")]}}
    world.node = lambda _name: lost
    world.run_pod("n1-build", "n1")
    async with observing(world) as part:
        await world.until(lambda: world.of("node")["n1"] >= 3)
    (period,) = row(part, "n1")["conditions"]
    assert (period["type"], period["status"], period["to"]) == ("Ready", "Unknown", None)
    assert world.summaries["n1"] == 1


async def test_a_fault_is_the_parts_own_and_leaves_its_document():
    world = World()
    world.run_pod("n1-build", "n1")
    async with cluster_on(world.handle) as cluster:
        part = NodePart(cluster, world.pods, interval_seconds=0.01, started=time.monotonic())

        def fault(_uid: str) -> bool:
            raise ZeroDivisionError("a fault")

        part._sampler._is_build_pod = fault
        with pytest.raises(ZeroDivisionError):
            await asyncio.wait_for(part.run(), 120)
    assert row(part, "n1")["threads_peak"] == 1000
