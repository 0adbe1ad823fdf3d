# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a run is healthy: one table of criteria, each with its setting, its figure and its words. Pure.

A figure that was not measured breaks no criterion. It is listed, so that nobody takes it for healthy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..measure.events import FORK_FAILED
from ..results.table import shortened
from ..results.verdict import PASSED
from ..text import duration_text
from .figures import Figures

#: The value of a threshold that is not judged.
NOT_JUDGED = -1
#: The run's own reasons in the reason of its verdict, and characters of each.
_REASONS, _REASON = 3, 300

Limits = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Criterion:
    """One threshold of health.

    - `limit_of` is the largest figure that is healthy; None if it is not judged.
    - `figure_of` is the figure; None if it was not measured.
    - `told` says what is wrong, from figures, figure and limit.
    """

    name: str
    setting: str
    unit: str
    limit_of: Callable[[Limits], float | None]
    figure_of: Callable[[Figures, Limits], float | None]
    told: Callable[[Figures, float, float], str]


def _limit(setting: str) -> Callable[[Limits], float | None]:
    def limit(limits: Limits) -> float | None:
        value: float = limits[setting]
        return None if value == NOT_JUDGED else value

    return limit


def _none_if(setting: str, unjudged: bool) -> Callable[[Limits], float | None]:
    return lambda limits: None if bool(limits[setting]) is unjudged else 0


def _measured(name: str) -> Callable[[Figures, Limits], float | None]:
    def figure(figures: Figures, _limits: Limits) -> float | None:
        value: float | None = figures[name]
        return value

    return figure


def _pressed(figures: Figures, _limits: Limits) -> float | None:
    return None if figures["pressure"] is None else len(figures["pressure"])


def _other_causes(figures: Figures, limits: Limits) -> float | None:
    """Failed pods without those whose cause has a number of its own, or is judged as failed forks."""
    if figures["pods_failed"] is None:
        return None
    apart = {*limits["capacity_max_failed_pods_by_cause"]}
    return int(figures["pods_failed"] - sum(n for cause, n in figures["failed_by_cause"].items() if cause in apart))


def _excess(figures: Figures, limits: Limits) -> float | None:
    """Failed pods above the numbers of their causes."""
    if figures["pods_failed"] is None:
        return None
    allowed = limits["capacity_max_failed_pods_by_cause"]
    return sum(max(0, number - allowed[cause]) for cause, number in _numbered(figures, allowed))


def _numbered(figures: Figures, allowed: Mapping[str, int]) -> list[tuple[str, int]]:
    found = figures["failed_by_cause"]
    return [(cause, found[cause]) for cause, most in allowed.items() if most != NOT_JUDGED and cause in found]


def _causes(figures: Figures) -> str:
    counts = sorted(figures["failed_by_cause"].items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{number:,} × {cause}" for cause, number in counts) or "causes unknown"


#: Nearest to the cause first: what breaks first is told first.
CRITERIA: tuple[Criterion, ...] = (
    Criterion(
        name="failed forks",
        setting="capacity_max_fork_failures",
        unit="",
        limit_of=_limit("capacity_max_fork_failures"),
        figure_of=_measured("fork_failures"),
        told=lambda _figures, figure, limit: (
            f"{figure:,} pods and Warnings report that a process could not be started ({FORK_FAILED}); "
            f"{limit:,} are allowed"
        ),
    ),
    Criterion(
        name="threads of a node",
        setting="capacity_max_node_threads",
        unit="%",
        limit_of=_limit("capacity_max_node_threads"),
        figure_of=_measured("threads_percent"),
        told=lambda figures, figure, limit: (
            f"{figures['threads_peak']:,} of {figures['threads_limit']:,} processes and threads on {figures['node']}, "
            f"{figure:g} %; {limit:g} % are allowed"
        ),
    ),
    Criterion(
        name="pressure",
        setting="capacity_allow_pressure",
        unit="",
        limit_of=_none_if("capacity_allow_pressure", unjudged=True),
        figure_of=_pressed,
        told=lambda figures, _figure, _limit: f"nodes under pressure: {', '.join(figures['pressure'])}",
    ),
    Criterion(
        name="failed sandboxes",
        setting="capacity_max_sandbox_failures",
        unit="",
        limit_of=_limit("capacity_max_sandbox_failures"),
        figure_of=_measured("sandbox_failures"),
        told=lambda _figures, figure, limit: (
            f"{figure:,} Warnings that a pod's sandbox or network could not be set up; {limit:,} are allowed"
        ),
    ),
    Criterion(
        name="failed pods",
        setting="capacity_max_failed_pods",
        unit="",
        limit_of=_limit("capacity_max_failed_pods"),
        figure_of=_other_causes,
        told=lambda figures, figure, limit: (
            f"{figure:,} failed pods ({_causes(figures)}); {limit:,} are allowed"
        ),
    ),
    Criterion(
        name="failed pods by cause",
        setting="capacity_max_failed_pods_by_cause",
        unit="",
        limit_of=lambda limits: 0 if limits["capacity_max_failed_pods_by_cause"] else None,
        figure_of=_excess,
        told=lambda figures, figure, _limit: (
            f"{figure:,} failed pods above what their causes allow ({_causes(figures)})"
        ),
    ),
    Criterion(
        name="pod start-up p99",
        setting="capacity_max_startup_p99",
        unit="s",
        limit_of=_limit("capacity_max_startup_p99"),
        figure_of=_measured("startup_p99_s"),
        told=lambda figures, figure, limit: (
            f"p99 of the pods' start-up is {duration_text(figure)}; {duration_text(limit)} are allowed"
            + (f" (the slowest pod: {figures['startup_slowest']})" if figures["startup_slowest"] else "")
        ),
    ),
    Criterion(
        name="API p99",
        setting="capacity_max_api_p99",
        unit="ms",
        limit_of=_limit("capacity_max_api_p99"),
        figure_of=_measured("api_p99_ms"),
        told=lambda _figures, figure, limit: (
            f"p99 of requests that create or change an object is {figure:,.0f} ms; {limit:,.0f} ms are allowed"
        ),
    ),
)  # fmt: skip
VERDICT = "verdict"


def judged(figures: Figures, limits: Limits) -> list[dict[str, Any]]:
    """A row for each criterion: `name`, `setting`, `unit`, `figure`, `limit`, `met` and `reason`.

    `met` is None, and `figure` or `limit` as well, where the figure was not measured or is not judged.
    """
    rows = []
    for one in CRITERIA:
        limit, figure = one.limit_of(limits), one.figure_of(figures, limits)
        met = None if limit is None or figure is None else figure <= limit
        reason = one.told(figures, figure, limit) if met is False and figure is not None and limit is not None else ""
        rows.append(
            {
                "name": one.name,
                "setting": one.setting,
                "unit": one.unit,
                "figure": figure,
                "limit": limit,
                "met": met,
                "reason": reason,
            }
        )
    return rows


def verdict_row(verdict: str, reasons: Sequence[str], limits: Limits) -> dict[str, Any]:
    """The row of the run's own verdict; it comes last, since the others name causes."""
    required = bool(limits["capacity_require_passed"])
    met = verdict == PASSED if required else None
    told = "; ".join(shortened(" ".join(reason.split()), _REASON) for reason in reasons[:_REASONS])
    return {
        "name": VERDICT, "setting": "capacity_require_passed", "unit": "", "figure": verdict,
        "limit": PASSED if required else None, "met": met,
        "reason": f"the run {verdict}: {told or 'no reason is known'}" if met is False else "",
    }  # fmt: skip
