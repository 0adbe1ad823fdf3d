"""Whole batches in simulated time that their guard stops, warns or leaves alone; what happens is put into the API."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.cluster.discovery import Discovery
from ansible_collections.kubestress.core.plugins.module_utils.cluster.limits import Limits
from ansible_collections.kubestress.core.plugins.module_utils.guard.arguments import Thresholds
from ansible_collections.kubestress.core.plugins.module_utils.load.batch import Batch
from ansible_collections.kubestress.core.plugins.module_utils.load.batch_module import failure_reasons
from ansible_collections.kubestress.core.plugins.module_utils.load.opened import BatchSettings, OpenedCluster
from ansible_collections.kubestress.core.plugins.module_utils.plan.fragment import Context, Fragment, parse_fragments
from helpers.batches import NAMESPACES, config_maps, jobs
from helpers.memory_api import MemoryApi, MemoryCluster, failure
from helpers.simulated_cluster import SimulatedCluster
from helpers.virtual_time import in_virtual_time

Happening = Callable[[SimulatedCluster], Coroutine[Any, Any, None]]
FIRST_SIGN = functools.partial(Thresholds, window_seconds=60)


def plan(*fragments: dict[str, Any]) -> list[Fragment]:
    return parse_fragments(list(fragments), Context(run_id="r"))


async def batch_on(
    cluster: MemoryCluster, fragments: list[Fragment], thresholds: Thresholds | None, *, qps: float = 0.0, **more: Any
) -> Batch:
    """A batch in two namespaces."""
    limits = Limits(max_in_flight=50, per_second=qps)
    cluster.admission = lambda: limits
    opened = OpenedCluster(cluster, Discovery(cluster), limits)
    settings = BatchSettings(auth={}, run_id="r", namespaces=["n-1", "n-2"], guard=thresholds, **more)
    return Batch(settings, fragments, **await opened.parts_for(fragments))


async def run(
    happening: Happening, thresholds: Thresholds | None, fragments: list[Fragment] | None = None, **options: Any
) -> tuple[dict[str, Any], SimulatedCluster]:
    """Twenty Jobs of three pods, one at a time in each of two namespaces, with something happening beside them."""
    simulated = SimulatedCluster(MemoryApi())
    if fragments is None:
        fragments = plan(NAMESPACES, jobs(20, parallelism=3, completions=3, active=1))
    async with MemoryCluster(simulated.api, outage_limit_seconds=300) as cluster:
        batch = await batch_on(cluster, fragments, thresholds, **options)
        beside = asyncio.create_task(happening(simulated))
        try:
            return await batch.run(), simulated
        finally:
            beside.cancel()


async def nothing(_simulated: SimulatedCluster) -> None:
    """Nothing happens."""


def one_job() -> list[Fragment]:
    """A plan that is done in a minute."""
    return plan(NAMESPACES, jobs(1, parallelism=3, completions=3))


def figures(document: dict[str, Any]) -> dict[str, float | None]:
    return {row["name"]: row["peak"] for row in document["guard"]["signs"]}


def first_pod(simulated: SimulatedCluster, *, phase: str = "Running") -> dict[str, Any]:
    pods = simulated.api.objects["pods"].values()
    return next(pod for pod in pods if (pod.get("status") or {}).get("phase") == phase)


def put_status(simulated: SimulatedCluster, status: dict[str, Any], **metadata: Any) -> None:
    pod = first_pod(simulated)
    simulated.api.put("pods", {**pod, "metadata": {**pod["metadata"], **metadata}, "status": status})


def waits(reason: str, message: str = "") -> dict[str, Any]:
    state = {"waiting": {"reason": reason, "message": message}}
    return {"phase": "Pending", "containerStatuses": [{"name": "build", "restartCount": 0, "state": state}]}


def ended(reason: str, code: int, message: str = "") -> dict[str, Any]:
    state = {"terminated": {"reason": reason, "exitCode": code, "message": message}}
    return {"phase": "Failed", "containerStatuses": [{"name": "build", "restartCount": 0, "state": state}]}


RESTARTED = {
    "phase": "Running",
    "containerStatuses": [
        {
            "name": "build",
            "restartCount": 1,
            "state": {"running": {}},
            "lastState": {"terminated": {"reason": "Error", "exitCode": 1}},
        }
    ],
}
FORK = "sh: can't fork: Resource temporarily unavailable"


@pytest.mark.parametrize(
    ("sign", "status", "cause"),
    [
        ("image_pulls", waits("ErrImagePull", "no such host"), "ErrImagePull 1; first Pod n-"),
        ("image_pulls", waits("InvalidImageName"), "InvalidImageName 1; first Pod n-"),
        ("crashes", waits("CreateContainerConfigError", "no secret"), "CreateContainerConfigError 1; first Pod n-"),
        ("crashes", RESTARTED, "restarted after Error 1; first Pod n-"),
        ("fork_failures", waits("RunContainerError", "fork/exec /runc: resource temporarily unavailable"), "fork fail"),
        ("fork_failures", ended("Error", 2, FORK), "fork failed 1; first Pod n-"),
        ("failed_pods", ended("OOMKilled", 137), "OOMKilled 1; first Pod n-"),
        ("evictions", {"phase": "Failed", "reason": "Evicted", "message": "low on pids"}, "Evicted 1; first Pod n-"),
    ],
)
@in_virtual_time
async def test_a_pod_in_trouble_stops_a_run_at_once(sign: str, status: dict[str, Any], cause: str) -> None:
    before: list[int] = []

    async def happening(simulated: SimulatedCluster) -> None:
        await asyncio.sleep(100)
        before.append(simulated.api.requests["POST", "jobs"])
        put_status(simulated, status)

    document, simulated = await run(happening, FIRST_SIGN(of_signs={sign: 1}))
    assert simulated.api.requests["POST", "jobs"] == before[0]
    assert document["stopped_by"] == "guard"
    assert document["guard"]["stopped"]["sign"] == sign
    assert document["guard"]["stopped"]["cause"].startswith(cause)
    assert 99 < document["seconds"] < 102
    assert document["aborted"].startswith("guard: ")
    assert f"(guard_{sign}); {cause}" in failure_reasons(document)[0]
    # What was measured until then is there.
    assert document["requests"]["create"]["Job"]["count"] == before[0]


@pytest.mark.parametrize(
    "status",
    [
        pytest.param(waits("ContainerCreating"), id="its turn has not come"),
        pytest.param(waits("CrashLoopBackOff"), id="a crash loop is counted by its restarts"),
        pytest.param(ended("Error", 143), id="somebody deletes it"),
    ],
)
@in_virtual_time
async def test_what_is_no_sign(status: dict[str, Any]) -> None:
    async def happening(simulated: SimulatedCluster) -> None:
        await asyncio.sleep(10)
        put_status(simulated, status, **({"deletionTimestamp": "now"} if status["phase"] == "Failed" else {}))

    signs = dict.fromkeys(("failed_pods", "image_pulls", "crashes", "evictions", "fork_failures"), 1)
    document, _simulated = await run(happening, FIRST_SIGN(of_signs=signs), one_job())
    assert (document["stopped_by"], document["jobs"]["complete"]) == (None, 2)
    assert {row["name"]: row["peak"] for row in document["guard"]["signs"] if row["threshold"]} == dict.fromkeys(
        signs, 0
    ) | {"fork_failures": None}


@in_virtual_time
async def test_a_pod_that_tries_to_pull_its_image_again_and_again_counts_once() -> None:
    async def happening(simulated: SimulatedCluster) -> None:
        await asyncio.sleep(10)
        pod = first_pod(simulated)
        for reason in ("ErrImagePull", "ImagePullBackOff", "ErrImagePull", "ImagePullBackOff"):
            simulated.api.put("pods", {**pod, "status": waits(reason)})
            await asyncio.sleep(1)

    document, _simulated = await run(happening, FIRST_SIGN(of_signs={"image_pulls": 2}), one_job())
    assert document["stopped_by"] is None
    assert figures(document)["image_pulls"] == 1


@in_virtual_time
async def test_pods_that_are_meant_to_be_killed_do_not_count_as_crashed() -> None:
    meant = jobs(1, parallelism=3, completions=3)
    fragments = [*plan(NAMESPACES), *(replace(one, expect="restarts") for one in plan(meant))]

    async def happening(simulated: SimulatedCluster) -> None:
        await asyncio.sleep(10)
        put_status(simulated, RESTARTED)

    document, _simulated = await run(happening, FIRST_SIGN(of_signs={"crashes": 1}), fragments)
    assert document["stopped_by"] is None
    assert document["pods"]["restarts"] == 1


@in_virtual_time
async def test_a_job_that_fails_stops_a_run() -> None:
    body = jobs(20, parallelism=1, completions=1, active=1)
    body["steps"][0][0]["definition"]["spec"]["activeDeadlineSeconds"] = 5
    document, simulated = await run(nothing, FIRST_SIGN(of_signs={"failed_jobs": 1}), plan(NAMESPACES, body))
    assert document["guard"]["stopped"]["cause"].startswith("Job n-")
    assert "DeadlineExceeded" in document["aborted"]
    assert simulated.api.requests["POST", "jobs"] == 2


@in_virtual_time
async def test_what_failed_in_an_earlier_attempt_is_no_sign() -> None:
    """The same run again: its failed Jobs and pods are still there, and are listed."""
    simulated = SimulatedCluster(MemoryApi())
    body = jobs(1, parallelism=2, completions=2)
    body["steps"][0][0]["definition"]["spec"]["activeDeadlineSeconds"] = 5
    async with MemoryCluster(simulated.api) as cluster:
        for thresholds in (None, FIRST_SIGN(of_signs=dict.fromkeys(("failed_jobs", "failed_pods"), 1))):
            document = await (await batch_on(cluster, plan(NAMESPACES, body), thresholds)).run()
    assert document["jobs"]["failed"] == 2
    assert (document["stopped_by"], figures(document)["failed_pods"], figures(document)["failed_jobs"]) == (None, 0, 0)


# --- nodes ------------------------------------------------------------------------------------------------------------


def node(name: str, **conditions: str) -> dict[str, Any]:
    rows = [{"type": kind, "status": status} for kind, status in ({"Ready": "True"} | conditions).items()]
    return {"metadata": {"name": name}, "status": {"conditions": rows}}


@pytest.mark.parametrize(
    ("name", "conditions", "stopped"),
    [
        ("n-1", {"Ready": "Unknown"}, "lost_nodes"),
        ("n-1", {"PIDPressure": "True"}, "pressured_nodes"),
        ("n-1", None, "lost_nodes"),
        ("of others", {"Ready": "Unknown"}, None),
        ("of others", None, None),
    ],
)
@in_virtual_time
async def test_a_node_stops_a_run_if_pods_of_it_are_there(
    name: str, conditions: dict[str, str] | None, stopped: str | None
) -> None:
    async def happening(simulated: SimulatedCluster) -> None:
        simulated.api.put("nodes", node(name))
        await asyncio.sleep(10)
        if conditions is None:
            simulated.api.remove("nodes", name)
        else:
            simulated.api.put("nodes", node(name, **conditions))

    signs = {"lost_nodes": 1, "pressured_nodes": 1}
    document, _simulated = await run(happening, FIRST_SIGN(of_signs=signs), one_job())
    assert (document["guard"]["stopped"] or {}).get("sign") == stopped
    assert document["stopped_by"] == ("guard" if stopped else None)
    if stopped:
        assert 9 < document["seconds"] < 12
        assert document["guard"]["stopped"]["cause"].startswith("n-1: ")


@in_virtual_time
async def test_without_the_right_to_watch_nodes_a_run_goes_on_and_says_so() -> None:
    async def happening(simulated: SimulatedCluster) -> None:
        simulated.api.refuse = lambda _method, path: failure(403, "Forbidden", "no") if "/nodes" in path else None

    document, _simulated = await run(happening, FIRST_SIGN(of_signs={"lost_nodes": 1, "failed_pods": 1}), one_job())
    assert (document["stopped_by"], document["jobs"]["complete"]) == (None, 2)
    assert document["guard"]["sources"]["nodes"] == "the user may not watch nodes"
    assert figures(document)["lost_nodes"] is None


# --- events -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "message", "stopped"),
    [
        ("FailedCreatePodSandBox", "plugin failed (add): timed out", "sandbox_failures"),
        ("Failed", "fork/exec /usr/bin/runc: resource temporarily unavailable", "fork_failures"),
        ("ProvisioningFailed", "failed to provision: rpc error: code = InvalidArgument desc = no", "refused_volumes"),
        ("ProvisioningFailed", "failed to provision: rpc error: code = ResourceExhausted desc = full", None),
        ("FailedScheduling", "0/3 nodes are available", None),
        ("NodeNotReady", "Node is not ready", "lost_nodes"),
    ],
)
@in_virtual_time
async def test_events_are_signs(reason: str, message: str, stopped: str | None) -> None:
    """Who may not watch nodes hears of lost ones by the events of their pods."""
    simulated = SimulatedCluster(MemoryApi())
    signs = {"sandbox_failures": 3, "fork_failures": 3, "refused_volumes": 3, "lost_nodes": 1}
    async with MemoryCluster(simulated.api) as cluster:
        batch = await batch_on(cluster, one_job(), FIRST_SIGN(of_signs=signs))
        batch.guarding._guard.blind["nodes"] = "the user may not watch nodes"
        kind = "PersistentVolumeClaim" if reason == "ProvisioningFailed" else "Pod"
        about = {"kind": kind, "namespace": "n-1", "name": "p"}
        batch.guarding.heard({"reason": reason, "message": message, "involvedObject": about}, 3)
        assert batch.stopped_by == ("guard" if stopped else None)
        aborted = batch.aborted or ""
        assert stopped is None or (f"guard_{stopped}" in aborted and f"{kind} n-1/p: {message}" in aborted)


# --- requests and outages ---------------------------------------------------------------------------------------------


def every_second(simulated: SimulatedCluster) -> None:
    """Every second creation is refused for a while."""
    seen: list[str] = []

    def refuse(method: str, path: str) -> Any:
        seen.append(path)
        is_refused = method == "POST" and path.endswith("/configmaps") and len(seen) % 2
        return failure(503, "ServiceUnavailable", "overloaded") if is_refused else None

    simulated.api.refuse = refuse


@in_virtual_time
async def test_requests_that_are_not_served_stop_a_run() -> None:
    async def happening(simulated: SimulatedCluster) -> None:
        every_second(simulated)

    many = plan(NAMESPACES, config_maps(400))
    document, _simulated = await run(happening, FIRST_SIGN(of_signs={"api_errors": 25}), many, qps=100.0)
    stopped = document["guard"]["stopped"]
    assert (stopped["sign"], stopped["unit"]) == ("api_errors", "%")
    assert 25 <= stopped["figure"] <= 60
    assert "503 " in stopped["cause"]
    assert document["seconds"] < 5


@pytest.mark.parametrize(("signs", "stopped"), [({"api_errors": 5, "api_p99": 1}, None), ({"outage": 5}, "outage")])
@in_virtual_time
async def test_an_outage_is_sat_out_unless_it_is_a_sign_itself(signs: dict[str, float], stopped: str | None) -> None:
    async def happening(simulated: SimulatedCluster) -> None:
        await asyncio.sleep(10)
        simulated.api.refuse = lambda _method, _path: failure(503, "ServiceUnavailable", "down")
        simulated.api.cut_watches()
        await asyncio.sleep(20)
        simulated.api.refuse = lambda _method, _path: None

    body = plan(NAMESPACES, config_maps(2_000), jobs(1, parallelism=3, completions=3))
    document, _simulated = await run(happening, FIRST_SIGN(of_signs=signs), body, qps=100.0)
    assert document["outages"]["number"] == 1
    assert document["stopped_by"] == ("guard" if stopped else None)
    if stopped:
        assert 19 < document["guard"]["stopped"]["figure"] < 22
    else:
        assert document["jobs"]["complete"] == 2


@pytest.mark.parametrize(("back_after", "stopped"), [(30, None), (90, "lost_nodes")])
@in_virtual_time
async def test_a_node_that_an_outage_cut_off_is_lost_only_if_it_stays_away(
    back_after: int, stopped: str | None
) -> None:
    async def happening(simulated: SimulatedCluster) -> None:
        simulated.api.put("nodes", node("n-1"))
        await asyncio.sleep(10)
        simulated.api.refuse = lambda _method, _path: failure(503, "ServiceUnavailable", "down")
        simulated.api.cut_watches()
        await asyncio.sleep(20)
        simulated.api.refuse = lambda _method, _path: None
        simulated.api.put("nodes", node("n-1", Ready="Unknown"))
        await asyncio.sleep(back_after)
        simulated.api.put("nodes", node("n-1"))

    long = plan(NAMESPACES, jobs(20, parallelism=3, completions=3, active=1))
    document, _simulated = await run(happening, FIRST_SIGN(of_signs={"lost_nodes": 1}), long)
    assert document["outages"]["number"] == 1
    assert (document["guard"]["stopped"] or {}).get("sign") == stopped
    if stopped:
        assert 85 < document["seconds"] < 100


# --- who goes on ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("thresholds", [None, FIRST_SIGN(stops=False, of_signs={"failed_pods": 1})])
@in_virtual_time
async def test_off_or_only_warning_a_run_goes_on(thresholds: Thresholds | None) -> None:
    async def happening(simulated: SimulatedCluster) -> None:
        await asyncio.sleep(10)
        put_status(simulated, ended("OOMKilled", 137))

    document, _simulated = await run(happening, thresholds, one_job())
    assert (document["stopped_by"], document["aborted"]) == (None, None)
    assert document["pods"]["failed"] == 1
    if thresholds is None:
        assert document["guard"] is None
    else:
        assert document["guard"]["stopped"] is None
        (warning,) = document["warnings"]
        assert warning.startswith("guard: pods that failed: 1 at the peak, the threshold of guard_failed_pods is 1; O")


@in_virtual_time
async def test_who_stopped_a_batch_is_noted() -> None:
    async def deleted(simulated: SimulatedCluster) -> None:
        await asyncio.sleep(40)
        for namespace, name in list(simulated.api.objects["jobs"]):
            simulated.api.remove("jobs", name, namespace)

    document, _simulated = await run(deleted, Thresholds())
    assert document["stopped_by"] == "deletion"
    document, _simulated = await run(nothing, Thresholds(), wait_timeout_seconds=30)
    assert document["stopped_by"] == "time"
    simulated = SimulatedCluster(MemoryApi())
    async with MemoryCluster(simulated.api) as cluster:
        batch = await batch_on(cluster, plan(NAMESPACES, jobs(5, parallelism=1, completions=5, active=1)), Thresholds())
        asyncio.get_running_loop().call_later(20, batch.abort, "interrupted by SIGTERM")
        document = await batch.run()
    assert (document["stopped_by"], document["aborted"]) == ("signal", "interrupted by SIGTERM")
