# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures of a run by which its health is judged, from its summary. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..measure.events import FORK_FAILED
from ..measure.latency import LatencySketch
from ..results.times import seconds_between

Summary = Mapping[str, Any]
#: A figure that was not measured is None.
Figures = dict[str, Any]

#: Verbs of requests that create or change an object.
_MUTATING = ("create", "patch", "update", "delete")
SANDBOX_FAILED = "FailedCreatePodSandBox"
#: Of several runs, these figures count with their smallest value; all others with their largest.
_LESS_IS_WORSE = ("jobs_complete", "pods_succeeded", "objects_per_second")


def figures_of(summary: Summary) -> Figures:
    """The figures of one run."""
    jobs, pods = summary["jobs"], summary["pods"]
    return {
        "length_s": seconds_between(summary["started"], summary["finished"]),
        "pods_at_once": jobs["peak_active_pods"],
        "pods_succeeded": pods["succeeded"],
        "pods_failed": pods["failed"],
        "failed_by_cause": dict(pods["causes"]),
        "jobs_complete": jobs["complete"],
        "jobs_failed": jobs["failed"],
        "fork_failures": _fork_failures(summary),
        "sandbox_failures": _warnings_of(summary, SANDBOX_FAILED),
        "startup_p50_s": pods["startup_p50_s"],
        "startup_p99_s": pods["startup_p99_s"],
        "startup_slowest": _slowest(pods.get("worst") or ()),
        **_api_latency(summary),
        **_threads(summary),
        "pressure": _pressure(summary),
        "objects_per_second": (summary.get("rate") or {}).get("objects_per_second"),
    }


def worst_of(several: Sequence[Figures]) -> Figures:
    """Of each figure the worst among the runs; a node's threads are those of the run that came closest to its limit."""
    if not several:
        return {}
    worst: Figures = {}
    for name in several[0]:
        values = [one[name] for one in several if one.get(name) is not None]
        worst[name] = _worst(name, values) if values else None
    closest = max(several, key=lambda one: one["threads_percent"] or 0)
    slowest = max(several, key=lambda one: one["startup_p99_s"] or 0)
    return {
        **worst,
        **{name: closest[name] for name in ("threads_peak", "threads_limit", "threads_percent", "node")},
        "startup_slowest": slowest["startup_slowest"],
    }


def _worst(name: str, values: Sequence[Any]) -> Any:
    if isinstance(values[0], dict):
        return {cause: max(one.get(cause, 0) for one in values) for one in values for cause in one}
    if isinstance(values[0], list):
        return sorted({entry for one in values for entry in one})
    return min(values) if name in _LESS_IS_WORSE else max(values)


def _slowest(worst: Sequence[Mapping[str, Any]]) -> str | None:
    """Where the pod with the longest start-up spent its time."""
    return str(worst[0]["cause"]) if worst and worst[0].get("cause") else None


def _fork_failures(summary: Summary) -> int | None:
    """Failed pods and Warnings that tell of a process that could not be started; None if neither was counted."""
    events = summary.get("events") or {}
    warned = None
    if events.get("total") is not None:
        warned = sum(row.get("fork_failures") or 0 for row in events.get("warnings") or ())
    if warned is None and summary["pods"]["failed"] is None:
        return None
    return (warned or 0) + summary["pods"]["causes"].get(FORK_FAILED, 0)


def _warnings_of(summary: Summary, reason: str) -> int | None:
    events = summary.get("events") or {}
    if events.get("total") is None:
        return None
    return sum(row["count"] for row in events.get("warnings") or () if row["reason"] == reason)


def _api_latency(summary: Summary) -> Figures:
    """p50 and p99 of all requests that create or change an object, in milliseconds."""
    sketch = LatencySketch()
    for verb in _MUTATING:
        for row in (summary["requests"].get(verb) or {}).values():
            if row.get("histogram"):
                sketch.merge(LatencySketch.from_dict(row["histogram"]))
    row = sketch.summary_ms()
    return {"api_p50_ms": row["p50_ms"], "api_p99_ms": row["p99_ms"]}


def _threads(summary: Summary) -> Figures:
    """Peak and limit of the node that came closest to its limit, and the peak in percent of it."""
    measured = [row for row in _nodes(summary) if row.get("threads_peak") is not None]
    limited = [row for row in measured if row.get("max_threads")]
    if not measured:
        return dict.fromkeys(("threads_peak", "threads_limit", "threads_percent", "node"))
    node = max(
        limited or measured, key=lambda row: row["threads_peak"] / (row.get("max_threads") or 1) if limited else 0
    )
    limit = node.get("max_threads")
    share = round(100 * node["threads_peak"] / limit, 1) if limit else None
    return {
        "threads_peak": node["threads_peak"], "threads_limit": limit, "threads_percent": share, "node": node["name"],
    }  # fmt: skip


def _pressure(summary: Summary) -> list[str] | None:
    """Such as "PIDPressure on node-1"; None if no Node's conditions were read."""
    read = [row for row in _nodes(summary) if row.get("conditions") is not None]
    if not read:
        return None
    return sorted({f"{_condition(one['type'])} on {row['name']}" for row in read for one in row["conditions"]})


def _condition(kind: str) -> str:
    return "not Ready" if kind == "Ready" else kind


def _nodes(summary: Summary) -> Iterable[Mapping[str, Any]]:
    return (summary.get("nodes") or {}).get("nodes") or ()
