# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Latency: a mergeable sketch of bounded size with percentiles, and attempts by verb and kind. No I/O."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

#: Every reported quantile is within 1 % of a measured value (DDSketch, VLDB 2019, section 2).
RELATIVE_ERROR = 0.01
_GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
#: All smaller values share one bucket: 10 microseconds, less than any request over a network takes.
_SMALLEST_SECONDS = 1e-5
_PER_LOG_GAMMA = 1 / math.log(_GAMMA)


def bucket_of(seconds: float) -> int:
    """The number of the bucket that a duration falls into."""
    return math.ceil(math.log(seconds / _SMALLEST_SECONDS) * _PER_LOG_GAMMA) if seconds > _SMALLEST_SECONDS else 0


def middle_of(bucket: int) -> float:
    """The seconds that stand for all durations of a bucket: no further than RELATIVE_ERROR from any of them."""
    return _SMALLEST_SECONDS * 2 * _GAMMA**bucket / (_GAMMA + 1) if bucket else _SMALLEST_SECONDS


class LatencySketch:
    """Counts of durations in seconds. Memory is bounded: 1,000 buckets reach from 10 microseconds to an hour."""

    __slots__ = ("buckets", "count", "max_seconds", "sum_seconds")

    def __init__(self) -> None:
        self.buckets: dict[int, int] = {}
        self.count = 0
        self.sum_seconds = 0.0
        self.max_seconds = 0.0

    def add(self, seconds: float) -> None:
        """Count one duration."""
        self.add_to(bucket_of(seconds), seconds)

    def add_to(self, bucket: int, seconds: float) -> None:
        """Count one duration whose bucket is known: the logarithm is most of the work, and several may need it."""
        self.buckets[bucket] = self.buckets.get(bucket, 0) + 1
        self.count += 1
        self.sum_seconds += seconds
        if seconds > self.max_seconds:
            self.max_seconds = seconds

    def merge(self, other: LatencySketch) -> None:
        """Add all that another sketch counted."""
        for index, number in other.buckets.items():
            self.buckets[index] = self.buckets.get(index, 0) + number
        self.count += other.count
        self.sum_seconds += other.sum_seconds
        self.max_seconds = max(self.max_seconds, other.max_seconds)

    def percentile(self, percent: float) -> float | None:
        """Seconds below which `percent` (0–100) of the values lie; None where nothing was counted."""
        if not self.count:
            return None
        rank = max(1, math.ceil(self.count * percent / 100))
        seen = 0
        for index in sorted(self.buckets):
            seen += self.buckets[index]
            if seen >= rank:
                return min(middle_of(index), self.max_seconds)
        return self.max_seconds

    def to_dict(self) -> dict[str, Any]:
        """JSON: `buckets` maps an index to a count; bucket i holds (1e-5 * gamma^(i-1), 1e-5 * gamma^i] seconds."""
        return {
            "relative_error": RELATIVE_ERROR,
            "smallest_seconds": _SMALLEST_SECONDS,
            "count": self.count,
            "sum_seconds": round(self.sum_seconds, 6),
            "max_seconds": round(self.max_seconds, 6),
            "buckets": {str(index): self.buckets[index] for index in sorted(self.buckets)},
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> LatencySketch:
        """The reverse of to_dict(). Raises ValueError if the data was made with another error bound."""
        if data["relative_error"] != RELATIVE_ERROR or data["smallest_seconds"] != _SMALLEST_SECONDS:
            raise ValueError("a histogram with other bucket limits cannot be merged")
        sketch = cls()
        sketch.buckets = {int(index): number for index, number in data["buckets"].items()}
        sketch.count, sketch.sum_seconds, sketch.max_seconds = data["count"], data["sum_seconds"], data["max_seconds"]
        return sketch

    def summary_ms(self) -> dict[str, float | int | None]:
        """count, p50_ms, p90_ms, p95_ms, p99_ms and max_ms."""
        row: dict[str, float | int | None] = {"count": self.count}
        for percent in (50, 90, 95, 99):
            value = self.percentile(percent)
            row[f"p{percent}_ms"] = None if value is None else round(value * 1000, 3)
        row["max_ms"] = round(self.max_seconds * 1000, 3) if self.count else None
        return row

    def summary_s(self) -> dict[str, float | int | None]:
        """count, p50_s, p90_s, p95_s, p99_s and max_s; what is in the first bucket, as 0 s of whole seconds, is 0."""
        row: dict[str, float | int | None] = {"count": self.count}
        for percent in (50, 90, 95, 99):
            value = self.percentile(percent)
            row[f"p{percent}_s"] = None if value is None else round(value, 3)
        row["max_s"] = round(self.max_seconds, 3) if self.count else None
        return row


@dataclass(slots=True)
class _Row:
    """`sketch` has all attempts, failed ones included; `errors` is the number of failed ones."""

    sketch: LatencySketch = field(default_factory=LatencySketch)
    errors: int = 0


class Attempts:
    """Attempts by (verb, kind), such as ("create", "Deployment"). An operation with two retries is three attempts."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], _Row] = defaultdict(_Row)

    def add(self, key: tuple[str, str], bucket: int, seconds: float, *, failed: bool) -> None:
        """Count one attempt that took `seconds`, from sending to the whole answer or to the failure."""
        row = self._rows[key]
        row.sketch.add_to(bucket, seconds)
        if failed:
            row.errors += 1

    def table(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Verb -> kind -> count, errors, p50_ms, p90_ms, p95_ms, p99_ms, max_ms and the mergeable histogram."""
        table: dict[str, dict[str, dict[str, Any]]] = {}
        for (verb, kind), row in sorted(self._rows.items()):
            figures = row.sketch.summary_ms()
            count = figures.pop("count")
            histogram = row.sketch.to_dict()
            entry = {"count": count, "errors": row.errors, **figures, "histogram": histogram}
            table.setdefault(verb, {})[kind] = entry
        return table
