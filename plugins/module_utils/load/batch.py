# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One batch from settings to measurements: connect, compile, send, watch, wait, count."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..cluster.client import Cluster, RetryPolicy
from ..cluster.discovery import Discovery, Resource
from ..cluster.explainer import explain_unready
from ..cluster.limits import Limits
from ..cluster.meter import Meter
from ..errors import KubestressError
from ..machine.interpreter import collected_seldom
from ..machine.progress import Progress
from ..measure.pods import PodBook
from ..measure.recorder import Recorder, now_rfc3339
from ..observe.arguments import Intervals
from ..observe.observer import ObservationFile, Observer
from ..observe.parts import standard_parts
from ..plan.fragment import Fragment
from ..plan.jinja import TemplateError
from .deadlines import Deadlines
from .gone import wait_until_gone
from .ledger import Ledger
from .measurements import Journal, MeasurementFile, measurements
from .runner import Runner
from .scheduler import Outcome, Scheduler
from .tracker import Tracker


@dataclass(frozen=True, kw_only=True)
class BatchSettings:
    """What a batch is to do; the module's options, checked. Times are in seconds.

    `observe` None observes nothing beside it; without `results_dir` there is no place for an observation either.
    """

    auth: dict[str, Any]
    run_id: str
    fragments: list[Fragment]
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
    def requested(self) -> Counter[str]:
        """Objects by kind, over all namespaces. Namespaces that exist already are not made."""
        total: Counter[str] = Counter()
        for fragment in self.fragments:
            number = len(self.namespaces)
            if fragment.makes_namespace:
                number = sum(1 for name in self.namespaces if name not in self.existing)
            for (_api_version, kind), count in fragment.kinds.items():
                total[kind] += count * fragment.count * number
        return total

    @property
    def ceiling_active_pods(self) -> int:
        """Job pods that may run at once: namespaces * unfinished Jobs * parallelism."""
        return len(self.namespaces) * sum(
            (min(fragment.active, fragment.count) or fragment.count) * fragment.parallelism
            for fragment in self.fragments
        )


def batch_observer(settings: BatchSettings, cluster: Cluster, pods: PodBook) -> Observer:
    """The observer of a batch; one that asks nothing if that is not wanted or has no place to be written to."""
    name = "-".join(fragment.role for fragment in settings.fragments)
    intervals, folder = settings.observe, settings.results_dir
    if intervals is None or folder is None:
        return Observer([], run_id=settings.run_id, name=name, intervals=Intervals(), file=None)
    namespaces = frozenset(settings.namespaces)
    parts = standard_parts(cluster, pods, intervals=intervals, started=time.monotonic(), namespaces=lambda: namespaces)
    file = ObservationFile(folder, name)
    return Observer(parts, run_id=settings.run_id, name=name, intervals=intervals, file=file)


#: Seconds between two writings of the measurements while the batch works, so that a killed run keeps them.
_SNAPSHOT_SECONDS = 10.0
#: Seconds between two looks at whether there still is a playbook that wants the load.
_ABANDONED_LOOK_SECONDS = 1.0


async def tick(batch: Batch) -> None:
    """Until it is cancelled."""
    next_snapshot = time.monotonic() + _SNAPSHOT_SECONDS
    while True:
        next_due = min(batch.progress.seconds_to_next, next_snapshot - time.monotonic(), _ABANDONED_LOOK_SECONDS)
        await asyncio.sleep(max(0.0, next_due) + 0.01)
        if batch.progress.is_abandoned():
            batch.abort("the playbook that ran this batch is gone")
        show(batch)
        if time.monotonic() >= next_snapshot:
            batch.worked_seconds = time.monotonic() - batch.began
            batch.write(partial=True)
            next_snapshot = time.monotonic() + _SNAPSHOT_SECONDS


def show(batch: Batch, *, last: bool = False) -> None:
    """Write a line of progress, if one is due or it is the last."""
    jobs, pods = batch.tracker.jobs, batch.tracker.pods
    ended = jobs.complete.total() + jobs.failed.total()
    detail = f"{ended} Jobs ended, {pods.active_job_pods} Job pods active" if batch.settings.requested["Job"] else ""
    batch.progress.show(
        done=batch.recorder.done,
        failed=batch.recorder.failures.total(),
        retries=batch.cluster.traffic.retries.total(),
        unready=batch.standings.unready(),
        detail=detail,
        last=last,
    )


@contextlib.contextmanager
def told_of_signals(stop: Callable[[str], None]) -> Iterator[None]:
    """While the block runs, SIGTERM and SIGINT call `stop` with a reason instead of ending the process."""
    loop = asyncio.get_running_loop()
    wanted = (signal.SIGTERM, signal.SIGINT)
    for number in wanted:
        loop.add_signal_handler(number, stop, f"interrupted by {number.name}")
    try:
        yield
    finally:
        for number in wanted:
            loop.remove_signal_handler(number)


#: Seconds without anything under way or awaited after which a batch is a fault of ours, and ends with that word.
_STALL_SECONDS = 60.0
#: Seconds that the watch of pods may lag behind those of the objects that made them, when all of these are ready.
_CATCH_UP_SECONDS = 1.0


class BatchError(KubestressError):
    """The batch could not be begun, or not be judged; the text is fit for the user."""


@dataclass
class Batch:
    """A batch at work. `run()` returns the measurements; failures are in them, not raised."""

    settings: BatchSettings
    started: str = field(default_factory=now_rfc3339)
    aborted: str | None = None
    phases: dict[str, list[float]] = field(default_factory=dict)
    not_ready: list[dict[str, str]] = field(default_factory=list)

    async def run(self) -> dict[str, Any]:
        """Raises ClusterError or BatchError when nothing could be begun."""
        settings = self.settings
        self.limits = Limits(max_in_flight=settings.max_concurrent, per_second=settings.qps, burst=settings.burst)
        self.meter = Meter(max_in_flight=settings.max_concurrent)
        cluster_to_be = await Cluster.open(
            settings.auth,
            retry=RetryPolicy(deadline_seconds=settings.retry_deadline_seconds),
            request_timeout_seconds=settings.request_timeout_seconds,
            admission=lambda: self.limits,
            traffic=self.meter,
        )
        async with cluster_to_be as cluster, self.meter.beside():
            self.cluster = cluster
            await cluster.version()
            discovery = Discovery(cluster)
            resources = await self._resources(discovery)
            self._prepare(cluster, discovery, resources)
            try:
                async with self.observer.beside():
                    await self._work(discovery)
                if settings.state != "absent":
                    self.not_ready += await explain_unready(
                        self.standings.unsettled(),
                        cluster=cluster,
                        discovery=discovery,
                        api_versions={
                            kind: version for fragment in settings.fragments for version, kind in fragment.kinds
                        },
                    )
            finally:
                self.recorder.close()
                self.ledger.close()
            return self.write()

    def _api_versions(self) -> dict[str, str]:
        return {kind: version for fragment in self.settings.fragments for version, kind in fragment.kinds}

    async def _resources(self, discovery: Discovery) -> dict[tuple[str, str], Resource]:
        kinds = {kind for fragment in self.settings.fragments for kind in fragment.kinds}
        return {kind: await discovery.resource(*kind) for kind in sorted(kinds)}

    def _prepare(self, cluster: Cluster, discovery: Discovery, resources: dict[tuple[str, str], Resource]) -> None:
        settings = self.settings
        self.recorder = Recorder(settings.results_dir)
        roles = [fragment.role for fragment in settings.fragments]
        self.measurement_file = MeasurementFile(settings.results_dir, roles) if settings.results_dir else None
        self.journal = Journal(self.recorder, state=settings.state)
        self.ledger = Ledger(settings.ledger)
        self.scheduler = Scheduler(
            settings.fragments,
            namespaces=list(enumerate(settings.namespaces, settings.first_index)),
            parallel=settings.parallel,
            existing=settings.existing,
            namespaces_ready_at_once=not settings.wait or settings.state == "absent",
        )
        self.tracker = Tracker(
            cluster,
            discovery,
            self.scheduler,
            run_id=settings.run_id,
            fragments=settings.fragments,
            ledger=self.ledger,
            on_failed_pod=self.journal.pod,
            on_failed_object=self.journal.unready,
        )
        self.observer = batch_observer(settings, cluster, self.tracker.pods)
        self.meter.pod_counts = self.tracker.pod_counts
        self.standings = self.tracker.standings
        self.scheduler.unready_in = self.standings.unready_in
        self.runner = Runner(
            cluster,
            self.scheduler,
            run_id=settings.run_id,
            resources=resources,
            on_outcome=self._outcome,
            is_finished=self.tracker.is_finished,
            is_known=self.tracker.finished_earlier,
            state=settings.state,
            patch_type=settings.patch_type,
            workers=settings.max_concurrent,
        )
        total = settings.requested.total()
        self.progress = Progress(settings.progress, total=total, what="objects")

    # -- work --------------------------------------------------------------------------------------------------------

    async def _work(self, discovery: Discovery) -> None:
        watching = self.settings.wait and self.settings.state != "absent"
        self.deleted: set[tuple[str, str, str, str]] = set()
        if watching:
            await self._start_watching()
        self.began_at, self.began = now_rfc3339(), time.monotonic()
        self._moved = self.began
        self.deadlines = Deadlines(self.settings.fragments, self.scheduler, self.standings, began=self.began)
        with told_of_signals(self.abort), collected_seldom():
            ticker = asyncio.create_task(tick(self))
            runner = asyncio.create_task(self.runner.run())
            runner.add_done_callback(lambda _task: self.tracker.signal())
            try:
                await self._supervise(runner)
                if watching and not self.aborted and not self.standings.unsettled():
                    await self.tracker.catch_up(_CATCH_UP_SECONDS)
                if self.settings.wait and self.settings.state == "absent" and not self.aborted:
                    self.not_ready += await wait_until_gone(
                        self.cluster,
                        discovery,
                        self.deleted,
                        run_id=self.settings.run_id,
                        timeout_seconds=self.settings.wait_timeout_seconds or 600,
                    )
            finally:
                ticker.cancel()
                runner.cancel()
                await asyncio.gather(ticker, runner, return_exceptions=True)
                await self.tracker.stop()
                self.worked_seconds = time.monotonic() - self.began
                show(self, last=True)

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

    async def _supervise(self, runner: asyncio.Task[None]) -> None:
        """Until all is sent and settled, a time is over, the watch is broken, or somebody wants us to stop."""
        while not (runner.done() and not self.standings.unready()):
            if self.tracker.broken is not None:
                self.abort(f"what became of the objects can no longer be watched: {self.tracker.broken}")
            if self.aborted or (runner.done() and runner.exception()):
                break
            await self.tracker.changed(min(1.0, self.deadlines.seconds_to_next(sent=runner.done())))
            self._expire(runner.done())
            self._end_if_stalled(runner.done())
        if runner.done():
            self._take_fault(runner)
        elif self.aborted:
            # What is in flight gets its answer; nothing new is sent.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.settings.request_timeout_seconds):
                    await asyncio.shield(runner)

    def _take_fault(self, runner: asyncio.Task[None]) -> None:
        """A template may fail for a member that is neither the first nor the last: that ends the batch, in words."""
        group = runner.exception()
        if isinstance(group, BaseExceptionGroup):
            faults, rest = group.split(TemplateError)
            if faults is not None and rest is None:
                self.abort(str(faults.exceptions[0]))
                return
        runner.result()

    def _end_if_stalled(self, sent: bool) -> None:
        """Never hang: nothing is under way, nothing is waited for, and still not all was sent."""
        if sent or self.standings.unready() or not self.scheduler.resting:
            self._moved = time.monotonic()
        elif time.monotonic() - self._moved > _STALL_SECONDS:
            self.abort(
                f"nothing has moved for {_STALL_SECONDS:g} s and nothing is waited for; this is a fault of batch"
            )

    def _expire(self, sent: bool) -> None:
        for fragment in self.deadlines.over(sent=sent):
            seconds = f"{fragment.ready_timeout_seconds:g} s"
            if fragment.active and not sent:
                self.abort(f"{fragment.role}: not all sent and finished after {seconds}")
            self.standings.give_up(fragment.role, f"not ready after {seconds}")
        whole = self.settings.wait_timeout_seconds
        if whole and time.monotonic() >= self.began + whole:
            self.abort(f"the batch was not done after {whole:g} s")
            self.standings.give_up(None, f"not ready after {whole:g} s")

    def abort(self, reason: str) -> None:
        """Send nothing more; what is in flight gets its answer."""
        self.aborted = self.aborted or reason
        self.scheduler.stop()
        self.tracker.signal()

    # -- what is heard -----------------------------------------------------------------------------------------------

    def _outcome(self, outcome: Outcome) -> None:
        operation = outcome.operation
        now = time.monotonic() - self.began
        phase = self.phases.setdefault(operation.role, [now - outcome.seconds, now])
        phase[1] = now
        if outcome.result == "failed":
            self.journal.operation(outcome)
            return
        self.recorder.outcome(kind=operation.kind, result=outcome.result)
        if self.settings.state == "absent":
            if outcome.result == "deleted":
                self.deleted.add((operation.api_version, operation.kind, operation.namespace, operation.name))
        elif self.settings.wait:
            self.tracker.stored(outcome)
            if operation.unit.lane.fragment.makes_namespace:
                seconds = operation.unit.lane.fragment.ready_timeout_seconds
                loop = asyncio.get_running_loop()
                loop.call_later(seconds, self.tracker.namespaces.give_up, operation.name, seconds)

    def write(self, *, partial: bool = False) -> dict[str, Any]:
        """Put the measurements on disk, finished or as they are now; the document."""
        document = measurements(self, partial=partial)
        if self.measurement_file is not None:
            self.measurement_file.write(document)
        return document
