# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Observe from a background process until it is stopped."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..cluster.client import Cluster
from ..cluster.discovery import Discovery
from ..cluster.errors import ClusterError, Forbidden, name_namespaces
from ..cluster.labels import run_selector
from ..cluster.retries import RetryPolicy
from ..cluster.scopes import FEW_NAMESPACES, ScopedWatch, Scopes
from ..cluster.watch import Event
from ..measure.client import POD_SERIES, Timeline
from ..measure.job_times import JobTimes
from ..measure.pods import PodBook
from ..measure.recorder import now_rfc3339
from .arguments import Intervals
from .observer import ObservationFile, Observer
from .parts import standard_parts

#: Seconds between samples of the counts: the length of a bin of the timeline.
_SAMPLE_SECONDS = 1.0
#: Timeout of one request, and how long it is retried.
_REQUEST_SECONDS = 30.0

Take = Callable[[Event, bool], None]


async def observe(
    *,
    auth: dict[str, Any],
    run_id: str,
    name: str,
    namespaces: Sequence[str],
    intervals: Intervals,
    max_seconds: float,
    file: ObservationFile,
    report: Callable[[Mapping[str, Any]], None],
) -> None:
    """Observe until SIGTERM, at most for `max_seconds`. `report` is called once, after the first readings.

    Raises ClusterError before that, if the cluster cannot be reached or its pods cannot be read.
    """
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    retry = RetryPolicy(deadline_seconds=_REQUEST_SECONDS)
    async with await Cluster.open(auth, retry=retry, request_timeout_seconds=_REQUEST_SECONDS) as cluster:
        await cluster.version()
        began = time.monotonic()
        pods = PodBook(created_since=time.time())
        scopes = Scopes(namespaces, few=FEW_NAMESPACES)
        watching = Watching(cluster, pods, scopes, run_id=run_id, namespaces=namespaces)
        # Events are watched everywhere where that is allowed: those of nodes lie in no namespace of the run.
        parts = standard_parts(
            cluster,
            pods,
            Scopes(namespaces),
            intervals=intervals,
            started=began,
            namespaces=lambda: watching.namespaces,
        )
        observer = Observer([*parts, watching], run_id=run_id, name=name, intervals=intervals, file=file)
        await watching.list_all()
        async with observer.beside():
            report({"server": cluster.connection.host})
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max_seconds):
                    await stopped.wait()
            if not stopped.is_set():
                observer.warnings.append(f"not stopped, so it ended by itself after max_seconds ({max_seconds:g} s)")


class Watching:
    """The Part with `pods`, `jobs`, `statefulsets` and `timeline`. Call `list_all` before anything else."""

    def __init__(
        self, cluster: Cluster, pods: PodBook, scopes: Scopes, *, run_id: str, namespaces: Sequence[str]
    ) -> None:
        self._cluster = cluster
        self._scopes = scopes
        self._pods = pods
        self._jobs: JobTimes | None = None
        self._only = frozenset(namespaces)
        #: The namespaces that count: those given, or those with objects of the run.
        self.namespaces = set(namespaces)
        self._selector = "" if namespaces else run_selector(run_id)
        self._tasks: list[asyncio.Task[None]] = []
        self._watches: list[ScopedWatch] = []
        self._started = now_rfc3339()
        self._timeline = Timeline(time.monotonic(), cpu_seconds=time.process_time, pod_counts=pods.counts)
        self.warnings: list[str] = []

    async def list_all(self) -> None:
        """Start the watches, and return after their first lists. Raises ClusterError if pods cannot be read."""
        discovery = Discovery(self._cluster)
        try:
            await self._list(discovery, "v1", "Pod", self._take_pod)
        except BaseException as error:
            await self.end()
            if isinstance(error, Forbidden) and not self._only:
                raise name_namespaces(error, "namespaces (observe_namespaces of the role)") from error
            raise
        jobs = JobTimes(ended_since=time.time())

        def take_job(event: Event, _from_list: bool) -> None:
            jobs.observe(event.object)

        if await self._list_if_permitted(discovery, "batch/v1", "Job", take_job):
            self._jobs = jobs
        if self._selector:
            # If no pod can be created, the events of its namespace say why.
            await self._list_if_permitted(discovery, "v1", "Namespace", self._take_namespace)

    async def _list_if_permitted(self, discovery: Discovery, api_version: str, kind: str, take: Take) -> bool:
        try:
            await self._list(discovery, api_version, kind, take)
        except ClusterError as error:
            self.warnings.append(f"{kind}s cannot be watched: {error}")
            return False
        return True

    async def _list(self, discovery: Discovery, api_version: str, kind: str, take: Take) -> None:
        """Return after the first list; raises if it cannot be read."""
        resource = await discovery.resource(api_version, kind)
        watch = ScopedWatch(self._cluster, resource, self._scopes, label_selector=self._selector)
        self._watches.append(watch)
        synced: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._tasks.append(asyncio.create_task(self._take_events(watch, take, synced)))
        await synced

    async def _take_events(self, watch: ScopedWatch, take: Take, synced: asyncio.Future[None]) -> None:
        try:
            async for event in watch.events():
                if event.type == "SYNCED":
                    if not synced.done():
                        synced.set_result(None)
                elif not self._only or event.object["metadata"].get("namespace") in self._only:
                    take(event, not synced.done())
        except Exception as error:
            if not synced.done():
                synced.set_exception(error)
                return
            self.warnings.append(f"{watch.resource.kind}s were not watched after {now_rfc3339()}: {error}")

    def _take_namespace(self, event: Event, _from_list: bool) -> None:
        self.namespaces.add(event.object["metadata"]["name"])

    def _take_pod(self, event: Event, from_list: bool) -> None:
        self.namespaces.add(event.object["metadata"]["namespace"])
        self._pods.observe(event.type, event.object, from_list=from_list)

    # -- a part of the observer --------------------------------------------------------------------------------------

    async def begin(self) -> None:
        """Nothing to do: `list_all` was called, whose errors must not become mere warnings."""

    async def run(self) -> None:
        """Sample the pod counts once a second."""
        while True:
            await asyncio.sleep(_SAMPLE_SECONDS)
            self._timeline.advance(time.monotonic())

    async def end(self) -> None:
        """End the watches."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def document(self) -> dict[str, Any]:
        """Counts and times as in the measurements of a batch; `jobs` is None if they may not be watched."""
        pods, jobs = self._pods, self._jobs
        series = self._timeline.series(time.monotonic())
        return {
            "pods": _figures_of(pods),
            "jobs": None if jobs is None else {"complete": jobs.complete, "failed": jobs.failed, **jobs.figures()},
            "statefulsets": pods.stateful_figures(),
            "timeline": {
                "started": self._started,
                "bin_seconds": self._timeline.bin_seconds,
                "series": {name: series[name] for name in POD_SERIES},
            },
            "watch_breaks": dict(sum((watch.broken for watch in self._watches), Counter())),
        }


def _figures_of(pods: PodBook) -> dict[str, Any]:
    startup = pods.startup
    return {
        "succeeded": pods.succeeded,
        "failed": pods.failed,
        "startup_p50_s": _seconds(startup.percentile(50)),
        "startup_p99_s": _seconds(startup.percentile(99)),
        "startup_histogram": startup.to_dict(),
        "restarts": pods.restarts,
        "oom_kills": pods.oom_kills,
        "causes": dict(pods.causes),
        **pods.start_figures(),
    }


def _seconds(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
