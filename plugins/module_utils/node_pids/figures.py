# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes and threads of nodes and pods, compared with every limit that applies. No I/O; unknown figures are None.

The kernel counts threads against all of these limits. If only a pod's processes are known, they stand in for its
threads, which cannot be fewer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..measure.kubelet import Cgroup, Cgroups, Configuration, PodProcesses, Summary, eviction_starts_at

NO_LIMIT = "no limit is set"

Row = dict[str, Any]


@dataclass(kw_only=True)
class NodeReading:
    """What was read of one node; what could not be read is None, and `causes` says why, by endpoint.

    `cause` is why nothing can be read of the node. `simulated` and `pid_pressure` are None if the Node object itself
    cannot be read.
    """

    name: str
    simulated: bool | None = None
    pid_pressure: bool | None = None
    summary: Summary | None = None
    cgroups: Cgroups | None = None
    configuration: Configuration | None = None
    causes: dict[str, str] = field(default_factory=dict)
    cause: str | None = None


def limit_row(*, limit: int | None, used: int | None, source: str, cause: str | None) -> Row:
    """One limit and how much of it is used. `cause` is kept if a figure is missing, `source` if the limit is known.

    `free` may be negative: lowering a limit does not end running processes.
    """
    known = limit is not None and used is not None
    return {
        "limit": limit,
        "used": used,
        "free": limit - used if known else None,  # type: ignore[operator]
        "used_percent": round(100 * used / limit, 1) if known and limit else None,  # type: ignore[operator]
        "source": source if limit is not None else None,
        "cause": None if known else cause,
    }


def node_limits(reading: NodeReading) -> dict[str, Row]:
    """The limits shared by all pods of a node: kernel, allocatable, eviction."""
    return {"kernel": _kernel(reading), "allocatable": _allocatable(reading), "eviction": _eviction(reading)}


def _kernel(reading: NodeReading) -> Row:
    return limit_row(
        limit=reading.summary.max_threads if reading.summary else None,
        used=reading.summary.threads if reading.summary else None,
        source="node.rlimit.maxpid: the smaller of kernel.pid_max and kernel.threads-max",
        cause=_why(reading, "summary", "the kubelet's summary has no node.rlimit"),
    )


def _allocatable(reading: NodeReading) -> Row:
    cgroup = reading.cgroups.all_pods if reading.cgroups else None
    limit, source = (cgroup.limit if cgroup else None), "pids.max of the cgroup of all pods"
    if limit is None and reading.summary and reading.configuration and reading.summary.max_threads:
        limit = reading.summary.max_threads - reading.configuration.reserved_pids
        source = "computed: node.rlimit.maxpid less kubeReserved and systemReserved"
    cause = _why(reading, "cadvisor", "cAdvisor has no cgroup of all pods")
    return limit_row(limit=limit, used=cgroup.threads if cgroup else None, source=source, cause=cause)


def _eviction(reading: NodeReading) -> Row:
    threshold = reading.configuration.eviction_available if reading.configuration else None
    maximum = reading.summary.max_threads if reading.summary else None
    cause = _why(reading, "summary", f"evictionHard pid.available={threshold} cannot be applied")
    if reading.configuration is None:
        cause = _why(reading, "configuration", "")
    elif threshold is None:
        cause = NO_LIMIT
    return limit_row(
        limit=eviction_starts_at(threshold, maximum),
        used=reading.summary.threads if reading.summary else None,
        source=f"evictionHard pid.available={threshold}: PIDPressure above it",
        cause=cause,
    )


def _why(reading: NodeReading, endpoint: str, otherwise: str) -> str:
    return reading.cause or reading.causes.get(endpoint) or otherwise


def pod_rows(reading: NodeReading, *, wanted: Callable[[str, str], bool]) -> list[Row]:
    """The pods of a node that `wanted(namespace, uid)` accepts, each with its own limit and the node's."""
    limits = node_limits(reading)
    return [_pod_row(reading, pod, cgroup, limits) for pod, cgroup in _pods(reading) if wanted(pod.namespace, pod.uid)]


def _pods(reading: NodeReading) -> Iterable[tuple[PodProcesses, Cgroup | None]]:
    """Every pod that one of the endpoints reports, with its cgroup."""
    cgroups = reading.cgroups.pods if reading.cgroups else {}
    if reading.summary:
        for pod in reading.summary.pods:
            yield pod, cgroups.get(pod.uid)
    else:
        for uid, cgroup in cgroups.items():
            yield PodProcesses(namespace=cgroup.namespace, name=cgroup.name, uid=uid, processes=None), cgroup


def _pod_row(reading: NodeReading, pod: PodProcesses, cgroup: Cgroup | None, limits: Mapping[str, Row]) -> Row:
    processes = pod.processes if pod.processes is not None else (cgroup.processes if cgroup else None)
    threads = cgroup.threads if cgroup else None
    limit, source, cause = _pod_limit(reading, cgroup)
    used = threads if threads is not None else processes
    if used is None:
        cause = _why(reading, "cadvisor", "the kubelet does not count this pod's processes")
    own = limit_row(limit=limit, used=used, source=source, cause=cause)
    room = {"pod": own["free"], "allocatable": limits["allocatable"]["free"], "kernel": limits["kernel"]["free"]}
    known = {name: free for name, free in room.items() if free is not None}
    limited_by = min(known, key=lambda name: known[name]) if known and used is not None else None
    return {
        "namespace": pod.namespace,
        "name": pod.name,
        "uid": pod.uid,
        "node": reading.name,
        "processes": processes,
        "threads": threads,
        **own,
        "free": known[limited_by] if limited_by else None,
        "limited_by": limited_by,
    }


def _pod_limit(reading: NodeReading, cgroup: Cgroup | None) -> tuple[int | None, str, str | None]:
    """(limit, its source, why there is none). The cgroup has the limit in force; podPidsLimit is for new pods."""
    configuration = reading.configuration
    if cgroup and cgroup.limit is not None:
        return cgroup.limit, "pids.max of the pod's cgroup", None
    if cgroup and cgroup.unlimited:
        return None, "", NO_LIMIT
    if configuration and configuration.pod_pids_limit is not None:
        return configuration.pod_pids_limit, "podPidsLimit", None
    if configuration and configuration.pod_pids_unlimited:
        return None, "", NO_LIMIT
    return None, "", _why(reading, "configuration", "the kubelet's configuration has no podPidsLimit")


def node_row(reading: NodeReading) -> Row:
    """A node's own figures. `processes` are those of its pods, None if none are known."""
    rows = pod_rows(reading, wanted=lambda _namespace, _uid: True)
    counted = [row["processes"] for row in rows if row["processes"] is not None]
    configuration = reading.configuration
    seen = reading.summary is not None or reading.cgroups is not None
    return {
        "name": reading.name,
        "simulated": reading.simulated,
        "pid_pressure": reading.pid_pressure,
        "pods": len(rows) if seen else None,
        "processes": sum(counted) if counted else None,
        "threads": reading.summary.threads if reading.summary else None,
        "pod_pids_limit": configuration.pod_pids_limit if configuration else None,
        "limits": node_limits(reading),
        "causes": _causes(reading),
    }


def _causes(reading: NodeReading) -> list[str]:
    if reading.cause:
        return [reading.cause]
    return [f"{name}: {cause}" for name, cause in reading.causes.items()]


def by_usage(row: Mapping[str, Any]) -> tuple[float, int, str, str]:
    """Sort key: pods closest to their own limit first, then by threads, then by name."""
    percent = row["used_percent"] if row["used_percent"] is not None else -1.0
    return (-percent, -(row["used"] or 0), row["namespace"], row["name"])


def tightest(nodes: Iterable[Mapping[str, Any]], pods: Iterable[Mapping[str, Any]]) -> Row | None:
    """The limit with the largest used share, over all nodes and pods; None if nothing can be compared."""
    found: list[Row] = []
    for node in nodes:
        for name, row in node["limits"].items():
            found.append({"node": node["name"], "pod": None, "name": name, **row})
    for pod in pods:
        place = f"{pod['namespace']}/{pod['name']}"
        found.append({**pod, "pod": place, "name": "pod"})
    found = [row for row in found if row["used_percent"] is not None]
    best = max(found, key=lambda row: row["used_percent"], default=None)
    return best and {key: best[key] for key in ("node", "pod", "name", "limit", "used", "used_percent")}


def missing(readings: Iterable[NodeReading]) -> list[Row]:
    """Why figures are missing: each cause with its number of nodes and one of them, most frequent first."""
    nodes: dict[str, list[str]] = {}
    for reading in readings:
        for cause in _causes(reading):
            # Messages that differ only in the node's name are one cause.
            nodes.setdefault(cause.replace(reading.name, "NODE"), []).append(reading.name)
    rows = [{"cause": cause, "nodes": len(names), "example": names[0]} for cause, names in nodes.items()]
    return sorted(rows, key=lambda row: -row["nodes"])
