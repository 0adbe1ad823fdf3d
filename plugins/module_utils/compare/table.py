# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The comparison as lines of text. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..results.table import BAD, FAINT, GOOD, PLAIN, WARN, Line, brief, columns, heading, wrapped
from ..text import value_text
from .judging import DIFFERENT, IMPROVED, NOT_COMPARABLE, REGRESSED, SAME

#: Rows of metrics; all of them are in comparison.json.
_MAX_ROWS = 30
_MAX_WARNINGS = 8
#: Reasons that one line names.
_NAMED = 4
_TONES = {IMPROVED: GOOD, SAME: PLAIN, REGRESSED: BAD, DIFFERENT: WARN, NOT_COMPARABLE: FAINT}

Document = Mapping[str, Any]


def comparison_lines(document: Document, *, path: str = "", page: str = "") -> list[Line]:
    """The whole table. `path` and `page` are the files that were written, if any."""
    lines = [heading(f"compare {_names(document['before'])} with {_names(document['after'])}")]
    tone = {**_TONES, SAME: GOOD, NOT_COMPARABLE: WARN}[document["verdict"]]
    lines += _fact("verdict", message_of(document), tone)
    for side in ("before", "after"):
        lines += _fact(side, _sources(document[side]))
    lines += _metrics(document)
    lines += _rest(document)
    warnings = document["warnings"]
    lines += [line for text in warnings[:_MAX_WARNINGS] for line in _fact("note", text, WARN)]
    if len(warnings) > _MAX_WARNINGS:
        lines += _fact("note", f"and {len(warnings) - _MAX_WARNINGS:,} more in comparison.json", WARN)
    return lines + [Line(f"  {what:<9} {where}", FAINT) for what, where in (("figures", path), ("page", page)) if where]


def message_of(document: Document) -> str:
    """The verdict with its first reasons, on one line: "regressed: pods failed 0 → 3; and 2 more"."""
    if document["verdict"] == SAME:
        return "same: no metric that decides lies beyond its tolerance and the runs' own spread"
    if document["verdict"] == NOT_COMPARABLE:
        return "not comparable: no metric that decides was measured on both sides"
    rows = {row["name"]: row for row in document["metrics"]}
    texts = [_change(rows[name]) for name in document["reasons"][:_NAMED]]
    more = len(document["reasons"]) - _NAMED
    texts += [f"and {more:,} more"] if more > 0 else []
    return f"{document['verdict']}: {brief(texts, rest='all in comparison.json')}"


def _change(row: Document) -> str:
    return f"{row['what']} {_middle(row, 'before')} → {_middle(row, 'after')}"


def _middle(row: Document, side: str) -> str:
    return value_text(row[f"middle_{side}"], row["unit"], absent=row["absent"])


def percent_text(value: float | None) -> str:
    """A difference with its sign."""
    return "-" if value is None else "0 %" if round(value) == 0 else f"{value:+,.0f} %"


def _names(sources: Sequence[Document]) -> str:
    first = str(sources[0]["name"])
    return first if len(sources) == 1 else f"{first} and {len(sources) - 1} more"


def _sources(sources: Sequence[Document]) -> str:
    texts = [f"{one['name']} ({one['verdict']})" if one["verdict"] else f"{one['name']}" for one in sources]
    return ", ".join(texts)


def _fact(name: str, text: str, tone: str = PLAIN) -> list[Line]:
    first, *rest = wrapped(text, indent=12)
    return [Line(f"  {name:<9} {first.strip()}", tone), *(Line(part, tone) for part in rest)]


def _metrics(document: Document) -> list[Line]:
    """Those that changed first, then the key metrics that did not."""
    changed = [row for row in document["metrics"] if row["verdict"] in (IMPROVED, REGRESSED, DIFFERENT)]
    places = {name: place for place, name in enumerate(document["reasons"])}
    changed.sort(key=lambda row: (places.get(row["name"], len(places)), row["verdict"] == DIFFERENT))
    still = [row for row in document["metrics"] if row["key"] and row not in changed]
    shown = [*changed[:_MAX_ROWS], *still[: max(0, _MAX_ROWS - len(changed))]]
    if not shown:
        return []
    rows: list[tuple[str, ...]] = [("", "before", "after", "change", "tolerance", "spread", "")]
    rows += [_cells(row) for row in shown]
    texts = columns(rows, align="lrrrrll")
    lines = [Line(texts[0], FAINT)]
    lines += [Line(text, _TONES[row["verdict"]]) for text, row in zip(texts[1:], shown, strict=True)]
    if len(changed) > _MAX_ROWS:
        lines.append(Line(f"  and {len(changed) - _MAX_ROWS:,} more that changed, all in comparison.json", FAINT))
    return lines


def _cells(row: Document) -> tuple[str, ...]:
    tolerance = f"{row['tolerance_percent']:,.0f} %"
    return (
        row["what"],
        _middle(row, "before"),
        _middle(row, "after"),
        percent_text(row["difference_percent"]),
        tolerance,
        {True: "beyond", False: "within", None: "?"}[row["beyond_spread"]],
        row["verdict"],
    )


def _rest(document: Document) -> list[Line]:
    counts = {verdict: sum(1 for row in document["metrics"] if row["verdict"] == verdict) for verdict in _TONES}
    told = ", ".join(f"{counts[verdict]:,} {verdict}" for verdict in _TONES if counts[verdict])
    few = sum(1 for row in document["metrics"] if "observations" in row["note"])
    why = f" ({few:,} with too few observations)" if few else ""
    return _fact("metrics", f"{told or 'none'}{why}; all in comparison.json", FAINT)
