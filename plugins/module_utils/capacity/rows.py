# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One line of the comparison, and how a limit that is passed is put into words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from ..plan.demand import Demand
from ..plan.fragment import Fragment
from ..text import text_of

OK, OVER, WARNING, NO_DATA, UNKNOWN, INFO = "ok", "over", "warning", "no data", "unknown", "info"


@dataclass(frozen=True, kw_only=True)
class Row:
    """What is needed against what is offered. `unit` as in text.text_of; None is "no data" or "no limit".

    `verdict` is ok, over, warning, no data, unknown (what is needed cannot be known), or info (nothing to compare
    with). `cure` names settings and values, for over and warning; `note` is a short remark.
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
        return replace(row, verdict=NO_DATA, cure="")
    if row.needed > row.offered:
        return replace(row, verdict=when_over)
    return replace(row, verdict=OK, cure="")


class Levers:
    """What makes a plan smaller, by the names that its author knows: a fragment's own levers, else its options."""

    def __init__(self, demand: Demand) -> None:
        self._demand = demand
        self._fragments = [fragment.fragment for fragment in demand.fragments]

    def namespaces(self) -> str:
        """The setting that says how many namespaces there are, with its value."""
        for fragment in self._fragments:
            if fragment.levers.get("namespaces"):
                return _named(fragment.levers["namespaces"])
        return f"namespace_total={self._demand.namespaces}"

    def of(self, role: str, figure: str) -> str:
        """What makes a figure of a role smaller: `objects`, `pods`, `requests`, `processes`; what changes `storage`.

        `nodes`: what says which nodes take its pods, `queue`: in which queue they wait; empty where the role has
        nothing of its own for that.
        """
        for number, fragment in enumerate(self._fragments):
            if fragment.role == role:
                levers = fragment.levers.get(figure) or {}
                # A number of 1 cannot be lowered.
                levers = {name: value for name, value in levers.items() if value != 1} or levers
                # Requests are shown as a pod's size, so their value is not repeated.
                return (" or ".join(levers) if figure == "requests" else _named(levers)) or _option(
                    fragment, number, figure
                )
        return ""

    def change_of(self, role: str, figure: str) -> str:
        """A cure: to change the settings of that figure, or to set those that have no value."""
        fragment = next((one for one in self._fragments if one.role == role), None)
        levers = fragment.levers.get(figure) if fragment else None
        if levers and not any(levers.values()):
            return f"set {' or '.join(levers)}"
        return f"change {self.of(role, figure)}"

    def most_pods(self) -> str:
        """What makes the role with the most pods smaller."""
        largest = max(self._demand.fragments, key=lambda fragment: fragment.pods_at_peak, default=None)
        return self.of(largest.role, "pods") if largest else ""

    def fewer_namespaces(self, *, needed: float, offered: float, role: str = "", figure: str = "pods") -> str:
        """The cure of what grows with the namespaces: how many would fit, and what else makes it smaller."""
        total = self._demand.namespaces
        fitting = int(total * offered / needed) if needed > 0 else total
        namespaces = self.namespaces()
        if fitting >= 1:
            first = f"{namespaces} is too many, {fitting} would fit"
        else:
            first = f"not even one namespace fits ({namespaces})"
        other = self.of(role, figure) if role else self.most_pods()
        return f"{first}, or lower {other}" if other else first


def _named(settings: Mapping[str, Any]) -> str:
    """Settings with their values, as in: a=1 or b=2."""
    return " or ".join(f"{name}={value}" for name, value in settings.items())


def _option(fragment: Fragment, number: int, figure: str) -> str:
    where = f"fragments[{number}]"
    if figure in ("nodes", "queue"):
        return ""
    if figure == "requests":
        return f"the requests in the templates of {where} (role {fragment.role})"
    if figure == "storage":
        return f"the classes and sizes in the templates of {where} (role {fragment.role})"
    if figure == "volume_mode":
        return f"volumeMode in the templates of {where} (role {fragment.role})"
    if figure == "processes":
        return f"{where}.processes={fragment.processes}"
    options = {"count": fragment.count, **({"active": fragment.active} if fragment.active else {})}
    listed = " or ".join(f"{where}.{name}={value}" for name, value in options.items())
    return f"{listed} (role {fragment.role}), or the replicas in its templates" if figure == "pods" else listed
