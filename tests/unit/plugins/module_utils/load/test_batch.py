"""Whole batches in simulated time: every profile's build jobs to their end, and runs whose cluster stands still."""

from __future__ import annotations

import asyncio
import fcntl
import re
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.kubestress.core.plugins.module_utils.cluster.discovery import Discovery
from ansible_collections.kubestress.core.plugins.module_utils.cluster.limits import Limits
from ansible_collections.kubestress.core.plugins.module_utils.load.batch import Batch
from ansible_collections.kubestress.core.plugins.module_utils.load.batch_module import failure_reasons
from ansible_collections.kubestress.core.plugins.module_utils.load.opened import BatchSettings, OpenedCluster
from ansible_collections.kubestress.core.plugins.module_utils.plan.fragment import Context, Fragment, parse_fragments
from ansible_collections.kubestress.core.plugins.module_utils.results.evidence import batch_files
from ansible_collections.kubestress.core.plugins.module_utils.results.folder import read_json
from helpers import virtual_time
from helpers.batches import NAMESPACES, config_maps, deployments, jobs
from helpers.collection import CHECKOUT
from helpers.example_settings import settings
from helpers.memory_api import Answer, MemoryApi, MemoryCluster, failure
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
    # Since the last renewal that was seen, looked at every five seconds.
    assert re.search(
        r"; likely cause: kube-controller-manager has not renewed its lease for at least 10\d\d s$", reason
    )
    assert {row["kind"] for row in document["not_ready"]} == {"Job"}
    assert len(document["not_ready"]) == 10
    assert all("kube-controller-manager has not renewed its lease for" in row["cause"] for row in document["not_ready"])


@in_virtual_time
async def test_a_controller_that_stops_is_told_of_while_the_run_waits(tmp_path: Path):
    lines = tmp_path / "progress"
    lines.touch()
    with lines.open("rb") as watched:
        fcntl.flock(watched, fcntl.LOCK_EX)  # somebody shows the lines
        plan = fragments(NAMESPACES, endless_jobs(stall_timeout=400))
        document, _simulated = await run(plan, happening=controllers_stop_after(100), progress=lines)
    text = lines.read_text()
    assert re.search(r"kube-controller-manager has not renewed its lease for at least 1\d s: what it looks after", text)
    assert "kube-scheduler has not" not in text
    (silence,) = document["controllers"]["silences"]
    assert (silence["controller"], silence["over"]) == ("kube-controller-manager", False)
    assert silence["seconds"] > 300


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
async def test_a_user_of_two_existing_namespaces_runs_a_batch_in_them():
    """Neither these namespaces nor their ServiceAccounts are looked at, and nothing outside of them is."""
    own = re.compile(r"/apis?/(batch/)?v1(/namespaces/n-[12]/(jobs|pods)(/.+)?)?")
    refused: list[str] = []

    def refuse(_method: str, path: str) -> Answer | None:
        if own.fullmatch(path):
            return None
        refused.append(path)
        return failure(403, "Forbidden", f"no right to {path}")

    async def happening(simulated: SimulatedCluster) -> None:
        simulated.api.refuse = refuse

    plan = fragments(NAMESPACES, jobs(3, parallelism=1, completions=2, active=1))
    document, _simulated = await run(plan, happening=happening, namespaces=2, existing=frozenset({"n-1", "n-2"}))
    assert document["aborted"] is None
    assert document["warnings"] == []
    assert document["not_ready"] == []
    assert (document["jobs"]["complete"], document["pods"]["succeeded"]) == (6, 12)
    assert document["objects"].keys() == {"Job"}
    # Each kind once, to find out; that is no failed request. Nor may such a user look at the controllers' leases.
    lease = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/kube-controller-manager"
    assert sorted(refused) == ["/api/v1/pods", "/apis/batch/v1/jobs", lease]


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
    # Not 0: nobody looked.
    assert {row["ready"] for row in document["objects"].values()} == {None}
    assert set(document["jobs"].values()) == {None}
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
async def test_when_the_observer_ends_the_batchs_own_measurements_are_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """An observation that is finished, and no batch beside it, is a run that promised nothing and passes."""
    seen: list[dict[str, Any]] = []

    @asynccontextmanager
    async def beside() -> AsyncIterator[None]:
        yield
        seen.extend(read_json(path) for path in batch_files(tmp_path))

    async with MemoryCluster(SimulatedCluster(MemoryApi()).api) as cluster:
        plan = fragments(NAMESPACES, config_maps(1000))
        batch = await batch_on(cluster, plan, namespaces=5, results_dir=tmp_path)
        monkeypatch.setattr(batch.observer, "beside", beside)
        asyncio.get_running_loop().call_later(0.1, batch.abort, "somebody said so")
        await batch.run()
    assert [(document["finished"], document["aborted"]) for document in seen] == [(None, "somebody said so")]
    assert seen[0]["objects"]["ConfigMap"]["created"] > 0


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


# --- watches that cannot be trusted -----------------------------------------------------------------------------------


def ready_after(seconds: float, simulated: SimulatedCluster) -> None:
    """Deployments become available so long after they were stored."""

    def created(plural: str, obj: dict[str, Any]) -> None:
        if plural == "deployments":
            spec, status = {**obj["spec"], "replicas": 1}, dict.fromkeys(COUNTS, 1)
            asyncio.get_running_loop().call_later(
                seconds, simulated.api.put, plural, {**obj, "spec": spec, "status": status}
            )

    simulated.api.created.append(created)


COUNTS = ("observedGeneration", "replicas", "updatedReplicas", "readyReplicas", "availableReplicas")


@in_virtual_time
async def test_what_a_deaf_watch_did_not_hear_is_seen_by_the_last_look():
    async def happening(simulated: SimulatedCluster) -> None:
        simulated.api.deaf = {"deployments", "namespaces"}
        ready_after(5, simulated)

    namespaces = {**NAMESPACES, "ready_timeout": 20}
    plan = fragments(namespaces, deployments(3, ready_timeout=30), config_maps(2))
    document, simulated = await run(plan, namespaces=2, happening=happening)
    assert document["aborted"] is None
    assert document["not_ready"] == []
    assert document["objects"]["Deployment"] == {"requested": 6, "created": 6, "unchanged": 0, "failed": 0, "ready": 6}
    assert 50 <= document["seconds"] < 60
    assert simulated.api.requests["GET", "deployments"] == 2  # at the beginning and at the end


@in_virtual_time
async def test_what_is_really_not_ready_is_still_given_up_after_the_last_look():
    plan = fragments(NAMESPACES, deployments(1, ready_timeout=30))
    document, simulated = await run(plan)
    assert [row["name"] for row in document["not_ready"]] == ["d-1"]
    assert 30 <= document["seconds"] < 32
    assert simulated.api.requests["GET", "deployments"] == 3  # the third is for the cause


@in_virtual_time
async def test_without_an_answer_to_the_last_look_what_the_watch_told_counts():
    async def happening(simulated: SimulatedCluster) -> None:
        await asyncio.sleep(20)
        simulated.api.refuse = lambda method, _path: failure(403, "Forbidden", "no") if method == "GET" else None

    document, _simulated = await run(fragments(NAMESPACES, deployments(1, ready_timeout=30)), happening=happening)
    assert [row["name"] for row in document["not_ready"]] == ["d-1"]
    assert any(text.startswith("Deployment: could not be listed once more before") for text in document["warnings"])


@in_virtual_time
async def test_a_run_whose_watches_go_deaf_goes_on_when_they_are_opened_again():
    async def happening(simulated: SimulatedCluster) -> None:
        await asyncio.sleep(100)
        for plural in ("jobs", "pods"):
            simulated.api.go_deaf(plural)

    document, _simulated = await run(fragments(NAMESPACES, endless_jobs()), happening=happening)
    assert document["aborted"] is None
    assert document["jobs"]["complete"] == 3
    assert document["rate"]["watch_breaks"] == {"silent": 2}


def replayed(seen: dict[str, list[bytes]], plural: str, line: bytes) -> list[bytes]:
    """Each event twice, and after it those before it, newest first, as from a cache that has lost its order."""
    before = seen.setdefault(plural, [])
    before.append(line)
    return [line, line, *reversed(before[-30:-1])]


@in_virtual_time
async def test_duplicated_and_reordered_events_neither_hold_up_a_run_nor_count_twice():
    seen: dict[str, list[bytes]] = {}

    async def happening(simulated: SimulatedCluster) -> None:
        simulated.api.disturb = partial(replayed, seen)
        ready_after(5, simulated)

    plan = fragments(NAMESPACES, deployments(2), jobs(4, parallelism=2, completions=3, active=1, ttl=5))
    document, simulated = await run(plan, namespaces=3, happening=happening, time_scale=0.1)
    assert document["aborted"] is None
    assert document["not_ready"] == []
    assert document["jobs"]["complete"] == 12
    assert document["pods"]["succeeded"] == 36
    assert document["objects"]["Deployment"]["ready"] == 6
    assert document["jobs"]["peak_active_pods"] == simulated.most_active_pods <= 6
    assert document["seconds"] < 60


# --- other load generators, earlier attempts, and somebody else -------------------------------------------------------


@in_virtual_time
async def test_an_earlier_attempt_that_made_more_is_not_counted():
    simulated = SimulatedCluster(MemoryApi())
    more = fragments(NAMESPACES, jobs(6, parallelism=2, completions=2))
    async with MemoryCluster(simulated.api) as cluster:
        first = await batch_on(cluster, more, namespaces=2)
        asyncio.get_running_loop().call_later(5, first.abort, "interrupted")
        await first.run()
        fewer = fragments(NAMESPACES, jobs(1, parallelism=2, completions=2))
        document = await (await batch_on(cluster, fewer, namespaces=1)).run()
    assert document["objects"]["Job"] == {"requested": 1, "created": 0, "unchanged": 1, "failed": 0, "ready": 1}
    assert document["objects"]["Namespace"]["ready"] == 1
    assert document["jobs"]["complete"] == 1
    assert document["jobs"]["peak_active_pods"] == document["jobs"]["ceiling_active_pods"] == 2
    assert document["pods"]["succeeded"] == 2
    assert document["not_ready"] == []


@in_virtual_time
async def test_what_another_load_generator_does_in_its_namespaces_is_its_own():
    """Two batches of one run at the same time: the second's Jobs fail, the first's don't."""
    simulated = SimulatedCluster(MemoryApi())
    async with MemoryCluster(simulated.api) as cluster:
        plan = jobs(2, parallelism=2, completions=2, active=1)
        first = await batch_on(cluster, fragments(NAMESPACES, plan), namespaces=1)
        plan["steps"][0][0]["definition"]["spec"]["activeDeadlineSeconds"] = 10
        settings = replace(first.settings, namespaces=["n-2"], first_index=2)
        opened = OpenedCluster(cluster, Discovery(cluster), Limits(max_in_flight=50))
        second_plan = fragments(NAMESPACES, plan)
        second = Batch(settings, second_plan, **await opened.parts_for(second_plan))
        ours, theirs = await asyncio.gather(first.run(), second.run())
    assert (ours["jobs"]["complete"], ours["jobs"]["failed"]) == (2, 0)
    assert (theirs["jobs"]["complete"], theirs["jobs"]["failed"]) == (0, 2)
    assert ours["jobs"]["peak_active_pods"] == theirs["jobs"]["peak_active_pods"] == 2
    assert ours["not_ready"] == []
    assert ours["pods"]["failed"] == 0


@in_virtual_time
async def test_jobs_deleted_by_somebody_else_stop_the_run_and_open_no_gate():
    async def happening(simulated: SimulatedCluster) -> None:
        await asyncio.sleep(40)
        for namespace, name in list(simulated.api.objects["jobs"]):
            simulated.api.remove("jobs", name, namespace)

    document, simulated = await run(fragments(NAMESPACES, endless_jobs()), namespaces=3, happening=happening)
    # Whichever of the namespaces had its first Job stored first.
    assert re.fullmatch(r"Job n-\d/j-1 was deleted by somebody else during the run", document["aborted"])
    assert simulated.api.requests["POST", "jobs"] == 3
    assert 39.9 <= document["seconds"] < 42
    assert document["not_ready"][0]["cause"] == "it was deleted by somebody else while the run waited for it"


# --- what is stored, and what is only said to be ----------------------------------------------------------------------


@in_virtual_time
async def test_what_was_never_stored_although_an_answer_said_so_is_missed_at_the_end():
    """A proxy invents answers that look like an API server's, with name and uid, to every second creation."""

    async def happening(simulated: SimulatedCluster) -> None:
        carried_out = simulated.api._create

        def create(plural: str, namespace: str, document: dict[str, Any]) -> Answer:
            if plural == "configmaps" and document["metadata"]["name"] in ("c-2", "c-4"):
                metadata = {**document["metadata"], "namespace": namespace, "uid": "made-up", "resourceVersion": "1"}
                return Answer(201, {**document, "metadata": metadata}, {})
            return carried_out(plural, namespace, document)

        simulated.api._create = create  # type: ignore[method-assign]

    document, _simulated = await run(fragments(NAMESPACES, config_maps(5)), namespaces=2, happening=happening)
    assert document["objects"]["ConfigMap"] == {"requested": 10, "created": 10, "unchanged": 0, "failed": 0, "ready": 6}
    assert [(row["namespace"], row["name"]) for row in document["not_ready"]] == [
        ("n-1", "c-2"), ("n-1", "c-4"), ("n-2", "c-2"), ("n-2", "c-4")
    ]  # fmt: skip
    assert document["not_ready"][0]["cause"] == "stored, but not there at the end, as 4 of 10 of its kind"
    assert document["failures"]["by_reason"] == {"Missing": 4}
    assert failure_reasons(document)[0].startswith("4 not ready, first ConfigMap c-2 in n-1: stored, but not there")


@pytest.mark.parametrize(("allowed", "warned"), [("n-", False), ("nowhere", True)])
@in_virtual_time
async def test_who_may_not_list_a_kind_everywhere_counts_it_by_namespace_or_is_told(allowed: str, warned: bool):
    async def happening(simulated: SimulatedCluster) -> None:
        def refuse(method: str, path: str) -> Answer | None:
            lists = method == "GET" and path.endswith("/configmaps")
            return failure(403, "Forbidden", "may not list") if lists and f"/namespaces/{allowed}" not in path else None

        simulated.api.refuse = refuse

    document, _simulated = await run(fragments(NAMESPACES, config_maps(1)), namespaces=2, happening=happening)
    assert document["not_ready"] == []
    text = "ConfigMap: it could not be counted how many are there at the end: may not list"
    assert (text in document["warnings"]) is warned
