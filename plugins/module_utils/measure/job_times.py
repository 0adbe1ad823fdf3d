# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long Jobs took and how many of their pods were replaced, from the Jobs' own status. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .latency import LatencySketch
from .pod_status import epoch


@dataclass(frozen=True, slots=True)
class JobEnd:
    """What a Job's status says once it is Complete or Failed.

    `seconds` run from startTime to completionTime, of a failed Job to its condition Failed; None where the status does
    not tell. `retried` are its pods that failed and got a successor. `ended` is in seconds since 1970.
    """

    complete: bool
    seconds: float | None
    retried: int
    ended: int | None = None


def job_end(job: Mapping[str, Any]) -> JobEnd | None:
    """None for a Job that is neither Complete nor Failed."""
    status = job.get("status") or {}
    for condition in status.get("conditions") or ():
        if condition.get("status") == "True" and condition.get("type") in ("Complete", "Failed"):
            break
    else:
        return None
    complete = condition["type"] == "Complete"
    begin = epoch(status.get("startTime"))
    end = epoch((status.get("completionTime") if complete else None) or condition.get("lastTransitionTime"))
    seconds = None if begin is None or end is None else max(0, end - begin)
    return JobEnd(complete, seconds, _retried(job, status, complete=complete), end)


def _retried(job: Mapping[str, Any], status: Mapping[str, Any], *, complete: bool) -> int:
    """Of a complete Job each failed pod had a successor.

    Of a failed one the pods beyond its completions are successors. Where it had not yet begun on all completions, there
    may have been more.
    """
    failed = status.get("failed") or 0
    if complete:
        return int(failed)
    spec = job.get("spec") or {}
    completions = spec.get("completions")
    slots = completions if completions is not None else spec.get("parallelism", 1)
    return max(0, min(failed, (status.get("succeeded") or 0) + failed - slots))


class JobTimes:
    """Jobs that ended. Feed it with ends (`add`), or with every event of the Jobs (`observe`), not with both."""

    def __init__(self, *, ended_since: float | None = None) -> None:
        """`ended_since`, seconds since 1970: `observe` does not count Jobs that ended before. None counts all."""
        self.complete = 0
        self.failed = 0
        self.pods_retried = 0
        self.duration = LatencySketch()
        # Jobs' times have whole seconds: one that ends later in the second of the beginning counts.
        self._ended_since = None if ended_since is None else int(ended_since)
        self._known: set[int] = set()

    def add(self, end: JobEnd) -> None:
        """Count a Job that ended."""
        self.complete += end.complete
        self.failed += not end.complete
        self.pods_retried += end.retried
        if end.seconds is not None:
            self.duration.add(end.seconds)

    def observe(self, job: Mapping[str, Any]) -> None:
        """Take in one event's Job; it counts once, with the first event that shows its end."""
        # Hashes, because a run may have a hundred thousand Jobs.
        known = hash(job["metadata"]["uid"])
        if known in self._known or (end := job_end(job)) is None:
            return
        self._known.add(known)
        if self._ended_since is None or end.ended is None or end.ended >= self._ended_since:
            self.add(end)

    def figures(self) -> dict[str, Any]:
        """`duration` (count, p50_s, p90_s, p95_s, p99_s, max_s, histogram) and `pods_retried`."""
        return {
            "duration": {**self.duration.summary_s(), "histogram": self.duration.to_dict()},
            "pods_retried": self.pods_retried,
        }
