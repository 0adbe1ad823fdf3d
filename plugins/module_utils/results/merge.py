# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Merges the measurements of several batches into one. Pure.

Counts are added, peaks are the largest, percentiles come from merged histograms. A figure that was not measured stays
None; it never becomes 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..measure.latency import LatencySketch

PERCENTILES = (50, 90, 95, 99)
_PER_SECOND = {"ms": 1000, "s": 1}
#: Results of an operation that did what was asked for.
DONE = ("created", "patched", "deleted", "unchanged")
_CHANGES = ("created", "patched", "deleted")
_OBJECT_COUNTS = ("requested", *DONE, "failed", "ready", "not_ready")
_STATEFULSET_COUNTS = ("pods_killed", "restarts", "oom_kills")
_NAMESPACE_COUNTS = ("jobs_complete", "jobs_failed", "pods_succeeded", "pods_failed")
#: Outages, and silences of controllers, that are listed.
MAX_OUTAGES = 100
#: Pods listed as the slowest to start.
MAX_WORST = 10

Batch = Mapping[str, Any]


def total(values: Iterable[float | None]) -> Any:
    """The sum of the known values; None if there are none."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def largest(values: Iterable[float | None]) -> Any:
    """The largest known value; None if there is none."""
    return max((value for value in values if value is not None), default=None)


def only(values: Iterable[Any]) -> Any:
    """The one known value; None if there are several, because percentiles cannot be merged."""
    known = [value for value in values if value is not None]
    return known[0] if len(known) == 1 else None


def merged_row(rows: Sequence[Mapping[str, Any]], *, unit: str) -> dict[str, Any]:
    """count, p50, p90, p95, p99 and max in `unit` ("ms" or "s", the suffix of their names), and the histogram.

    A single row stays as it is. If one of several rows has no histogram, the percentiles are None.
    """
    names = [*(f"p{percent}_{unit}" for percent in PERCENTILES), f"max_{unit}"]
    counted = [row for row in rows if row.get("count")]
    if len(counted) == 1:
        row = counted[0]
        return {"count": row["count"], **{name: row.get(name) for name in names}, "histogram": row.get("histogram")}
    if counted and all(row.get("histogram") for row in counted):
        sketch = LatencySketch()
        for row in counted:
            sketch.merge(LatencySketch.from_dict(row["histogram"]))
        return _row_of(sketch, unit)
    merged: dict[str, Any] = {"count": total(row.get("count") for row in rows), **dict.fromkeys(names)}
    return {**merged, f"max_{unit}": largest(row.get(f"max_{unit}") for row in rows), "histogram": None}


def _row_of(sketch: LatencySketch, unit: str) -> dict[str, Any]:
    row: dict[str, Any] = {"count": sketch.count}
    for percent in PERCENTILES:
        value = sketch.percentile(percent)
        row[f"p{percent}_{unit}"] = None if value is None else round(value * _PER_SECOND[unit], 3)
    row[f"max_{unit}"] = round(sketch.max_seconds * _PER_SECOND[unit], 3)
    return {**row, "histogram": sketch.to_dict()}


def merged_counts(counts: Iterable[Mapping[str, int] | None]) -> dict[str, int]:
    """Sums by name, sorted by name."""
    merged: Counter[str] = Counter()
    for one in counts:
        merged.update(one or {})
    return dict(sorted(merged.items()))


def merged_objects(batches: Sequence[Batch]) -> dict[str, dict[str, int | None]]:
    """Kind -> requested, created, patched, deleted, unchanged, failed, ready, not_ready.

    Each counts operations: an object that is made, patched and deleted is requested three times.
    """
    gathered: dict[str, list[Mapping[str, int | None]]] = {}
    for batch in batches:
        for kind, counts in batch.get("objects", {}).items():
            gathered.setdefault(kind, []).append(_object_row(counts, deletes=batch.get("state") == "absent"))
    return {
        kind: {name: total(row[name] for row in rows) for name in _OBJECT_COUNTS} for kind, rows in gathered.items()
    }


def _object_row(counts: Mapping[str, int | None], *, deletes: bool) -> dict[str, int | None]:
    """A batch's counts of one kind. Nobody waits for the readiness of what is deleted, or without `wait`."""
    row = {name: counts.get(name) for name in _OBJECT_COUNTS}
    row["patched"], row["deleted"] = row["patched"] or 0, row["deleted"] or 0
    if deletes:
        row["ready"] = None
    if row["ready"] is not None:
        stored = total(row[name] for name in DONE) or 0
        row["not_ready"] = max(0, stored - row["ready"])
    return row


def done_of(counts: Mapping[str, int | None]) -> int:
    """Operations of one kind that did what was asked for."""
    return sum(counts[name] or 0 for name in DONE)


def merged_requests(batches: Sequence[Batch]) -> dict[str, dict[str, dict[str, Any]]]:
    """Verb -> kind -> count, percentiles in milliseconds, and the histogram they come from."""
    gathered: dict[str, dict[str, list[Mapping[str, Any]]]] = {}
    for batch in batches:
        for verb, kinds in batch.get("requests", {}).items():
            for kind, row in kinds.items():
                gathered.setdefault(verb, {}).setdefault(kind, []).append(row)
    return {
        verb: {kind: _merged_requests(rows) for kind, rows in sorted(kinds.items())}
        for verb, kinds in sorted(gathered.items())
    }


def _merged_requests(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    row = merged_row(rows, unit="ms")
    return {"count": row.pop("count"), "errors": total(one.get("errors") for one in rows), **row}


def merged_rate(batches: Sequence[Batch]) -> dict[str, Any]:
    """Objects changed per second while the batches were sending, peaks, waits on our own limits, causes."""
    rates = [(batch.get("rate") or {}) for batch in batches]
    objects, seconds = 0.0, 0.0
    for batch, rate in zip(batches, rates, strict=True):
        changed = total(row.get(name) for row in batch.get("objects", {}).values() for name in _CHANGES)
        if changed and rate.get("objects_per_second"):
            objects += changed
            seconds += changed / rate["objects_per_second"]
    return {
        "objects_per_second": round(objects / seconds, 1) if seconds else _only_zero(rates),
        "peak_in_flight": largest(rate.get("peak_in_flight") for rate in rates),
        "max_in_flight": largest(rate.get("max_in_flight") for rate in rates),
        "limit_wait_seconds": {
            limit: total((rate.get("limit_wait_seconds") or {}).get(limit) for rate in rates)
            for limit in ("in_flight", "rate")
        },
        "requests": total(rate.get("requests") for rate in rates),
        "retries": merged_counts(rate.get("retries") for rate in rates),
        "errors": merged_counts(rate.get("errors") for rate in rates),
        # An observer without a batch has no rate, but it has watches.
        "watch_breaks": merged_counts(
            batch.get("watch_breaks") or rate.get("watch_breaks") for batch, rate in zip(batches, rates, strict=True)
        ),
    }


def _only_zero(rates: Sequence[Mapping[str, Any]]) -> float | None:
    # Nothing was changed because everything was so already: a measured 0, not a missing figure.
    return 0 if any(rate.get("objects_per_second") == 0 for rate in rates) else None


def merged_outages(batches: Sequence[Batch]) -> dict[str, Any] | None:
    """Outages of the API server: number, seconds, for how long no deadline ran, the first ones; None if not known."""
    parts = [batch["outages"] for batch in batches if batch.get("outages")]
    if not parts:
        return None
    return {
        "number": total(one.get("number") for one in parts),
        "seconds": total(one.get("seconds") for one in parts),
        "held_seconds": total(one.get("held_seconds") for one in parts),
        "list": [dict(row) for one in parts for row in one.get("list") or ()][:MAX_OUTAGES],
    }


def merged_controllers(batches: Sequence[Batch]) -> dict[str, Any] | None:
    """Which controllers did not renew their lease, and when; None if no batch looked at them."""
    parts = [batch["controllers"] for batch in batches if batch.get("controllers")]
    if not parts:
        return None
    is_read = any(one.get("source") == "leases" for one in parts)
    return {
        "source": "leases" if is_read else "none",
        "cause": None if is_read else parts[0].get("cause"),
        "silences": [dict(row) for one in parts for row in one.get("silences") or ()][:MAX_OUTAGES],
    }


def merged_guard(batches: Sequence[Batch]) -> dict[str, Any] | None:
    """What the guard saw: of each sign the highest figure and its first crossing; None where no batch had a guard."""
    parts = [batch["guard"] for batch in batches if batch.get("guard")]
    if not parts:
        return None
    return {
        "action": parts[0]["action"],
        "window_seconds": parts[0]["window_seconds"],
        "stopped": next((one["stopped"] for one in parts if one["stopped"]), None),
        "signs": [_merged_sign(rows) for rows in zip(*(one["signs"] for one in parts), strict=True)],
        "sources": {
            name: next((one["sources"][name] for one in parts if one["sources"].get(name)), None)
            for name in parts[0]["sources"]
        },
    }


def _merged_sign(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    highest = max(rows, key=lambda row: -1 if row["peak"] is None else row["peak"])
    crossed = min((row for row in rows if row["crossed"]), key=lambda row: row["crossed"], default=highest)
    peak = {name: highest[name] for name in ("peak", "peak_at")}
    return {**highest, **peak, "crossed": crossed["crossed"], "cause": crossed["cause"]}


def merged_client(batches: Sequence[Batch]) -> dict[str, Any] | None:
    """The load generator's own CPU and event loop delay; None if no batch measured it."""
    parts = [batch["client"] for batch in batches if batch.get("client")]
    if not parts:
        return None
    cpu, wall = (total(one.get(name) for one in parts) for name in ("cpu_seconds", "wall_seconds"))
    return {
        "cpu_seconds": cpu,
        "wall_seconds": wall,
        "cpu_share": only(one.get("cpu_share") for one in parts) if len(parts) == 1 else _share(cpu, wall),
        "busy_seconds": total(one.get("busy_seconds") for one in parts),
        "loop_lag_p99_ms": only(one.get("loop_lag_p99_ms") for one in parts),
        "loop_lag_max_ms": largest(one.get("loop_lag_max_ms") for one in parts),
        "cores": largest(one.get("cores") for one in parts),
    }


def _share(cpu_seconds: float | None, wall_seconds: float | None) -> float | None:
    return round(cpu_seconds / wall_seconds, 3) if cpu_seconds is not None and wall_seconds else None


def merged_jobs(batches: Sequence[Batch]) -> dict[str, Any]:
    """Jobs complete and failed, how long they took, and the most build pods active at once against their ceiling."""
    jobs = [(batch.get("jobs") or {}) for batch in batches]
    durations = [one["duration"] for one in jobs if one.get("duration")]
    return {
        "complete": total(one.get("complete") for one in jobs),
        "failed": total(one.get("failed") for one in jobs),
        "peak_active_pods": largest(one.get("peak_active_pods") for one in jobs),
        "ceiling_active_pods": largest(one.get("ceiling_active_pods") for one in jobs),
        "pods_retried": total(one.get("pods_retried") for one in jobs),
        "duration": merged_row(durations, unit="s") if durations else None,
    }


def merged_statefulsets(batches: Sequence[Batch]) -> dict[str, Any] | None:
    """Pods killed, restarts and out-of-memory kills as kubelets reported them; None if no batch counted them."""
    parts = [batch["statefulsets"] for batch in batches if batch.get("statefulsets")]
    return {key: total(one.get(key) for one in parts) for key in _STATEFULSET_COUNTS} if parts else None


def merged_pods(batches: Sequence[Batch]) -> dict[str, Any]:
    """Pods succeeded and failed, start-up percentiles, the slowest, causes of failure, restarts and kills."""
    pods = [(batch.get("pods") or {}) for batch in batches]
    p50, p99 = _startup_seconds(pods)
    return {
        "succeeded": total(one.get("succeeded") for one in pods),
        "failed": total(one.get("failed") for one in pods),
        "startup_p50_s": p50,
        "startup_p99_s": p99,
        "startup": _merged_startup(pods),
        "worst": _worst(pods),
        "causes": merged_counts(one.get("causes") for one in pods),
        "restarts": total(one.get("restarts") for one in pods),
        "oom_kills": total(one.get("oom_kills") for one in pods),
        "never_ready": total(one.get("never_ready") for one in pods),
        "clock_backwards": total(one.get("clock_backwards") for one in pods),
    }


def _startup_seconds(pods: Sequence[Mapping[str, Any]]) -> tuple[float | None, float | None]:
    """p50 and p99; over several batches only where each brings its histogram."""
    measured = [one for one in pods if one.get("startup_p99_s") is not None]
    if len(measured) > 1 and all(one.get("startup_histogram") for one in measured):
        sketch = LatencySketch()
        for one in measured:
            sketch.merge(LatencySketch.from_dict(one["startup_histogram"]))
        values = [sketch.percentile(50), sketch.percentile(99)]
        return tuple(None if value is None else round(value, 3) for value in values)  # type: ignore[return-value]
    return only(one["startup_p50_s"] for one in measured), only(one["startup_p99_s"] for one in measured)


def _merged_startup(pods: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, dict[str, Any]]]:
    """Group -> stage -> count, percentiles in seconds, histogram."""
    gathered: dict[str, dict[str, list[Mapping[str, Any]]]] = {}
    for one in pods:
        for group, stages in (one.get("startup") or {}).items():
            for stage, row in stages.items():
                gathered.setdefault(group, {}).setdefault(stage, []).append(row)
    return {
        group: {stage: merged_row(rows, unit="s") for stage, rows in stages.items()}
        for group, stages in gathered.items()
    }


def _worst(pods: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Those that never started first, then the slowest."""
    every = [dict(pod) for one in pods for pod in one.get("worst") or ()]
    every.sort(key=lambda pod: (pod["total_s"] is not None, -(pod["total_s"] or 0)))
    return every[:MAX_WORST]


def merged_namespaces(batches: Sequence[Batch]) -> list[dict[str, Any]]:
    """One entry a namespace, in the order in which they first appear."""
    gathered: dict[str, list[Mapping[str, Any]]] = {}
    for batch in batches:
        for row in batch.get("namespaces", ()):
            gathered.setdefault(row["name"], []).append(row)
    return [
        {
            "name": name,
            **{count: total(row.get(count) for row in rows) for count in _NAMESPACE_COUNTS},
            "failed_pods": [pod for row in rows for pod in row.get("failed_pods", ())],
        }
        for name, rows in gathered.items()
    ]
