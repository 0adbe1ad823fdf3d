# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which plots a timeline gives: load, latency, pods, the API server, processes and threads of nodes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from .model import at
from .plot import Limit, Plot, Series, Values, mean, thinned

#: Nodes with a line of their own: as many as there are colours that can be told apart.
_MAX_LINES = 8


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

    def lines(
        names: Mapping[str, str], *, per: float = 1.0, merge: Callable[[Iterable[float]], float] = max
    ) -> list[Series]:
        return [
            Series(name=name, values=_scaled(found[key], per), merge=merge)
            for key, name in names.items()
            if isinstance(found.get(key), list) and len(found[key]) == longest
        ]

    rates = lines({"requests": "requests", "errors": "failed", "retries": "sent again"}, per=width, merge=mean)
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
        Plot(
            id="plot-server-cpu",
            title="API server: CPU",
            unit="cores",
            times=times,
            series=lines({"cpu_share": "cores"}),
        ),
        Plot(
            id="plot-server-flight",
            title="API server: requests at once",
            unit="requests",
            times=times,
            series=lines(
                {"inflight_mutating": "changing", "inflight_read_only": "reading", "rejected": "rejected so far"}
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
            if value and name in _LIMITS:
                limits[name] = min(value, limits.get(name, math.inf))
    note = f"The {len(shown)} nodes with the highest peaks of {len(threads)}." if len(threads) > len(shown) else ""
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


#: What binds a whole node; a pod's limit would mislead beside a node's threads.
_LIMITS = {"max_threads": "limit of a node", "pid_max": "pid_max"}


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
