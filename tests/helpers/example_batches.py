"""Measurements as a batch writes them, for tests of everything computed from them."""

from __future__ import annotations

from typing import Any

from ansible_collections.kubestress.core.plugins.module_utils.guard.arguments import Thresholds
from ansible_collections.kubestress.core.plugins.module_utils.guard.guard import Guard
from ansible_collections.kubestress.core.plugins.module_utils.measure.latency import LatencySketch
from ansible_collections.kubestress.core.plugins.module_utils.measure.service_checks import BOUNDS_S

RUN: dict[str, Any] = {
    "schema": 1,
    "run_id": "r1",
    "attempt": 1,
    "profile": "safe",
    "started": "2026-11-21T04:00:00.000Z",
    "settings_hash": "abc",
    "settings": {},
}


def latencies(*milliseconds: float, errors: int = 0) -> dict[str, Any]:
    """Return the row of one verb and kind."""
    sketch = LatencySketch()
    for value in milliseconds:
        sketch.add(value / 1000)
    return {"errors": errors, **sketch.summary_ms(), "histogram": sketch.to_dict()}


def durations(*seconds: float) -> dict[str, Any]:
    """Return a row in seconds, such as a stage of pod start-up or Job durations."""
    row = latencies(*(value * 1000 for value in seconds))
    percentiles = {f"p{p}_s": row[f"p{p}_ms"] / 1000 for p in (50, 90, 95, 99)}
    return {"count": len(seconds), **percentiles, "max_s": max(seconds), "histogram": row["histogram"]}


def timeline(count: int, *, started: str = "2026-11-21T04:00:02.000Z", bin_seconds: int = 1) -> dict[str, Any]:
    """Return the timeline of a batch that sends ten requests per bin, with one pod starting per bin."""
    flat = {"requests": 10, "errors": 0, "retries": 0, "in_flight": 5, "latency_p50_ms": 3.0, "latency_p99_ms": 9.0}
    series: dict[str, list[float]] = {name: [value] * count for name, value in flat.items()}
    series |= {"cpu_share": [0.3] * count, "pods_pending": [1] * count, "pods_running": list(range(count))}
    series |= {"pods_succeeded": [0] * count, "pods_failed": [0] * count}
    return {"started": started, "bin_seconds": bin_seconds, "series": series}


def counts(requested: int, *, created: int | None = None, unchanged: int = 0, failed: int = 0, ready: int | None = -1):
    """Return the row of one kind: by default, all objects are created and ready."""
    made = requested - unchanged - failed if created is None else created
    return {
        "requested": requested,
        "created": made,
        "unchanged": unchanged,
        "failed": failed,
        "ready": made + unchanged if ready == -1 else ready,
    }


def outages(*seconds: float) -> dict[str, Any]:
    """Return the outages of a batch, one after the other."""
    rows = [
        {
            "began": f"2026-11-21T04:00:{10 + number:02}.000Z",
            "seconds": lasted,
            "cause": "connection",
            "message": "https://10.0.0.1:6443: Connection refused",
            "over": True,
        }
        for number, lasted in enumerate(seconds)
    ]
    return {"number": len(rows), "seconds": sum(seconds), "held_seconds": sum(seconds), "list": rows}


def silent(*controllers: str) -> dict[str, Any]:
    """Return what is known of controllers that did not renew their leases for half a minute."""
    rows = [
        {"controller": name, "began": "2026-11-21T04:00:20Z", "seconds": 30.0, "over": False} for name in controllers
    ]
    return {"source": "leases", "cause": None, "silences": rows}


def guarded(*, peak: int = 0, crossed: str = "", stops: bool = True) -> dict[str, Any]:
    """Return what a guard saw of failed pods, whose threshold is 1; nodes may not be watched."""
    guard = Guard(
        Thresholds(stops=stops, of_signs={"failed_pods": 1, "lost_nodes": 1, "api_p99": 5.0}),
        on_crossing=lambda _crossing: None,
        wall_clock=lambda: crossed or "2026-11-21T04:00:30.000Z",
    )
    for number in range(peak):
        guard.count("failed_pods", number, cause="OOMKilled", example="Pod n-1/p: container build: OOMKilled, exit 137")
    guard.measure("api_p99", 0.25)
    guard.blind["nodes"] = "the user may not watch nodes"
    return guard.document()


def check_of_services(*, fast: int, slow: int, failed: int = 0) -> dict[str, Any]:
    """Return what the check of the Services measured: `fast` requests within 2 to 5 ms, `slow` ones within 1 to 2 s."""
    bounds = [f"{bound:g}" for bound in BOUNDS_S[:-1]]
    buckets = {bound: fast * (float(bound) >= 0.005) + slow * (float(bound) >= 2) for bound in bounds}
    return {
        "cause": None,
        "pods": 1,
        "told": 1,
        "requests": fast + slow,
        "failed": failed,
        "codes": {code: number for code, number in (("200", fast + slow - failed), ("503", failed)) if number},
        "phases": {"total": {"buckets": {**buckets, "+Inf": fast + slow}}},
    }


def batch(**changed: Any) -> dict[str, Any]:
    """Return the measurements of a batch of 30 Deployments and 4 Jobs in 2 namespaces without failures."""
    document: dict[str, Any] = {
        "schema": 1,
        "run_id": "r1",
        "roles": ["deployments", "build_jobs"],
        "started": "2026-11-21T04:00:02.000Z",
        "began": "2026-11-21T04:00:02.500Z",
        "finished": "2026-11-21T04:01:02.500Z",
        "aborted": None,
        "objects": {"Deployment": counts(30), "Job": counts(4)},
        "requests": {"create": {"Deployment": latencies(*range(1, 31)), "Job": latencies(5, 6, 7, 8)}},
        "rate": {
            "objects_per_second": 17.0,
            "peak_in_flight": 50,
            "max_in_flight": 50,
            "requests": 90,
            "limit_wait_seconds": {"in_flight": 1.5, "rate": 0.0},
            "retries": {"429": 2},
            "errors": {"429": 2},
            "watch_breaks": {},
        },
        "outages": {"number": 0, "seconds": 0, "held_seconds": 0, "list": []},
        "controllers": {"source": "leases", "cause": None, "silences": []},
        "client": {
            "cpu_seconds": 18.0,
            "wall_seconds": 60.0,
            "cpu_share": 0.3,
            "busy_seconds": 0,
            "loop_lag_p99_ms": 4.0,
            "loop_lag_max_ms": 30.0,
            "cores": 2,
        },
        "timeline": timeline(60),
        "jobs": {
            "complete": 4,
            "failed": 0,
            "peak_active_pods": 6,
            "ceiling_active_pods": 6,
            "pods_retried": 0,
            "duration": durations(10, 11, 12, 13),
        },
        "statefulsets": {"pods_killed": 0, "restarts": 0, "oom_kills": 0},
        "connectivity": None,
        "volumes": None,
        "accelerator_jobs": None,
        "pods": {
            "succeeded": 8,
            "failed": 0,
            "startup_p50_s": 1.0,
            "startup_p99_s": 2.0,
            "startup_histogram": latencies(*[1000.0] * 9, 2000.0)["histogram"],
            "startup": {
                "stateless": {"scheduled": durations(0, 0, 1), "total": durations(1, 1, 2)},
                "job": {"total": durations(1, 1)},
            },
            "worst": [
                {
                    "namespace": "n-1",
                    "name": "web-1-x",
                    "group": "stateless",
                    "node": "n-1",
                    "total_s": 2,
                    "waited_s": None,
                    "stages": {"scheduled": 1, "initialized": 0, "started": 1, "ready": 0},
                    "cause": "1 of 2 s from created to scheduled",
                }
            ],
            "restarts": 0,
            "oom_kills": 0,
            "never_ready": 0,
            "clock_backwards": 0,
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
