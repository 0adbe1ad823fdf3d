# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One batch: its parts are built once, then it sends, watches, waits and counts.

    async with opened_cluster(settings) as opened:
        document = await Batch(settings, fragments, **await opened.parts_for(fragments)).run()

`run_batch` does just that; callers that have something to do between opening and running take the two steps.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from ..cluster.client import Cluster, RetryPolicy
from ..cluster.discovery import Discovery, Resource
from ..cluster.explainer import explain_unready
from ..cluster.leases import LeaseReading, lease_text, read_leases
from ..cluster.limits import Limits
from ..cluster.meter import Meter
from ..errors import KubestressError
from ..machine.interpreter import rare_garbage_collection
from ..machine.progress import Progress
from ..measure.pods import PodBook
from ..measure.recorder import Recorder, now_rfc3339
from ..observe.arguments import Intervals
from ..observe.observer import ObservationFile, Observer
from ..observe.parts import standard_parts
from ..plan.demand import Demand, demand_of
from ..plan.fragment import Fragment
from ..plan.jinja import TemplateError
from .deadlines import Deadlines, Overdue, stall_text
from .deletions import Deleted, wait_until_deleted
from .failure_log import FailureLog
from .ledger import Ledger
from .measurements import MeasurementFile, measurements
from .object_states import ObjectStates
from .role_progress import RoleProgress
from .runner import Runner
from .scheduler import Outcome, Scheduler
from .tracker import Tracker

#: Seconds between two writings of the measurements while the batch works, so that a killed run keeps them.
_SNAPSHOT_SECONDS = 10.0
#: Seconds between two checks whether the playbook that wants the load still runs.
_ABANDONED_CHECK_SECONDS = 1.0
#: Seconds for which nothing is under way and nothing is waited for, although not all was sent: a fault of ours.
_STUCK_SECONDS = 60.0
#: Seconds that the watch of pods may be behind those of the objects that made them, when all of these are ready.
_CATCH_UP_SECONDS = 1.0
#: Seconds for deleted objects to vanish, where the caller sets no limit.
_DELETION_SECONDS = 600.0


class BatchError(KubestressError):
    """The batch could not begin, or its objects cannot be watched; the text is fit for the user."""


@dataclass(frozen=True, kw_only=True)
class BatchSettings:
    """How a batch works; the module's options, checked. Times are in seconds.

    `observe` None observes nothing beside it; without `results_dir` there is no place for an observation either.
    """

    auth: dict[str, Any]
    run_id: str
    namespaces: list[str]
    first_index: int = 1
    existing: frozenset[str] = frozenset()
    parallel: int = 10
    state: str = "present"
    patch_type: str = "merge"
    max_concurrent: int = 50
    qps: float = 0.0
    burst: int = 0
    request_timeout_seconds: float = 60.0
    retry_deadline_seconds: float = 120.0
    wait: bool = True
    wait_timeout_seconds: float = 0.0
    observe: Intervals | None = None
    results_dir: Path | None = None
    ledger: Path | None = None
    progress: Path | None = None

    @property
    def numbered_namespaces(self) -> list[tuple[int, str]]:
        """The namespaces as (index, name)."""
        return list(enumerate(self.namespaces, self.first_index))

    def demand(self, fragments: list[Fragment]) -> Demand:
        """What the fragments weigh in these namespaces."""
        return demand_of(fragments, namespaces=self.numbered_namespaces, existing=self.existing)


class BatchParts(TypedDict):
    """What a Batch takes from an opened cluster. `resources`: the served kinds of its fragments."""

    cluster: Cluster
    discovery: Discovery
    resources: Mapping[tuple[str, str], Resource]
    limits: Limits
    meter: Meter


@dataclass(frozen=True)
class OpenedCluster:
    """A connected cluster whose every request passes the limits."""

    cluster: Cluster
    discovery: Discovery
    limits: Limits

    async def parts_for(self, fragments: list[Fragment]) -> BatchParts:
        """What a Batch of these fragments takes; from now on its meter measures all requests.

        Raises Invalid for a kind that the server does not serve.
        """
        kinds = {kind for fragment in fragments for kind in fragment.kinds}
        resources = {kind: await self.discovery.resource(*kind) for kind in sorted(kinds)}
        # Not earlier: what was read to judge the plan is no part of the load.
        meter = Meter(max_in_flight=self.limits.in_flight.maximum)
        self.cluster.traffic = meter
        return BatchParts(
            cluster=self.cluster,
            discovery=self.discovery,
            resources=resources,
            limits=self.limits,
            meter=meter,
        )


@contextlib.asynccontextmanager
async def opened_cluster(settings: BatchSettings) -> AsyncIterator[OpenedCluster]:
    """Connect as a batch's settings say. Raises ClusterError where the server cannot be reached or refuses us."""
    limits = Limits(max_in_flight=settings.max_concurrent, per_second=settings.qps, burst=settings.burst)
    connecting = await Cluster.open(
        settings.auth,
        retry=RetryPolicy(deadline_seconds=settings.retry_deadline_seconds),
        request_timeout_seconds=settings.request_timeout_seconds,
        admission=lambda: limits,
    )
    async with connecting as cluster:
        await cluster.version()
        yield OpenedCluster(cluster, Discovery(cluster), limits)


async def run_batch(settings: BatchSettings, fragments: list[Fragment]) -> dict[str, Any]:
    """Open the cluster, run the batch, return its measurements. Raises as opened_cluster and Batch.run do."""
    async with opened_cluster(settings) as opened:
        return await Batch(settings, fragments, **await opened.parts_for(fragments)).run()


def batch_observer(settings: BatchSettings, fragments: list[Fragment], cluster: Cluster, pods: PodBook) -> Observer:
    """The observer of a batch; without a wish for one, or a place for its file, one that asks nothing."""
    name = "-".join(fragment.role for fragment in fragments)
    intervals, folder = settings.observe, settings.results_dir
    if intervals is None or folder is None:
        return Observer([], run_id=settings.run_id, name=name, intervals=Intervals(), file=None)
    namespaces = frozenset(settings.namespaces)
    parts = standard_parts(cluster, pods, intervals=intervals, started=time.monotonic(), namespaces=lambda: namespaces)
    file = ObservationFile(folder, name)
    return Observer(parts, run_id=settings.run_id, name=name, intervals=intervals, file=file)


@contextlib.contextmanager
def stop_on_signals(stop: Callable[[str], None]) -> Iterator[None]:
    """While the block runs, SIGTERM and SIGINT call `stop` with a reason instead of ending the process."""
    loop = asyncio.get_running_loop()
    caught = (signal.SIGTERM, signal.SIGINT)
    for number in caught:
        loop.add_signal_handler(number, stop, f"interrupted by {number.name}")
    try:
        yield
    finally:
        for number in caught:
            loop.remove_signal_handler(number)


class Records:
    """Where a batch writes: failures, finished Jobs, its measurements, and lines of progress for people."""

    def __init__(self, settings: BatchSettings, fragments: list[Fragment], *, total: int) -> None:
        roles = [fragment.role for fragment in fragments]
        self.recorder = Recorder(settings.results_dir)
        self.failures = FailureLog(self.recorder, state=settings.state)
        self.file = MeasurementFile(settings.results_dir, roles) if settings.results_dir else None
        self.ledger = Ledger(settings.ledger)
        self.lines = Progress(settings.progress, total=total, what="objects")

    def close(self) -> None:
        """Close the files that stay open."""
        self.recorder.close()
        self.ledger.close()


class Batch:
    """A batch on an open cluster; made inside a running event loop, whose clock it goes by. `run` it once."""

    def __init__(
        self,
        settings: BatchSettings,
        fragments: list[Fragment],
        *,
        cluster: Cluster,
        discovery: Discovery,
        resources: Mapping[tuple[str, str], Resource],
        limits: Limits,
        meter: Meter,
    ) -> None:
        self.settings, self.fragments = settings, fragments
        self.limits, self.meter = limits, meter
        self._cluster, self._discovery, self._loop = cluster, discovery, asyncio.get_running_loop()
        demand = settings.demand(fragments)
        self.requested = Counter(demand.objects)
        self.most_active_pods = sum(group.at_peak for group in demand.groups if group.kind == "Job")
        self._deletes = settings.state == "absent"
        self._watching = settings.wait and not self._deletes
        self.records = Records(settings, fragments, total=self.requested.total())
        self._role_progress = RoleProgress()
        self.states = ObjectStates(self._role_progress)
        self.scheduler = Scheduler(
            fragments,
            namespaces=settings.numbered_namespaces,
            parallel=settings.parallel,
            existing=settings.existing,
            assume_namespaces_ready=not self._watching,
            unfinished_in=self.states.unfinished_in,
        )
        self.tracker = Tracker(
            cluster,
            discovery,
            self.scheduler,
            self.states,
            self._role_progress,
            run_id=settings.run_id,
            fragments=fragments,
            ledger=self.records.ledger,
            failures=self.records.failures,
        )
        self._deadlines = Deadlines(
            fragments, len(settings.namespaces), self.scheduler, self.states, self._role_progress
        )
        self._runner = self._new_runner(resources)
        self.observer = batch_observer(settings, fragments, cluster, self.tracker.pods)
        meter.pod_counts = self.tracker.pod_counts

        self.started = self.began_at = now_rfc3339()
        self._began = self._last_active = self._loop.time()
        self._worked_seconds: float | None = None
        #: First and last second of each role's requests, from the batch's beginning.
        self.phases: dict[str, list[float]] = {}
        self.not_ready: list[dict[str, str]] = []
        self._deleted: set[Deleted] = set()
        self._abort_reason: str | None = None
        #: Why the wait for a role ended, by role; for a role of which more was to come, or that stood still.
        self._gave_up: dict[str, str] = {}
        self._leases: LeaseReading | None = None

    def _new_runner(self, resources: Mapping[tuple[str, str], Resource]) -> Runner:
        return Runner(
            self._cluster,
            self.scheduler,
            run_id=self.settings.run_id,
            resources=resources,
            on_outcome=self._take_outcome,
            is_finished=self.tracker.is_finished,
            finished_earlier=self.tracker.finished_earlier,
            state=self.settings.state,
            patch_type=self.settings.patch_type,
            workers=self.settings.max_concurrent,
        )

    @property
    def recorder(self) -> Recorder:
        """The batch's counts and failures."""
        return self.records.recorder

    @property
    def aborted(self) -> str | None:
        """Why the batch did not do its whole work; None if it did."""
        reasons = [*([self._abort_reason] if self._abort_reason else []), *self._gave_up.values()]
        return "; ".join(reasons) or None

    @property
    def worked_seconds(self) -> float:
        """From the first request of the work to its end, or until now."""
        return self._loop.time() - self._began if self._worked_seconds is None else self._worked_seconds

    async def run(self) -> dict[str, Any]:
        """The measurements; failures are in them, not raised. Raises ClusterError or BatchError if it cannot begin."""
        try:
            async with self.meter.beside(), self.observer.beside():
                await self._work()
            if not self._deletes:
                self.not_ready += await explain_unready(
                    self.states.not_ready(),
                    cluster=self._cluster,
                    discovery=self._discovery,
                    api_versions={kind: version for fragment in self.fragments for version, kind in fragment.kinds},
                )
        finally:
            self.records.close()
        return self.write()

    def abort(self, reason: str) -> None:
        """Send nothing more; what is in flight gets its answer."""
        self._abort_reason = self._abort_reason or reason
        self.scheduler.stop()
        self.tracker.signal()

    def write(self, *, partial: bool = False) -> dict[str, Any]:
        """Put the measurements on disk, finished or as they are now; the document."""
        document = measurements(self, partial=partial)
        if self.records.file is not None:
            self.records.file.write(document)
        return document

    # -- work --------------------------------------------------------------------------------------------------------

    async def _work(self) -> None:
        if self._watching:
            await self._start_watching()
        self.began_at, self._began = now_rfc3339(), self._loop.time()
        self._last_active = self._began
        self._deadlines.begin()
        with stop_on_signals(self.abort), rare_garbage_collection():
            reporting = asyncio.create_task(self._report())
            sending = asyncio.create_task(self._runner.run())
            sending.add_done_callback(lambda _task: self.tracker.signal())
            try:
                await self._supervise(sending)
                if self._watching and not self.aborted and not self.states.not_ready():
                    await self.tracker.catch_up(_CATCH_UP_SECONDS)
                if self._deletes and self.settings.wait and not self.aborted:
                    self.not_ready += await wait_until_deleted(
                        self._cluster,
                        self._discovery,
                        self._deleted,
                        run_id=self.settings.run_id,
                        timeout_seconds=self.settings.wait_timeout_seconds or _DELETION_SECONDS,
                    )
            finally:
                reporting.cancel()
                sending.cancel()
                await asyncio.gather(reporting, sending, return_exceptions=True)
                await self.tracker.stop()
                self._worked_seconds = self._loop.time() - self._began
                self._show_progress(last=True)

    async def _start_watching(self) -> None:
        settings = self.settings
        seconds = settings.retry_deadline_seconds + settings.request_timeout_seconds
        try:
            async with asyncio.timeout(seconds):
                await self.tracker.start()
        except BaseException as error:
            await self.tracker.stop()
            if isinstance(error, TimeoutError):
                causes = ", ".join(f"{cause}: {number}" for cause, number in self.tracker.watch_breaks.items())
                raise BatchError(f"the objects could not be listed within {seconds:g} s ({causes})") from error
            raise

    async def _supervise(self, sending: asyncio.Task[None]) -> None:
        """Return when all is sent and settled, a time is over, a watch is broken, or an abort is asked for."""
        while not (sending.done() and not self.states.unfinished()):
            if self.tracker.broken is not None:
                self.abort(f"the state of the objects can no longer be watched: {self.tracker.broken}")
            if self._abort_reason or (sending.done() and sending.exception()):
                break
            await self.tracker.changed(min(1.0, self._deadlines.seconds_to_next()))
            await self._check_deadlines()
            self._end_if_stuck(sending.done())
        if sending.done():
            self._raise_fault_of(sending)
        elif self._abort_reason:
            # What is in flight gets its answer; nothing new is sent.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.settings.request_timeout_seconds):
                    await asyncio.shield(sending)

    def _raise_fault_of(self, sending: asyncio.Task[None]) -> None:
        """Templates are tried for the first and the last member; where one fails for another, that ends the batch."""
        group = sending.exception()
        if isinstance(group, BaseExceptionGroup):
            faults, rest = group.split(TemplateError)
            if faults is not None and rest is None:
                self.abort(str(faults.exceptions[0]))
                return
        sending.result()

    def _end_if_stuck(self, sent: bool) -> None:
        """Never hang: nothing is under way, nothing is waited for, and still not all was sent."""
        if sent or self.states.unfinished() or not self.scheduler.is_waiting:
            self._last_active = self._loop.time()
        elif self._loop.time() - self._last_active > _STUCK_SECONDS:
            self.abort(f"nothing was sent or waited for during {_STUCK_SECONDS:g} s; this is a fault of the collection")

    # -- deadlines ---------------------------------------------------------------------------------------------------

    async def _check_deadlines(self) -> None:
        if not self._deadlines.is_any_halfway_to_a_stall():
            self._leases = None
        elif self._leases is None:
            self._leases = await read_leases(self._cluster)
        for overdue in self._deadlines.overdue():
            await self._end_role(overdue)
        whole = self.settings.wait_timeout_seconds
        if whole and self._loop.time() >= self._began + whole:
            self.abort(f"the batch was not done after {whole:g} s")
            self.states.give_up(None, f"not ready after {whole:g} s")

    async def _end_role(self, overdue: Overdue) -> None:
        """Send no more of a role whose time is over, and give up what of it is unfinished."""
        role = overdue.fragment.role
        if not self._deadlines.has_ended(role):
            unsent = self._deadlines.unsent(overdue.fragment)
            if overdue.stalled:
                reason = await self._stall_reason(overdue, unsent)
                if overdue not in self._deadlines.overdue():
                    return  # it moved while the leases were read
                self._gave_up[role] = reason
            elif overdue.fragment.active and unsent:
                self._gave_up[role] = f"{role}: not all sent and finished after {overdue.limit_seconds:g} s"
            self._deadlines.end(role)
            self.scheduler.stop_role(role)
        # Also what was in flight when the role ended: nobody else would stop waiting for it.
        self.states.give_up(role, overdue.text)

    async def _stall_reason(self, overdue: Overdue, unsent: int) -> str:
        now = await read_leases(self._cluster)
        leases = lease_text(self._leases, now) if self._leases is not None else ""
        text = stall_text(
            overdue, unsent=unsent, states=self.states, progress=self._role_progress, tracker=self.tracker
        )
        return f"{text}; {leases}" if leases else text

    def _take_outcome(self, outcome: Outcome) -> None:
        operation = outcome.operation
        now = self._loop.time() - self._began
        phase = self.phases.setdefault(operation.role, [now - outcome.seconds, now])
        phase[1] = now
        if outcome.result == "failed":
            self.records.failures.operation(outcome)
            return
        self.records.recorder.outcome(kind=operation.kind, result=outcome.result)
        if self._deletes:
            if outcome.result == "deleted":
                self._deleted.add((operation.api_version, operation.kind, operation.namespace, operation.name))
        elif self._watching:
            self.tracker.stored(outcome)
            fragment = operation.unit.lane.fragment
            if fragment.makes_namespace:
                seconds = fragment.ready_timeout_seconds
                self._loop.call_later(seconds, self.tracker.namespaces.give_up, operation.name, seconds)

    # -- what people see while it works ------------------------------------------------------------------------------

    async def _report(self) -> None:
        """Until cancelled: show progress, write the measurements, and abort when the playbook is gone."""
        next_snapshot = self._loop.time() + _SNAPSHOT_SECONDS
        while True:
            to_snapshot = next_snapshot - self._loop.time()
            next_due = min(self.records.lines.seconds_to_next, to_snapshot, _ABANDONED_CHECK_SECONDS)
            await asyncio.sleep(max(0.0, next_due) + 0.01)
            if self.records.lines.is_abandoned():
                self.abort("the playbook that ran this batch is gone")
            self._show_progress()
            if self._loop.time() >= next_snapshot:
                if self.records.file is not None:
                    self.write(partial=True)
                next_snapshot = self._loop.time() + _SNAPSHOT_SECONDS

    def _show_progress(self, *, last: bool = False) -> None:
        """Write a line of progress, if one is due or it is the last."""
        jobs, pods = self.tracker.jobs, self.tracker.pods
        ended = jobs.complete.total() + jobs.failed.total()
        self.records.lines.show(
            done=self.records.recorder.done,
            failed=self.records.recorder.failures.total(),
            retries=self._cluster.traffic.retries.total(),
            unready=self.states.unfinished(),
            detail=f"{ended} Jobs ended, {pods.active_job_pods} Job pods active" if self.requested["Job"] else "",
            last=last,
        )
