"""Measurements as a batch writes them, for tests of what is made from them."""

from __future__ import annotations

from typing import Any

from ansible_collections.kubestress.core.plugins.module_utils.measure.latency import LatencySketch

RUN: dict[str, Any] = {
    "schema": 1,
    "run_id": "r1",
    "attempt": 1,
    "profile": "safe",
    "started": "2026-11-21T04:00:00.000Z",
    "settings_hash": "abc",
    "settings": {},
}


def latencies(*milliseconds: float) -> dict[str, Any]:
    """Return the row of one verb and kind."""
    sketch = LatencySketch()
    for value in milliseconds:
        sketch.add(value / 1000)
    return {**sketch.summary_ms(), "histogram": sketch.to_dict()}


def counts(requested: int, *, created: int | None = None, unchanged: int = 0, failed: int = 0, ready: int | None = -1):
    """Return the row of one kind: all of it made and ready, unless something else is said."""
    made = requested - unchanged - failed if created is None else created
    return {
        "requested": requested,
        "created": made,
        "unchanged": unchanged,
        "failed": failed,
        "ready": made + unchanged if ready == -1 else ready,
    }


def batch(**changed: Any) -> dict[str, Any]:
    """Return the measurements of a batch of 30 Deployments and 4 Jobs in 2 namespaces in which all went well."""
    document: dict[str, Any] = {
        "schema": 1,
        "run_id": "r1",
        "roles": ["deployments", "build_jobs"],
        "started": "2026-11-21T04:00:02.000Z",
        "finished": "2026-11-21T04:01:02.500Z",
        "aborted": None,
        "objects": {"Deployment": counts(30), "Job": counts(4)},
        "requests": {"create": {"Deployment": latencies(*range(1, 31)), "Job": latencies(5, 6, 7, 8)}},
        "rate": {
            "objects_per_second": 17.0,
            "peak_in_flight": 50,
            "max_in_flight": 50,
            "retries": {"429": 2},
            "watch_breaks": {},
        },
        "jobs": {"complete": 4, "failed": 0, "peak_active_pods": 6, "ceiling_active_pods": 6},
        "pods": {
            "succeeded": 8,
            "failed": 0,
            "startup_p50_s": 1.0,
            "startup_p99_s": 2.0,
            "startup_histogram": latencies(*[1000.0] * 9, 2000.0)["histogram"],
            "restarts": 0,
            "oom_kills": 0,
            "causes": {},
        },
        "namespaces": [
            {"name": f"n-{number}", "jobs_complete": 2, "jobs_failed": 0, "pods_succeeded": 4, "pods_failed": 0}
            | {"failed_pods": []}
            for number in (1, 2)
        ],
        "phases": [
            {"role": "deployments", "start_seconds": 0.1, "seconds": 2.0},
            {"role": "build_jobs", "start_seconds": 0.2, "seconds": 58.0},
        ],
        "seconds": 60.5,
        "not_ready": [],
        "failures": {"total": 0, "by_reason": {}},
        "first_failures": [],
        "warnings": [],
    }
    return document | changed


def failure(kind: str, name: str, *, operation: str = "create", namespace: str = "n-1", **more: Any) -> dict[str, Any]:
    """Return one line of failures.jsonl."""
    defaults = {"reason": "QuotaExceeded", "message": "exceeded quota: q", "attempts": 1, "role": "deployments"}
    entry = {"kind": kind, "name": name, "namespace": namespace, "operation": operation}
    return {"time": "2026-11-21T04:00:03.000Z", **entry, **defaults, **more}
