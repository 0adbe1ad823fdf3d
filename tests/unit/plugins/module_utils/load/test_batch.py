"""Whole batches in simulated time: every profile's build jobs to their end, and runs whose cluster stands still."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import yaml
from ansible_collections.kubestress.core.plugins.module_utils.cluster.discovery import Discovery
from ansible_collections.kubestress.core.plugins.module_utils.cluster.limits import Limits
from ansible_collections.kubestress.core.plugins.module_utils.load.batch import Batch, BatchSettings, OpenedCluster
from ansible_collections.kubestress.core.plugins.module_utils.plan.fragment import Context, Fragment, parse_fragments
from helpers import virtual_time
from helpers.batches import NAMESPACES, config_maps, deployments, jobs
from helpers.collection import CHECKOUT
from helpers.example_settings import settings
from helpers.memory_api import MemoryApi, MemoryCluster, failure
from helpers.role_plans import role_fragment
from helpers.simulated_cluster import SimulatedCluster
from helpers.virtual_time import in_virtual_time

PROFILES = {path.stem: yaml.safe_load(path.read_text()) for path in (CHECKOUT / "playbooks" / "profiles").glob("*.yml")}
#: Minutes with pods that start at once, as the table of profiles has them.
EXPECTED_MINUTES = {"safe": 76, "conservative": 58, "moderate": 64, "observed": 59, "high": 60, "danger": 66}


def build_jobs(values: dict[str, Any]) -> list[Fragment]:
    """The build jobs of these settings, as their role's plan gives them."""
    return fragments(NAMESPACES, role_fragment("build_jobs", values))


def profile(name: str) -> dict[str, Any]:
    return settings(**PROFILES[name])


async def batch_on(cluster: MemoryCluster, fragments: list[Fragment], *, namespaces: int, **options: Any) -> Batch:
    """A batch whose requests pass its limits, as opened_cluster makes it."""
    names = [f"n-{number}" for number in range(1, namespaces + 1)]
    limits = Limits(max_in_flight=50)
    cluster.admission = lambda: limits
    opened = OpenedCluster(cluster, Discovery(cluster), limits)
    batch_settings = BatchSettings(auth={}, run_id="r", namespaces=names, **options)
    return Batch(batch_settings, fragments, **await opened.parts_for(fragments))


Happening = Callable[[SimulatedCluster], Coroutine[Any, Any, None]]


async def run(
    fragments: list[Fragment],
    *,
    namespaces: int = 1,
    start_up_seconds: float = 0.0,
    time_scale: float = 1.0,
    happening: Happening | None = None,
    **options: Any,
) -> tuple[dict[str, Any], SimulatedCluster]:
    """Run a batch on a simulated cluster, with `happening` beside it; its measurements and the cluster."""
    simulated = SimulatedCluster(MemoryApi(), start_up_seconds=start_up_seconds, time_scale=time_scale)
    async with MemoryCluster(simulated.api) as cluster:
        batch = await batch_on(cluster, fragments, namespaces=namespaces, **options)
        beside = asyncio.create_task(happening(simulated)) if happening else None
        try:
            return await batch.run(), simulated
        finally:
            if beside is not None:
                beside.cancel()


async def run_profile(name: str, **arguments: Any) -> tuple[dict[str, Any], SimulatedCluster]:
    values = profile(name)
    namespaces, time_scale = values["namespaces_total"], values["build_jobs_time_scale"]
    return await run(build_jobs(values), namespaces=namespaces, time_scale=time_scale, **arguments)


def rounds(values: dict[str, Any]) -> int:
    """How often one pod after another has to start in a namespace, one Job after the other."""
    jobs, active = values["build_jobs_per_namespace"], values["build_jobs_active_per_namespace"]
    completions, parallelism = values["build_jobs_completions"], values["build_jobs_parallelism"]
    return -(-jobs // (active or jobs)) * -(-completions // min(parallelism, completions))


@pytest.mark.parametrize("start_up_seconds", [0, 10, 30])
@pytest.mark.parametrize("name", sorted(PROFILES))
def test_a_profile_runs_to_its_end(name: str, start_up_seconds: int, record_property: Any):
    values = profile(name)
    document, simulated = virtual_time.run(run_profile(name, start_up_seconds=start_up_seconds))

    record_property("simulated_minutes", round(document["seconds"] / 60, 1))
    assert document["aborted"] is None
    jobs = values["namespaces_total"] * values["build_jobs_per_namespace"]
    assert (document["jobs"]["complete"], document["jobs"]["failed"]) == (jobs, 0)
    assert document["not_ready"] == []
    assert document["pods"]["succeeded"] == jobs * values["build_jobs_completions"]

    active = values["build_jobs_active_per_namespace"] or values["build_jobs_per_namespace"]
    ceiling = values["namespaces_total"] * active * values["build_jobs_parallelism"]
    assert document["jobs"]["ceiling_active_pods"] == ceiling
    assert 0.9 * ceiling <= simulated.most_active_pods <= ceiling
    if name in EXPECTED_MINUTES:
        expected = EXPECTED_MINUTES[name] + rounds(values) * start_up_seconds / 60
        assert document["seconds"] / 60 == pytest.approx(expected, rel=0.05)


# --- a cluster that stands still --------------------------------------------------------------------------------------


def lease(name: str) -> dict[str, Any]:
    seconds = asyncio.get_running_loop().time()
    spec = {"holderIdentity": "one", "renewTime": f"{seconds}", "leaseDurationSeconds": 15}
    return {"metadata": {"name": name, "namespace": "kube-system"}, "spec": spec}


def controllers_stop_after(seconds: float) -> Happening:
    """The controller manager stops acting and renewing its lease; the scheduler goes on."""

    async def happening(simulated: SimulatedCluster) -> None:
        while True:
            simulated.api.put("leases", lease("kube-scheduler"))
            if asyncio.get_running_loop().time() < seconds:
                simulated.api.put("leases", lease("kube-controller-manager"))
            else:
                simulated.stop_controllers()
            await asyncio.sleep(2)

    return happening


@in_virtual_time
async def test_a_run_whose_controllers_stop_ends_within_a_jobs_deadline_and_says_so():
    document, _simulated = await run_profile("safe", happening=controllers_stop_after(1000))
    # The last pods end within a build's length; then nothing comes forward for a Job's 900 s and the margin.
    assert 1000 + 960 < document["seconds"] < 1000 + 88 + 960 + 10
    reason = document["aborted"]
    assert reason.startswith("nothing of build_jobs has come forward for 960 s (objects unfinished: 10, ")
    assert re.search(r"members not sent: \d+, pods pending: 0, pods running: 0\); most frequent state: ", reason)
    # Seen from the middle of the stall to its end, looked at once a second.
    assert re.search(
        r"; likely cause: kube-controller-manager has not renewed its lease for at least 4[78]\d s$", reason
    )
    assert {row["kind"] for row in document["not_ready"]} == {"Job"}
    assert len(document["not_ready"]) == 10


@in_virtual_time
async def test_without_leases_to_read_the_stall_is_described_all_the_same():
    async def happening(simulated: SimulatedCluster) -> None:
        simulated.api.refuse = lambda _method, path: failure(403, "Forbidden", "no") if "leases" in path else None
        await asyncio.sleep(30)
        simulated.stop_controllers()

    plan = fragments(NAMESPACES, endless_jobs(stall_timeout=40))
    document, _simulated = await run(plan, happening=happening)
    assert (
        "nothing of jobs has come forward for 40 s (objects unfinished: 1, members not sent: 2, " in document["aborted"]
    )
    assert document["aborted"].endswith("the leases of the controllers could not be read: no")


def fragments(*raw: dict[str, Any]) -> list[Fragment]:
    return parse_fragments(list(raw), Context(run_id="r"))


def endless_jobs(**more: Any) -> dict[str, Any]:
    """One Job after the other, each of ten builds in a row: about ten minutes each."""
    return jobs(3, parallelism=1, completions=10, active=1, **more)


@in_virtual_time
async def test_a_jobs_counts_are_progress_where_pods_may_not_be_watched():
    async def happening(simulated: SimulatedCluster) -> None:
        simulated.api.refuse = lambda _method, path: failure(403, "Forbidden", "no") if path.endswith("/pods") else None

    document, _simulated = await run(fragments(NAMESPACES, endless_jobs(stall_timeout=100)), happening=happening)
    assert document["aborted"] is None
    assert document["jobs"]["complete"] == 3
    assert document["seconds"] > 3 * 10 * 29
    assert any("Pods cannot be watched" in text for text in document["warnings"])


@in_virtual_time
async def test_pods_that_fail_to_start_again_and_again_are_no_progress():
    """Each event of the pod is another one, but its container never runs."""

    async def happening(simulated: SimulatedCluster) -> None:
        while True:
            await asyncio.sleep(5)
            for number, pod in enumerate(list(simulated.api.objects["pods"].values())):
                now = int(asyncio.get_running_loop().time())
                reason = ("ErrImagePull", "ImagePullBackOff")[(now // 5 + number) % 2]
                states = [{"name": "build", "restartCount": 0, "state": {"waiting": {"reason": reason}}}]
                simulated.api.put("pods", {**pod, "status": {"phase": "Pending", "containerStatuses": states}})

    plan = fragments(NAMESPACES, endless_jobs(stall_timeout=60))
    document, _simulated = await run(plan, start_up_seconds=10_000, happening=happening)
    assert 60 < document["seconds"] < 65
    assert "pods pending: 1, pods running: 0); most frequent state: " in document["aborted"]
    assert "ImagePull" in document["aborted"]


@in_virtual_time
async def test_a_role_that_stands_still_does_not_end_another_that_moves():
    """The Deployments never become ready; the Jobs run on to their end, and the run says what it gave up."""
    plan = fragments(NAMESPACES, deployments(2, stall_timeout=30), endless_jobs(stall_timeout=100))
    document, _simulated = await run(plan)
    assert document["aborted"].startswith("nothing of deployments has come forward for 30 s (objects unfinished: 2, ")
    assert document["jobs"]["complete"] == 3
    assert [row["name"] for row in document["not_ready"]] == ["d-1", "d-2"]


@in_virtual_time
async def test_an_absolute_limit_ends_a_gated_role_that_still_moves():
    plan = fragments(NAMESPACES, endless_jobs(ready_timeout=700))
    document, _simulated = await run(plan)
    assert document["aborted"] == "jobs: not all sent and finished after 700 s"
    assert 700 <= document["seconds"] < 702
    assert document["jobs"]["complete"] == 1
    assert [row["name"] for row in document["not_ready"]] == ["j-2"]


@in_virtual_time
async def test_the_whole_batchs_limit_ends_everything():
    document, _simulated = await run(fragments(NAMESPACES, endless_jobs()), wait_timeout_seconds=50)
    assert document["aborted"] == "the batch was not done after 50 s"
    assert 50 <= document["seconds"] < 52


@in_virtual_time
async def test_without_waiting_a_batch_ends_when_all_is_sent():
    document, simulated = await run(fragments(NAMESPACES, config_maps(5), jobs(2)), namespaces=3, wait=False)
    assert document["aborted"] is None
    assert document["seconds"] < 1
    assert {kind: row["created"] for kind, row in document["objects"].items()} == {
        "ConfigMap": 15, "Job": 6, "Namespace": 3
    }  # fmt: skip
    assert simulated.api.requests["GET", "pods"] == 0


@in_virtual_time
async def test_a_batch_aborted_in_the_middle_gets_the_answers_of_what_it_sent():
    simulated = SimulatedCluster(MemoryApi())
    async with MemoryCluster(simulated.api) as cluster:
        batch = await batch_on(cluster, fragments(NAMESPACES, config_maps(1000)), namespaces=5)
        asyncio.get_running_loop().call_later(0.1, batch.abort, "somebody said so")
        document = await batch.run()
    assert document["aborted"] == "somebody said so"
    created = document["objects"]["ConfigMap"]["created"]
    assert 0 < created < 5000
    assert simulated.api.requests["POST", "configmaps"] == created


@in_virtual_time
async def test_deleted_objects_are_waited_for_and_what_stays_is_named():
    simulated = SimulatedCluster(MemoryApi())
    async with MemoryCluster(simulated.api) as cluster:
        await (await batch_on(cluster, fragments(NAMESPACES, config_maps(3)), namespaces=2)).run()
        batch = await batch_on(cluster, fragments(config_maps(3)), namespaces=2, state="absent")
        document = await batch.run()
    assert document["objects"]["ConfigMap"]["deleted"] == 6
    assert document["not_ready"] == []
    assert not simulated.api.objects["configmaps"]
