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
from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Any

from ..cluster.client import Cluster
from ..cluster.discovery import Discovery, Resource
from ..cluster.explainer import explain_unready
from ..cluster.limits import Limits
from ..cluster.meter import Meter
from ..cluster.scopes import Scopes
from ..machine.interpreter import rare_garbage_collection
from ..machine.interruptions import stop_on_signals, unless
from ..measure.recorder import Recorder, now_rfc3339
from ..plan.expectation import expectations_of
from ..plan.fragment import Fragment
from ..plan.jinja import TemplateError
from .accelerator_jobs import AcceleratorJobs
from .deadlines import Deadlines, Overdue, stall_text
from .deletions import Deleted, wait_until_deleted
from .guarding import Guarding
from .lookout import Lookout
from .measurements import measurements
from .object_states import ObjectStates
from .observing import batch_observer
from .opened import BatchError, BatchSettings, opened_cluster
from .records import Records
from .role_progress import RoleProgress
from .runner import Runner
from .scheduler import Outcome, Scheduler
from .stored import StoredNames
from .tracker import Tracker
from .volumes import Volumes

#: Seconds between two writings of the measurements while the batch works, so that a killed run keeps them.
_SNAPSHOT_SECONDS = 10.0
#: Seconds until the first of them, which shows how far a run is that has just begun.
_FIRST_SNAPSHOT_SECONDS = 1.0
#: Seconds between two checks whether the playbook that wants the load still runs.
_ABANDONED_CHECK_SECONDS = 1.0
#: Seconds for which nothing is under way and nothing is waited for, although not all was sent: a fault of ours.
_STUCK_SECONDS = 60.0
#: Seconds that the watch of pods may be behind those of the objects that made them, when all of these are ready.
_CATCH_UP_SECONDS = 1.0
#: Seconds between two looks at the deadlines, at least.
_LEAST_PAUSE_SECONDS = 0.01
#: Seconds that requests under way have to end, once an outage has lasted too long.
_CUT_SECONDS = 3.0
#: Seconds for deleted objects to vanish, where the caller sets no limit.
_DELETION_SECONDS = 600.0


async def run_batch(settings: BatchSettings, fragments: list[Fragment]) -> dict[str, Any]:
    """Open the cluster, run the batch, return its measurements. Raises as opened_cluster and Batch.run do."""
    async with opened_cluster(settings) as opened:
        return await Batch(settings, fragments, **await opened.parts_for(fragments)).run()


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
        unserved: frozenset[tuple[str, str]],
        limits: Limits,
        meter: Meter,
    ) -> None:
        self.settings, self.fragments = settings, fragments
        self.limits, self.meter = limits, meter
        self._cluster, self._discovery, self._loop = cluster, discovery, asyncio.get_running_loop()
        demand = settings.demand(fragments)
        self.requested = +(Counter(demand.objects) + Counter(demand.patched))
        self.most_active_pods = sum(group.at_peak for group in demand.groups if group.kind == "Job")
        self._deletes = settings.state == "absent"
        #: By role what is expected of its builds.
        self.expectations = {} if self._deletes else expectations_of(demand)
        #: Whether it waits for its objects; if not, nothing is known of their readiness.
        self.watching = settings.wait and not self._deletes
        self.records = Records(settings, fragments, total=self.requested.total())
        self._scopes = Scopes(settings.namespaces)
        self.lookout = Lookout(cluster, looks_at_controllers=self.watching, say=self.records.say)
        clock = self._clock = self.lookout.clock
        self._role_progress = RoleProgress(clock)
        self.states = ObjectStates(self._role_progress)
        self.scheduler = self._new_scheduler()
        self.volumes = Volumes(cluster, [] if self._deletes else fragments)
        jobs_of = [] if self._deletes else fragments
        self.accelerator_jobs = AcceleratorJobs(cluster, jobs_of, settings.namespaces, self._scopes)
        self.tracker = self._new_tracker()
        self.tracker.on_event = self.accelerator_jobs.event
        self._deadlines = Deadlines(
            fragments, len(settings.namespaces), self.scheduler, self.states, self._role_progress, clock
        )
        self._runner = self._new_runner(resources, unserved)
        self.stored = StoredNames(resources, settings.namespace_at)
        self.guarding = self._new_guarding()
        self.observer = batch_observer(settings, fragments, cluster, self.tracker.pods, self._scopes, self.guarding)
        meter.pod_counts = self.tracker.pod_counts

        self.started = self.began_at = now_rfc3339()
        self._began = self._loop.time()
        self._clock_began = self._last_active = clock.time()
        self._worked_seconds: float | None = None
        #: First and last second of each role's requests, from the batch's beginning.
        self.phases: dict[str, list[float]] = {}
        self.not_ready: list[dict[str, str]] = []
        self._deleted: set[Deleted] = set()
        self._abort_reason: str | None = None
        self._aborted_by: str | None = None
        self._aborting = asyncio.Event()
        #: Why the wait for a role ended, by role; for a role of which more was to come, or that stood still.
        self._gave_up: dict[str, str] = {}

    def _new_scheduler(self) -> Scheduler:
        settings = self.settings
        return Scheduler(
            self.fragments,
            namespaces=enumerate(settings.namespaces, settings.first_index),
            parallel=settings.parallel,
            existing=settings.existing,
            assume_namespaces_ready=not self.watching,
            unfinished_in=self.states.unfinished_in,
            clock=self._clock,
        )

    def _new_tracker(self) -> Tracker:
        return Tracker(
            self._cluster,
            self._discovery,
            self.scheduler,
            self.states,
            self._role_progress,
            run_id=self.settings.run_id,
            fragments=self.fragments,
            namespaces=self.settings.numbered_namespaces,
            ledger=self.records.ledger,
            failures=self.records.failures,
            scopes=self._scopes,
            makes_namespaces=self.settings.makes_namespaces,
            sight=self.lookout.sight,
            volumes=self.volumes,
        )

    def _new_runner(
        self, resources: Mapping[tuple[str, str], Resource], unserved: frozenset[tuple[str, str]]
    ) -> Runner:
        return Runner(
            self._cluster,
            self.scheduler,
            run_id=self.settings.run_id,
            resources=resources,
            discovery=self._discovery,
            unserved=unserved,
            on_outcome=self._take_outcome,
            is_finished=self.tracker.is_finished,
            finished_earlier=self.tracker.finished_earlier,
            state=self.settings.state,
            patch_type=self.settings.patch_type,
            workers=self.settings.max_concurrent,
        )

    def _new_guarding(self) -> Guarding:
        return Guarding(
            self.settings.guard,
            cluster=self._cluster,
            meter=self.meter,
            tracker=self.tracker,
            fragments=self.fragments,
            settle_seconds=self.settings.request_timeout_seconds,
            stop=partial(self.abort, by="guard"),
            say=self.records.say,
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
    def stopped_by(self) -> str | None:
        """Who or what ended the batch before its work was done, as of results.verdict.STOPPED_BY; None if nobody."""
        return self._aborted_by or ("time" if self._gave_up else None)

    @property
    def worked_seconds(self) -> float:
        """From the first request of the work to its end, or until now."""
        return self._loop.time() - self._began if self._worked_seconds is None else self._worked_seconds

    async def run(self) -> dict[str, Any]:
        """The measurements; failures are in them, not raised. Raises ClusterError or BatchError if it cannot begin."""
        try:
            async with (
                self.meter.beside(),
                self.observer.beside(),
                self.lookout.beside(),
                self.guarding.beside(),
                self.volumes.beside() if self.watching else contextlib.nullcontext(),
                self.accelerator_jobs.beside() if self.watching else contextlib.nullcontext(),
            ):
                await self._work()
            if not self._deletes:
                rows = await explain_unready(
                    self.states.not_ready(),
                    cluster=self._cluster,
                    discovery=self._discovery,
                    api_versions={kind: version for fragment in self.fragments for version, kind in fragment.kinds},
                )
                silent = "".join(f"; {phrase}" for phrase in self.lookout.silent_controllers())
                self.not_ready += [{**row, "cause": row["cause"] + silent} for row in rows]
        finally:
            self.records.close()
        return self.write()

    def abort(self, reason: str, *, by: str = "signal") -> None:
        """Send nothing more; what is in flight gets its answer. The first reason counts; `by` as of `stopped_by`."""
        if self._abort_reason is None:
            self._abort_reason, self._aborted_by = reason, by
        self._aborting.set()
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
        if self.watching:
            await self._start_watching()
        self.began_at, self._began = now_rfc3339(), self._loop.time()
        self._clock_began = self._last_active = self._clock.time()
        self._deadlines.begin()
        with stop_on_signals(self.abort), rare_garbage_collection():
            reporting = asyncio.create_task(self._report())
            sending = asyncio.create_task(self._runner.run())
            sending.add_done_callback(lambda _task: self.tracker.signal())
            try:
                await self._supervise(sending)
                if self.watching and not self.aborted and not self.states.not_ready():
                    await self.tracker.catch_up(_CATCH_UP_SECONDS)
                if self.settings.state == "present" and not self.aborted:
                    await self._count_stored()
                if self._deletes and self.settings.wait and not self.aborted:
                    self.not_ready += await wait_until_deleted(
                        self._cluster,
                        self._discovery,
                        self._deleted,
                        self._scopes,
                        run_id=self.settings.run_id,
                        timeout_seconds=self.settings.wait_timeout_seconds or _DELETION_SECONDS,
                        clock=self._clock,
                    )
                    if reason := self.lookout.abort_reason():
                        self.abort(reason, by="outage")
            finally:
                reporting.cancel()
                sending.cancel()
                await asyncio.gather(reporting, sending, return_exceptions=True)
                await self.tracker.stop()
                self._worked_seconds = self._loop.time() - self._began
                self._show_progress(last=True)
                # Before the observer's file is finished: alone, that would look like a run that promised nothing.
                self._write_snapshot()

    async def _start_watching(self) -> None:
        settings = self.settings
        seconds = settings.retry_deadline_seconds + settings.request_timeout_seconds
        try:
            async with self._cluster.reachability.timeout(seconds):
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
            if reason := self.lookout.abort_reason():
                self.abort(reason, by="outage")
            if self._abort_reason or self.tracker.in_vain or (sending.done() and sending.exception()):
                break
            await self.tracker.changed(self._seconds_to_next_look())
            await self._check_deadlines(sent=sending.done())
            self._end_if_stuck(sending.done())
        if self.tracker.in_vain:
            self.abort(self.tracker.in_vain, by="error" if self.tracker.broken else "deletion")
        if sending.done():
            self._raise_fault_of(sending)
        elif self._abort_reason:
            # What is in flight gets its answer; nothing new is sent.
            seconds = _CUT_SECONDS if self.lookout.server_is_given_up else self.settings.request_timeout_seconds
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await asyncio.shield(sending)

    def _seconds_to_next_look(self) -> float:
        # While the clock is held, no deadline comes nearer.
        return 1.0 if self._clock.is_held else min(1.0, max(_LEAST_PAUSE_SECONDS, self._deadlines.seconds_to_next()))

    def _raise_fault_of(self, sending: asyncio.Task[None]) -> None:
        """Templates are tried for the first and the last member; where one fails for another, that ends the batch."""
        group = sending.exception()
        if isinstance(group, BaseExceptionGroup):
            faults, rest = group.split(TemplateError)
            if faults is not None and rest is None:
                self.abort(str(faults.exceptions[0]), by="error")
                return
        sending.result()

    def _end_if_stuck(self, sent: bool) -> None:
        """Never hang: nothing is under way, nothing is waited for, and still not all was sent."""
        if sent or self.states.unfinished() or not self.scheduler.is_waiting:
            self._last_active = self._clock.time()
        elif self._clock.time() - self._last_active > _STUCK_SECONDS:
            text = f"nothing was sent or waited for during {_STUCK_SECONDS:g} s; this is a fault of the collection"
            self.abort(text, by="error")

    # -- deadlines ---------------------------------------------------------------------------------------------------

    async def _check_deadlines(self, *, sent: bool) -> None:
        whole = self.settings.wait_timeout_seconds
        all_over = bool(whole) and self._clock.time() >= self._clock_began + whole
        is_late = all_over or self._deadlines.overdue() or self._deadlines.is_a_namespace_overdue()
        if not is_late or not await self.lookout.can_judge():
            return
        for overdue in self._deadlines.overdue():
            await self._end_role(overdue)
        await self._end_namespaces()
        if all_over and self._clock.time() >= self._clock_began + whole:
            await unless(self._aborting, self.tracker.look_again(self.fragments))
            if self.states.unfinished() or not sent:
                self.abort(f"the batch was not done after {whole:g} s", by="time")
                self.states.give_up(None, f"not ready after {whole:g} s")

    async def _count_stored(self) -> None:
        """What was stored and is gone is a failure, also of the kinds that nobody watches."""
        await unless(self._aborting, self.stored.compare(self._cluster, run_id=self.settings.run_id))
        for one in self.stored.missing:
            self.states.ready[one.kind] -= 1
            self.records.failures.missing(one.kind, one.key, one.role, one.cause)
            self.not_ready.append(one.row())

    async def _end_namespaces(self) -> None:
        """Give up the Namespaces that are not ready in their time."""
        overdue = self._deadlines.overdue_namespaces()
        if any(self.tracker.namespaces.is_awaited(name) for name in overdue):
            makers = [fragment for fragment in self.fragments if fragment.makes_namespace]
            await unless(self._aborting, self.tracker.look_again(makers))
        for name, seconds in overdue.items():
            self.tracker.namespaces.give_up(name, seconds)

    async def _end_role(self, overdue: Overdue) -> None:
        """Send no more of a role whose time is over, and give up what of it is unfinished."""
        role = overdue.fragment.role
        await unless(self._aborting, self.tracker.look_again([overdue.fragment]))
        if overdue not in self._deadlines.overdue():
            return
        if not self._deadlines.has_ended(role):
            unsent = self._deadlines.unsent(overdue.fragment)
            if overdue.stalled:
                self._gave_up[role] = self._stall_reason(overdue, unsent)
            elif overdue.fragment.active and unsent:
                self._gave_up[role] = f"{role}: not all sent and finished after {overdue.limit_seconds:g} s"
            self._deadlines.end(role)
            self.scheduler.stop_role(role)
        # Also what was in flight when the role ended: nobody else would stop waiting for it.
        self.states.give_up(role, overdue.text)

    def _stall_reason(self, overdue: Overdue, unsent: int) -> str:
        leases = self.lookout.controllers_text()
        text = stall_text(
            overdue,
            unsent=unsent,
            states=self.states,
            progress=self._role_progress,
            tracker=self.tracker,
            queue=self.accelerator_jobs.book.why_queued(overdue.fragment.role),
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
            return
        if not self.tracker.waits_for(operation) and not operation.unit.lane.fragment.patch:
            self.stored.add(operation)
        if self.watching:
            self.tracker.stored(outcome)
            fragment = operation.unit.lane.fragment
            if fragment.makes_namespace:
                self._deadlines.namespace_stored(operation.name, fragment.ready_timeout_seconds)

    # -- what people see while it works ------------------------------------------------------------------------------

    async def _report(self) -> None:
        """Until cancelled: show progress, write the measurements, and abort when the playbook is gone."""
        next_snapshot = self._loop.time() + _FIRST_SNAPSHOT_SECONDS
        while True:
            to_snapshot = next_snapshot - self._loop.time()
            next_due = min(self.records.lines.seconds_to_next, to_snapshot, _ABANDONED_CHECK_SECONDS)
            await asyncio.sleep(max(0.0, next_due) + 0.01)
            if self.records.lines.is_abandoned():
                self.abort("the playbook that ran this batch is gone", by="playbook")
            self._show_progress()
            if self._loop.time() >= next_snapshot:
                self._write_snapshot()
                next_snapshot = self._loop.time() + _SNAPSHOT_SECONDS

    def _write_snapshot(self) -> None:
        if self.records.file is not None:
            self.write(partial=True)

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
