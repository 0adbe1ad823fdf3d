# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a gather is compared with: the outage that this began with, and another gather. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .document import percent, total_of
from .times import stamp_of_text

#: The outage of record: operations of three hours of the clock, as their growth.
REFERENCE_HOURS = (722, 1_198, 5_505)
#: Operations of an hour and processes of a node, seen elsewhere: (what, lowest, highest).
_OPERATIONS = (("at rest", 700, 1_000), ("with builds", 2_000, 5_000))
_PROCESSES = (("at rest", 5_000, 8_000), ("with builds", 8_000, 15_000))
#: 95 % of a pid_max of 32,768, rounded as the outage's record has it.
_DANGER = 30_000
#: From the first build to the first failed fork: 22:09:44 to 23:56:44.
REFERENCE_MINUTES = 107
REFERENCE_BUILDS = 20

Row = dict[str, Any]


def with_reference(document: Mapping[str, Any]) -> list[Row]:
    """Rows `what`, `reference`, `here`, `verdict`; texts and figures as people compare them."""
    rows: list[Row] = []
    for source in document["growth"]:
        totals = [total_of(row["sources"][source]) for row in document["hours"] if source in row["sources"]]
        busiest = max(totals)
        what = f"{source}: busiest hour"
        rows.append(_row(what, f"{REFERENCE_HOURS[-1]:,}", busiest, _band(busiest)))
        rises = [row["on_previous_percent"] for row in document["growth"][source]]
        known = [rise for rise in rises if rise is not None]
        steepest = max(known, default=None)
        reference = percent(REFERENCE_HOURS[2], REFERENCE_HOURS[1])
        what = f"{source}: steepest rise, %"
        rows.append(_row(what, f"{reference:+}", steepest, _beside(steepest, reference)))
    builds = document["builds"]
    rows.append(
        _row(
            "builds",
            f"more than {REFERENCE_BUILDS}",
            builds["created"],
            "as many" if builds["created"] > REFERENCE_BUILDS else "fewer",
        )
    )
    minutes = _minutes(builds["first"], document["first_failure"])
    what = "first build to failure, min"
    rows.append(_row(what, str(REFERENCE_MINUTES), minutes, _beside(minutes, REFERENCE_MINUTES)))
    processes = (document["processes"] or {}).get("max")
    rows.append(_row("processes of a node, most", f"danger above {_DANGER:,}", processes, _process_band(processes)))
    return rows


def _row(what: str, reference: str, here: float | None, verdict: str | None) -> Row:
    return {"what": what, "reference": reference, "here": here, "verdict": None if here is None else verdict}


def _band(total: int) -> str:
    if total > REFERENCE_HOURS[-1]:
        return "above the outage"
    for name, lowest, highest in _OPERATIONS:
        if lowest <= total <= highest:
            return f"as {name} ({lowest:,} to {highest:,})"
    if total < _OPERATIONS[0][1]:
        return "below rest"
    return "between rest and builds" if total < _OPERATIONS[1][1] else "above builds, as in the outage"


def _process_band(most: int | None) -> str | None:
    if most is None:
        return None
    if most > _DANGER:
        return "danger"
    return next(
        (f"as {name} ({low:,} to {high:,})" for name, low, high in _PROCESSES if low <= most <= high),
        "below rest" if most < _PROCESSES[0][1] else "above builds",
    )


def _beside(value: float | None, reference: float | None) -> str | None:
    if value is None or reference is None:
        return None
    return "the same" if value == reference else "more" if value > reference else "less"


def _minutes(first: str | None, failure: Mapping[str, Any] | None) -> float | None:
    begin, end = stamp_of_text(first), stamp_of_text(failure["time"]) if failure else None
    return None if begin is None or end is None else round((end - begin) / 60, 1)


def with_other(document: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """The other gather's `path` and rows `what`, `here`, `there`, `difference_percent`; None is "no data"."""
    mine, theirs = _figures(document), _figures(other)
    for kind in {*document["totals"]["errors"], *other["totals"]["errors"]}:
        # All errors that the rules know were looked for: one that was not found did not happen.
        for figures in (mine, theirs):
            figures.setdefault(f"errors: {kind}", 0)
    rows = [
        {
            "what": what,
            "here": mine.get(what),
            "there": theirs.get(what),
            "difference_percent": _difference(mine.get(what), theirs.get(what)),
        }
        for what in dict.fromkeys((*mine, *theirs))
    ]
    # What can be compared comes first.
    rows.sort(key=lambda row: row["here"] is None or row["there"] is None)
    return {"path": other["path"], "first_failure": other["first_failure"], "rows": rows}


def _difference(here: float | None, there: float | None) -> float | None:
    return None if here is None or there is None else percent(here, there)


def _figures(document: Mapping[str, Any]) -> dict[str, float | None]:
    figures: dict[str, float | None] = {}
    for source, counts in document["totals"]["sources"].items():
        hours = [total_of(row["sources"][source]) for row in document["hours"] if source in row["sources"]]
        figures[f"{source}: ADD"] = counts["add"]
        figures[f"{source}: DEL"] = counts["del"]
        figures[f"{source}: failed"] = counts["failed"]
        figures[f"{source}: busiest hour"] = max(hours)
    for kind, times in document["totals"]["errors"].items():
        figures[f"errors: {kind}"] = times
    builds = document["builds"]
    for name in ("created", "finished", "failed", "peak_at_once"):
        figures[f"builds: {name.replace('_', ' ')}"] = builds[name]
    figures["builds: median length, s"] = (builds["lengths_s"] or {}).get("median")
    figures["processes of a node, most"] = (document["processes"] or {}).get("max")
    return figures
