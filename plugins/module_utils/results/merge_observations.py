# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Merges what several observers read of the API server, its Events, the nodes and their pods' processes. Pure.

Two observers at the same time saw the same requests and Events, so their counters are not added: see `apart`. A figure
that was not read stays None.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ..measure.exposition import Buckets, add_to, bucket_of, count, quantile, rounded
from ..measure.processes import figures_of
from .merge import largest, merged_counts, only, total
from .times import epoch_seconds

Observation = Mapping[str, Any]
Rows = list[dict[str, Any]]
_SLI_KEY = ("verb", "group", "resource", "subresource", "scope")
#: SLI rows in a summary (those with the most calls), and reasons of Warnings.
MAX_CALLS, MAX_REASONS = 200, 50
#: Nodes in a summary, those closest to their limits first.
MAX_NODES = 50
_PEAKS = (
    "threads_peak", "pod_threads_peak", "pod_processes_peak", "cpu_cores_peak", "memory_bytes_peak", "pods_peak",
    "build_pods_peak",
)  # fmt: skip
_LIMITS = ("max_threads", "pod_pids_limit")


def causes_of(parts: Iterable[Mapping[str, Any]]) -> str | None:
    """Why there are no figures, each cause once; None if no cause is known."""
    return "; ".join(dict.fromkeys(one["cause"] for one in parts if one.get("cause"))) or None


def apart(documents: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Documents that do not overlap in time, in order of time; of those that overlap, the longest is kept.

    Two observers at the same time, one in a batch and one around the playbook, counted the same requests, so their
    counters must not be added. A document without an end is taken to last as long as the others.
    """
    latest = max((epoch_seconds(one.get("finished")) or 0.0 for one in documents), default=0.0)
    spans = []
    for number, one in enumerate(documents):
        begin = epoch_seconds(one.get("started")) or 0.0
        end = epoch_seconds(one.get("finished"))
        spans.append((begin, max(latest, begin) if end is None else end, number))
    chosen: list[tuple[float, float, int]] = []
    for begin, end, number in sorted(spans, key=lambda span: (span[0] - span[1], span[2])):
        if all(end <= other_begin or begin >= other_end for other_begin, other_end, _number in chosen):
            chosen.append((begin, end, number))
    return [documents[number] for _begin, _end, number in sorted(chosen)]


def merged_api_server(observations: Sequence[Observation]) -> dict[str, Any] | None:
    """The API server's own figures, without series; None if it was not observed."""
    if not any(one.get("api_server") for one in observations):
        return None
    parts = [one["api_server"] for one in apart(_with_figures(observations)) if one.get("api_server")]
    instances = _instances(parts)
    windows = [one["window"] for one in parts if one.get("window")]
    inflight = [one.get("inflight") or {} for one in parts]
    return {
        "source": "metrics" if any(one.get("source") == "metrics" for one in parts) else "none",
        "cause": causes_of(parts),
        "servers": largest(one.get("servers") for one in parts),
        "instances": instances,
        "restarted": any(one.get("restarted") for one in parts) or _restarted_between(parts),
        "scrapes": total(one.get("scrapes") for one in parts),
        "failed_scrapes": merged_counts(one.get("failed_scrapes") for one in parts),
        "window": {"from": windows[0].get("from"), "to": windows[-1].get("to")} if windows else None,
        "sli": sorted(_merged(parts, "sli", _SLI_KEY, _sli_row), key=lambda row: -row["count"])[:MAX_CALLS],
        "flow_control": _merged(parts, "flow_control", ("priority_level",), _flow_row),
        "inflight": {name: largest(one.get(name) for one in inflight) for name in ("mutating_max", "read_only_max")},
        "etcd": _merged(parts, "etcd", ("operation", "type"), _etcd_row),
        "objects": _objects(parts),
        "storage_bytes": _before_and_after([one["storage_bytes"] for one in parts if one.get("storage_bytes")]),
        "cpu_seconds": total(one.get("cpu_seconds") for one in parts),
        "resident_bytes_max": largest(one.get("resident_bytes_max") for one in parts),
    }


def _with_figures(observations: Sequence[Observation]) -> list[Observation]:
    """The observers that read metrics; if none did, all of them, for their causes."""
    asked = [one for one in observations if one.get("api_server")]
    return [one for one in asked if one["api_server"].get("source") == "metrics"] or asked


def _instances(parts: Sequence[Mapping[str, Any]]) -> Rows:
    """One row per server process that answered, identified by its start time."""
    rows: dict[str, dict[str, Any]] = {}
    for one in parts:
        for instance in one.get("instances") or ():
            known = rows.get(instance["started"], {})
            scrapes = total([known.get("scrapes"), instance.get("scrapes")])
            rows[instance["started"]] = {**known, **instance, "scrapes": scrapes}
    return list(rows.values())


def _restarted_between(parts: Sequence[Mapping[str, Any]]) -> bool:
    """With a single server behind the address, a new process is a restart."""
    alone = [one for one in parts if one.get("servers") == 1]
    return len(_instances(alone)) > 1


def _merged(
    parts: Sequence[Mapping[str, Any]], name: str, key: Sequence[str], row_of: Callable[[Rows], dict[str, Any]]
) -> Rows:
    """The lists called `name` as one; rows with the same key are merged by `row_of`, a single row stays as it is."""
    gathered: dict[tuple[Any, ...], Rows] = {}
    for one in parts:
        for row in one.get(name) or ():
            gathered.setdefault(tuple(row.get(part) for part in key), []).append(row)
    return [rows[0] if len(rows) == 1 else {**rows[0], **row_of(rows)} for rows in gathered.values()]


def _sli_row(rows: Rows) -> dict[str, Any]:
    """Buckets are cumulative counts by upper bound: add those that all rows have, and read the percentiles again."""
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


def _objects(parts: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Resource -> objects stored before the first observation and after the last one."""
    merged: dict[str, dict[str, Any]] = {}
    for one in parts:
        for resource, counts in (one.get("objects") or {}).items():
            entry = merged.setdefault(resource, {"before": counts.get("before"), "after": None})
            entry["after"] = counts.get("after")
    return merged


def _before_and_after(counts: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    return {"before": counts[0].get("before"), "after": counts[-1].get("after")} if counts else None


def merged_events(observations: Sequence[Observation]) -> dict[str, Any] | None:
    """Warnings by reason, the most frequent first; None if Events were not observed."""
    if not any(one.get("events") for one in observations):
        return None
    watched = [one for one in observations if (one.get("events") or {}).get("source") == "watch"]
    parts = [one["events"] for one in apart(watched or [one for one in observations if one.get("events")])]
    rows = _merged(parts, "warnings", ("reason", "kind"), _warning_row)
    rows.sort(key=lambda row: -(row.get("count") or 0))
    return {
        "source": "watch" if watched else "none",
        "cause": causes_of(parts),
        "total": total(one.get("total") for one in parts),
        "warnings": rows[:MAX_REASONS],
    }


def _warning_row(rows: Rows) -> dict[str, Any]:
    first = min((row["first"] for row in rows if row.get("first")), default=None)
    last = max((row["last"] for row in rows if row.get("last")), default=None)
    counts = {name: total(row.get(name) for row in rows) for name in ("count", "fork_failures")}
    return {**counts, "first": first, "last": last}


def merged_skew(observations: Sequence[Observation]) -> dict[str, Any] | None:
    """The estimate with the smallest error; None if there was no observer."""
    parts = [one["skew"] for one in observations if one.get("skew")]
    if not parts:
        return None
    best = min(parts, key=lambda one: (one.get("estimate_ms") is None, one.get("error_ms") or 0))
    return {name: best.get(name) for name in ("estimate_ms", "error_ms", "samples")}


def observed_span(observations: Sequence[Observation]) -> tuple[float, float] | None:
    """First start and last known end, in seconds since 1970; None without observations."""
    times = [epoch_seconds(one.get(name)) for one in observations for name in ("started", "finished")]
    known = [value for value in times if value is not None]
    return (min(known), max(known)) if known else None


def merged_processes(observations: Sequence[Observation]) -> dict[str, Any]:
    """Processes of a build pod as its kubelet counted them; source "none", with the cause, if no kubelet did."""
    parts = [one["processes"]["per_build_pod"] for one in observations if one.get("processes")]
    counted = [one for one in parts if one.get("samples")]
    if not counted:
        cause = causes_of(parts)
        nothing = {"min": None, "median": None, "max": None, "samples": 0, "source": "none"}
        return {"per_build_pod": {**nothing, **({"cause": cause} if cause else {})}}
    plateaus: Counter[int] = Counter()
    for one in counted:
        plateaus.update({int(value): pods for value, pods in one["plateaus"].items()})
    merged = {
        "min": min(one["min"] for one in counted),
        "median": figures_of(plateaus)["median"],
        "max": max(one["max"] for one in counted),
        "samples": sum(one["samples"] for one in counted),
        "source": counted[0]["source"],
        "first": min((one["first"] for one in counted if one.get("first")), default=None),
        "interval_seconds": largest(one.get("interval_seconds") for one in counted),
    }
    return {"per_build_pod": merged}


def merged_nodes(observations: Sequence[Observation]) -> dict[str, Any] | None:
    """Peaks and limits by node, without series; None if nodes were not observed."""
    parts = [one["nodes"] for one in observations if one.get("nodes")]
    if not parts:
        return None
    gathered: dict[str, list[Mapping[str, Any]]] = {}
    for one in parts:
        for row in one.get("nodes") or ():
            gathered.setdefault(row["name"], []).append(row)
    rows = sorted((_node(rows) for rows in gathered.values()), key=lambda row: (-(_nearness(row) or 0), row["name"]))
    asked = any(one.get("source") == "kubelet" for one in parts)
    return {
        "source": "kubelet" if asked else "none",
        "cause": None if asked else causes_of(parts),
        "requests": total(one.get("requests") for one in parts),
        "seen": len(rows),
        "simulated": sum(row["simulated"] is True for row in rows),
        "unknown": sum(row["simulated"] is None and not row["samples"] for row in rows),
        "silent": sum(row["simulated"] is not True and not row["samples"] for row in rows),
        "nodes": rows[:MAX_NODES],
        "not_asked": largest(one.get("not_asked") for one in parts),
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
        "threads_low": min((row["threads_low"] for row in rows if row.get("threads_low") is not None), default=None),
        # Two observers at once saw the same conditions. None means that the Node could not be read.
        "conditions": [one for at, one in enumerate(conditions) if one not in conditions[:at]] if read else None,
    }


def _last(values: Sequence[Any]) -> Any:
    return next((value for value in reversed(values) if value is not None), None)


def _nearness(row: Mapping[str, Any]) -> float | None:
    """The largest share of a limit that the node used, 0 to 1; None if no limit or no peak is known.

    A pod's limit counts threads. If only its processes are known, they are a lower bound.
    """
    pairs = (
        (row["threads_peak"], row["max_threads"]),
        (row["pod_threads_peak"] or row["pod_processes_peak"], row["pod_pids_limit"]),
    )
    return max((peak / limit for peak, limit in pairs if peak is not None and limit), default=None)
