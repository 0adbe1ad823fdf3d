"""Observations as observers write them, for tests of everything computed from them."""

from __future__ import annotations

from typing import Any

from ansible_collections.kubestress.core.plugins.module_utils.measure.exposition import add_to, bucket_of, quantile
from ansible_collections.kubestress.core.plugins.module_utils.measure.network import (
    HOUR,
    PLUGIN,
    RULES,
    counts_of,
    minutes_of,
    rows_of,
)

_COUNTS = ("add", "del", "failed", "total")
_BOUNDS = ("0.05", "0.1", "0.5", "1", "5", "+Inf")


def sli(verb: str, resource: str, *counts: int, scope: str = "namespace", group: str = "") -> dict[str, Any]:
    """Return a row of the SLI; `counts` are cumulative: calls up to 0.05, 0.1, 0.5, 1 and 5 s, and all calls."""
    by_bound: dict[float, float] = {}
    for bound, count in zip(_BOUNDS, counts, strict=True):
        add_to(by_bound, bound, count)
    between = bucket_of(by_bound, 99)
    return {
        "verb": verb,
        "group": group,
        "resource": resource,
        "subresource": "",
        "scope": scope,
        "count": counts[-1],
        **{f"p{percent}_s": quantile(by_bound, percent) for percent in (50, 90, 99)},
        "p99_bucket_s": list(between) if between else None,
        "buckets": dict(zip(_BOUNDS, counts, strict=True)),
    }


def api_server(**changed: Any) -> dict[str, Any]:
    """Return the readings of one API server that never restarted."""
    document: dict[str, Any] = {
        "source": "metrics",
        "cause": None,
        "servers": 1,
        "instances": [{"started": "2026-11-21T03:00:00Z", "scrapes": 6}],
        "restarted": False,
        "scrapes": 6,
        "failed_scrapes": {},
        "window": {"from": "2026-11-21T04:00:02Z", "to": "2026-11-21T04:01:02Z"},
        "sli": [
            sli("POST", "pods", 900, 990, 1000, 1000, 1000, 1000),
            sli("LIST", "pods", 9, 10, 10, 10, 10, 10, scope="cluster"),
        ],
        "flow_control": [
            {"priority_level": "workload-low", "rejected": 0, "queued_max": 3, "executing_max": 9, "wait_p99_s": 0.01}
        ],
        "inflight": {"mutating_max": 40, "read_only_max": 12},
        "etcd": [{"operation": "create", "type": "pods", "count": 1000, "p50_s": 0.002, "p99_s": 0.02}],
        "objects": {"pods": {"before": 0, "after": 34}},
        "cpu_seconds": 12.5,
        "resident_bytes_max": 400 * 1024**2,
        "series": {
            "t": [0.0, 15.0, 30.0],
            "cpu_share": [None, 0.5, 0.9],
            "resident_bytes": [300 * 1024**2, 350 * 1024**2, 400 * 1024**2],
            "inflight_mutating": [0, 40, 20],
            "inflight_read_only": [1, 12, 3],
            "rejected": [0, 0, 0],
        },
    }
    return document | changed


def node(name: str, **changed: Any) -> dict[str, Any]:
    """Return the row of a real node with figures."""
    row: dict[str, Any] = {
        "name": name,
        "simulated": False,
        "samples": 12,
        "cause": None,
        "max_threads": 32768,
        "threads_peak": 900,
        "pod_pids_limit": 1024,
        "pod_threads_peak": None,
        "pod_processes_peak": 75,
        "cpu_cores_peak": 1.5,
        "memory_bytes_peak": 2 * 1024**3,
        "pods_peak": 9,
        "conditions": [],
    }
    return row | changed


def silent_node(name: str, **changed: Any) -> dict[str, Any]:
    """Return the row of a node without figures."""
    nothing = dict.fromkeys(
        [
            *("max_threads", "threads_peak", "pod_pids_limit", "pod_threads_peak", "pod_processes_peak"),
            *("cpu_cores_peak", "memory_bytes_peak", "pods_peak", "conditions"),
        ]
    )
    return node(name, **nothing) | {"samples": 0, "cause": "stats/summary: HTTP 403"} | changed


def nodes(*rows: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """Return the readings of nodes, with a series of two readings for each that has figures."""
    told = [row for row in rows if row["samples"]]
    series = [
        {
            "node": row["name"],
            "t": [5.0, 10.0],
            "threads": [800, row["threads_peak"]],
            "cpu_cores": [None, 1.5],
            "memory_bytes": [10**9, 2 * 10**9],
            "pods": [4, 9],
        }
        for row in told
    ]
    document: dict[str, Any] = {
        "source": "kubelet" if told else "none",
        "cause": None if told else "n-1: stats/summary: HTTP 403",
        "requests": 12 * len(rows),
        "nodes": list(rows),
        "not_asked": 0,
        "series": series,
    }
    return document | changed


def warning(reason: str, count: int, *, kind: str = "Pod", **changed: Any) -> dict[str, Any]:
    """Return one row of Warnings."""
    row: dict[str, Any] = {
        "reason": reason,
        "kind": kind,
        "count": count,
        "first": "2026-11-21T04:00:10Z",
        "last": "2026-11-21T04:00:50Z",
        "example": {"namespace": "n-1", "name": "web-1", "message": "0/3 nodes are available"},
    }
    return row | changed


def network_operations(minutes: dict[str, tuple[int, int, int]] | None = None) -> dict[str, Any]:
    """Return what an embedded node's plug-in counted: ADD, DEL and failed by minute ("04:00")."""
    counted = {"04:00": (6, 0, 1), "04:01": (4, 4, 0)} if minutes is None else minutes
    rows = [
        {
            "start": f"2026-11-21T{minute}:00Z",
            "sources": {PLUGIN: dict(zip(_COUNTS, (*counts, sum(counts[:2])), strict=True))},
        }
        for minute, counts in counted.items()
    ]
    sums = minutes_of(rows).get(PLUGIN, {})
    return {
        "sources": {PLUGIN: {"rule": RULES[PLUGIN], "nodes": 1, **counts_of(sums)}},
        "cause": None,
        "nodes": {"seen": 3, "simulated": 2, "silent": 0, "not_asked": 0},
        "requests": 6,
        "failed_readings": 0,
        "hours": rows_of({PLUGIN: sums}, HOUR),
        "minutes": rows,
    }


def observation(**changed: Any) -> dict[str, Any]:
    """Return the observation of the batch in example_batches, without failures."""
    document: dict[str, Any] = {
        "schema": 1,
        "run_id": "r1",
        "name": "deployments-build_jobs",
        "started": "2026-11-21T04:00:01.500Z",
        "finished": "2026-11-21T04:01:03.000Z",
        "interval": {"api_seconds": 15, "node_seconds": 5},
        "api_server": api_server(),
        "nodes": nodes(node("n-1"), node("n-2", threads_peak=400, pod_processes_peak=3)),
        "network_operations": network_operations(),
        "processes": {
            "per_build_pod": {
                "min": 70,
                "median": 72,
                "max": 75,
                "plateaus": {"70": 1, "72": 1, "75": 1},
                "samples": 9,
                "source": "kubelet",
            }
        },
        "events": {"source": "watch", "cause": None, "total": 3, "warnings": [warning("FailedScheduling", 3)]},
        "skew": {"estimate_ms": 12.0, "error_ms": 40.0, "samples": 30},
        "warnings": [],
    }
    return document | changed
