# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""must-gather.html: the analysis of a gather as a page, of the same parts as the report of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from .formats import clock, count, counted, date, figure, instant, number, size, things, words
from .gather_tables import sections_of
from .model import BAD, GOOD, NO_DATA, PLAIN, WARN, Figure, Table, columns
from .plots import Plot, Series, as_data, thinned
from .render import frame, shown_plot, template

Document = Mapping[str, Any]
#: Minutes on one axis; above that, the plots show hours.
_MAX_MINUTES = 20_160


def render_gather(gather: Document) -> str:
    """The whole page, from the document of must-gather.json. Nothing in it can become markup or script."""
    first = gather["first_failure"]
    midnight = _midnight(gather)
    plots = _plots(gather, midnight)
    marks = _marks(gather, midnight)
    times = [when for plot in plots for when in plot.times]
    context = {
        **frame(),
        "name": str(gather["path"]).rpartition("/")[2],
        "subtitle": _subtitle(gather),
        "verdict": "failed" if first else "passed",
        "answer": f"First failure at {first['time'][11:19]}" if first else "No failure was found",
        "sentences": _sentences(gather),
        "told": first["text"] if first else "",
        "notes": list(gather["warnings"]),
        "figures": _figures(gather),
        "axis": f"Times are hours of the clock in UTC, from midnight of {midnight:%-d %B %Y}." if midnight else "",
        "plots": [shown_plot(plot) for plot in plots],
        "marks": _marks_table(marks),
        "sections": sections_of(gather),
        "data": {
            "begin": min(times, default=0),
            "end": max([*times, 1]),
            "phases": _window(gather, midnight),
            "marks": [{"t": one["t"], "kind": "failure"} for one in marks],
            "plots": [as_data(plot) for plot in plots],
        },
    }
    return template("gather.html.j2").render(context) + "\n"


def _subtitle(gather: Document) -> list[str]:
    files = len({*gather["read"], *gather["unread"]})
    parts = [things(files, "file"), size(gather["bytes"]), f"from {date(gather['from'])}" if gather["from"] else ""]
    return [part for part in parts if part]


def _sentences(gather: Document) -> list[str]:
    first, window = gather["first_failure"], gather["window"]
    if not first:
        return ["No line and no object that was read shows a failed fork, sandbox or network."]
    where = f"on {first['node']}" if first["node"] else "on a node that is not known"
    told = f"{first['kind'].capitalize()} {where}, on {date(first['time'])}, seen in {first['source']}."
    counts = ", ".join(f"{source} {count(_both(one))}" for source, one in window["sources"].items())
    within = f"In the {things(window['seconds'] / 60, 'minute')} before it: {counts or 'no operations'}."
    return [told, within]


def _both(counts: Mapping[str, int]) -> int:
    return counts["add"] + counts["del"]


def _figures(gather: Document) -> list[Figure]:
    figures = [_busiest(gather, source) for source in gather["totals"]["sources"]]
    for kind, times in gather["totals"]["errors"].items():
        by_source = gather["totals"]["errors_by_source"][kind]
        figures.append(Figure(name=kind.capitalize(), value=count(times), detail=counted(by_source), tone=BAD))
    builds = gather["builds"]
    if builds["created"]:
        detail = f"{count(builds['failed'])} failed, {count(builds['peak_at_once'])} at once"
        tone = WARN if builds["failed"] else GOOD
        figures.append(Figure(name="Builds", value=count(builds["created"]), detail=detail, tone=tone))
    processes = gather["processes"]
    if processes:
        detail = f"of {count(processes['capacity'])}" if processes["capacity"] else "of a node"
        figures.append(Figure(name="Processes, most", value=count(processes["max"]), detail=detail))
    return figures


def _busiest(gather: Document, source: str) -> Figure:
    rows = [(_both(row["sources"][source]), row["start"]) for row in gather["hours"] if source in row["sources"]]
    most, start = max(rows)
    rises = {row["hour"]: row["on_previous_percent"] for row in gather["growth"][source]}
    rise = rises[start]
    detail = f"operations from {start[11:16]}" + (f", {rise:+,.1f} % on the hour before" if rise is not None else "")
    return Figure(name=f"{source}, busiest hour", value=count(most), detail=detail, tone=PLAIN)


# -- what lies on the axis of time -----------------------------------------------------------------------------------


def _midnight(gather: Document) -> datetime | None:
    """Where the axis counts from: an hour after it or later, every time has its hour."""
    begin = instant(gather["from"])
    if begin is None:
        return None
    return (begin - timedelta(hours=1)).replace(hour=0, minute=0, second=0)


def _seconds(midnight: datetime | None, text: str) -> float:
    when = instant(text)
    return 0.0 if when is None or midnight is None else (when - midnight).total_seconds()


def _plots(gather: Document, midnight: datetime | None) -> list[Plot]:
    rows, step, word = _rows(gather, midnight)
    if not rows:
        return []
    times = list(range(min(rows), max(rows) + step, step))
    if len(times) > _MAX_MINUTES:
        # A lone line of long ago: what lies between is not drawn.
        times = sorted(rows)

    def lines(names: Sequence[str], value: Any) -> list[Series]:
        return [Series(name=name, values=[value(rows.get(when), name) for when in times]) for name in names]

    sources, kinds = list(gather["totals"]["sources"]), list(gather["totals"]["errors"])
    plots = [
        Plot(
            id="plot-operations",
            title=f"Network plug-in: ADD and DEL per {word}",
            unit="operations",
            times=times,
            series=lines(sources, _operations_at),
            note="Several sources log the same pods: do not add them up.",
        ),
        Plot(
            id="plot-errors",
            title=f"Errors per {word}",
            unit="errors",
            times=times,
            series=lines(kinds, lambda row, kind: row["errors"].get(kind, 0) if row else 0),
        ),
        Plot(
            id="plot-builds",
            title=f"Builds started per {word}",
            unit="builds",
            times=times,
            series=lines(["builds"], lambda row, _name: row["builds_started"] if row else 0),
        ),
        Plot(
            id="plot-processes",
            title="Processes of a node, most",
            unit="processes",
            times=times,
            series=lines(["processes"], lambda row, _name: row["processes"] if row else None),
        ),
    ]
    return [thinned(plot) for plot in plots if any(value for one in plot.series for value in one.values)]


def _operations_at(row: Document | None, source: str) -> int:
    found = row["sources"].get(source) if row else None
    return _both(found) if found else 0


def _rows(gather: Document, midnight: datetime | None) -> tuple[dict[int, Document], int, str]:
    """Rows by their time on the axis, the seconds between two, and what they are: minutes, or else hours."""
    for name, step, word in (("minutes", 60, "minute"), ("hours", 3600, "hour")):
        rows = {int(_seconds(midnight, row["start"])): row for row in gather[name]}
        if rows and (max(rows) - min(rows)) // step < _MAX_MINUTES:
            return rows, step, word
    return rows, step, word


def _window(gather: Document, midnight: datetime | None) -> list[dict[str, Any]]:
    window = gather["window"]
    if not window:
        return []
    begin, end = (_seconds(midnight, window[name]) for name in ("from", "to"))
    return [{"role": "window", "start": begin, "end": end, "text": f"{clock(begin)} to {clock(end)}"}]


def _marks(gather: Document, midnight: datetime | None) -> list[dict[str, Any]]:
    found = [{"t": _seconds(midnight, first["time"]), **first} for first in gather["first_by_kind"].values()]
    return sorted(found, key=lambda one: one["t"])


def _marks_table(marks: Sequence[Mapping[str, Any]]) -> Table:
    rows = [
        [
            figure(index, number),
            words(one["time"]),
            words(f"first {one['kind']}", tone=BAD),
            words(one["source"]),
            words(one["node"] or NO_DATA),
            words(one["text"]),
        ]
        for index, one in enumerate(marks, 1)
    ]
    return Table(
        id="marks",
        title="First errors",
        columns=columns("#No.", "Time (UTC)", "Kind", "Source", "Node", "~Text"),
        rows=rows,
        note="The numbers match those in the plots.",
    )
