# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client's own load, and the timeline of its requests: counts and latencies in bins of one second. No I/O.

Memory is bounded: when there are too many bins, neighbours are merged and bins become twice as long. Only resolution is
lost: counts are added, peaks stay peaks, and percentiles are computed from the added buckets.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .latency import LatencySketch, middle_of

#: Share of one core from which a second counts as busy; Python runs one thread at a time, so 1.0 is the maximum.
BUSY_SHARE = 0.9
#: Bins after which neighbours are merged: 20 minutes at one second each. An even number.
MAX_BINS = 1200
POD_SERIES = ("pods_pending", "pods_running", "pods_succeeded", "pods_failed")
_SUMS = ("requests", "errors", "retries")
_Row = dict[str, float | int | None]  # pylint: disable=unsupported-binary-operation
#: Counts of pods by "pending", "running", "succeeded", "failed", or None if pods are not watched.
PodCounts = Callable[[], Mapping[str, int] | None]  # pylint: disable=unsupported-binary-operation


class ClientLoad:
    """Processor time and the event loop's lag of one process. Times are seconds of one monotonic clock.

    `cpu_seconds()` is the processor time that the process has used, its children left out. `cores` is how many the
    process may run on.
    """

    def __init__(self, now: float, *, cpu_seconds: Callable[[], float], cores: int) -> None:
        self._cpu_seconds = cpu_seconds
        self._cores = cores
        self._began = self._second_began = now
        self._cpu_before = self._cpu_second_began = cpu_seconds()
        self._busy_seconds = 0
        self._lag = LatencySketch()

    def sample(self, now: float, *, lag_seconds: float) -> None:
        """To be called several times a second; `lag_seconds` is how much later than asked for the caller was woken."""
        self._lag.add(max(0.0, lag_seconds))
        seconds = now - self._second_began
        if seconds < 1:
            return
        cpu = self._cpu_seconds()
        if cpu - self._cpu_second_began >= BUSY_SHARE * seconds:
            self._busy_seconds += int(seconds)
        self._second_began, self._cpu_second_began = now, cpu

    def figures(self, now: float) -> dict[str, Any]:
        """cpu_seconds, wall_seconds, cpu_share (of one core), busy_seconds, loop_lag_p99_ms, loop_lag_max_ms, cores."""
        wall = now - self._began
        cpu = self._cpu_seconds() - self._cpu_before
        lag = self._lag.summary_ms()
        return {
            "cpu_seconds": round(cpu, 3),
            "wall_seconds": round(wall, 3),
            "cpu_share": round(cpu / wall, 3) if wall > 0 else None,
            "busy_seconds": self._busy_seconds,
            "loop_lag_p99_ms": lag["p99_ms"],
            "loop_lag_max_ms": lag["max_ms"],
            "cores": self._cores,
        }


class Timeline:
    """All times are seconds of one monotonic clock, given by the caller, `now` never less than before.

    `cpu_seconds()` is the processor time that this process has used; it and `pod_counts()` are asked when a bin ends.
    An attempt belongs to the bin in which its answer came.
    """

    def __init__(self, now: float, *, cpu_seconds: Callable[[], float], pod_counts: PodCounts) -> None:
        self.bin_seconds = 1
        self._began = self._bin_start = now
        self._cpu_seconds = cpu_seconds
        self._pod_counts = pod_counts
        self._cpu_at_sample, self._cpu_sampled = cpu_seconds(), now
        self._rows: list[_Row] = []
        #: Of each closed bin its latencies as pairs of bucket and count, so that merged bins have true percentiles.
        self._latencies: list[array[int]] = []
        self._open_bin(0)

    def _open_bin(self, in_flight: int) -> None:
        self._bin_end = self._bin_start + self.bin_seconds
        self._requests = self._errors = self._retries = 0
        self._in_flight = self._most_in_flight = in_flight
        self._buckets: dict[int, int] = {}

    # -- what happens ------------------------------------------------------------------------------------------------

    def began(self, in_flight: int) -> None:
        """A request went out; now so many are under way."""
        self._in_flight = in_flight
        if in_flight > self._most_in_flight:
            self._most_in_flight = in_flight

    def ended(self, now: float, bucket: int, in_flight: int, *, failed: bool) -> None:
        """An attempt has its answer, or has failed. `bucket` as of latency.bucket_of."""
        if now >= self._bin_end:
            self.advance(now)
        self._in_flight = in_flight
        self._requests += 1
        if failed:
            self._errors += 1
        self._buckets[bucket] = self._buckets.get(bucket, 0) + 1

    def retried(self, now: float) -> None:
        """A failed attempt will be followed by another."""
        self.advance(now)
        self._retries += 1

    def advance(self, now: float) -> None:
        """Close every bin that is over. To be called about once a second also where nothing happens."""
        if now < self._bin_end:
            return
        cpu_share = self._cpu_share(now)
        self._cpu_at_sample, self._cpu_sampled = self._cpu_seconds(), now
        while now >= self._bin_end:
            self._rows.append(self._row(cpu_share))
            self._latencies.append(_packed(self._buckets))
            self._bin_start = self._bin_end
            if len(self._rows) >= MAX_BINS:
                self._halve()
            self._open_bin(self._in_flight)

    def _cpu_share(self, now: float) -> float | None:
        """Processor time since the last sample as part of one core; of several bins closed at once their mean."""
        seconds = now - self._cpu_sampled
        return round((self._cpu_seconds() - self._cpu_at_sample) / seconds, 3) if seconds > 0 else None

    def _row(self, cpu_share: float | None) -> _Row:
        pods = self._pod_counts()
        return {
            "requests": self._requests,
            "errors": self._errors,
            "retries": self._retries,
            "in_flight": self._most_in_flight,
            **_percentiles(self._buckets),
            "cpu_share": cpu_share,
            **{name: None if pods is None else pods[name.removeprefix("pods_")] for name in POD_SERIES},
        }

    def _halve(self) -> None:
        pairs = range(0, len(self._rows), 2)
        merged = [_merged(self._latencies[at], self._latencies[at + 1]) for at in pairs]
        self._rows = [
            _joined(self._rows[at], self._rows[at + 1], buckets) for at, buckets in zip(pairs, merged, strict=True)
        ]
        self._latencies = [_packed(buckets) for buckets in merged]
        self.bin_seconds *= 2

    def recent_p99(self, now: float, seconds: float, *, newer_than: float) -> tuple[int, float | None]:
        """Of the bins that reach into the last `seconds`: how many attempts ended, and in how many seconds 99 %.

        Only bins that began within the last `newer_than` seconds count. None where no attempt ended.
        """
        self.advance(now)
        buckets = dict(self._buckets) if self._bin_start >= now - newer_than else {}
        begin = self._bin_start
        for packed in reversed(self._latencies):
            end, begin = begin, begin - self.bin_seconds
            if end <= now - seconds or begin < now - newer_than:
                break
            for bucket, count in zip(packed[::2], packed[1::2], strict=True):
                buckets[bucket] = buckets.get(bucket, 0) + count
        value = _percentile(sorted(buckets.items()), sum(buckets.values()), 99)
        return sum(buckets.values()), value

    # -- results -----------------------------------------------------------------------------------------------------

    def series(self, now: float) -> dict[str, list[float | int | None]]:
        """Series by name, all equally long, the bin that is still open last. None is what nobody measured.

        requests, errors and retries are counts of the bin, in_flight its peak, latency_p50_ms and latency_p99_ms are
        of the attempts that ended in it, cpu_share is its mean in parts of one core; pods_* are the counts at its end.
        """
        self.advance(now)
        rows = list(self._rows)
        if now > self._bin_start:
            rows.append(self._row(self._cpu_share(now)))
        names = self._row(None)
        return {name: [row[name] for row in rows] for name in names}


def _packed(buckets: Mapping[int, int]) -> array[int]:
    return array("I", [number for pair in buckets.items() for number in pair])


def _merged(one: array[int], other: array[int]) -> dict[int, int]:
    buckets = dict(zip(one[::2], one[1::2], strict=True))
    for bucket, count in zip(other[::2], other[1::2], strict=True):
        buckets[bucket] = buckets.get(bucket, 0) + count
    return buckets


def _joined(one: _Row, other: _Row, buckets: Mapping[int, int]) -> _Row:
    """One bin out of two neighbours; what only one of them has measured is kept."""
    sums = {name: (one[name] or 0) + (other[name] or 0) for name in _SUMS}
    shares = [share for share in (one["cpu_share"], other["cpu_share"]) if share is not None]
    return {
        **sums,
        "in_flight": max(one["in_flight"] or 0, other["in_flight"] or 0),
        **_percentiles(buckets),
        "cpu_share": round(sum(shares) / len(shares), 3) if shares else None,
        **{name: one[name] if other[name] is None else other[name] for name in POD_SERIES},
    }


def _percentiles(buckets: Mapping[int, int]) -> dict[str, float | None]:
    """Within the sketch's error of 1 %; None where no attempt ended."""
    count = sum(buckets.values())
    ordered = sorted(buckets.items())
    row: dict[str, float | None] = {}
    for percent in (50, 99):
        value = _percentile(ordered, count, percent)
        row[f"latency_p{percent}_ms"] = None if value is None else round(value * 1000, 3)
    return row


def _percentile(ordered: Iterable[tuple[int, int]], count: int, percent: float) -> float | None:
    """In seconds, of buckets with their counts, the fastest first, and the sum of the counts."""
    rank, seen = math.ceil(count * percent / 100), 0
    for bucket, number in ordered:
        seen += number
        if seen >= rank:
            return middle_of(bucket)
    return None
