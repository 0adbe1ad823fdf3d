# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Operations of the network plug-in by minute and hour: from the embedded node's log, or a kubelet's counters. No I/O.

Minutes and hours are those of the clock, in UTC. Times are seconds since 1970.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from .exposition import labels_of, samples

#: Who counts. A pod's sandbox is counted by each of them, so their figures are never added up.
PLUGIN, KUBELET = "network plug-in", "kubelet"
#: What an operation is, by who counts.
RULES = {
    PLUGIN: "one distinct request, container id and verb, in the minute of the first line about it; failed: the "
    "plug-in ended with an error",
    KUBELET: "one call of the kubelet to the container runtime, ADD for run_podsandbox and DEL for stop_podsandbox, in "
    "the minute of the reading; a call is repeated until it succeeds, and pods of the host's network are counted too",
}
#: A line of the embedded node's log: seconds since 1970, verb, container id, exit code.
OPERATION = rb"(?P<epoch>\d{9,10}) (?P<verb>ADD|DEL) (?P<id>[0-9A-Za-z][0-9A-Za-z._-]{5,127}) (?:0|(?P<failed>\d+))"
_LINE = re.compile(rb"^" + OPERATION + rb"\r?$", re.MULTILINE)
_CALLS, _ERRORS = "kubelet_runtime_operations_total", "kubelet_runtime_operations_errors_total"
_ADD, _DEL, _FAILED = range(3)
_NAMES = ("add", "del", "failed")
_OPERATIONS = {"run_podsandbox": _ADD, "stop_podsandbox": _DEL}
MINUTE, HOUR = 60, 3600

#: Minute of the clock -> ADD, DEL, and how many of both failed.
Minutes = dict[int, list[int]]
Row = dict[str, Any]


class RequestLog:
    """The log of the embedded node's plug-in, of which the whole is given each time."""

    def __init__(self) -> None:
        self.minutes: Minutes = {}
        #: Minute of each request, or None for what was there before; by the id's hash, and its verb.
        self._known: dict[tuple[int, bytes], int | None] = {}
        self._failed: set[tuple[int, bytes]] = set()
        self._taken = 0

    def take(self, log: bytes, *, counts: bool = True) -> None:
        """Take in what is new; with `counts` False it only becomes known, as what was there before."""
        if len(log) < self._taken:
            self._taken = 0  # begun anew
        end = log.rfind(b"\n") + 1
        for line in _LINE.finditer(log, self._taken, end):
            request = hash(line["id"]), line["verb"]
            if request not in self._known:
                minute = int(line["epoch"]) // MINUTE if counts else None
                self._known[request] = minute
                if minute is not None:
                    self.minutes.setdefault(minute, [0, 0, 0])[_ADD if line["verb"] == b"ADD" else _DEL] += 1
            minute = self._known[request]
            if line["failed"] and minute is not None and request not in self._failed:
                self._failed.add(request)
                self.minutes[minute][_FAILED] += 1
        self._taken = max(self._taken, end)


class CallCounters:
    """A kubelet's counters, which begin anew with its process."""

    def __init__(self) -> None:
        self.minutes: Minutes = {}
        self._before: list[int] | None = None

    def take(self, metrics: bytes, *, at: float) -> bool:
        """Take in one reading of /metrics at a time; False if it has no such counters. The first one is the base."""
        now = _calls_in(metrics)
        if now is None:
            return False
        if self._before is not None:
            grown = [new - old if new >= old else new for new, old in zip(now, self._before, strict=True)]
            if any(grown):
                counts = self.minutes.setdefault(int(at) // MINUTE, [0, 0, 0])
                for place, count in enumerate(grown):
                    counts[place] += count
        self._before = now
        return True


def _calls_in(metrics: bytes) -> list[int] | None:
    found = samples(metrics, _CALLS, _ERRORS)
    if not found:
        return None
    counts = [0, 0, 0]
    for series, value in found.items():
        place = _OPERATIONS.get(labels_of(series).get("operation_type", ""))
        if place is not None:
            counts[_FAILED if series.startswith(_ERRORS.encode()) else place] += int(value)
    return counts


def added(every: Iterable[Minutes]) -> Minutes:
    """The counts of several nodes together."""
    whole: Minutes = {}
    for minutes in every:
        for minute, counts in minutes.items():
            known = whole.setdefault(minute, [0, 0, 0])
            for place, count in enumerate(counts):
                known[place] += count
    return whole


def counts_of(minutes: Minutes) -> dict[str, int]:
    """`add`, `del`, `failed`, and ADD and DEL together as `total`."""
    sums = [sum(counts[place] for counts in minutes.values()) for place in range(3)]
    return {**dict(zip(_NAMES, sums, strict=True)), "total": sums[_ADD] + sums[_DEL]}


def rows_of(sources: Mapping[str, Minutes], width_seconds: int) -> list[Row]:
    """A row for each span of the clock with operations: `start` (RFC 3339), and the counts by who counts."""
    spans: dict[int, dict[str, Minutes]] = {}
    for source, minutes in sources.items():
        for minute, counts in minutes.items():
            start = minute * MINUTE // width_seconds * width_seconds
            spans.setdefault(start, {}).setdefault(source, {})[minute] = counts
    return [
        {
            "start": datetime.fromtimestamp(start, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "sources": {source: counts_of(minutes) for source, minutes in sorted(spans[start].items())},
        }
        for start in sorted(spans)
    ]


def minutes_of(rows: Iterable[Mapping[str, Any]]) -> dict[str, Minutes]:
    """The counts by who counts, of rows by minute."""
    found: dict[str, Minutes] = {}
    for row in rows:
        minute = int(datetime.fromisoformat(row["start"]).timestamp()) // MINUTE
        for source, counts in row["sources"].items():
            found.setdefault(source, {})[minute] = [counts[name] for name in _NAMES]
    return found
