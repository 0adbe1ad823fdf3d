# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an API server did during an observation, from the answers of its /metrics, round by round. No I/O.

There may be several servers behind one address, and a server may be restarted. So counters are subtracted only within a
process that answered both in the first and in the last round, and the differences of several processes are added.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from .exposition import Series, count, grouped, is_of, labels_of, quantile, rounded, samples
from .kubelet import Unreadable
from .node_load import Series as FigureSeries
from .sli import sli_rows

SLI = "apiserver_request_sli_duration_seconds_bucket"
ETCD = "etcd_request_duration_seconds_bucket"
WAIT = "apiserver_flowcontrol_request_wait_duration_seconds_bucket"
REJECTED = "apiserver_flowcontrol_rejected_requests_total"
CPU = "process_cpu_seconds_total"
_INFLIGHT = "apiserver_current_inflight_requests"
_QUEUED = "apiserver_flowcontrol_current_inqueue_requests"
_EXECUTING = "apiserver_flowcontrol_current_executing_requests"
#: The first is the newer one, with group and resource apart.
_OBJECTS = ("apiserver_resource_objects", "apiserver_storage_objects")
_RESIDENT = "process_resident_memory_bytes"
_STARTED = "process_start_time_seconds"
_STORAGE = "apiserver_storage_size_bytes"
_COUNTERS = (SLI, ETCD, WAIT, REJECTED, CPU)
#: All that parse_scrape reads.
METRICS_READ = (*_COUNTERS, _INFLIGHT, _QUEUED, _EXECUTING, *_OBJECTS, _RESIDENT, _STARTED, _STORAGE)
_COLUMNS = ("cpu_share", "resident_bytes", "inflight_mutating", "inflight_read_only", "rejected")

#: What counters of one process grew by.
Growth = Mapping[Series, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scrape:
    """One answer. `started` is the process's start in seconds since 1970, and so its name; counters as they stand.

    `at_seconds` is the monotonic clock when the answer was there, `taken` the same moment as seconds since 1970. A
    gauge that is not in the answer is None, or not in its mapping. `queued` and `executing` are by priority level.
    """

    at_seconds: float
    taken: float
    started: float
    counters: Mapping[Series, float]
    resident_bytes: float | None
    storage_bytes: float | None
    inflight: Mapping[str, float]
    queued: Mapping[str, float]
    executing: Mapping[str, float]
    objects: Mapping[str, float]

    @property
    def cpu_seconds(self) -> float | None:
        """CPU that the process has used since its start."""
        return self.counters.get(CPU.encode())

    @property
    def rejected(self) -> float:
        """Requests turned away since the process's start, of all priority levels. A series nobody met is not there."""
        return sum(value for series, value in self.counters.items() if is_of(series, REJECTED))


def parse_scrape(body: bytes, *, at_seconds: float, taken: float, known: dict[Series, Series] | None = None) -> Scrape:
    """Read an answer of /metrics. Raises Unreadable where it is none of an API server. `known` as of `samples`."""
    started = next(iter(samples(body, _STARTED).values()), None)
    if started is None:
        raise Unreadable(f"no metrics of a process: without {_STARTED}")
    inflight = samples(body, _INFLIGHT)
    if not inflight:
        raise Unreadable(f"no API server's metrics: without {_INFLIGHT}")
    return Scrape(
        at_seconds=at_seconds,
        taken=taken,
        started=started,
        counters=samples(body, *_COUNTERS, known=known),
        resident_bytes=next(iter(samples(body, _RESIDENT).values()), None),
        storage_bytes=max(samples(body, _STORAGE).values(), default=None),
        inflight=_summed(inflight, "request_kind"),
        queued=_summed(samples(body, _QUEUED), "priority_level"),
        executing=_summed(samples(body, _EXECUTING), "priority_level"),
        objects=_objects(body),
    )


def _summed(found: Mapping[Series, float], label: str) -> dict[str, float]:
    sums: dict[str, float] = defaultdict(float)
    for series, value in found.items():
        sums[labels_of(series).get(label, "")] += value
    return dict(sums)


def _objects(body: bytes) -> dict[str, float]:
    """Objects by resource, such as "deployments.apps"; -1, which the server says for "could not count", is left out."""
    found = next((found for name in _OBJECTS if (found := samples(body, name))), {})
    counts = {}
    for series, value in found.items():
        labels = labels_of(series)
        if value >= 0 and (resource := labels.get("resource")):
            counts[f"{resource}.{labels['group']}" if labels.get("group") else resource] = value
    return counts


# -- differences ------------------------------------------------------------------------------------------------------


def growth(first: Scrape, last: Scrape) -> dict[Series, float]:
    """What the counters of one process grew by. Of a histogram that grew all buckets are there, of others none.

    Raises Unreadable where a counter went backwards: then these were two processes, whatever they say.
    """
    before = first.counters
    grown = {series: value - before.get(series, 0.0) for series, value in last.counters.items()}
    for series, value in grown.items():
        if value < 0:
            raise Unreadable(f"{series.partition(b'{')[0].decode()} went backwards")
    active = {_without_bucket(series) for series, value in grown.items() if value}
    return {series: value for series, value in grown.items() if _without_bucket(series) in active}


def _without_bucket(series: Series) -> bytes:
    return series.partition(b'le="')[0]


def added(growths: Iterable[Growth]) -> dict[Series, float]:
    """The growths of several processes together."""
    total: dict[Series, float] = defaultdict(float)
    for each in growths:
        for series, value in each.items():
            total[series] += value
    return dict(total)


def only(grown: Growth, name: str) -> dict[Series, float]:
    """What belongs to one metric."""
    return {series: value for series, value in grown.items() if is_of(series, name)}


def cpu_growth(grown: Growth) -> float | None:
    """CPU seconds, None where no process told."""
    value = grown.get(CPU.encode())
    return None if value is None else round(value, 3)


def etcd_rows(grown: Growth) -> list[dict[str, Any]]:
    """`api_server.etcd`: requests to etcd by operation and type of object, most first."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    # Older servers have one label, `type`, instead of group and resource.
    for (operation, old, group, resource), buckets in grouped(
        only(grown, ETCD), ("operation", "type", "group", "resource")
    ).items():
        kind = old or (f"{resource}.{group}" if group else resource)
        found[operation, kind] = {
            "operation": operation,
            "type": kind,
            "count": count(buckets),
            "p50_s": rounded(quantile(buckets, 50)),
            "p99_s": rounded(quantile(buckets, 99)),
        }
    return sorted(found.values(), key=lambda row: (-row["count"], row["operation"], row["type"]))


def flow_control_rows(
    grown: Growth | None, queued: Mapping[str, float], executing: Mapping[str, float]
) -> list[dict[str, Any]]:
    """`api_server.flow_control` by priority level, from growths and the largest numbers seen at any one moment.

    Without a growth (None) `rejected` and `wait_p99_s` are None. A level that nothing passed through is left out.
    """
    counted = grown or {}
    rejected = _summed(only(counted, REJECTED), "priority_level")
    waits = {level: buckets for (level,), buckets in grouped(only(counted, WAIT), ("priority_level",)).items()}
    busy = {level for level, value in [*queued.items(), *executing.items()] if value}
    return [
        {
            "priority_level": level,
            "rejected": None if grown is None else int(rejected.get(level, 0)),
            "queued_max": _whole(queued.get(level)),
            "executing_max": _whole(executing.get(level)),
            "wait_p99_s": rounded(quantile(waits.get(level, {}), 99)),
        }
        for level in sorted(busy | set(rejected) | set(waits))
    ]


def object_rows(first: Scrape, last: Scrape) -> dict[str, dict[str, int | None]]:
    """`api_server.objects`: how many were stored, of the resources that had any. Servers count once a minute."""
    rows = {}
    for resource in sorted({*first.objects, *last.objects}):
        pair = first.objects.get(resource), last.objects.get(resource)
        if any(pair):
            rows[resource] = {"before": _whole(pair[0]), "after": _whole(pair[1])}
    return rows


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


@dataclass(slots=True)
class _Process:
    """One process, its first and its last answer with the rounds they came in, and how many there were."""

    first: Scrape
    last: Scrape
    first_round: int
    last_round: int
    scrapes: int = 1


class ServerFigures:
    """`api_server` of an observation but for what concerns requests that failed.

    `began` is the servers' clock at the first answer, in seconds since 1970: a process that started later is a
    restart. `origin` is where the series' times begin, by the monotonic clock.
    """

    def __init__(self, *, origin: float) -> None:
        self._origin = origin
        self._processes: dict[float, _Process] = {}
        self._round = 0
        self._first: Scrape | None = None
        self._last: Scrape | None = None
        self._followed: Scrape | None = None
        self._rejected = 0.0
        self._series = FigureSeries(columns=_COLUMNS)
        self._inflight: dict[str, float] = {}
        self._queued: dict[str, float] = {}
        self._executing: dict[str, float] = {}
        self._resident: float | None = None
        self.scrapes = 0
        self.began: float | None = None
        self.servers: int | None = None

    # -- reading -----------------------------------------------------------------------------------------------------

    def add_round(self, answers: Sequence[Scrape]) -> None:
        """The answers of one round, at least one, each over a connection of its own."""
        self._round += 1
        self._first = self._first or answers[0]
        self._last = answers[-1]
        self.began = answers[0].taken if self.began is None else self.began
        for scrape in answers:
            self.scrapes += 1
            self._take(scrape)
            _raise_to(self._inflight, scrape.inflight)
            _raise_to(self._queued, scrape.queued)
            _raise_to(self._executing, scrape.executing)
            if scrape.resident_bytes is not None:
                self._resident = max(self._resident or 0, scrape.resident_bytes)
        self._add_point(self._same_process(answers))

    def _take(self, scrape: Scrape) -> None:
        known = self._processes.get(scrape.started)
        if known is None:
            self._processes[scrape.started] = _Process(scrape, scrape, self._round, self._round)
        else:
            known.last, known.last_round = scrape, self._round
            known.scrapes += 1

    def _same_process(self, answers: Sequence[Scrape]) -> Scrape:
        """The answer of the process that the series followed so far, else the first one."""
        followed = self._followed
        return next((one for one in answers if followed is not None and one.started == followed.started), answers[0])

    def _add_point(self, scrape: Scrape) -> None:
        before = self._followed if self._followed is not None and self._followed.started == scrape.started else None
        share = None
        if before is not None:
            self._rejected += max(0.0, scrape.rejected - before.rejected)
            seconds = scrape.at_seconds - before.at_seconds
            if seconds > 0 and scrape.cpu_seconds is not None and before.cpu_seconds is not None:
                share = max(0.0, scrape.cpu_seconds - before.cpu_seconds) / seconds
        self._followed = scrape
        figures = {
            "cpu_share": share,
            "resident_bytes": scrape.resident_bytes,
            "inflight_mutating": scrape.inflight.get("mutating"),
            "inflight_read_only": scrape.inflight.get("readOnly"),
            "rejected": self._rejected,
        }
        self._series.add(scrape.at_seconds - self._origin, figures)

    # -- telling -----------------------------------------------------------------------------------------------------

    def document(self) -> dict[str, Any]:
        """The keys as they are in the observation; `cause` is None until a round was read."""
        counted, cause = self._counted()
        grown = added(growth for _process, growth in counted) if counted else None
        first, last = self._first, self._last
        stored = None
        if first and last and (first.storage_bytes is not None or last.storage_bytes is not None):
            stored = {"before": _whole(first.storage_bytes), "after": _whole(last.storage_bytes)}
        return {
            "source": "metrics" if counted else "none",
            "cause": cause,
            "servers": self.servers,
            "instances": self._instances({process.first.started for process, _growth in counted}),
            "restarted": self._restarted() is not None,
            "scrapes": self.scrapes,
            "window": _window(process for process, _growth in counted) if counted else None,
            "sli": sli_rows(only(grown, SLI)) if grown is not None else [],
            "flow_control": flow_control_rows(grown, self._queued, self._executing),
            "inflight": {
                "mutating_max": _whole(self._inflight.get("mutating")),
                "read_only_max": _whole(self._inflight.get("readOnly")),
            },
            "etcd": etcd_rows(grown) if grown is not None else [],
            "objects": object_rows(first, last) if first and last and first is not last else {},
            "storage_bytes": stored,
            "cpu_seconds": cpu_growth(grown) if grown is not None else None,
            "resident_bytes_max": _whole(self._resident),
            "series": self._series.to_dict(),
        }

    def _counted(self) -> tuple[list[tuple[_Process, Growth]], str | None]:
        """The processes whose counters say something of the whole time, with their growth; else why there is none."""
        counted: list[tuple[_Process, Growth]] = []
        for process in self._processes.values():
            if process.first_round == 1 and 1 < process.last_round == self._round:
                try:
                    counted.append((process, growth(process.first, process.last)))
                except Unreadable as error:
                    return [], f"two API servers cannot be told apart: {error}"
        return counted, None if counted or not self._round else self._why_none()

    def _why_none(self) -> str:
        if self._round == 1:
            return "the metrics were read only once, so nothing can be subtracted"
        restarted = self._restarted()
        if restarted is not None:
            return f"an API server was started anew at {_rfc3339(restarted)}; none answered both first and last"
        servers = max(self.servers or 0, len(self._processes))
        return f"{servers} API servers behind one address answered by turns, none of them both first and last"

    def _restarted(self) -> float | None:
        """When the newest process started, if that was after the first answer."""
        newest = max(self._processes, default=None)
        return newest if newest is not None and self.began is not None and newest > self.began else None

    def _instances(self, counted: set[float]) -> list[dict[str, Any]]:
        return [
            {"started": _rfc3339(started), "scrapes": process.scrapes, "counted": started in counted}
            for started, process in sorted(self._processes.items())
        ]


def _raise_to(highest: dict[str, float], values: Mapping[str, float]) -> None:
    for name, value in values.items():
        highest[name] = max(value, highest.get(name, value))


def _window(processes: Iterable[_Process]) -> dict[str, str]:
    both = [(process.first.taken, process.last.taken) for process in processes]
    return {"from": _rfc3339(min(first for first, _last in both)), "to": _rfc3339(max(last for _first, last in both))}


def _rfc3339(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
