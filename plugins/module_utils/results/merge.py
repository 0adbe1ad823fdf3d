# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several batches' measurements become one. Pure; a figure that nobody measured stays None, never 0."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..measure.latency import LatencySketch
from ..measure.processes import figures_of

Batch = Mapping[str, Any]

_OBJECT_COUNTS = ("requested", "created", "unchanged", "failed", "ready")
_NAMESPACE_COUNTS = ("jobs_complete", "jobs_failed", "pods_succeeded", "pods_failed")
_LATENCIES = ("p50_ms", "p95_ms", "p99_ms", "max_ms")


def total(values: Iterable[float | None]) -> Any:
    """The sum of what is known; None where nothing is."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def largest(values: Iterable[float | None]) -> Any:
    """The largest of what is known; None where nothing is."""
    return max((value for value in values if value is not None), default=None)


def _only(values: Sequence[Any]) -> Any:
    """The one known value. Of two there is no merging (percentiles), so None."""
    known = [value for value in values if value is not None]
    return known[0] if len(known) == 1 else None


def merged_counts(counts: Iterable[Mapping[str, int] | None]) -> dict[str, int]:
    """Sums by name, in the order of the names."""
    merged: Counter[str] = Counter()
    for one in counts:
        merged.update(one or {})
    return dict(sorted(merged.items()))


def merged_objects(batches: Sequence[Batch]) -> dict[str, dict[str, int | None]]:
    """Kind -> requested, created, unchanged, failed, ready."""
    kinds = dict.fromkeys(kind for batch in batches for kind in batch.get("objects", {}))
    return {
        kind: {
            count: total(batch.get("objects", {}).get(kind, {}).get(count) for batch in batches)
            for count in _OBJECT_COUNTS
        }
        for kind in kinds
    }


def merged_requests(batches: Sequence[Batch]) -> dict[str, dict[str, dict[str, Any]]]:
    """Verb -> kind -> count, percentiles in milliseconds, and the histogram that they are read from."""
    gathered: dict[str, dict[str, list[Mapping[str, Any]]]] = {}
    for batch in batches:
        for verb, kinds in batch.get("requests", {}).items():
            for kind, row in kinds.items():
                gathered.setdefault(verb, {}).setdefault(kind, []).append(row)
    return {
        verb: {kind: _merged_latency(rows) for kind, rows in sorted(kinds.items())}
        for verb, kinds in sorted(gathered.items())
    }


def _merged_latency(rows: list[Mapping[str, Any]]) -> dict[str, Any]:
    if all(row.get("histogram") for row in rows):
        sketch = LatencySketch()
        for row in rows:
            sketch.merge(LatencySketch.from_dict(row["histogram"]))
        return {**sketch.summary_ms(), "histogram": sketch.to_dict()}
    percentiles = {name: _only([row.get(name) for row in rows]) for name in _LATENCIES}
    maximum = largest(row.get("max_ms") for row in rows)
    return {"count": total(row.get("count") for row in rows), **percentiles, "max_ms": maximum, "histogram": None}


def merged_rate(batches: Sequence[Batch]) -> dict[str, Any]:
    """Objects per second over the batches' own creation times, peaks, and retries by cause."""
    rates = [batch.get("rate", {}) for batch in batches]
    objects, seconds = 0.0, 0.0
    for batch, rate in zip(batches, rates, strict=True):
        created = total(row.get("created") for row in batch.get("objects", {}).values())
        if created and rate.get("objects_per_second"):
            objects += created
            seconds += created / rate["objects_per_second"]
    return {
        "objects_per_second": round(objects / seconds, 1) if seconds else _only_zero(rates),
        "peak_in_flight": largest(rate.get("peak_in_flight") for rate in rates),
        "max_in_flight": largest(rate.get("max_in_flight") for rate in rates),
        "retries": merged_counts(rate.get("retries") for rate in rates),
    }


def _only_zero(rates: Sequence[Mapping[str, Any]]) -> float | None:
    # Nothing was created (everything was there already): a measured nought, not a missing figure.
    return 0 if any(rate.get("objects_per_second") == 0 for rate in rates) else None


def merged_jobs(batches: Sequence[Batch]) -> dict[str, Any]:
    """Jobs complete and failed, and the most build pods active at once against their ceiling."""
    jobs = [batch.get("jobs", {}) for batch in batches]
    return {
        "complete": total(one.get("complete") for one in jobs),
        "failed": total(one.get("failed") for one in jobs),
        "peak_active_pods": largest(one.get("peak_active_pods") for one in jobs),
        "ceiling_active_pods": largest(one.get("ceiling_active_pods") for one in jobs),
    }


def merged_pods(batches: Sequence[Batch]) -> dict[str, Any]:
    """Pods succeeded and failed, start-up percentiles, causes of failure, restarts and kills."""
    pods = [batch.get("pods", {}) for batch in batches]
    p50, p99 = _startup_seconds(pods)
    return {
        "succeeded": total(one.get("succeeded") for one in pods),
        "failed": total(one.get("failed") for one in pods),
        "startup_p50_s": p50,
        "startup_p99_s": p99,
        "causes": merged_counts(one.get("causes") for one in pods),
        "restarts": total(one.get("restarts") for one in pods),
        "oom_kills": total(one.get("oom_kills") for one in pods),
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
    return _only([one["startup_p50_s"] for one in measured]), _only([one["startup_p99_s"] for one in measured])


def merged_processes(batches: Sequence[Batch]) -> dict[str, Any]:
    """Processes of a build pod as its kubelet counted them; source "none" where no kubelet told, with the cause."""
    every = [batch.get("processes", {}).get("per_build_pod", {}) for batch in batches]
    found = [one for one in every if one.get("samples")]
    if not found:
        causes = list(dict.fromkeys(one["cause"] for one in every if one.get("cause")))
        cause = {"cause": "; ".join(causes)} if causes else {}
        return {"per_build_pod": {"min": None, "median": None, "max": None, "samples": 0, "source": "none", **cause}}
    plateaus: Counter[int] = Counter()
    for one in found:
        plateaus.update({int(value): pods for value, pods in one.get("plateaus", {}).items()})
    # Of a batch that does not bring its plateaus there is no median to merge.
    complete = all(one.get("plateaus") for one in found)
    merged = {
        "min": min(one["min"] for one in found),
        "median": figures_of(plateaus)["median"] if complete else _only([one["median"] for one in found]),
        "max": max(one["max"] for one in found),
        "samples": sum(one["samples"] for one in found),
        "source": found[0]["source"],
    }
    return {"per_build_pod": merged}


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
