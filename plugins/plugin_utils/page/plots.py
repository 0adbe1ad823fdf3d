# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plots: series thinned to what a screen can show, with their limits, their text and their table."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .formats import clock, count, figure, milliseconds, number, percent, size
from .model import Cell, Column, Table, at

#: Points of a series. A screen shows no more, and ten hours have to fit into the page as well.
MAX_POINTS = 1200
#: Rows of the table that says the same as a plot.
_TABLE_ROWS = 24
#: Nodes with a line of their own: as many as there are colours that can be told apart.
_MAX_LINES = 8
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


def plots_of(timeline: Mapping[str, Any] | None, summary: Mapping[str, Any]) -> list[Plot]:
    """Every plot for which there is something to draw."""
    if not timeline:
        return []
    plots = [*_load(timeline.get("load") or {}, summary), *_server(timeline.get("api_server") or {})]
    return [plot for plot in [*plots, *_nodes(timeline.get("nodes") or ())] if _has_values(plot)]


def _has_values(plot: Plot) -> bool:
    return any(value is not None for one in plot.series for value in one.values)


def _load(load: Mapping[str, Any], summary: Mapping[str, Any]) -> list[Plot]:
    found: Mapping[str, Any] = load.get("series") or load
    width = float(load.get("bin_seconds") or 1)
    longest = max((len(one) for one in found.values() if isinstance(one, list)), default=0)
    times = [round((index + 0.5) * width, 3) for index in range(longest)]

    def lines(names: Mapping[str, str], *, per: float = 1.0, merge: Callable[[Iterable[float]], float] = max) -> list[Series]:
        return [
            Series(name=name, values=_scaled(found[key], per), merge=merge)
            for key, name in names.items()
            if isinstance(found.get(key), list) and len(found[key]) == longest
        ]

    rates = lines({"requests": "requests", "errors": "failed", "retries": "sent again"}, per=width, merge=_mean)
    latencies = lines({"latency_p50_ms": "p50", "latency_p99_ms": "p99"})
    flight = lines({"in_flight": "in flight"})
    pods = lines({f"pods_{name}": name for name in ("pending", "running", "succeeded", "failed")})
    own = lines({"cpu_share": "CPU of one core"})
    allowed = at(summary, "rate", "max_in_flight")
    cap = [Limit(name="allowed", value=float(allowed))] if allowed else []
    plots = [
        Plot(id="plot-load", title="Requests sent", unit="per second", times=times, series=rates),
        Plot(id="plot-flight", title="Requests in flight", unit="requests", times=times, series=flight, limits=cap),
        Plot(
            id="plot-latency",
            title="Latency of requests",
            unit="ms",
            times=times,
            series=latencies,
            logarithmic=True,
            note="As this machine saw it; each step of the scale is a multiple.",
        ),
        Plot(
            id="plot-pods",
            title="Pods by phase",
            unit="pods",
            times=times,
            series=pods,
            note="Succeeded and failed pods are counted up.",
        ),
        Plot(
            id="plot-client",
            title="This machine's own load",
            unit="share",
            times=times,
            series=own,
            limits=[Limit(name="busy", value=0.9)],
            note="Above 90 % of a core, the machine that sends may be what is slow.",
        ),
    ]
    return [thinned(plot) for plot in plots]


def _server(server: Mapping[str, Any]) -> list[Plot]:
    times = server.get("t") or []

    def lines(names: Mapping[str, str]) -> list[Series]:
        found = {name: server.get(key) for key, name in names.items()}
        return [Series(name=name, values=one) for name, one in found.items() if one and len(one) == len(times)]

    plots = [
        Plot(id="plot-server-cpu", title="API server: CPU", unit="cores", times=times, series=lines({"cpu_share": "cores"})),
        Plot(
            id="plot-server-flight",
            title="API server: requests at once",
            unit="requests",
            times=times,
            series=lines({"inflight_mutating": "changing", "inflight_read_only": "reading", "rejected": "rejected so far"}),
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
    """Processes and threads: a line for each of the nodes with the highest peaks, and the lowest limit of them."""
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
            if value:
                limits[name] = min(value, limits.get(name, math.inf))
    note = f"The {len(shown)} nodes with the highest peaks of {len(threads)}." if len(threads) > len(shown) else ""
    plot = Plot(
        id="plot-threads",
        title="Processes and threads on nodes",
        unit="threads",
        times=times,
        series=series,
        limits=[Limit(name=_LIMITS.get(name, name), value=value) for name, value in limits.items()],
        note=note,
    )
    return [thinned(plot)]


_LIMITS = {"max_threads": "limit of a node", "pod_pids_limit": "limit of a pod", "pid_max": "pid_max"}


def _one_axis(lines: Sequence[tuple[Sequence[float], Values]]) -> tuple[list[float], list[list[float | None]]]:
    """Series with times of their own on one axis; where a series has no value at a time, there is none."""
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


def _mean(values: Iterable[float]) -> float:
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
    how = "averages" if any(one.merge is _mean for one in plot.series) else "the highest values"
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
