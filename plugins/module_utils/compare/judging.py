# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of each metric, and of all together. Pure.

A metric is the same if the difference is within the tolerance or the floor, or if it is not beyond the groups' own
spread. With one run a side no spread is known: tolerance and floor stand alone, and are wider.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

from .figures import Figure, figures_of, missing
from .metrics import CONTEXT, FAILURES, METRICS, TIMES, Metric
from .ranks import beyond_spread, can_be_significant, p_value

IMPROVED, SAME, REGRESSED, DIFFERENT = "improved", "same", "regressed", "different"
NOT_COMPARABLE = "not comparable"

Documents = Sequence[Mapping[str, Any]]
Values = list[float | None]


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One metric in both groups; values are in the order of the runs, None where a run has none.

    `note` says why the metric is not comparable, or why a difference does not count.
    """

    figure: Figure
    before: Values
    after: Values
    tolerance_percent: float
    floor: float
    verdict: str
    beyond_spread: bool | None = None
    p: float | None = None
    note: str = ""

    @property
    def metric(self) -> Metric:
        """The row of the table."""
        return self.figure.metric

    @property
    def middles(self) -> tuple[float | None, float | None]:
        """What is compared: the mean of counts of failures, which are rare, and the median of all else."""
        return middle(self.metric, self.before), middle(self.metric, self.after)

    @property
    def difference_percent(self) -> float | None:
        """Of the value before; None if that is 0, or if a value is missing."""
        before, after = self.middles
        return None if not before or after is None else 100 * (after - before) / abs(before)

    def as_document(self) -> dict[str, Any]:
        """The entry of comparison.json."""
        before, after = self.middles
        return {
            "name": self.figure.name,
            "what": self.figure.what,
            "unit": self.metric.unit,
            "better": self.metric.better,
            "weight": self.metric.weight,
            "key": self.metric.key,
            "absent": self.metric.absent,
            "before": [_short(value) for value in self.before],
            "after": [_short(value) for value in self.after],
            "middle_before": _short(before),
            "middle_after": _short(after),
            "difference_percent": _short(self.difference_percent),
            "tolerance_percent": self.tolerance_percent,
            "floor": self.floor,
            "beyond_spread": self.beyond_spread,
            "p": _short(self.p),
            "verdict": self.verdict,
            "note": self.note,
        }


def compared(
    before: Documents, after: Documents, tolerances: Mapping[str, float], metrics: Sequence[Metric] = METRICS
) -> list[Compared]:
    """Every metric that a run of either side has, in the order of the table."""
    every = [figures_of(document, metrics) for document in (*before, *after)]
    documents = [*before, *after]
    names: dict[str, Figure] = {}
    for figures in every:
        for name, figure in figures.items():
            names.setdefault(name, figure)
    rows = []
    order = {metric.name: index for index, metric in enumerate(metrics)}
    for name, model in sorted(names.items(), key=lambda item: (order[item[1].metric.name], item[0])):
        found = [
            figures.get(name) or missing(model, document) for figures, document in zip(every, documents, strict=True)
        ]
        if any(figure.value is not None for figure in found):
            rows.append(_judged(found[: len(before)], found[len(before) :], tolerances))
    return rows


def overall(rows: Sequence[Compared]) -> str:
    """The verdict of all metrics together. Failures come first; only if they are the same do times decide."""
    for weight in (FAILURES, TIMES):
        verdicts = {row.verdict for row in rows if row.metric.weight == weight}
        for verdict in (REGRESSED, IMPROVED):
            if verdict in verdicts:
                return verdict
    if any(row.verdict == SAME for row in rows if row.metric.weight != CONTEXT):
        return SAME
    return NOT_COMPARABLE


def middle(metric: Metric, values: Values) -> float | None:
    """The mean of counts of failures, else the median; None if no run has a value."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    return fmean(known) if metric.weight == FAILURES else median(known)


def _judged(before: Sequence[Figure], after: Sequence[Figure], tolerances: Mapping[str, float]) -> Compared:
    figure = before[0] if before[0].value is not None else after[0]
    metric = figure.metric
    sides = [_usable(before), _usable(after)]
    factor = _factor(metric, len(before), len(after))
    given = tolerances.get(figure.name, tolerances.get(metric.name))
    # What somebody asks for is taken as it is.
    tolerance = metric.tolerance_percent * factor if given is None else given
    floor = metric.floor * factor

    def row(verdict: str, **more: Any) -> Compared:
        return Compared(
            figure=figure,
            before=[one.value for one in before],
            after=[one.value for one in after],
            tolerance_percent=tolerance,
            floor=floor,
            verdict=verdict,
            **more,
        )

    if not all(sides):
        return row(NOT_COMPARABLE, note=_why_not(metric, before, after))
    apart = beyond_spread(*sides)
    p = p_value(*sides) if can_be_significant(len(sides[0]), len(sides[1])) else None
    first, second = (middle(metric, list(side)) or 0.0 for side in sides)
    change = second - first
    if abs(change) <= floor or abs(change) <= abs(first) * tolerance / 100:
        return row(SAME, beyond_spread=apart, p=p)
    if apart is False:
        return row(SAME, beyond_spread=apart, p=p, note="beyond the tolerance, but not beyond the runs' own spread")
    if metric.better == "neither":
        return row(DIFFERENT, beyond_spread=apart, p=p)
    better = (change < 0) == (metric.better == "lower")
    return row(IMPROVED if better else REGRESSED, beyond_spread=apart, p=p)


def _factor(metric: Metric, before: int, after: int) -> float:
    """How many times as wide tolerance and floor are with so many runs."""
    if can_be_significant(before, after):
        return 1.0
    return metric.alone if min(before, after) < 3 else metric.few


def _usable(figures: Sequence[Figure]) -> list[float]:
    return [figure.value for figure in figures if figure.value is not None and not figure.too_few]


def _why_not(metric: Metric, before: Sequence[Figure], after: Sequence[Figure]) -> str:
    parts = []
    for side, figures in (("before", before), ("after", after)):
        if any(figure.value is not None and figure.too_few for figure in figures) and not _usable(figures):
            most = max(figure.observations or 0 for figure in figures)
            parts.append(f"{side}: {most:,.0f} observations, {metric.least} are needed")
        elif not _usable(figures):
            parts.append(f"{side}: {metric.absent}")
    return "; ".join(parts)


def _short(value: float | None) -> float | None:
    """Six digits, and whole numbers without a fraction."""
    if value is None:
        return None
    short = float(f"{value:.6g}")
    return int(short) if short.is_integer() else short
