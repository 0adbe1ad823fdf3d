# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finished Jobs and JobSets on disk: they vanish after their TTL, but are neither lost nor made again."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO

from ..measure.job_times import JobEnd, JobTimes, job_end
from ..readiness.state import Readiness

#: The kinds that a TTL removes after their end.
WITH_TTL = ("Job", "JobSet")


@dataclass(frozen=True, slots=True)
class FinishedJob:
    """A Job in Complete or Failed; `succeeded` and `failed` count its pods, `retried` the failed ones with a successor.

    `seconds` is how long it took, None where its status does not say.

    `namespace_uid` distinguishes this namespace from a later one of the same name, after a cleanup; it is empty where
    the run did not make the namespace. A JobSet, which `kind` tells, is in Completed or Failed and counts no pods.
    """

    namespace: str
    namespace_uid: str
    name: str
    complete: bool
    succeeded: int
    failed: int
    cause: str = ""
    seconds: float | None = None
    retried: int = 0
    kind: str = "Job"


def finished_job_set(job_set: Mapping[str, Any], answer: Readiness, namespace_uid: str) -> FinishedJob:
    """What is kept of a JobSet that has ended, as its readiness tells."""
    place, name = job_set["metadata"]["namespace"], job_set["metadata"]["name"]
    return FinishedJob(place, namespace_uid, name, answer.is_ready, 0, 0, cause=answer.cause, kind="JobSet")


def finished_job(job: Mapping[str, Any], answer: Readiness, namespace_uid: str) -> FinishedJob:
    """What is kept of a Job that has ended, as its readiness tells."""
    metadata, status, end = job["metadata"], job.get("status") or {}, job_end(job)
    return FinishedJob(
        namespace=metadata["namespace"],
        namespace_uid=namespace_uid,
        name=metadata["name"],
        complete=answer.is_ready,
        succeeded=status.get("succeeded") or 0,
        failed=status.get("failed") or 0,
        cause=answer.cause,
        seconds=end.seconds if end else None,
        retried=end.retried if end else 0,
    )


class Ledger:
    """Append-only, one JSON line per Job; a half-written last line, after a crash, is skipped."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: TextIO | None = None
        self._known: dict[tuple[str, str, str, str], FinishedJob] = {}
        self._cut_off = False
        if path is not None and path.exists():
            text = path.read_text(encoding="utf-8")
            self._cut_off = bool(text) and not text.endswith("\n")
            for line in text.splitlines():
                try:
                    job = FinishedJob(**json.loads(line))
                except (ValueError, TypeError):
                    continue
                self._known[_key_of(job)] = job

    def find(self, *, namespace: str, namespace_uid: str, name: str, kind: str = "Job") -> FinishedJob | None:
        """The Job or JobSet as it ended, if it did."""
        return self._known.get((kind, namespace, namespace_uid, name))

    def add(self, job: FinishedJob) -> None:
        """Write a Job or JobSet down, once."""
        key = _key_of(job)
        if self._path is None or key in self._known:
            return
        self._known[key] = job
        if self._file is None:
            self._file = self._path.open("a", encoding="utf-8")
            if self._cut_off:
                self._file.write("\n")  # else the first new line would become part of the broken one
        self._file.write(json.dumps(asdict(job)) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


def _key_of(job: FinishedJob) -> tuple[str, str, str, str]:
    return (job.kind, job.namespace, job.namespace_uid, job.name)


@dataclass
class JobBook:
    """Jobs that ended, by namespace, and how long they took."""

    complete: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    pods_succeeded: Counter[str] = field(default_factory=Counter)
    pods_failed: Counter[str] = field(default_factory=Counter)
    times: JobTimes = field(default_factory=JobTimes)

    def add(self, job: FinishedJob) -> None:
        """Count a Job; JobSets are counted as objects only."""
        if job.kind != "Job":
            return
        (self.complete if job.complete else self.failed)[job.namespace] += 1
        self.pods_succeeded[job.namespace] += job.succeeded
        self.pods_failed[job.namespace] += job.failed
        self.times.add(JobEnd(job.complete, job.seconds, job.retried))
