"""Rows of the bench's table: a figure, its goal, and what it was compared with."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Row:
    """One figure. `goal` is its upper limit, or its lower limit with `at_least`; None is for information only.

    `value` is the median of `samples`.
    """

    name: str
    value: float
    unit: str
    goal: float | None = None
    at_least: bool = False
    note: str = ""
    samples: list[float] = field(default_factory=list)

    @property
    def reached(self) -> bool | None:
        """Whether the goal is reached; None without a goal."""
        if self.goal is None:
            return None
        return self.value >= self.goal if self.at_least else self.value <= self.goal

    def to_dict(self) -> dict[str, Any]:
        """JSON."""
        return {**dataclasses.asdict(self), "reached": self.reached}


def median_row(name: str, samples: Iterable[float], unit: str, **rest: Any) -> Row:
    """A row with the median of the samples."""
    found = list(samples)
    return Row(name=name, value=statistics.median(found), unit=unit, samples=found, **rest)


def text(rows: Sequence[Row]) -> str:
    """The table as text."""
    verdicts = {True: "reached", False: "MISSED", None: ""}
    cells = [("figure", "value", "goal", "", "")]
    for row in rows:
        goal = "" if row.goal is None else f"{'≥' if row.at_least else '≤'} {_number(row.goal)}"
        cells.append((row.name, f"{_number(row.value)} {row.unit}".strip(), goal, verdicts[row.reached], row.note))
    widths = [max(len(cell[column]) for cell in cells) for column in range(4)]
    lines = ["  ".join([*(cell[i].ljust(widths[i]) for i in range(4)), cell[4]]).rstrip() for cell in cells]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def _number(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value < 10 else f"{value:.1f}"
