# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures of one run or gather: what each row of the table of metrics finds in its documents. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .metrics import METRICS, Metric

#: A step of a path, such as `a`, `{x}`, `a[]` or `a[x,y]`.
_STEP = re.compile(r"(?P<key>[^[\]]+)(?P<rows>\[(?P<fields>[^]]*)\])?")

Captured = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One figure. `captured` are the parts of its name that the path found, such as verb and kind.

    `value` is None if it was not measured. `observations` is None if the metric does not ask for their number.
    """

    metric: Metric
    captured: Captured
    value: float | None
    observations: float | None = None

    @property
    def name(self) -> str:
        """Such as `request_p99[create Pod]`."""
        inner = " ".join(part for part in self.captured if part)
        return f"{self.metric.name}[{inner}]" if self.captured else self.metric.name

    @property
    def what(self) -> str:
        """The name as people read it."""
        text = self.metric.what.format_map(dict(zip(captures_of(self.metric.path), self.captured, strict=True)))
        return text.replace("/ ", " ")

    @property
    def too_few(self) -> bool:
        """Whether there are fewer observations than the metric needs."""
        return self.observations is not None and self.observations < self.metric.least


def captures_of(path: str) -> list[str]:
    """The names that a path captures, in their order."""
    found: list[str] = []
    for step in path.split("."):
        key, fields = _parts(step)
        found += [key[1:-1]] if key.startswith("{") else []
        found += [field for field in (fields or "").split(",") if field]
    return found


def figures_of(document: Mapping[str, Any], metrics: Sequence[Metric] = METRICS) -> dict[str, Figure]:
    """Every figure that the documents have, by its name, in the order of the table."""
    figures: dict[str, Figure] = {}
    for metric in metrics:
        for figure in _found(metric, document):
            figures[figure.name] = figure
    return figures


def missing(figure: Figure, document: Mapping[str, Any]) -> Figure:
    """The figure of another run that this one lacks: 0 if it was looked for, else not measured."""
    known = bool(figure.metric.known) and _at(document, figure.metric.known) is not None
    return replace(figure, value=0.0 if known else None, observations=None)


def _found(metric: Metric, document: Mapping[str, Any]) -> Iterator[Figure]:
    groups: dict[Captured, list[tuple[float | None, Mapping[str, Any]]]] = defaultdict(list)
    for captured, value, beside in _walk(document, metric.path.split("."), (), {}):
        number = 1.0 if metric.together == "count" else _number(metric, value, beside)
        groups[captured].append((number, beside))
    if not groups and not captures_of(metric.path):
        groups[()] = []
    for captured, found in sorted(groups.items()):
        if set(captured) & set(metric.without):
            continue
        values = [value for value, _beside in found if value is not None]
        figure = Figure(metric=metric, captured=captured, value=_together(metric, values))
        if figure.value is None:
            figure = missing(figure, document) if not found else figure
        if metric.counted and found:
            figure = replace(figure, observations=_plain(found[0][1].get(metric.counted)))
        if figure.value is not None or captured:
            yield figure


def _walk(
    here: Any, steps: Sequence[str], captured: Captured, beside: Mapping[str, Any]
) -> Iterator[tuple[Captured, Any, Mapping[str, Any]]]:
    """What the path leads to, what was captured on the way, and the mapping that it lies in."""
    if not steps:
        yield captured, here, beside
        return
    if not isinstance(here, Mapping):
        return
    key, fields = _parts(steps[0])
    if key.startswith("{"):
        for name, value in here.items():
            yield from _walk(value, steps[1:], (*captured, str(name)), here)
        return
    found = here.get(key)
    if found is None:
        return
    if fields is None:
        # What is divided by a neighbour of `histogram.sum_seconds` is `histogram.count`: the innermost mapping.
        yield from _walk(found, steps[1:], captured, here)
        return
    for row in found.values() if isinstance(found, Mapping) else found:
        names = [str(row.get(field) or "") for field in fields.split(",") if field]
        yield from _walk(row, steps[1:], (*captured, *names), here)


def _parts(step: str) -> tuple[str, str | None]:
    """The key of a step, and the fields in its brackets; None without brackets."""
    match = _STEP.fullmatch(step)
    if match is None:
        raise ValueError(f"{step!r} is no step of a path")
    return match["key"], match["fields"]


def _number(metric: Metric, value: Any, beside: Mapping[str, Any]) -> float | None:
    if metric.codes:
        return metric.codes.get(str(value))
    number = _plain(value)
    if number is None or not metric.per:
        return number
    divisor = _plain(beside.get(metric.per))
    if not divisor:
        return None
    return number / divisor * (100 if metric.unit == "%" else 1)


def _plain(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _together(metric: Metric, values: Sequence[float]) -> float | None:
    if not values:
        return None
    return max(values) if metric.together == "max" else sum(values)


def _at(document: Any, path: str) -> Any:
    for key in path.split("."):
        if not isinstance(document, Mapping):
            return None
        document = document.get(key)
    return document
