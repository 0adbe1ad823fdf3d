"""What a batch measured of accelerator jobs: rows of waits, pools, restarts and causes."""

from __future__ import annotations

from typing import Any

from ansible_collections.kubestress.core.plugins.module_utils.measure.accelerator_jobs import AcceleratorJobBook
from ansible_collections.kubestress.core.plugins.module_utils.measure.latency import LatencySketch

LABEL = "cloud.google.com/gke-nodepool"


def stage(*durations: float) -> dict[str, Any]:
    """Return a stage in which jobs waited so many seconds."""
    sketch = LatencySketch()
    for seconds in durations:
        sketch.add(seconds)
    return {**sketch.summary_s(), "histogram": sketch.to_dict()}


def wait(*admitted: float, priority: str = "high", waiting: int = 0, longest: float | None = None) -> dict[str, Any]:
    """Return a row of waits: of each job that was admitted the seconds, and how many still wait."""
    return {
        "role": "accelerator_jobs",
        "queue": "team",
        "priority": priority,
        "jobs": len(admitted) + waiting,
        "waiting": waiting,
        "waiting_longest_s": longest,
        "first_admitted": f"2026-01-01T00:00:{int(min(admitted)):02}Z" if admitted else None,
        "last_admitted": f"2026-01-01T00:00:{int(max(admitted)):02}Z" if admitted else None,
        "evicted": {"Preempted": 1} if waiting else {},
        "stages": {"admitted": stage(*admitted)} if admitted else {},
    }


def pool(name: str, *, pods: int, at_once: int | None = 1) -> dict[str, Any]:
    """Return a row of pools."""
    return {
        "role": "accelerator_jobs",
        "label": LABEL,
        "pool": name,
        "accelerator": "tpu-v5-lite-podslice",
        "machine": "ct5lp-hightpu-4t",
        "topology": "4x4",
        "nodes": 4,
        "nodes_used": 4 if pods else 0,
        "pods": pods,
        "slices": pods // 4,
        "slices_at_once": at_once,
    }


def cause(*, told: int, pending: int, longest: float | None = None, by: str = "scheduler") -> dict[str, Any]:
    """Return a row of causes."""
    text = "Insufficient google.com/tpu" if by == "scheduler" else "insufficient unused quota"
    names = {"role": "accelerator_jobs", "by": by, "cause": text}
    return {**names, "told": told, "pending": pending, "longest_s": longest, "example": f"{text} ({told})"}


def with_jobs(**parts: Any) -> dict[str, Any]:
    """Return what a batch has of accelerator jobs."""
    nothing = {**AcceleratorJobBook().figures(), "cause": None, "workloads_cause": None, "pools_cause": None}
    return {"accelerator_jobs": {**nothing, **parts}}


def restarts(*, times: int, failed: int, **codes: int) -> dict[str, Any]:
    """Return a row of restarts; codes are given as c1, c137."""
    exit_codes = {name.removeprefix("c"): number for name, number in codes.items()}
    counts = {"jobs": 4, "restarted": min(1, times), "restarts": times, "failed_pods": failed}
    return {"role": "accelerator_jobs", **counts, "exit_codes": exit_codes}
