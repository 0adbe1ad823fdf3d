# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One line of the comparison, and how a limit that is passed is put into words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from .demand import Demand, PodGroup
from .quantities import text_of

OK, OVER, WARNING, NO_DATA, INFO = "ok", "over", "warning", "no data", "info"


@dataclass(frozen=True, kw_only=True)
class Row:
    """What is needed against what is offered. `unit` as in quantities.text_of; None is "no data" or "no limit".

    `verdict` is ok, over, warning, no data, or info (nothing to compare with). `cure` names settings and values, for
    over and warning; `note` is a short remark.
    """

    name: str
    needed: float | None
    offered: float | None = None
    unit: str = ""
    verdict: str = INFO
    cure: str = ""
    note: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For JSON; with the texts people see."""
        texts = {"needed_text": text_of(self.needed, self.unit), "offered_text": text_of(self.offered, self.unit)}
        return {**asdict(self), **texts}

    def line(self) -> str:
        """The one line of a limit that is passed."""
        note = f" ({self.note})" if self.note else ""
        needed, offered = text_of(self.needed, self.unit), text_of(self.offered, self.unit)
        return f"{self.name}: {needed} needed, {offered} offered{note}: {self.cure}"


def judged(row: Row, *, when_over: str = OVER) -> Row:
    """The row with its verdict from its two figures; over limit it becomes `when_over`, and else loses its cure."""
    if row.offered is None or row.needed is None:
        return Row(**{**asdict(row), "verdict": NO_DATA, "cure": ""})
    if row.needed > row.offered:
        return Row(**{**asdict(row), "verdict": when_over})
    return Row(**{**asdict(row), "verdict": OK, "cure": ""})


def fewer_namespaces(demand: Demand, *, needed: float, offered: float, groups: Iterable[PodGroup] = ()) -> str:
    """The cure of what grows with the number of namespaces: how many would fit, and what else makes it smaller."""
    fitting = int(demand.namespaces * offered / needed) if needed > 0 else demand.namespaces
    largest = sorted(groups, key=lambda group: -group.at_peak)
    parts = []
    if fitting >= 1:
        parts.append(f"namespaces_total={demand.namespaces} is too many, {fitting} would fit")
    else:
        parts.append(f"not even one namespace fits (namespaces_total={demand.namespaces})")
    if largest:
        parts.append("lower " + named(demand, largest[0].levers))
    return ", or ".join(parts)


def named(demand: Demand, settings: Iterable[str]) -> str:
    """Settings with their values, as in: a=1 or b=2."""
    texts = [
        "build_jobs_active_per_namespace=0 (all)"
        if name == "build_jobs_active_per_namespace" and not demand.settings[name]
        else f"{name}={demand.settings[name]}"
        for name in settings
    ]
    return " or ".join(texts)
