# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one answer of an API server's /metrics says, and what two answers of the same process differ by. Pure.

Counters belong to a process: after a restart they begin at 0, and another API server behind the same address has
its own. A process is known by its process_start_time_seconds, and only answers of one process are subtracted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .buckets import count, grouped, quantile, rounded
from .exposition import Series, is_of, labels_of, samples
from .kubelet import Unreadable

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


def parse_scrape(body: bytes, *, at_seconds: float, taken: float) -> Scrape:
    """Read an answer of /metrics. Raises Unreadable where it is none of an API server."""
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
        counters=samples(body, *_COUNTERS),
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
