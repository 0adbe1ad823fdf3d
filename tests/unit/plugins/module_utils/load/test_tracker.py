"""The tracker on an API server in memory: what its events make ready, failed, counted, and let through the gates."""

from __future__ import annotations

import asyncio
import contextlib
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
async def test_a_namespace_that_is_deleted_by_somebody_else_fails_and_takes_the_rest_with_it():
    async with tracking(NAMESPACES, jobs(2)) as run:
        await run.send_all()
        await run.change("Namespace", "n-1", status={"phase": "Terminating"})
        assert run.failed_objects == [("Namespace", ("", "n-1"), "it is being deleted by somebody else")]
        operation = await run.scheduler.next()
        assert operation.skipped_because == "Namespace n-1 is being deleted"


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


@pytest.mark.parametrize(
    ("kind", "plan", "status", "cause"),
    [
        ("Job", jobs(1), {"active": 1}, "it was deleted while the run waited for it"),
        ("Deployment", deployments(1), {}, "it was deleted while the run waited for it"),
        ("Deployment", deployments(1), AVAILABLE, "it was deleted during the run"),
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

        def stale_list(plural: str, query: Any) -> Any:
            found = listed(plural, query)
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
        assert run.states.ready["StatefulSet"] == 1
