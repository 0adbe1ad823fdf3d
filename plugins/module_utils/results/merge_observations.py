# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What observers read of the nodes, as one row a node. Pure; what no kubelet told stays None."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ..measure.exposition import Buckets, add_to, bucket_of, count, quantile, rounded
from .merge import largest, merged_counts, only, total
from .times import apart, epoch_seconds

Observation = Mapping[str, Any]
Rows = list[dict[str, Any]]
_SLI_KEY = ("verb", "group", "resource", "subresource", "scope")
#: Rows of the SLI, those with the most calls, and reasons of warnings that a summary lists.
MAX_CALLS, MAX_REASONS = 200, 50


def causes_of(parts: Iterable[Mapping[str, Any]]) -> str | None:
    """Why there are no figures, each cause once; None where no cause is known."""
    return "; ".join(dict.fromkeys(one["cause"] for one in parts if one.get("cause"))) or None


def merged_api_server(observations: Sequence[Observation]) -> dict[str, Any] | None:
    """The API server's own figures, without series; None where nobody observed.

    Counters of observers that worked at the same time are of the same requests: those of the longest are taken.
    """
    if not any(one.get("api_server") for one in observations):
        return None
    told = [one["api_server"] for one in apart(_with_figures(observations)) if one.get("api_server")]
    instances = _instances(told)
    windows = [one["window"] for one in told if one.get("window")]
    inflight = [one.get("inflight") or {} for one in told]
    return {
        "source": "metrics" if any(one.get("source") == "metrics" for one in told) else "none",
        "cause": causes_of(told),
        "servers": largest(one.get("servers") for one in told),
        "instances": instances,
        "restarted": any(one.get("restarted") for one in told) or _restarted_between(told),
        "scrapes": total(one.get("scrapes") for one in told),
        "failed_scrapes": merged_counts(one.get("failed_scrapes") for one in told),
        "window": {"from": windows[0].get("from"), "to": windows[-1].get("to")} if windows else None,
        "sli": sorted(_merged(told, "sli", _SLI_KEY, _sli_row), key=lambda row: -row["count"])[:MAX_CALLS],
        "flow_control": _merged(told, "flow_control", ("priority_level",), _flow_row),
        "inflight": {name: largest(one.get(name) for one in inflight) for name in ("mutating_max", "read_only_max")},
        "etcd": _merged(told, "etcd", ("operation", "type"), _etcd_row),
        "objects": _objects(told),
        "storage_bytes": _before_and_after([one["storage_bytes"] for one in told if one.get("storage_bytes")]),
        "cpu_seconds": total(one.get("cpu_seconds") for one in told),
        "resident_bytes_max": largest(one.get("resident_bytes_max") for one in told),
    }


def _with_figures(observations: Sequence[Observation]) -> list[Observation]:
    """Those that read metrics; all of them, for their causes, where none did."""
    asked = [one for one in observations if one.get("api_server")]
    return [one for one in asked if one["api_server"].get("source") == "metrics"] or asked


def _instances(told: Sequence[Mapping[str, Any]]) -> Rows:
    """One row for each process that answered, known by when it started."""
    rows: dict[str, dict[str, Any]] = {}
    for one in told:
        for instance in one.get("instances") or ():
            known = rows.get(instance["started"], {})
            scrapes = total([known.get("scrapes"), instance.get("scrapes")])
            rows[instance["started"]] = {**known, **instance, "scrapes": scrapes}
    return list(rows.values())


def _restarted_between(told: Sequence[Mapping[str, Any]]) -> bool:
    """Behind one address with one server, another process than before is a restart."""
    alone = [one for one in told if one.get("servers") == 1]
    return len(_instances(alone)) > 1


def _merged(
    told: Sequence[Mapping[str, Any]], name: str, key: Sequence[str], row_of: Callable[[Rows], dict[str, Any]]
) -> Rows:
    """The lists of that name as one, rows of the same key merged by `row_of`; a row alone stays as it is."""
    gathered: dict[tuple[Any, ...], Rows] = {}
    for one in told:
        for row in one.get(name) or ():
            gathered.setdefault(tuple(row.get(part) for part in key), []).append(row)
    return [rows[0] if len(rows) == 1 else {**rows[0], **row_of(rows)} for rows in gathered.values()]


def _sli_row(rows: Rows) -> dict[str, Any]:
    """Buckets are cumulative counts by upper bound; those that all rows have add up, and percentiles are read anew."""
    bounds = [bound for bound in rows[0]["buckets"] if all(bound in row["buckets"] for row in rows)]
    buckets: Buckets = {}
    for row in rows:
        for bound in bounds:
            add_to(buckets, bound, row["buckets"][bound])
    between = bucket_of(buckets, 99)
    return {
        "count": count(buckets),
        **{f"p{percent}_s": rounded(quantile(buckets, percent)) for percent in (50, 90, 99)},
        "p99_bucket_s": None if between is None else list(between),
        "buckets": {bound: sum(row["buckets"][bound] for row in rows) for bound in bounds},
    }


def _flow_row(rows: Rows) -> dict[str, Any]:
    return {
        "rejected": total(row.get("rejected") for row in rows),
        "queued_max": largest(row.get("queued_max") for row in rows),
        "executing_max": largest(row.get("executing_max") for row in rows),
        "wait_p99_s": only(row.get("wait_p99_s") for row in rows),
    }


def _etcd_row(rows: Rows) -> dict[str, Any]:
    percentiles = {name: only(row.get(name) for row in rows) for name in ("p50_s", "p99_s")}
    return {"count": total(row.get("count") for row in rows), **percentiles}


def _objects(told: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Resource -> how many were stored before the first and after the last observation."""
    merged: dict[str, dict[str, Any]] = {}
    for one in told:
        for resource, counts in (one.get("objects") or {}).items():
            entry = merged.setdefault(resource, {"before": counts.get("before"), "after": None})
            entry["after"] = counts.get("after")
    return merged


def _before_and_after(counts: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    return {"before": counts[0].get("before"), "after": counts[-1].get("after")} if counts else None


def merged_events(observations: Sequence[Observation]) -> dict[str, Any] | None:
    """Warnings by reason, the most frequent first; None where nobody observed. Two at a time saw the same events."""
    if not any(one.get("events") for one in observations):
        return None
    watched = [one for one in observations if (one.get("events") or {}).get("source") == "watch"]
    told = [one["events"] for one in apart(watched or [one for one in observations if one.get("events")])]
    rows = _merged(told, "warnings", ("reason", "kind"), _warning_row)
    rows.sort(key=lambda row: -(row.get("count") or 0))
    return {
        "source": "watch" if watched else "none",
        "cause": causes_of(told),
        "total": total(one.get("total") for one in told),
        "warnings": rows[:MAX_REASONS],
    }


def _warning_row(rows: Rows) -> dict[str, Any]:
    first = min((row["first"] for row in rows if row.get("first")), default=None)
    last = max((row["last"] for row in rows if row.get("last")), default=None)
    counts = {name: total(row.get(name) for row in rows) for name in ("count", "fork_failures")}
    return {**counts, "first": first, "last": last}


def merged_skew(observations: Sequence[Observation]) -> dict[str, Any] | None:
    """The estimate with the smallest error; None where nobody observed."""
    told = [one["skew"] for one in observations if one.get("skew")]
    if not told:
        return None
    best = min(told, key=lambda one: (one.get("estimate_ms") is None, one.get("error_ms") or 0))
    return {name: best.get(name) for name in ("estimate_ms", "error_ms", "samples")}


def observed_span(observations: Sequence[Observation]) -> tuple[float, float] | None:
    """Seconds since 1970 from the first beginning to the last known end; None without observations."""
    times = [epoch_seconds(one.get(name)) for one in observations for name in ("started", "finished")]
    known = [value for value in times if value is not None]
    return (min(known), max(known)) if known else None


#: Nodes that a summary lists, those nearest to their limits first.
MAX_NODES = 50
_PEAKS = (
    "threads_peak", "pod_threads_peak", "pod_processes_peak", "cpu_cores_peak", "memory_bytes_peak", "pods_peak"
)  # fmt: skip
_LIMITS = ("max_threads", "pod_pids_limit")


def merged_nodes(observations: Sequence[Observation]) -> dict[str, Any] | None:
    """Peaks against limits by node, without series; None where nobody observed."""
    told = [one["nodes"] for one in observations if one.get("nodes")]
    if not told:
        return None
    gathered: dict[str, list[Mapping[str, Any]]] = {}
    for one in told:
        for row in one.get("nodes") or ():
            gathered.setdefault(row["name"], []).append(row)
    rows = sorted((_node(rows) for rows in gathered.values()), key=lambda row: (-(_nearness(row) or 0), row["name"]))
    asked = any(one.get("source") == "kubelet" for one in told)
    return {
        "source": "kubelet" if asked else "none",
        "cause": None if asked else causes_of(told),
        "requests": total(one.get("requests") for one in told),
        "seen": len(rows),
        "simulated": sum(row["simulated"] is True for row in rows),
        "unknown": sum(row["simulated"] is None and not row["samples"] for row in rows),
        "silent": sum(row["simulated"] is not True and not row["samples"] for row in rows),
        "nodes": rows[:MAX_NODES],
        "not_asked": largest(one.get("not_asked") for one in told),
    }


def _node(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    samples = total(row.get("samples") for row in rows) or 0
    read = [row["conditions"] for row in rows if row.get("conditions") is not None]
    conditions = [condition for one in read for condition in one]
    return {
        "name": rows[0]["name"],
        "simulated": _last([row.get("simulated") for row in rows]),
        "samples": samples,
        "cause": None if samples else causes_of(rows),
        **{name: _last([row.get(name) for row in rows]) for name in _LIMITS},
        **{name: largest(row.get(name) for row in rows) for name in _PEAKS},
        # Two observers at a time saw the same one. None is a Node that could not be read.
        "conditions": [one for at, one in enumerate(conditions) if one not in conditions[:at]] if read else None,
    }


def _last(values: Sequence[Any]) -> Any:
    return next((value for value in reversed(values) if value is not None), None)


def _nearness(row: Mapping[str, Any]) -> float | None:
    """How much of a limit of the node was used at most, 0 to 1; None where no limit or no peak is known.

    The limit of a pod counts threads. Where only its processes are known, they are the least that it had.
    """
    pairs = (
        (row["threads_peak"], row["max_threads"]),
        (row["pod_threads_peak"] or row["pod_processes_peak"], row["pod_pids_limit"]),
    )
    return max((peak / limit for peak, limit in pairs if peak is not None and limit), default=None)
