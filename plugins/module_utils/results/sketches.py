# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of percentiles become one row. Pure: read from the merged histograms, never averaged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..measure.latency import LatencySketch

PERCENTILES = (50, 90, 95, 99)
_PER_SECOND = {"ms": 1000, "s": 1}


def total(values: Iterable[float | None]) -> Any:
    """The sum of what is known; None where nothing is."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def largest(values: Iterable[float | None]) -> Any:
    """The largest of what is known; None where nothing is."""
    return max((value for value in values if value is not None), default=None)


def only(values: Iterable[Any]) -> Any:
    """The one known value. Of two there is no merging (percentiles), so None."""
    known = [value for value in values if value is not None]
    return known[0] if len(known) == 1 else None


def merged_row(rows: Sequence[Mapping[str, Any]], *, unit: str) -> dict[str, Any]:
    """count, p50, p90, p95, p99 and max in the unit ("ms" or "s", which ends their names), and the histogram.

    A row alone stays as it is. Of several, of which one brings no histogram, the percentiles are None.
    """
    names = [*(f"p{percent}_{unit}" for percent in PERCENTILES), f"max_{unit}"]
    counted = [row for row in rows if row.get("count")]
    if len(counted) == 1:
        row = counted[0]
        return {"count": row["count"], **{name: row.get(name) for name in names}, "histogram": row.get("histogram")}
    if counted and all(row.get("histogram") for row in counted):
        sketch = LatencySketch()
        for row in counted:
            sketch.merge(LatencySketch.from_dict(row["histogram"]))
        return _row_of(sketch, unit)
    merged: dict[str, Any] = {"count": total(row.get("count") for row in rows), **dict.fromkeys(names)}
    return {**merged, f"max_{unit}": largest(row.get(f"max_{unit}") for row in rows), "histogram": None}


def _row_of(sketch: LatencySketch, unit: str) -> dict[str, Any]:
    row: dict[str, Any] = {"count": sketch.count}
    for percent in PERCENTILES:
        value = sketch.percentile(percent)
        row[f"p{percent}_{unit}"] = None if value is None else round(value * _PER_SECOND[unit], 3)
    row[f"max_{unit}"] = round(sketch.max_seconds * _PER_SECOND[unit], 3)
    return {**row, "histogram": sketch.to_dict()}
