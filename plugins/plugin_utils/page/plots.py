# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plots of the page, as data: which plots a timeline gives, and each plot's series, limits, text and table.

Series are thinned to what a screen can show.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .formats import clock, count, figure, milliseconds, number, percent, seconds, size
from .model import Cell, Column, Table, at

#: Points of a series. A screen shows no more, and the page must stay small after a run of ten hours.
MAX_POINTS = 1200
#: Rows of the table with the figures of a plot.
_TABLE_ROWS = 24
#: A limit is drawn up to this multiple of the peak; a higher one would flatten the lines.
_LIMIT_IN_SIGHT = 4.0
#: Nodes with a line: as many as there are distinguishable colours.
_MAX_LINES = 8
#: Limits of a whole node; a pod's limit would mislead beside a node's threads.
_LIMITS = {"max_threads": "node limit", "pid_max": "pid_max"}

Values = Sequence[float | None]


@dataclass(frozen=True, kw_only=True)
class Series:
    """One line. `merge` combines several neighbouring values into one."""

    name: str
    values: Values
    merge: Callable[[Iterable[float]], float] = max


@dataclass(frozen=True, kw_only=True)
class Limit:
    """A horizontal line: the limit of the values."""

    name: str
    value: float


@dataclass(frozen=True, kw_only=True)
class Plot:
    """One plot. `times` are seconds since the start, one per value of each series. `unit` is a key of UNITS.

    `times` may also be another figure, which `axis` names, and of which `along` makes text.
    """

    id: str
    title: str
    unit: str
    times: Sequence[float]
    series: Sequence[Series]
    limits: Sequence[Limit] = ()
    note: str = ""
    logarithmic: bool = False
    axis: str = "From"
    along: Callable[[float | None], str] = clock


UNITS: dict[str, Callable[[float | None], str]] = {
    "per second": number,
    "requests": count,
    "operations": count,
    "errors": count,
    "builds": count,
    "processes": count,
    "ms": milliseconds,
    "pods": count,
    "cores": number,
    "threads": count,
    "bytes": size,
    "share": percent,
    "percent": number,
    "seconds": seconds,
}


def mean(values: Iterable[float]) -> float:
    """The average of at least one value."""
    known = list(values)
    return sum(known) / len(known)


def merged(values: Values, factor: int, merge: Callable[[Iterable[float]], float]) -> list[float | None]:
    """One value for every `factor` neighbours; None if all of them are None."""
    groups = ([v for v in values[i : i + factor] if v is not None] for i in range(0, len(values), factor))
    return [merge(group) if group else None for group in groups]


def thinned(plot: Plot, points: int = MAX_POINTS) -> Plot:
    """The plot with at most `points` points: neighbouring rates are averaged, of other values the largest is kept."""
    factor = math.ceil(len(plot.times) / points)
    if factor <= 1:
        return plot
    series = [
        Series(name=one.name, values=merged(one.values, factor, one.merge), merge=one.merge) for one in plot.series
    ]
    return replace(plot, times=list(plot.times[::factor]), series=series)


def peak_of(plot: Plot) -> float:
    """The highest value of all lines; 0 if there is none."""
    return max((value for one in plot.series for value in one.values if value is not None), default=0.0)


def in_sight(plot: Plot, limit: Limit) -> bool:
    """Whether the limit is drawn; if not, only the text mentions it."""
    return limit.value <= _LIMIT_IN_SIGHT * peak_of(plot)


def described(plot: Plot) -> str:
    """The plot in one sentence, for screen readers."""
    text = UNITS[plot.unit]
    parts = []
    for one in plot.series:
        known = [(value, when) for value, when in zip(one.values, plot.times, strict=True) if value is not None]
        if not known:
            parts.append(f"{one.name}: no data")
            continue
        value, when = max(known, key=lambda pair: pair[0])
        parts.append(f"{one.name} peak {text(value)} at {plot.along(when)}")
    parts += [f"{limit.name} {text(limit.value)}" for limit in plot.limits]
    return f"{plot.title} ({plot.unit}): " + "; ".join(parts) + "."


def table_of(plot: Plot) -> Table:
    """The plot's figures in a few rows."""
    factor = math.ceil(len(plot.times) / _TABLE_ROWS) or 1
    text = UNITS[plot.unit]
    columns = [merged(one.values, factor, one.merge) for one in plot.series]
    rows: list[list[Cell]] = []
    for index, start in enumerate(plot.times[::factor]):
        rows.append([Cell(text=plot.along(start), sort=start), *(figure(column[index], text) for column in columns)])
    how = "averages" if any(one.merge is mean for one in plot.series) else "the highest values"
    return Table(
        id=f"{plot.id}-table",
        title=f"{plot.title}, {plot.unit}",
        columns=[Column(name=plot.axis, number=True), *(Column(name=one.name, number=True) for one in plot.series)],
        rows=rows,
        note=f"Each row has {how} until the next row." if factor > 1 else "",
    )


def as_data(plot: Plot) -> dict[str, Any]:
    """The data that the script draws, kept short."""
    return {
        "id": plot.id,
        "unit": plot.unit,
        "log": plot.logarithmic and all((v or 1) > 0 for one in plot.series for v in one.values),
        "t": [_short(value) for value in plot.times],
        "series": [{"name": one.name, "values": [_short(value) for value in one.values]} for one in plot.series],
        "limits": [{"name": one.name, "value": one.value} for one in plot.limits if in_sight(plot, one)],
    }


def _short(value: float | None) -> float | int | None:
    """Four digits: more than a plot shows, and half the size in the file."""
    if value is None or not math.isfinite(value):
        return None
    if value == int(value):
        return int(value)
    short = float(f"{value:.4g}") if abs(value) < 10_000 else round(value)
    return int(short) if short == int(short) else short


# -- which plots a timeline gives ------------------------------------------------------------------------------------


def plots_of(timeline: Mapping[str, Any] | None, summary: Mapping[str, Any]) -> list[Plot]:
    """Every plot that has values."""
    if not timeline:
        return []
    plots = [*_load(timeline.get("load") or {}, summary), *_server(timeline.get("api_server") or {})]
    return [plot for plot in [*plots, *_nodes(timeline.get("nodes") or ())] if shows_values(plot)]


def shows_values(plot: Plot) -> bool:
    """Whether there is anything to draw."""
    return any(value is not None for one in plot.series for value in one.values)


def _load(load: Mapping[str, Any], summary: Mapping[str, Any]) -> list[Plot]:
    found: Mapping[str, Any] = load.get("series") or {}
    width = float(load.get("bin_seconds") or 1)
    longest = max((len(one) for one in found.values() if isinstance(one, list)), default=0)
    times = [round((index + 0.5) * width, 3) for index in range(longest)]

    def lines(
        names: Mapping[str, str], *, per: float = 1.0, merge: Callable[[Iterable[float]], float] = max
    ) -> list[Series]:
        return [
            Series(name=name, values=_scaled(found[key], per), merge=merge)
            for key, name in names.items()
            if isinstance(found.get(key), list) and len(found[key]) == longest
        ]

    rates = lines({"requests": "requests", "errors": "failed", "retries": "retried"}, per=width, merge=mean)
    latencies = lines({"latency_p50_ms": "p50", "latency_p99_ms": "p99"})
    flight = lines({"in_flight": "in flight"})
    pods = lines({f"pods_{name}": name for name in ("pending", "running", "succeeded", "failed")})
    own = lines({"cpu_share": "CPU of one core"})
    allowed = at(summary, "rate", "max_in_flight")
    cap = [Limit(name="limit", value=float(allowed))] if allowed else []
    plots = [
        Plot(id="plot-load", title="Requests sent", unit="per second", times=times, series=rates),
        Plot(id="plot-flight", title="Requests in flight", unit="requests", times=times, series=flight, limits=cap),
        Plot(
            id="plot-latency",
            title="Request latency",
            unit="ms",
            times=times,
            series=latencies,
            logarithmic=True,
            note="As the client measured it, on a logarithmic scale.",
        ),
        Plot(
            id="plot-pods",
            title="Pods by phase",
            unit="pods",
            times=times,
            series=pods,
            note="Succeeded and failed are totals since the start.",
        ),
        Plot(
            id="plot-client",
            title="Load generator CPU",
            unit="share",
            times=times,
            series=own,
            limits=[Limit(name="saturated", value=0.9)],
            note="Above 90 % of a core, the load generator may be the bottleneck.",
        ),
    ]
    return [thinned(plot) for plot in plots]


def _server(server: Mapping[str, Any]) -> list[Plot]:
    times = server.get("t") or []

    def lines(names: Mapping[str, str]) -> list[Series]:
        found = {name: server.get(key) for key, name in names.items()}
        return [Series(name=name, values=one) for name, one in found.items() if one and len(one) == len(times)]

    plots = [
        Plot(
            id="plot-server-cpu",
            title="API server: CPU",
            unit="cores",
            times=times,
            series=lines({"cpu_share": "cores"}),
        ),
        Plot(
            id="plot-server-flight",
            title="API server: requests in flight",
            unit="requests",
            times=times,
            series=lines(
                {"inflight_mutating": "mutating", "inflight_read_only": "read-only", "rejected": "rejected so far"}
            ),
        ),
        Plot(
            id="plot-server-memory",
            title="API server: memory",
            unit="bytes",
            times=times,
            series=lines({"resident_bytes": "resident"}),
        ),
    ]
    return [thinned(plot) for plot in plots]


def _nodes(nodes: Sequence[Mapping[str, Any]]) -> list[Plot]:
    """Processes and threads: a line per node for those with the highest peaks, and their lowest limit."""
    threads = [one for one in nodes if any(value is not None for value in one.get("threads") or ())]
    threads.sort(key=lambda one: -max(value for value in one["threads"] if value is not None))
    shown = threads[:_MAX_LINES]
    if not shown:
        return []
    times, columns = _one_axis([(one.get("t") or [], one["threads"]) for one in shown])
    series = [Series(name=str(one.get("node")), values=values) for one, values in zip(shown, columns, strict=True)]
    limits: dict[str, float] = {}
    for one in shown:
        for name, value in (one.get("limits") or {}).items():
            if value and name in _LIMITS:
                limits[name] = min(value, limits.get(name, math.inf))
    note = f"The {len(shown)} of {len(threads)} nodes with the highest peaks." if len(threads) > len(shown) else ""
    plot = Plot(
        id="plot-threads",
        title="Processes and threads on nodes",
        unit="threads",
        times=times,
        series=series,
        limits=[Limit(name=_LIMITS[name], value=value) for name, value in limits.items()],
        note=note,
    )
    return [thinned(plot)]


def _one_axis(lines: Sequence[tuple[Sequence[float], Values]]) -> tuple[list[float], list[list[float | None]]]:
    """Series with different times on one axis; a series without a value at a time has None there."""
    times = sorted({at_seconds for own, _values in lines for at_seconds in own})
    places = {at_seconds: index for index, at_seconds in enumerate(times)}
    columns: list[list[float | None]] = []
    for own, values in lines:
        column: list[float | None] = [None] * len(times)
        for at_seconds, value in zip(own, values, strict=False):
            column[places[at_seconds]] = value
        columns.append(column)
    return times, columns


def _scaled(values: Values, divisor: float) -> list[float | None]:
    return [None if value is None else value / divisor for value in values]
