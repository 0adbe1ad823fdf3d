# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plot as data: series thinned to what a screen can show, its limits, its text and its table."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from .formats import clock, count, figure, milliseconds, number, percent, size
from .model import Cell, Column, Table

#: Points of a series. A screen shows no more, and ten hours have to fit into the page as well.
MAX_POINTS = 1200
#: Rows of the table that says the same as a plot.
_TABLE_ROWS = 24
#: A limit is drawn where it does not press the lines into the ground: up to so many times their peak.
_LIMIT_IN_SIGHT = 4.0

Values = Sequence[float | None]


@dataclass(frozen=True, kw_only=True)
class Series:
    """One line. `merge` makes one value of several neighbours."""

    name: str
    values: Values
    merge: Callable[[Iterable[float]], float] = max


@dataclass(frozen=True, kw_only=True)
class Limit:
    """A horizontal line: what the values must not cross."""

    name: str
    value: float


@dataclass(frozen=True, kw_only=True)
class Plot:
    """One plot: `times` in seconds since the start, as long as every series. `unit` is a key of UNITS."""

    id: str
    title: str
    unit: str
    times: Sequence[float]
    series: Sequence[Series]
    limits: Sequence[Limit] = ()
    note: str = ""
    logarithmic: bool = False


UNITS: dict[str, Callable[[float | None], str]] = {
    "per second": number,
    "requests": count,
    "ms": milliseconds,
    "pods": count,
    "cores": number,
    "threads": count,
    "bytes": size,
    "share": percent,
}


def mean(values: Iterable[float]) -> float:
    """The average; of nothing there is none."""
    known = list(values)
    return sum(known) / len(known)


def merged(values: Values, factor: int, merge: Callable[[Iterable[float]], float]) -> list[float | None]:
    """Every `factor` neighbours made one value; of nothing but unknowns, an unknown."""
    groups = ([v for v in values[i : i + factor] if v is not None] for i in range(0, len(values), factor))
    return [merge(group) if group else None for group in groups]


def thinned(plot: Plot, points: int = MAX_POINTS) -> Plot:
    """The plot with at most so many points: rates are averaged, of all else the largest of its neighbours stays."""
    factor = math.ceil(len(plot.times) / points)
    if factor <= 1:
        return plot
    series = [
        Series(name=one.name, values=merged(one.values, factor, one.merge), merge=one.merge) for one in plot.series
    ]
    return Plot(**{**plot.__dict__, "times": list(plot.times[::factor]), "series": series})


def peak_of(plot: Plot) -> float:
    """The highest value of all lines; 0 where there is none."""
    return max((value for one in plot.series for value in one.values if value is not None), default=0.0)


def in_sight(plot: Plot, limit: Limit) -> bool:
    """Whether the limit is drawn; else only the text tells of it."""
    return limit.value <= _LIMIT_IN_SIGHT * peak_of(plot)


def described(plot: Plot) -> str:
    """What the plot shows, in one sentence for those who do not see it."""
    text = UNITS[plot.unit]
    parts = []
    for one in plot.series:
        known = [(value, when) for value, when in zip(one.values, plot.times, strict=True) if value is not None]
        if not known:
            parts.append(f"{one.name}: no data")
            continue
        value, when = max(known, key=lambda pair: pair[0])
        parts.append(f"{one.name} at most {text(value)} at {clock(when)}")
    parts += [f"{limit.name} {text(limit.value)}" for limit in plot.limits]
    return f"{plot.title} ({plot.unit}): " + "; ".join(parts) + "."


def table_of(plot: Plot) -> Table:
    """The same as the plot in a few rows."""
    factor = math.ceil(len(plot.times) / _TABLE_ROWS) or 1
    text = UNITS[plot.unit]
    columns = [merged(one.values, factor, one.merge) for one in plot.series]
    rows: list[list[Cell]] = []
    for index, start in enumerate(plot.times[::factor]):
        rows.append([Cell(text=clock(start), sort=start), *(figure(column[index], text) for column in columns)])
    how = "averages" if any(one.merge is mean for one in plot.series) else "the highest values"
    return Table(
        id=f"{plot.id}-table",
        title=f"{plot.title}, {plot.unit}",
        columns=[Column(name="From", number=True), *(Column(name=one.name, number=True) for one in plot.series)],
        rows=rows,
        note=f"Each row has {how} of the time until the next." if factor > 1 else "",
    )


def as_data(plot: Plot) -> dict[str, Any]:
    """What the script draws, as short as it can be."""
    return {
        "id": plot.id,
        "unit": plot.unit,
        "log": plot.logarithmic and all((v or 1) > 0 for one in plot.series for v in one.values),
        "t": [_short(value) for value in plot.times],
        "series": [{"name": one.name, "values": [_short(value) for value in one.values]} for one in plot.series],
        "limits": [{"name": one.name, "value": one.value} for one in plot.limits if in_sight(plot, one)],
    }


def _short(value: float | None) -> float | int | None:
    """Four digits are more than a plot shows, and half as long in the file."""
    if value is None or not math.isfinite(value):
        return None
    if value == int(value):
        return int(value)
    short = float(f"{value:.4g}") if abs(value) < 10_000 else round(value)
    return int(short) if short == int(short) else short
