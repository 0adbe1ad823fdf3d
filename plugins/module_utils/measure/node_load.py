# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The load of one node: peaks, a series, and periods of pressure. No I/O.

Figures come from its kubelet (kubelet.py), conditions from its Node. Unknown figures are None.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .kubelet import Cgroups, Configuration, Summary

#: Points of one node's series; beyond it two neighbours become one.
MAX_POINTS = 600
#: Times of pressure kept of one node. Of a condition that comes and goes more often, the first ones are kept.
MAX_PERIODS = 50
#: What a Node says of itself that is not well, by the status that means so.
_PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure")
_COLUMNS = ("threads", "cpu_cores", "memory_bytes", "pods")


class Series:
    """Readings over time, at most `max_points`. Where two neighbours become one, the higher figure of each stays.

    Kept as numbers of the machine, because a large cluster has many nodes; NaN is "no data".
    """

    __slots__ = ("_columns", "_fresh", "_max_points", "_stride", "_t")

    def __init__(self, *, columns: Sequence[str] = _COLUMNS, max_points: int = MAX_POINTS) -> None:
        self._max_points = max_points
        self._t = array("d")
        self._columns = {name: array("d") for name in columns}
        #: Readings that make one point, and how many of them the last point has.
        self._stride = 1
        self._fresh = 0

    def add(self, seconds: float, figures: Mapping[str, float | None]) -> None:
        """One reading at a time in seconds, by the names of the columns."""
        if self._fresh == 0:
            if len(self._t) == self._max_points:
                self._halve()
            self._t.append(seconds)
            for column in self._columns.values():
                column.append(math.nan)
        for name, column in self._columns.items():
            column[-1] = _higher(column[-1], _nan_if_none(figures.get(name)))
        self._fresh = (self._fresh + 1) % self._stride

    def _halve(self) -> None:
        self._stride *= 2
        self._t = self._t[::2]
        for name, column in self._columns.items():
            pairs = zip(column[::2], column[1::2], strict=True)
            self._columns[name] = array("d", [_higher(one, other) for one, other in pairs])

    def to_dict(self) -> dict[str, list[float | None]]:
        """`t` in seconds, and the columns, all equally long."""
        columns = {name: [_none_if_nan(name, value) for value in column] for name, column in self._columns.items()}
        return {"t": [round(seconds, 1) for seconds in self._t], **columns}


def _nan_if_none(value: float | None) -> float:
    return math.nan if value is None else value


def _none_if_nan(name: str, value: float) -> float | None:
    if math.isnan(value):
        return None
    return round(value, 3) if name.startswith("cpu_") else int(value)


def _higher(one: float, other: float) -> float:
    return other if math.isnan(one) or other > one else one


@dataclass
class _Known:
    """The last reading of a condition."""

    status: str
    since: str | None
    bad: bool


class Conditions:
    """Times of pressure and of a Node that is not Ready, out of readings that may lie half a minute apart.

    Both ends are the Node's own lastTransitionTime, so they do not depend on when it was read; and a time that began
    and ended between two readings shows by a transition that nobody saw: then its end is known and its beginning not.
    """

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}
        self._periods: list[dict[str, Any]] = []

    def observe(self, node: Mapping[str, Any]) -> None:
        """Take in one reading of a Node. Conditions of the wrong shape are passed over."""
        status = node.get("status")
        entries = status.get("conditions") if isinstance(status, dict) else None
        for entry in entries if isinstance(entries, list) else ():
            kind = entry.get("type") if isinstance(entry, dict) else None
            if kind == "Ready" or kind in _PRESSURES:
                self._take(kind, entry)

    def _take(self, kind: str, entry: Mapping[str, Any]) -> None:
        state, since = str(entry.get("status")), entry.get("lastTransitionTime")
        # When a node is lost every condition becomes Unknown; Ready alone reports it.
        bad = state != "True" if kind == "Ready" else state == "True"
        known = self._known.get(kind)
        self._known[kind] = _Known(state, since, bad)
        if known is None:
            if bad:
                self._open(kind, entry)
            return
        if (known.status, known.since) == (state, since):
            return
        if known.bad:
            self._close(kind, since)
        elif not bad and known.status == state:
            status = None if kind == "Ready" else "True"
            self._add({"type": kind, "status": status, "reason": None, "from": None, "to": since})
        if bad:
            self._open(kind, entry)

    def _open(self, kind: str, entry: Mapping[str, Any]) -> None:
        since = entry.get("lastTransitionTime")
        self._add({"type": kind, "status": entry["status"], "reason": entry.get("reason"), "from": since, "to": None})

    def _close(self, kind: str, at: str | None) -> None:
        for period in reversed(self._periods):
            if period["type"] == kind and period["to"] is None:
                period["to"] = at
                return

    def _add(self, period: dict[str, Any]) -> None:
        if len(self._periods) < MAX_PERIODS:
            self._periods.append(period)

    @property
    def were_read(self) -> bool:
        """Whether any reading had conditions."""
        return bool(self._known)

    @property
    def are_bad(self) -> bool:
        """Whether the last reading showed pressure, or a node that is not Ready."""
        return any(known.bad for known in self._known.values())

    def periods(self) -> list[dict[str, Any]]:
        """`type`, `status`, `reason`, `from` and `to` (RFC 3339): `to` None lasts on, `from` None was not seen."""
        return [dict(period) for period in self._periods]


@dataclass(kw_only=True)
class NodeLoad:
    """One node's figures. `cause` is why its kubelet told nothing, `conditions_cause` why its Node could not be read.

    `limit_cause` is why there is no `pod_pids_limit`, `threads_cause` why a pod's threads are not known.
    """

    name: str
    simulated: bool | None = None
    samples: int = 0
    cause: str | None = None
    conditions_cause: str | None = None
    limit_cause: str | None = None
    threads_cause: str | None = "cAdvisor was not asked"
    max_threads: int | None = None
    pod_pids_limit: int | None = None
    threads_low: int | None = None
    peaks: dict[str, float] = field(default_factory=dict)
    series: Series = field(default_factory=Series)
    conditions: Conditions = field(default_factory=Conditions)

    def observe_builds(self, summary: Summary, build_pods: int) -> None:
        """Take in how many build pods are in a summary: their most, and the threads while there were fewest of them."""
        self.peaks["build_pods"] = max(build_pods, self.peaks.get("build_pods", 0))
        if summary.threads is not None:
            self.threads_low = min(summary.threads, self.threads_low or summary.threads)

    def observe(self, seconds: float, summary: Summary) -> bool:
        """Take in a summary, read at a time in seconds; False where it has no figure at all, and is no sample."""
        processes = max((pod.processes for pod in summary.pods if pod.processes), default=None)
        told = {"threads": summary.threads, "cpu_cores": summary.cpu_cores, "memory_bytes": summary.memory_bytes}
        if processes is None and all(value is None for value in told.values()):
            return False
        figures = {**told, "pods": len(summary.pods)}
        self.samples += 1
        self.max_threads = summary.max_threads or self.max_threads
        for name, value in {**figures, "pod_processes": processes}.items():
            if value is not None:
                self.peaks[name] = max(value, self.peaks.get(name, 0))
        self.series.add(seconds, figures)
        return True

    def observe_cgroups(self, cgroups: Cgroups) -> None:
        """Take in cAdvisor's metrics: the threads of the largest pod."""
        threads = max((pod.threads for pod in cgroups.pods.values() if pod.threads), default=None)
        if threads is not None:
            self.peaks["pod_threads"], self.threads_cause = max(threads, self.peaks.get("pod_threads", 0)), None
        elif "pod_threads" not in self.peaks:
            self.threads_cause = "cAdvisor counts no pod's threads"

    def configure(self, configuration: Configuration) -> None:
        """Take in the kubelet's configuration."""
        self.pod_pids_limit = configuration.pod_pids_limit
        if configuration.pod_pids_unlimited:
            self.limit_cause = "no limit is set"
        elif self.pod_pids_limit is None:
            self.limit_cause = "the kubelet's configuration has no podPidsLimit"

    @property
    def need(self) -> tuple[float, float, float]:
        """Sorts nodes: the largest share of a limit used, its own or a pod's, then most threads, then most CPU."""
        threads = self.peaks.get("threads", 0)
        # A pod has no fewer threads than processes.
        of_pod = self.peaks.get("pod_threads", self.peaks.get("pod_processes", 0))
        shares = [peak / limit for peak, limit in ((threads, self.max_threads), (of_pod, self.pod_pids_limit)) if limit]
        return (max(shares, default=0.0), threads, self.peaks.get("cpu_cores", 0))

    def row(self) -> dict[str, Any]:
        """The node as a document; None is "no data".

        `conditions` None: its Node could not be read, or has none.
        `pod_processes_peak` are the processes of the largest pod. Its threads, which are what a limit counts, are only
        in cAdvisor's metrics, megabytes a node, and read more seldom: `pod_threads_peak` may miss a short peak.
        """
        cores = self.peaks.get("cpu_cores")
        return {
            "name": self.name,
            "simulated": self.simulated,
            "samples": self.samples,
            "cause": self.cause,
            "max_threads": self.max_threads,
            "threads_peak": self.peaks.get("threads"),
            "pod_pids_limit": self.pod_pids_limit,
            "pod_pids_limit_cause": self.limit_cause,
            "pod_threads_peak": self.peaks.get("pod_threads"),
            "pod_threads_cause": self.threads_cause,
            "pod_processes_peak": self.peaks.get("pod_processes"),
            "cpu_cores_peak": None if cores is None else round(cores, 3),
            "memory_bytes_peak": self.peaks.get("memory_bytes"),
            "pods_peak": self.peaks.get("pods"),
            "build_pods_peak": self.peaks.get("build_pods"),
            "threads_low": self.threads_low,
            "conditions": self.conditions.periods() if self.conditions.were_read else None,
            "conditions_cause": self.conditions_cause,
        }
