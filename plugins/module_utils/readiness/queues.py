# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a JobSet is finished, and when Kueue has admitted a workload or serves a queue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .state import (
    FINISHED,
    READY,
    Readiness,
    condition,
    failed,
    is_true,
    spec_of,
    status_of,
    unseen_generation,
    waiting,
    why,
)


def job_set(obj: Mapping[str, Any]) -> Readiness:
    """Condition Completed or Failed. Restarts in between are no failure."""
    failure = condition(obj, "Failed")
    if failure is not None and failure.get("status") == "True":
        return failed(_with_restarts(obj, why(failure) or "the JobSet failed without saying why"))
    if is_true(obj, "Completed"):
        return FINISHED
    spec, status = spec_of(obj), status_of(obj)
    parts = spec.get("replicatedJobs") or ()
    wanted = sum(1 if part.get("replicas") is None else int(part["replicas"]) for part in parts)
    counts = {
        name: sum(part.get(name) or 0 for part in status.get("replicatedJobsStatus") or ())
        for name in ("succeeded", "active", "ready", "failed")
    }
    counted = f"{counts['succeeded']} of {wanted} Jobs succeeded, {counts['active']} active, {counts['ready']} ready"
    if counts["failed"]:
        counted += f", {counts['failed']} failed"
    counted = _with_restarts(obj, counted)
    if spec.get("suspend") or is_true(obj, "Suspended"):
        return waiting(f"{counted}; the JobSet is suspended{by_queue(obj)}")
    if not status:
        return waiting(f"{counted}; no controller has looked at it")
    return waiting(counted)


def _with_restarts(obj: Mapping[str, Any], text: str) -> str:
    restarts = status_of(obj).get("restarts") or 0
    allowed = (spec_of(obj).get("failurePolicy") or {}).get("maxRestarts") or 0
    return f"{text}; restarted {restarts} of {allowed} times" if restarts else text


def by_queue(obj: Mapping[str, Any]) -> str:
    """That the queue of a suspended job has not admitted it, to be added to a text; empty for a job without a queue."""
    queue = (obj["metadata"].get("labels") or {}).get("kueue.x-k8s.io/queue-name")
    return f", queue {queue} has not admitted it" if queue else ""


def workload(obj: Mapping[str, Any]) -> Readiness:
    """Condition Admitted or Finished."""
    if is_true(obj, "Finished"):
        return FINISHED
    if is_true(obj, "Admitted"):
        return READY
    queue = spec_of(obj).get("queueName") or "no queue"
    if spec_of(obj).get("active") is False:
        return waiting(f"{queue}: it is deactivated")
    # Why it waits stands in the condition that is not True yet; an eviction tells why it waits again.
    for kind in ("QuotaReserved", "Admitted"):
        found = condition(obj, kind)
        if found is not None and found.get("status") != "True":
            evicted = condition(obj, "Evicted")
            again = f"; evicted before: {why(evicted)}" if evicted and evicted.get("status") == "True" else ""
            return waiting(f"{queue}: {why(found)}{again}")
    return waiting(f"{queue}: no quota is reserved for it yet")


def queue(obj: Mapping[str, Any]) -> Readiness:
    """Condition Active, of the newest generation."""
    active = condition(obj, "Active")
    if active is None:
        return waiting("is not active yet")
    if active.get("status") != "True":
        return waiting(why(active) or "is not active")
    # Its generation stands in the condition, where other kinds have it in the status.
    behind = unseen_generation({**obj, "status": active}) if "observedGeneration" in active else None
    return behind or READY
