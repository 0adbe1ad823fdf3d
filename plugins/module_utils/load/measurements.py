# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The measurements of one batch as a document, from which the report is made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from ..cluster.limits import Limits
from ..cluster.meter import Meter
from ..guard.guard import crossing_lines
from ..measure.recorder import Recorder, now_rfc3339
from ..measure.service_checks import ROLE as CHECK_ROLE
from ..observe.observer import Observer
from ..plan.fragment import Fragment
from ..results.evidence import STILL_AT_WORK
from ..results.folder import write_json
from .accelerator_jobs import AcceleratorJobs
from .guarding import Guarding
from .lookout import Lookout
from .object_states import ObjectStates
from .stored import StoredNames
from .tracker import Tracker

SCHEMA = 1


class MeasuredSettings(Protocol):
    """What the measurements repeat of a batch's settings."""

    @property
    def run_id(self) -> str:
        """The run."""

    @property
    def namespaces(self) -> Sequence[str]:
        """Their names, in order."""

    @property
    def state(self) -> str:
        """What was to become of the objects: present, patched or absent."""

    @property
    def max_concurrent(self) -> int:
        """The cap on requests in flight."""


class Measured(Protocol):
    """What the measurements are made of: the parts of a batch that count, as load.batch.Batch has them."""

    started: str
    began_at: str
    fragments: list[Fragment]
    requested: Counter[str]
    most_active_pods: int
    watching: bool
    limits: Limits
    meter: Meter
    states: ObjectStates
    tracker: Tracker
    accelerator_jobs: AcceleratorJobs
    observer: Observer
    lookout: Lookout
    guarding: Guarding
    expectations: dict[str, dict[str, Any]]
    phases: dict[str, list[float]]
    not_ready: list[dict[str, str]]
    stored: StoredNames

    @property
    def settings(self) -> MeasuredSettings:
        """How it works."""

    @property
    def recorder(self) -> Recorder:
        """Its counts and failures."""

    @property
    def aborted(self) -> str | None:
        """Why it did not do its whole work."""

    @property
    def stopped_by(self) -> str | None:
        """Who or what ended it before."""

    @property
    def worked_seconds(self) -> float:
        """How long it has worked."""


def measurements(batch: Measured, *, partial: bool) -> dict[str, Any]:
    """Counts, latencies and causes of a batch, finished or (`partial`) still at work."""
    settings, recorder, tracker = batch.settings, batch.recorder, batch.tracker
    span = _sending_seconds(batch)
    guard = batch.guarding.document()
    return {
        "schema": SCHEMA,
        "run_id": settings.run_id,
        "state": settings.state,
        "roles": [fragment.role for fragment in batch.fragments],
        "started": batch.started,
        "finished": None if partial else now_rfc3339(),
        "aborted": batch.aborted or (STILL_AT_WORK if partial else None),
        "stopped_by": batch.stopped_by,
        "guard": guard,
        "objects": _objects(batch),
        "requests": batch.meter.attempts.table(),
        "rate": {
            "objects_per_second": round(recorder.changes / span, 1) if span else 0,
            "sending_seconds": round(span, 3),
            "peak_in_flight": batch.meter.peak_in_flight,
            "max_in_flight": settings.max_concurrent,
            "full_seconds": round(batch.meter.full_seconds, 3),
            "requests": batch.meter.requests,
            "errors": dict(batch.meter.errors),
            "retries": dict(batch.meter.retries),
            "limit_wait_seconds": batch.limits.waited_seconds(),
            "watch_breaks": dict(tracker.watch_breaks),
        },
        "outages": batch.lookout.outages(),
        "controllers": batch.lookout.controllers(),
        "client": batch.meter.client(),
        "timeline": batch.meter.timeline(),
        "jobs": _jobs(batch),
        "pods": _pods(batch),
        "builds": [_builds(batch, role, expected) for role, expected in batch.expectations.items()],
        "statefulsets": tracker.pods.stateful_figures() if tracker.sees_pods else None,
        "connectivity": _connectivity(batch),
        "volumes": _volumes(batch),
        "accelerator_jobs": _accelerator_jobs(batch),
        "namespaces": [_namespace(batch, name) for name in settings.namespaces] if batch.watching else [],
        # What the phases count from: connecting and the first lists come before it.
        "began": batch.began_at,
        "phases": [
            {"role": role, "start_seconds": round(begin, 3), "seconds": round(end - begin, 3)}
            for role, (begin, end) in batch.phases.items()
        ],
        "seconds": round(batch.worked_seconds, 3),
        "not_ready": batch.not_ready,
        "failures": {"total": recorder.failures.total(), "by_reason": dict(recorder.failures)},
        "first_failures": recorder.first_failures,
        "warnings": [
            *tracker.warnings,
            *tracker.volumes.warnings,
            *batch.accelerator_jobs.warnings,
            *batch.stored.warnings,
            *batch.observer.warnings,
            *crossing_lines(guard),
        ],
    }


def _sending_seconds(batch: Measured) -> float:
    """From the first request to the last answer of an operation; with a gate or waves this is the workload's time."""
    if not batch.phases:
        return 0.0
    begin = min(begin for begin, _end in batch.phases.values())
    return max(end for _begin, end in batch.phases.values()) - begin


def _objects(batch: Measured) -> dict[str, dict[str, int | None]]:
    requested = batch.requested
    table = dict[str, dict[str, int | None]]()
    for kind in sorted(set(requested) | set(batch.recorder.by_kind)):
        counts = batch.recorder.by_kind[kind]
        row: dict[str, int | None] = {"requested": requested[kind]}
        row.update({word: counts[word] for word in ("created", "unchanged", "failed")})
        row.update({word: counts[word] for word in ("patched", "deleted") if counts[word]})
        row["ready"] = batch.states.ready[kind] if batch.watching else None
        table[kind] = row
    return table


def _jobs(batch: Measured) -> dict[str, Any]:
    tracker = batch.tracker
    figures = {
        "complete": tracker.jobs.complete.total(),
        "failed": tracker.jobs.failed.total(),
        "peak_active_pods": tracker.pods.peak_active_job_pods,
        "ceiling_active_pods": batch.most_active_pods,
        **tracker.jobs.times.figures(),
    }
    return figures if batch.watching else dict.fromkeys(figures)


def _builds(batch: Measured, role: str, expected: dict[str, Any]) -> dict[str, Any]:
    """What was expected of a role's builds, and what was seen, in seconds from `began`, when its first Job was stored.

    `cause`: why nothing was seen.
    """
    times = batch.tracker.build_times
    since = times.seconds_since(role)
    began = None if since is None else datetime.now(UTC) - timedelta(seconds=since)
    cause = "the run did not wait for its Jobs" if not batch.watching else None
    if cause is None and not batch.tracker.sees_pods:
        cause = "pods were not watched"
    return {
        "role": role,
        "began": None if began is None else began.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "expected": expected,
        "seen": times.figures(role),
        "cause": cause,
    }


def _pods(batch: Measured) -> dict[str, Any]:
    pods, jobs = batch.tracker.pods, batch.tracker.jobs
    # Nothing is known of pods that may not be watched, and 0 would be made up.
    unseen = () if batch.tracker.sees_pods else ("restarts", "oom_kills", "never_ready", "clock_backwards")
    return {
        **pods.figures(),
        **dict.fromkeys(unseen),
        # Finished Jobs' own counts reach back over an interruption, when their pods are gone; what the watch saw
        # includes pods without a Job. Neither can count too many.
        "succeeded": max(pods.succeeded, jobs.pods_succeeded.total()),
        "failed": max(pods.failed, jobs.pods_failed.total()),
    }


def _connectivity(batch: Measured) -> dict[str, Any] | None:
    """What the check of the Services measured; None for a batch that made none."""
    is_made = batch.settings.state == "present" and any(fragment.role == CHECK_ROLE for fragment in batch.fragments)
    if not is_made:
        return None
    cause = None if batch.tracker.sees_pods else "pods were not watched"
    return {"cause": cause, **batch.tracker.checks.figures()}


def _volumes(batch: Measured) -> dict[str, Any] | None:
    """How long its volumes took; None for a batch without any. `cause` says why nothing was measured."""
    volumes = batch.tracker.volumes
    if batch.settings.state != "present" or not volumes.are_planned:
        return None
    cause = None if batch.watching else "the run did not wait for its objects"
    return {"cause": cause, **volumes.book.figures()}


def _accelerator_jobs(batch: Measured) -> dict[str, Any] | None:
    """Waits, pools, restarts and causes of its accelerator jobs; None for a batch without any.

    `cause` says why nothing was seen at all, `workloads_cause` why not what happened in the queue.
    """
    jobs = batch.accelerator_jobs
    if batch.settings.state != "present" or not jobs.are_planned:
        return None
    cause = None if batch.tracker.sees_pods else "pods were not watched"
    if not batch.watching:
        cause = "the run did not wait for its objects"
    return {"cause": cause, "workloads_cause": jobs.workloads_cause, **jobs.book.figures()}


def _namespace(batch: Measured, name: str) -> dict[str, Any]:
    pods, jobs = batch.tracker.pods, batch.tracker.jobs
    return {
        "name": name,
        "jobs_complete": jobs.complete[name],
        "jobs_failed": jobs.failed[name],
        "pods_succeeded": max(pods.succeeded_by_namespace[name], jobs.pods_succeeded[name]),
        "pods_failed": max(pods.failed_by_namespace[name], jobs.pods_failed[name]),
        "failed_pods": [{"name": pod.name, "reason": pod.reason} for pod in pods.failed_pods.get(name, ())],
    }


class MeasurementFile:
    """One file of `results_dir`/batches, numbered in the order of the batches and named after their roles."""

    def __init__(self, results_dir: Path, roles: list[str]) -> None:
        folder = results_dir / "batches"
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"{len(list(folder.glob('*.json'))) + 1:03d}-{'-'.join(roles)[:100]}.json"

    def write(self, document: dict[str, Any]) -> None:
        """Write the measurements as they are now. Raises ResultsError."""
        write_json(self._path, document)
