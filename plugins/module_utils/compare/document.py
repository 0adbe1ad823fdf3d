# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""comparison.json: two groups of runs, metric by metric, with a verdict. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from .differences import warnings_of
from .judging import IMPROVED, NOT_COMPARABLE, REGRESSED, Compared, compared, overall
from .metrics import CONTEXT, FAILURES, METRICS, TIMES
from .sources import RUN, CompareError, Source

SCHEMA = 1
#: Allowed tolerances, in percent.
MOST_PERCENT = 10_000.0


def document_of(before: Sequence[Source], after: Sequence[Source], tolerances: Mapping[str, Any]) -> dict[str, Any]:
    """The document. Raises CompareError for a tolerance that is no number, or of a metric that is not there."""
    checked = _tolerances(tolerances)
    rows = compared([source.document for source in before], [source.document for source in after], checked)
    _refuse_unknown(checked, rows)
    verdict = overall(rows)
    return {
        "schema": SCHEMA,
        "verdict": verdict,
        "reasons": _reasons(rows, verdict),
        "before": [_source(source) for source in before],
        "after": [_source(source) for source in after],
        "metrics": [row.as_document() for row in rows],
        "warnings": warnings_of(before, after, rows, verdict),
    }


def _source(source: Source) -> dict[str, Any]:
    document = source.document
    started = document.get("started") if source.kind == RUN else document.get("from")
    return {
        "name": source.name,
        "kind": source.kind,
        "path": str(source.path),
        "verdict": document.get("verdict"),
        "started": started,
        "settings_hash": document.get("settings_hash"),
    }


def _reasons(rows: Sequence[Compared], verdict: str) -> list[str]:
    """The names of the metrics that made the verdict: those of the weight that decided, key metrics first."""
    for weight in (FAILURES, TIMES):
        found = [row for row in rows if row.metric.weight == weight and row.verdict in (IMPROVED, REGRESSED)]
        if found:
            found.sort(key=lambda row: not row.metric.key)
            return [row.figure.name for row in found if row.verdict == verdict]
    if verdict == NOT_COMPARABLE:
        return [row.figure.name for row in rows if row.metric.weight != CONTEXT]
    return []


def _tolerances(given: Mapping[str, Any]) -> dict[str, float]:
    """Raises CompareError."""
    found = {}
    for name, value in given.items():
        try:
            number = float(value) if not isinstance(value, bool) else float("nan")
        except (TypeError, ValueError):
            number = float("nan")
        if not 0 <= number <= MOST_PERCENT:
            raise CompareError(
                f"tolerances (compare_tolerances): {name}: {value!r} is not allowed; percent, 0 to {MOST_PERCENT:,.0f}"
            )
        found[str(name)] = number
    return found


def _refuse_unknown(tolerances: Mapping[str, float], rows: Sequence[Compared]) -> None:
    """Raises CompareError."""
    known = {metric.name for metric in METRICS} | {row.figure.name for row in rows}
    for name in tolerances:
        if name in known:
            continue
        near = get_close_matches(name, sorted(known), n=1)
        meant = f"; did you mean {near[0]}" if near else ""
        allowed = ", ".join(metric.name for metric in METRICS)
        raise CompareError(
            f"tolerances (compare_tolerances): these runs have no metric {name!r}{meant}; allowed are {allowed}, and "
            "each of their figures, as comparison.json names it"
        )
