# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""comparison.html: two groups of runs beside each other, of the same parts as the report of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from statistics import median
from typing import Any

from ansible_collections.kubestress.core.plugins.module_utils.text import value_text, values_text

from .formats import date, figure, seconds_from, things, words
from .model import BAD, FAINT, GOOD, NO_DATA, PLAIN, WARN, Cell, Figure, Section, Table, columns
from .plots import MAX_POINTS, Plot, Series, as_data, thinned
from .render import frame, shown_plot, template

Document = Mapping[str, Any]
Timelines = Sequence[Document]

IMPROVED, SAME, REGRESSED, DIFFERENT = "improved", "same", "regressed", "different"
_CHANGED = (REGRESSED, IMPROVED, DIFFERENT)
_TONES = {IMPROVED: GOOD, REGRESSED: BAD, DIFFERENT: WARN, SAME: PLAIN, "not comparable": FAINT}
_ANSWERS = {IMPROVED: "Improved", SAME: "The same", REGRESSED: "Regressed", "not comparable": "Not comparable"}
#: Class of the box with the answer.
_BOXES = {IMPROVED: "passed", SAME: "passed", REGRESSED: "failed", "not comparable": "unsure"}
_SENTENCES = {
    IMPROVED: "Better beyond tolerance and spread, and nothing that counts more is worse.",
    SAME: "No metric that decides lies beyond its tolerance and the runs' own spread.",
    REGRESSED: "Worse beyond tolerance and spread.",
    "not comparable": "No metric that decides was measured on both sides.",
}
_WEIGHTS = (
    ("failures", "Failures", "They decide first."),
    ("times", "Times", "They decide if the failures are the same."),
    ("context", "More figures", "They decide nothing."),
)
#: Metrics drawn as a strip; the tables have all.
_MAX_STRIPS = 40
_MAX_FIGURES = 8
#: Series of timeline.json's `load` that are drawn, with title, unit and how neighbours are put together.
_LOADS = (
    ("requests", "Requests sent", "per second"),
    ("latency_p99_ms", "Request latency p99", "ms"),
    ("pods_pending", "Pods pending", "pods"),
    ("pods_running", "Pods running", "pods"),
    ("pods_failed", "Pods failed, so far", "pods"),
)


@dataclass(frozen=True, kw_only=True)
class Strip:
    """One metric with all its runs on one axis; positions are percent of its width.

    `low` and `high` bound the values that count as the same; None if there is no value before.
    """

    title: str
    text: str
    verdict: str
    tone: str
    before: Sequence[float]
    after: Sequence[float]
    low: float | None
    high: float | None


def render_comparison(document: Document, *, before: Timelines, after: Timelines) -> str:
    """The whole page, from the document of comparison.json and each run's timeline (empty if it has none).

    Nothing in them can become markup or script.
    """
    plots = _plots(before, after)
    verdict = document["verdict"]
    rows = {row["name"]: row for row in document["metrics"]}
    context = {
        **frame(),
        "title": f"{_names(document['before'])} with {_names(document['after'])}",
        "subtitle": _subtitle(document),
        "verdict": _BOXES[verdict],
        "answer": _ANSWERS[verdict],
        "sentence": _SENTENCES[verdict],
        "reasons": [_change(rows[name]) for name in document["reasons"]] if verdict in _CHANGED else [],
        "notes": list(document["warnings"]),
        "figures": _figures(document),
        "strips": _strips(document),
        "plots": [shown_plot(plot) for plot in plots],
        "sections": [*_sections(document), _runs(document)],
        "data": {
            "begin": 0,
            "end": max([1.0, *(when for plot in plots for when in plot.times)]),
            "phases": [],
            "marks": [],
            "plots": [as_data(plot) for plot in plots],
        },
    }
    return template("comparison.html.j2").render(context) + "\n"


def _names(sources: Sequence[Document]) -> str:
    first = str(sources[0]["name"])
    return first if len(sources) == 1 else f"{first} and {len(sources) - 1} more"


def _subtitle(document: Document) -> list[str]:
    sides = [f"{things(len(document[side]), 'run')} {side}" for side in ("before", "after")]
    return [*sides, things(len(document["metrics"]), "metric")]


def _change(row: Document) -> str:
    return f"{row['what']}: {_middle(row, 'before')} → {_middle(row, 'after')}" + (
        "" if row["difference_percent"] is None else f" ({_percent(row['difference_percent'])})"
    )


def _middle(row: Document, side: str) -> str:
    return value_text(row[f"middle_{side}"], row["unit"], absent=row["absent"])


def _percent(value: float | None) -> str:
    return NO_DATA if value is None else "0 %" if round(value) == 0 else f"{value:+,.0f} %"


def _figures(document: Document) -> list[Figure]:
    """Key metrics, those that changed first."""
    rows = [row for row in document["metrics"] if row["key"]]
    rows.sort(key=lambda row: _CHANGED.index(row["verdict"]) if row["verdict"] in _CHANGED else len(_CHANGED))
    return [
        Figure(
            name=row["what"][:1].upper() + row["what"][1:],
            value=f"{_middle(row, 'before')} → {_middle(row, 'after')}",
            detail=row["verdict"],
            tone=_TONES[row["verdict"]],
        )
        for row in rows[:_MAX_FIGURES]
    ]


# -- every run of a metric on one axis -------------------------------------------------------------------------------


def _strips(document: Document) -> list[Strip]:
    """Metrics that changed, those that decided first; then the key metrics."""
    changed = [row for row in document["metrics"] if row["verdict"] in _CHANGED]
    places = {name: place for place, name in enumerate(document["reasons"])}
    changed.sort(key=lambda row: (places.get(row["name"], len(places)), row["verdict"] == DIFFERENT))
    still = [row for row in document["metrics"] if row["key"] and row not in changed and any(_known(row))]
    return [_strip(row) for row in [*changed, *still][:_MAX_STRIPS]]


def _known(row: Document) -> list[float]:
    return [value for side in ("before", "after") for value in row[side] if value is not None]


def _strip(row: Document) -> Strip:
    middle = row["middle_before"]
    band = None if middle is None else max(row["floor"], abs(middle) * row["tolerance_percent"] / 100)
    # The axis begins at 0, so that lengths can be compared, and leaves room for the last dot.
    width = 1.06 * max([*_known(row), 0.0]) or 1.0

    def place(value: float) -> float:
        return round(100 * min(max(value / width, 0.0), 1.0), 2)

    sides = [_spread(row, side) for side in ("before", "after")]
    return Strip(
        title=row["what"],
        text=f"{sides[0]} → {sides[1]}",
        verdict=row["verdict"],
        tone=_TONES[row["verdict"]],
        before=[place(value) for value in row["before"] if value is not None],
        after=[place(value) for value in row["after"] if value is not None],
        low=None if band is None else place(middle - band),
        high=None if band is None else place(middle + band),
    )


# -- both groups on one axis of time ---------------------------------------------------------------------------------


def _plots(before: Timelines, after: Timelines) -> list[Plot]:
    """Each series of both groups from its run's beginning; of several runs the median at that moment."""
    step = _step([*before, *after])
    drawn = []
    for key, title, unit in _LOADS:
        sides = [[_load(one, key, step, rate=unit == "per second") for one in group] for group in (before, after)]
        drawn.append(_plot(f"plot-{key.replace('_', '-')}", title, unit, step, sides))
    # Nodes are read now and then, so a point takes in two readings: no line is full of holes.
    slow = max(step, 2 * _interval([*before, *after]))
    sides = [[_threads(one, slow) for one in group] for group in (before, after)]
    drawn.append(_plot("plot-threads", "Processes and threads of a node, most", "threads", slow, sides))
    drawn += _gather_plots(before, after)
    return [plot for plot in drawn if plot is not None]


def _gather_plots(before: Timelines, after: Timelines) -> list[Plot | None]:
    """What must-gathers tell by the minute, from the beginning of each one's first hour."""
    sources = {source for one in (*before, *after) for row in one.get("minutes") or () for source in row["sources"]}
    wanted: list[tuple[str, str, Callable[[Document], float | None]]] = [
        (f"{source}: ADD and DEL per minute", "operations", partial(_operations, source)) for source in sorted(sources)
    ]
    wanted.append(("Errors per minute", "errors", lambda row: sum(row["errors"].values())))
    wanted.append(("Builds started per minute", "builds", lambda row: row["builds_started"]))
    return [
        _plot(
            f"plot-gather-{number}",
            title,
            unit,
            60.0,
            [[_minutes(one, value) for one in group] for group in (before, after)],
        )
        for number, (title, unit, value) in enumerate(wanted)
    ]


def _operations(source: str, row: Document) -> float | None:
    counts = row["sources"].get(source)
    return None if counts is None else counts["add"] + counts["del"]


def _minutes(timeline: Document, value: Callable[[Document], float | None]) -> list[float | None]:
    """A minute that the gather does not list had nothing."""
    rows = timeline.get("minutes") or ()
    found = [(seconds_from(timeline["from"], row["start"]) or 0.0, value(row)) for row in rows]
    return [one or 0.0 for one in _binned(found, 60.0)]


def _step(timelines: Timelines) -> float:
    """Seconds of a point: the longest bin of all, and so long that no line has more points than a screen shows."""
    loads = [one["load"] for one in timelines if one.get("load")]
    widths = [float(load.get("bin_seconds") or 1) for load in loads]
    bins = [len((load.get("series") or {}).get("requests") or ()) for load in loads]
    lengths = [width * count for width, count in zip(widths, bins, strict=True)]
    lengths += [max(node["t"]) for one in timelines for node in one.get("nodes") or () if node.get("t")]
    return max([1.0, *widths, max(lengths, default=0.0) / MAX_POINTS])


def _interval(timelines: Timelines) -> float:
    """Seconds between two readings of a node: the median of the run in which it is the longest."""
    gaps = [
        median(later - earlier for earlier, later in pairwise(node["t"]))
        for one in timelines
        for node in one.get("nodes") or ()
        if len(node.get("t") or ()) > 1
    ]
    return max(gaps, default=0.0)


def _load(timeline: Document, key: str, step: float, *, rate: bool) -> list[float | None]:
    load = timeline.get("load") or {}
    width = float(load.get("bin_seconds") or 1)
    values = (load.get("series") or {}).get(key) or ()
    points = [
        (index * width, None if value is None else value / (width if rate else 1)) for index, value in enumerate(values)
    ]
    return _binned(points, step, mean=rate)


def _threads(timeline: Document, step: float) -> list[float | None]:
    points = [
        (when, value)
        for node in timeline.get("nodes") or ()
        for when, value in zip(node.get("t") or (), node.get("threads") or (), strict=False)
    ]
    return _binned(points, step)


def _binned(points: Sequence[tuple[float, float | None]], step: float, *, mean: bool = False) -> list[float | None]:
    """One value for each `step` seconds from 0: the largest, or the mean; None where there is none."""
    found: dict[int, list[float]] = {}
    for when, value in points:
        if value is not None and when >= 0:
            found.setdefault(int(when / step), []).append(value)
    last = max(found, default=-1)
    bins = (found.get(index) for index in range(last + 1))
    return [None if not one else sum(one) / len(one) if mean else max(one) for one in bins]


def _plot(
    name: str, title: str, unit: str, step: float, sides: Sequence[Sequence[Sequence[float | None]]]
) -> Plot | None:
    """None if neither side has a value other than 0."""
    length = max((len(values) for side in sides for values in side), default=0)
    series = [
        Series(name=label, values=[_median_at(side, index) for index in range(length)])
        for label, side in zip(("before", "after"), sides, strict=True)
    ]
    if not any(value for one in series for value in one.values):
        return None
    runs = max(len(side) for side in sides)
    return thinned(
        Plot(
            id=name,
            title=title,
            unit=unit,
            times=[round((index + 0.5) * step, 3) for index in range(length)],
            series=series,
            note="The median of the runs that were still at work." if runs > 1 else "",
        )
    )


def _median_at(side: Sequence[Sequence[float | None]], index: int) -> float | None:
    known = [value for values in side if index < len(values) and (value := values[index]) is not None]
    return median(known) if known else None


# -- tables ----------------------------------------------------------------------------------------------------------


def _sections(document: Document) -> list[Section]:
    return [
        Section(
            id=weight,
            title=title,
            lead=lead,
            tables=[_table(weight, title, [row for row in document["metrics"] if row["weight"] == weight])],
        )
        for weight, title, lead in _WEIGHTS
    ]


def _table(weight: str, title: str, rows: Sequence[Document]) -> Table:
    ordered = sorted(rows, key=lambda row: _CHANGED.index(row["verdict"]) if row["verdict"] in _CHANGED else 9)
    spread = {True: "yes", False: "no", None: "not known"}
    return Table(
        id=f"{weight}-table",
        title=title,
        columns=columns(
            "~Metric",
            "#Before",
            "#After",
            "#Difference",
            "#Tolerance",
            "#Floor",
            "Beyond spread",
            "#p",
            "Verdict",
            "~Note",
        ),
        rows=[
            [
                words(row["what"]),
                _values(row, "before"),
                _values(row, "after"),
                figure(row["difference_percent"], lambda value: "" if value is None else _percent(value)),
                figure(row["tolerance_percent"], lambda value: f"{value:,.0f} %"),
                _floor(row),
                words(spread[row["beyond_spread"]]),
                figure(row["p"], lambda value: "" if value is None else f"{value:.3f}"),
                words(row["verdict"], tone=_TONES[row["verdict"]]),
                words(row["note"]),
            ]
            for row in ordered
        ],
        empty="No data.",
    )


def _spread(row: Document, side: str) -> str:
    return values_text(row[side], row[f"middle_{side}"], row["unit"], absent=row["absent"])


def _floor(row: Document) -> Cell:
    return figure(row["floor"], lambda value: value_text(value, row["unit"]) if value else "")


def _values(row: Document, side: str) -> Cell:
    return figure(row[f"middle_{side}"], lambda _value: _spread(row, side))


def _runs(document: Document) -> Section:
    table = Table(
        id="runs-table",
        title="Runs",
        columns=columns("Run", "Side", "Verdict", "Began", "Hash of the settings", "Path"),
        rows=[
            [
                words(one["name"]),
                words(side),
                words(one["verdict"] or ""),
                words(date(one["started"]) if one["started"] else None),
                words((one["settings_hash"] or "")[:12], code=True),
                words(one["path"], code=True),
            ]
            for side in ("before", "after")
            for one in document[side]
        ],
    )
    return Section(id="runs", title="Runs", tables=[table])
