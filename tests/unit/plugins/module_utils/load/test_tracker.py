"""The tracker on an API server in memory: what its events make ready, failed, counted, and let through the gates."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.cluster.discovery import Discovery
from ansible_collections.kubestress.core.plugins.module_utils.cluster.labels import run_labels
from ansible_collections.kubestress.core.plugins.module_utils.load.failure_log import FailureLog
from ansible_collections.kubestress.core.plugins.module_utils.load.ledger import Ledger
from ansible_collections.kubestress.core.plugins.module_utils.load.object_states import ObjectStates
from ansible_collections.kubestress.core.plugins.module_utils.load.role_progress import RoleProgress
from ansible_collections.kubestress.core.plugins.module_utils.load.scheduler import Operation, Outcome, Scheduler
from ansible_collections.kubestress.core.plugins.module_utils.load.tracker import Tracker
from ansible_collections.kubestress.core.plugins.module_utils.measure.recorder import Recorder
from ansible_collections.kubestress.core.plugins.module_utils.plan.fragment import Context, parse_fragments
from helpers.batches import NAMESPACES, config_maps, deployments, jobs, obj
from helpers.memory_api import MemoryApi, MemoryCluster, failure
from helpers.virtual_time import in_virtual_time

Plan = list[dict[str, Any]]


class Tracked:
    """A tracker at work, and the scheduler whose gates it opens. Operations are stored by `send_all`."""

    def __init__(self, api: MemoryApi, cluster: MemoryCluster, plan: Plan, *, ledger: Path | None = None) -> None:
        self.api = api
        self.recorder = Recorder(None)
        self.progress = RoleProgress()
        self.states = ObjectStates(self.progress)
        self.fragments = parse_fragments(plan, Context(run_id="r"))
        self.scheduler = Scheduler(
            self.fragments, namespaces=[(1, "n-1")], parallel=1, unfinished_in=self.states.unfinished_in
        )
        self.ledger = Ledger(ledger)
        self.tracker = Tracker(
            cluster,
            Discovery(cluster),
            self.scheduler,
            self.states,
            self.progress,
            run_id="r",
            fragments=self.fragments,
            namespaces=[(1, "n-1")],
            ledger=self.ledger,
            failures=FailureLog(self.recorder, state="present"),
        )
        self.sent: list[Operation] = []

    @property
    def failed_objects(self) -> list[tuple[str, tuple[str, str], str]]:
        """Kind, key and cause of each failure of an object."""
        failures = [row for row in self.recorder.first_failures if row["operation"] == "become ready"]
        return [(row["kind"], (row["namespace"], row["name"]), row["message"]) for row in failures]

    async def send_all(self) -> list[str]:
        """Send what the scheduler has now, as the runner would; the names."""
        names = []
        while True:
            try:
                async with asyncio.timeout(1):
                    operation = await self.scheduler.next()
            except TimeoutError:
                return names
            if operation is None:
                return names
            self.sent.append(operation)
            if self.tracker.finished_earlier(operation):
                result = "unchanged"
            else:
                result = "created"
                self.store(operation.kind, operation.name, role=operation.role)
            self.tracker.stored(Outcome(operation, result))
            self.scheduler.finished_operation(operation, failure=None, finished=self.tracker.is_finished(operation))
            names.append(operation.name)

    def store(self, kind: str, name: str, *, role: str, **body: Any) -> dict[str, Any]:
        """Put an object of the run there."""
        metadata = {"name": name, "labels": run_labels("r", role)}
        if kind != "Namespace":
            metadata["namespace"] = "n-1"
        return self.api.put(f"{kind.lower()}s", {"metadata": metadata, **body})

    async def change(self, kind: str, name: str, **changes: Any) -> None:
        """Change an object, and let the watch deliver it."""
        found = self.api.objects[f"{kind.lower()}s"]["" if kind == "Namespace" else "n-1", name]
        self.api.put(f"{kind.lower()}s", {**found, **changes})
        await settled()

    async def remove(self, kind: str, name: str) -> None:
        self.api.remove(f"{kind.lower()}s", name, "" if kind == "Namespace" else "n-1")
        await settled()


async def settled() -> None:
    """All events that are under way have arrived: in simulated time, when nothing else is left to do."""
    await asyncio.sleep(0.5)


@contextlib.asynccontextmanager
async def tracking(*plan: dict[str, Any], api: MemoryApi | None = None, **options: Any) -> AsyncIterator[Tracked]:
    api = api or MemoryApi()
    async with MemoryCluster(api) as cluster:
        tracked = Tracked(api, cluster, list(plan), **options)
        await tracked.tracker.start()
        try:
            yield tracked
        finally:
            await tracked.tracker.stop()
            tracked.ledger.close()


def complete(succeeded: int = 1) -> dict[str, Any]:
    times = {"startTime": "2027-01-01T00:00:00Z", "completionTime": "2027-01-01T00:00:30Z"}
    return {**times, "succeeded": succeeded, "conditions": [{"type": "Complete", "status": "True"}]}


def broken() -> dict[str, Any]:
    return {"failed": 3, "conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]}


AVAILABLE = {
    "observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1
}  # fmt: skip


# --- namespaces -------------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_pods_wait_for_an_active_namespace_and_its_service_account():
    async with tracking(NAMESPACES, config_maps(1), deployments(1)) as run:
        # The ConfigMap d-1 belongs to the Deployment d-1, and is needed before it.
        assert await run.send_all() == ["n-1", "c-1", "d-1"]
        await run.change("Namespace", "n-1", status={"phase": "Active"})
        assert "ServiceAccount default does not exist" in run.states.find("Namespace", ("", "n-1")).cause
        assert await run.send_all() == []
        run.api.put("serviceaccounts", {"metadata": {"name": "default", "namespace": "n-1"}})
        assert await run.send_all() == ["d-1"]
        assert [operation.kind for operation in run.sent][-2:] == ["ConfigMap", "Deployment"]
        assert run.states.ready["Namespace"] == 1


@in_virtual_time
async def test_where_service_accounts_may_not_be_read_active_is_enough():
    api = MemoryApi()
    api.refuse = lambda _method, path: failure(403, "Forbidden") if path.endswith("/serviceaccounts") else None
    async with tracking(NAMESPACES, jobs(1), api=api) as run:
        assert await run.send_all() == ["n-1"]
        await run.change("Namespace", "n-1", status={"phase": "Active"})
        assert await run.send_all() == ["j-1"]
        assert "an Active namespace counts as ready" in run.tracker.warnings[0]


@in_virtual_time
async def test_where_somebody_deletes_a_namespace_nothing_more_is_sent():
    async with tracking(NAMESPACES, jobs(2)) as run:
        await run.send_all()
        await run.change("Namespace", "n-1", status={"phase": "Terminating"})
        assert run.failed_objects == [("Namespace", ("", "n-1"), "it is being deleted by somebody else")]
        assert run.tracker.disturbed == "Namespace n-1 was deleted by somebody else during the run"
        assert await run.scheduler.next() is None


@in_virtual_time
async def test_into_a_namespace_that_was_already_on_its_way_out_nothing_is_sent():
    api = MemoryApi()
    metadata = {"name": "n-1", "labels": run_labels("r", "namespaces")}
    api.put("namespaces", {"metadata": metadata, "status": {"phase": "Terminating"}})
    async with tracking(NAMESPACES, jobs(2), api=api) as run:
        assert run.failed_objects == [("Namespace", ("", "n-1"), "it is being deleted by somebody else")]
        assert run.tracker.disturbed is None


@in_virtual_time
async def test_a_namespace_that_is_not_ready_in_its_time_fails():
    async with tracking(NAMESPACES, jobs(1)) as run:
        await run.send_all()
        run.tracker.namespaces.give_up("n-1", 30)
        assert run.failed_objects == [("Namespace", ("", "n-1"), "not ready after 30 s: no status yet")]
        run.tracker.namespaces.give_up("n-1", 30)
        assert len(run.failed_objects) == 1
        assert (await run.scheduler.next()).skipped_because.startswith("Namespace n-1 not ready after 30 s")


@in_virtual_time
async def test_namespaces_of_another_batch_of_the_run_are_none_of_ours():
    async with tracking(NAMESPACES) as run:
        run.store("Namespace", "n-9", role="other", status={"phase": "Terminating"})
        await settled()
        assert run.failed_objects == []


@in_virtual_time
async def test_of_what_lies_in_no_namespace_only_the_names_of_the_plan_count():
    volumes = {"role": "volumes", "steps": [[obj("PersistentVolume", "v-{{ namespace }}")]]}
    async with tracking(volumes) as run:
        await run.send_all()
        for name in ("v-n-1", "v-n-9"):
            labels = run_labels("r", "volumes")
            run.api.put(
                "persistentvolumes", {"metadata": {"name": name, "labels": labels}, "status": {"phase": "Bound"}}
            )
        await settled()
        assert run.states.ready["PersistentVolume"] == 1


# --- gates ------------------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_a_finished_job_lets_the_next_one_through_the_gate():
    async with tracking(jobs(3, active=1)) as run:
        assert await run.send_all() == ["j-1"]
        await run.change("Job", "j-1", status={"active": 1})
        assert await run.send_all() == []
        await run.change("Job", "j-1", status=complete())
        assert await run.send_all() == ["j-2"]
        await run.change("Job", "j-2", status=broken())
        assert await run.send_all() == ["j-3"]
        assert run.failed_objects == [("Job", ("n-1", "j-2"), "BackoffLimitExceeded")]


@in_virtual_time
async def test_a_job_that_ends_before_the_answer_to_its_creation_does_not_hold_the_gate():
    async with tracking(jobs(2, active=1)) as run:
        operation = await run.scheduler.next()
        run.store("Job", "j-1", role="jobs", status=complete())
        await settled()
        run.tracker.stored(Outcome(operation, "created"))
        assert run.tracker.is_finished(operation)
        run.scheduler.finished_operation(operation, failure=None, finished=True)
        assert await run.send_all() == ["j-2"]
        assert run.tracker.jobs.complete["n-1"] == 1


@in_virtual_time
async def test_a_role_that_comes_after_another_begins_when_that_is_ready():
    after = {"role": "check", "after": ["deployments"], "steps": [[obj("ConfigMap", "check")]]}
    async with tracking(deployments(2), after) as run:
        assert "check" not in await run.send_all()
        for name in ("d-1", "d-2"):
            assert await run.send_all() == []
            spec = {"replicas": 1, "template": {}}
            await run.change("Deployment", name, spec=spec, status=AVAILABLE)
        assert await run.send_all() == ["check"]


@in_virtual_time
async def test_what_has_no_readiness_is_ready_as_soon_as_it_is_stored():
    async with tracking(config_maps(2), jobs(1, ready=False)) as run:
        await run.send_all()
        assert run.states.unfinished() == 0
        assert run.states.ready["ConfigMap"] == 2
        assert all(run.tracker.is_finished(operation) for operation in run.sent)


@in_virtual_time
async def test_a_job_whose_pods_are_still_ending_keeps_its_place():
    """A Job that fails while its pods have their grace period: they still count for the ceiling."""
    async with tracking(jobs(2, active=1)) as run:
        await run.send_all()
        for name in ("a", "b"):
            run.api.put("pods", pod(name, "Running"))
        await run.change("Job", "j-1", status=broken())
        assert run.states.find("Job", ("n-1", "j-1")).cause == "it has ended, but 2 of its pods have not"
        run.api.put("pods", pod("a", "Failed"))
        await settled()
        assert await run.send_all() == []
        run.api.remove("pods", "b", "n-1")
        await settled()
        assert await run.send_all() == ["j-2"]
        assert run.tracker.jobs.failed["n-1"] == 1
        assert run.failed_objects == [("Job", ("n-1", "j-1"), "BackoffLimitExceeded")]


@in_virtual_time
async def test_a_gated_job_that_its_ttl_removes_waits_for_its_pods_as_well():
    async with tracking(jobs(2, active=1)) as run:
        await run.send_all()
        run.api.put("pods", pod("a", "Running"))
        await run.change("Job", "j-1", status=complete())
        await run.remove("Job", "j-1")
        assert await run.send_all() == []
        run.api.put("pods", pod("a", "Succeeded"))
        await settled()
        assert await run.send_all() == ["j-2"]
        assert run.tracker.disturbed is None


@in_virtual_time
async def test_pods_on_their_own_are_judged_by_their_own_state():
    async with tracking({"role": "single", "count": 2, "steps": [[obj("Pod", "p-{{ index }}")]]}, jobs(1)) as run:
        await run.send_all()
        await run.change("Pod", "p-1", status={"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]})
        await run.change("Pod", "p-2", status={"phase": "Succeeded"})
        assert run.states.ready["Pod"] == 2


@in_virtual_time
async def test_service_accounts_of_the_plan_are_not_waited_for():
    """Only those that the cluster itself makes are watched, for the namespaces' sake."""
    async with tracking(NAMESPACES, {"role": "accounts", "steps": [[obj("ServiceAccount", "a")]]}) as run:
        assert await run.send_all() == ["n-1", "a"]
        assert run.states.ready["ServiceAccount"] == 1
        assert run.states.unfinished("accounts") == 0


# --- objects that vanish ----------------------------------------------------------------------------------------------


@in_virtual_time
async def test_a_job_that_its_ttl_removes_is_counted_once_as_it_ended():
    async with tracking(jobs(2)) as run:
        await run.send_all()
        await run.change("Job", "j-1", status=complete(succeeded=4))
        await run.remove("Job", "j-1")
        # Of the second, the deletion is the first event that shows how it ended.
        found = run.api.objects["jobs"]["n-1", "j-2"]
        found["status"] = complete(succeeded=2)
        await run.remove("Job", "j-2")
        assert run.tracker.jobs.complete["n-1"] == 2
        assert run.tracker.jobs.pods_succeeded["n-1"] == 6
        assert run.states.ready["Job"] == 2
        assert run.failed_objects == []


def job_sets(count: int, **more: Any) -> dict[str, Any]:
    spec = {"replicatedJobs": [{"name": "slice-job", "template": {"spec": {"template": {"spec": {"containers": []}}}}}]}
    return {"role": "sets", "count": count, "steps": [[obj("JobSet", "s-{{ index }}", spec=spec)]], **more}


def ended(kind: str) -> dict[str, Any]:
    return {"conditions": [{"type": kind, "status": "True", "reason": "AllJobsCompleted"}]}


@in_virtual_time
async def test_a_job_set_that_ends_opens_the_gate_and_its_ttl_may_remove_it():
    async with tracking(job_sets(3, active=1)) as run:
        assert await run.send_all() == ["s-1"]
        await run.change("JobSet", "s-1", status={"restarts": 1})
        assert await run.send_all() == []
        await run.change("JobSet", "s-1", status=ended("Completed"))
        assert await run.send_all() == ["s-2"]
        await run.remove("JobSet", "s-1")
        # Of the second, the deletion is the first event that shows how it ended.
        run.api.objects["jobsets"]["n-1", "s-2"]["status"] = ended("Failed")
        await run.remove("JobSet", "s-2")
        assert await run.send_all() == ["s-3"]
        assert run.states.ready["JobSet"] == 1
        assert run.tracker.disturbed is None
        assert run.failed_objects == [("JobSet", ("n-1", "s-2"), "AllJobsCompleted")]
        await run.remove("JobSet", "s-3")
        assert run.tracker.disturbed == "JobSet n-1/s-3 was deleted by somebody else during the run"


def pod_of_set(job_set: dict[str, Any], name: str, *, attempt: int, code: int, **metadata: Any) -> dict[str, Any]:
    marks = {"jobset-uid": job_set["metadata"]["uid"], "restart-attempt": str(attempt)}
    found = pod(name, "Failed", role="sets")
    found["metadata"]["labels"].update({f"jobset.sigs.k8s.io/{key}": value for key, value in marks.items()})
    found["metadata"].update(metadata)
    found["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] = code
    return found


@in_virtual_time
async def test_a_failed_job_set_names_the_pod_that_it_failed_by_though_that_is_gone():
    async with tracking(job_sets(2)) as run:
        await run.send_all()
        odd = pod_of_set(run.api.objects["jobsets"]["n-1", "s-2"], "odd", attempt=0, code=1)
        odd["metadata"]["labels"]["jobset.sigs.k8s.io/restart-attempt"] = "none"
        run.api.put("pods", odd)
        job_set = run.api.objects["jobsets"]["n-1", "s-1"]
        first = pod_of_set(job_set, "first", attempt=0, code=1)
        run.api.put("pods", first)
        await settled()
        # In the second attempt one pod fails, and another because the first one has.
        run.api.put(
            "pods", pod_of_set(job_set, "stopped", attempt=1, code=143, deletionTimestamp="2026-01-01T00:00:00Z")
        )
        run.api.put("pods", pod_of_set(job_set, "second", attempt=1, code=42))
        run.api.put("pods", pod_of_set(job_set, "third", attempt=1, code=7))
        await settled()
        for name in ("first", "stopped", "second", "third"):
            run.api.remove("pods", name, "n-1")
        await run.change("JobSet", "s-1", status=ended("Failed"))
        await run.change("JobSet", "s-2", status=ended("Failed"))
        assert run.failed_objects == [
            ("JobSet", ("n-1", "s-1"), "AllJobsCompleted; pod second failed: exit 42"),
            ("JobSet", ("n-1", "s-2"), "AllJobsCompleted; pod odd failed: exit 1"),
        ]


@pytest.mark.parametrize(
    ("kind", "plan", "status", "cause"),
    [
        ("Job", jobs(1), {"active": 1}, "it was deleted by somebody else while the run waited for it"),
        ("Deployment", deployments(1), {}, "it was deleted by somebody else while the run waited for it"),
        ("Deployment", deployments(1), AVAILABLE, "it was deleted by somebody else during the run"),
    ],
)
@in_virtual_time
async def test_what_somebody_deletes_has_failed(kind: str, plan: dict, status: dict, cause: str):
    async with tracking(plan) as run:
        await run.send_all()
        name = run.sent[-1].name
        await run.change(kind, name, spec={"replicas": 1, "template": {}}, status=status)
        await run.remove(kind, name)
        assert run.failed_objects == [(kind, ("n-1", name), cause)]
        assert run.states.unfinished() == 0
        assert run.tracker.disturbed == f"{kind} n-1/{name} was deleted by somebody else during the run"


@in_virtual_time
async def test_after_a_broken_watch_what_vanished_unseen_has_failed_and_what_is_new_has_not():
    async with tracking(jobs(3)) as run:
        await run.send_all()
        run.api.break_watches()
        run.api.remove("jobs", "j-1", "n-1")
        await run.change("Job", "j-2", status=complete())
        assert run.failed_objects == [("Job", ("n-1", "j-1"), "it vanished while the watch was interrupted")]
        assert run.states.ready["Job"] == 1
        assert run.states.unfinished() == 1
        assert run.tracker.watch_breaks["gone"] == 2  # those of Jobs and of pods
        # The watch goes on from the new list.
        await run.change("Job", "j-3", status=complete())
        assert run.states.unfinished() == 0


@in_virtual_time
async def test_an_object_that_the_new_list_does_not_have_yet_is_asked_for_before_it_counts_as_vanished():
    """Stored after the list was made: it is not in it, but it is there."""
    async with tracking(jobs(1)) as run:
        answers = [{"metadata": {"resourceVersion": "1"}, "items": []}]
        listed = run.api._list

        def stale_list(plural: str, *more: Any) -> Any:
            found = listed(plural, *more)
            if plural == "jobs" and answers:
                found.document = {**answers.pop(), "metadata": found.document["metadata"]}
            return found

        run.api._list = stale_list  # type: ignore[method-assign]
        await run.send_all()
        run.api.break_watches()
        await settled()
        assert answers == []
        assert run.failed_objects == []
        assert run.states.unfinished() == 1


# --- events that cannot be trusted ------------------------------------------------------------------------------------


def event(kind: str, obj: dict[str, Any], version: int, **metadata: Any) -> bytes:
    """A line of a watch, as a cache may bring it at any time."""
    metadata = {**obj["metadata"], "resourceVersion": str(version), **metadata}
    return json.dumps({"type": kind, "object": {**obj, "metadata": metadata}}).encode()


async def hear(run: Tracked, plural: str, *lines: bytes) -> None:
    """Let the watch of a kind bring these lines."""
    for watcher in run.api._watchers:
        if watcher.plural == plural:
            for line in lines:
                watcher.lines.put_nowait(line)
    await settled()


@in_virtual_time
async def test_an_older_version_does_not_undo_what_is_known():
    async with tracking(deployments(1)) as run:
        await run.send_all()
        stored = dict(run.api.objects["deployments"]["n-1", "d-1"])
        await run.change("Deployment", "d-1", spec={"replicas": 1, "template": {}}, status=AVAILABLE)
        assert run.states.ready["Deployment"] == 1
        await hear(run, "deployments", event("MODIFIED", stored, int(stored["metadata"]["resourceVersion"])))
        assert run.states.ready["Deployment"] == 1
        assert run.states.unfinished() == 0


@in_virtual_time
async def test_the_end_of_an_object_that_had_the_name_before_is_not_the_end_of_ours():
    async with tracking(jobs(1)) as run:
        await run.send_all()
        stored = run.api.objects["jobs"]["n-1", "j-1"]
        version = int(stored["metadata"]["resourceVersion"])
        for kind, status in (("MODIFIED", broken()), ("DELETED", {"active": 1})):
            await hear(run, "jobs", event(kind, {**stored, "status": status}, version - 1, uid="earlier"))
        assert run.failed_objects == []
        assert run.tracker.disturbed is None
        assert run.states.unfinished() == 1
        await run.change("Job", "j-1", status=complete())
        assert run.states.ready["Job"] == 1


@in_virtual_time
async def test_an_object_of_the_name_before_that_is_heard_of_before_our_answer_is_forgotten():
    async with tracking(jobs(1, active=1)) as run:
        operation = await run.scheduler.next()
        earlier = run.store("Job", "j-1", role="jobs", status=complete())
        await settled()
        assert run.states.ready["Job"] == 1
        run.tracker.stored(Outcome(operation, "created", uid="ours", version="1000"))
        assert not run.tracker.is_finished(operation)
        assert (run.states.ready["Job"], run.states.unfinished()) == (0, 1)
        await hear(run, "jobs", event("DELETED", earlier, 900))
        assert run.tracker.disturbed is None


@in_virtual_time
async def test_what_was_deleted_does_not_come_back():
    async with tracking(jobs(1)) as run:
        await run.send_all()
        await run.change("Job", "j-1", status=complete())
        stored = run.api.objects["jobs"]["n-1", "j-1"]
        await run.remove("Job", "j-1")
        await hear(run, "jobs", event("ADDED", {**stored, "status": {}}, 999), event("DELETED", stored, 1000))
        assert run.states.ready["Job"] == 1
        assert run.tracker.jobs.complete["n-1"] == 1
        assert run.failed_objects == []


@in_virtual_time
async def test_an_object_that_somebody_replaced_counts_as_deleted():
    async with tracking(deployments(1)) as run:
        await run.send_all()
        stored = run.api.objects["deployments"]["n-1", "d-1"]
        await hear(run, "deployments", event("ADDED", stored, 999, uid="another"))
        assert run.tracker.disturbed == "Deployment n-1/d-1 was deleted by somebody else during the run"


@pytest.mark.parametrize("event_first", [True, False])
@in_virtual_time
async def test_every_expansion_is_measured_be_its_event_before_or_after_the_answer(event_first: bool):
    def body(size: str) -> dict[str, Any]:
        return {"spec": {"volumeName": "pv-1", "resources": {"requests": {"storage": size}}}}

    def status(size: str) -> dict[str, Any]:
        return {"phase": "Bound", "capacity": {"storage": size}}

    claims = {"role": "volumes", "steps": [[obj("PersistentVolumeClaim", "c", **body("1Gi"))]]}
    growth = {"role": "growth", "steps": [[obj("PersistentVolumeClaim", "c", **body("2Gi"))]]}
    async with tracking(claims, {**growth, "after": ["volumes"], "patch": "merge"}) as run:
        await run.send_all()
        await run.change("PersistentVolumeClaim", "c", **body("1Gi"), status=status("1Gi"))
        patch = await run.scheduler.next()
        assert patch is not None

        async def expand() -> None:
            await run.change("PersistentVolumeClaim", "c", **body("2Gi"), status=status("2Gi"))

        found = run.api.objects["persistentvolumeclaims"]["n-1", "c"]
        patched = run.api.put("persistentvolumeclaims", {**found, **body("2Gi")})["metadata"]
        if event_first:
            await expand()
        run.tracker.stored(Outcome(patch, "patched", uid=patched["uid"], version=patched["resourceVersion"]))
        assert run.tracker.is_finished(patch) is event_first
        await expand()
        assert run.tracker.is_finished(patch)
        (expanded,) = run.tracker.volumes.book.figures()["stages"]["growth"].values()
        assert expanded["count"] == 1


@in_virtual_time
async def test_versions_that_are_no_numbers_are_taken_as_they_come():
    async with tracking(deployments(1)) as run:
        await run.send_all()
        stored = run.api.objects["deployments"]["n-1", "d-1"]
        ready = {**stored, "spec": {"replicas": 1, "template": {}}, "status": AVAILABLE}
        ready["metadata"] = {**ready["metadata"], "resourceVersion": "b-7"}
        await hear(run, "deployments", json.dumps({"type": "MODIFIED", "object": ready}).encode())
        assert run.states.ready["Deployment"] == 1


@in_virtual_time
async def test_pods_that_vanish_while_no_watch_is_open_have_ended():
    async with tracking(jobs(1)) as run:
        for each in (pod("a", "Running"), pod("b", "Running")):
            run.api.put("pods", each)
        await settled()
        assert run.tracker.pods.active_job_pods == 2
        run.api.break_watches()
        run.api.remove("pods", "a", "n-1")
        await settled()
        assert run.tracker.pods.active_job_pods == 1
        assert run.progress.running("jobs") == 1


# --- resuming ---------------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_a_job_that_ended_in_an_earlier_attempt_and_vanished_is_counted_and_not_made_again(tmp_path: Path):
    path = tmp_path / "jobs.jsonl"
    async with tracking(jobs(2), ledger=path) as first:
        await first.send_all()
        await first.change("Job", "j-1", status=complete(succeeded=3))
    async with tracking(jobs(2), ledger=path) as second:
        await second.send_all()
        assert list(second.api.objects["jobs"]) == [("n-1", "j-2")]
        assert second.states.ready["Job"] == 1
        assert second.tracker.jobs.pods_succeeded["n-1"] == 3
        assert second.states.unfinished() == 1


@in_virtual_time
async def test_a_job_set_that_ended_in_an_earlier_attempt_and_vanished_is_not_made_again(tmp_path: Path):
    path = tmp_path / "jobs.jsonl"
    async with tracking(job_sets(3), ledger=path) as first:
        await first.send_all()
        await first.change("JobSet", "s-1", status=ended("Completed"))
        await first.change("JobSet", "s-2", status=ended("Failed"))
    async with tracking(job_sets(3), ledger=path) as second:
        await second.send_all()
        assert list(second.api.objects["jobsets"]) == [("n-1", "s-3")]
        assert second.states.ready["JobSet"] == 1
        assert second.failed_objects == [("JobSet", ("n-1", "s-2"), "AllJobsCompleted")]
        assert not second.tracker.jobs.complete
        assert second.states.unfinished() == 1


@in_virtual_time
async def test_a_job_of_an_earlier_attempt_that_is_still_there_is_judged_as_it_is(tmp_path: Path):
    path = tmp_path / "jobs.jsonl"
    async with tracking(jobs(1), ledger=path) as first:
        await first.send_all()
        await first.change("Job", "j-1", status=complete())
    async with tracking(jobs(1), ledger=path, api=first.api) as second:
        operation = await second.scheduler.next()
        assert not second.tracker.finished_earlier(operation)
        assert second.tracker.jobs.complete["n-1"] == 1


# --- permissions and pods ---------------------------------------------------------------------------------------------


@in_virtual_time
async def test_without_permission_to_watch_pods_the_run_goes_on_without_their_figures():
    api = MemoryApi()
    api.refuse = lambda _method, path: failure(403, "Forbidden") if path.endswith("/pods") else None
    async with tracking(jobs(1), api=api) as run:
        assert run.tracker.pod_counts() is None
        assert run.tracker.broken is None
        await run.send_all()
        await run.change("Job", "j-1", status=complete())
        assert run.states.unfinished() == 0


@in_virtual_time
async def test_without_permission_to_watch_what_is_waited_for_the_run_cannot_be_judged():
    api = MemoryApi()
    api.refuse = lambda _method, path: failure(403, "Forbidden", "jobs is forbidden") if "jobs" in path else None
    async with tracking(jobs(1), api=api) as run:
        assert str(run.tracker.broken) == "jobs is forbidden"


def pod(name: str, phase: str, *, role: str = "jobs", owner: str = "Job") -> dict[str, Any]:
    metadata = {
        "name": name,
        "namespace": "n-1",
        "uid": name,
        "labels": run_labels("r", role),
        "ownerReferences": [{"kind": owner, "name": "j-1", "controller": True}],
    }
    state = {"running": {}} if phase == "Running" else {"terminated": {"exitCode": 1, "reason": "Error"}}
    statuses = [] if phase == "Pending" else [{"name": "main", "restartCount": 0, "state": state}]
    return {"metadata": metadata, "status": {"phase": phase, "containerStatuses": statuses}}


@in_virtual_time
async def test_pods_are_counted_and_their_failures_reported_but_not_those_of_other_batches():
    async with tracking(jobs(1)) as run:
        for each in (pod("a", "Pending"), pod("b", "Running"), pod("c", "Running", role="other")):
            run.api.put("pods", each)
        await settled()
        assert run.tracker.pod_counts() == {"pending": 1, "running": 1, "succeeded": 0, "failed": 0}
        run.api.put("pods", pod("b", "Failed"))
        await settled()
        assert [(row["kind"], row["name"]) for row in run.recorder.first_failures] == [("Pod", "b")]
        assert run.tracker.pod_counts() == {"pending": 1, "running": 0, "succeeded": 0, "failed": 1}


@in_virtual_time
async def test_pods_of_the_check_of_services_tell_their_times_and_only_these():
    empty = ",".join("0" * 12)
    counts = "requests=2 failed=1 codes=200:1,none:1"
    words = f"kubestress-timings-1 {counts} name_lookup=- connect=- first_byte=- total=1,0,{empty}"
    async with tracking({**jobs(1), "role": "connectivity"}, jobs(1)) as run:
        for name, role in (("a", "connectivity"), ("b", "jobs")):
            each = pod(name, "Failed", role=role)
            each["status"]["containerStatuses"][0]["state"]["terminated"]["message"] = f"it failed\n{words}"
            run.api.put("pods", each)
        await settled()
        figures = run.tracker.checks.figures()
        assert (figures["pods"], figures["requests"], figures["failed"]) == (1, 2, 1)
        # People read the failures.
        assert {row["message"] for row in run.recorder.first_failures} == {"it failed"}


@in_virtual_time
async def test_catching_up_ends_when_the_last_pod_is_known_to_run_or_after_its_time():
    loop = asyncio.get_running_loop()
    async with tracking(jobs(1)) as run:
        run.api.put("pods", pod("a", "Pending"))
        await settled()
        began = loop.time()
        await run.tracker.catch_up(1.0)
        assert loop.time() - began == pytest.approx(1.0)
        began = loop.time()
        loop.call_later(0.3, run.api.put, "pods", pod("a", "Running"))
        await run.tracker.catch_up(1.0)
        assert loop.time() - began == pytest.approx(0.3)


@in_virtual_time
async def test_a_set_that_is_meant_to_crash_is_ready_although_its_status_never_says_so():
    stateful = {"definition": {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "j-1"}}}
    async with tracking({"role": "sets", "expect": "restarts", "steps": [[stateful]]}) as run:
        run.store("StatefulSet", "j-1", role="sets", spec={"replicas": 1}, status={"replicas": 1})
        operation = await run.scheduler.next()
        run.tracker.stored(Outcome(operation, "created"))
        await settled()
        assert run.states.unfinished() == 1
        run.api.put("pods", pod("a", "Running", role="sets", owner="StatefulSet"))
        await settled()
        assert run.states.unfinished() == 1
        killed = pod("a", "Running", role="sets", owner="StatefulSet")
        killed["status"]["containerStatuses"][0]["state"] = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
        run.api.put("pods", killed)
        await settled()
        assert run.states.ready["StatefulSet"] == 1
        assert run.tracker.pods.oom_kills == 1
