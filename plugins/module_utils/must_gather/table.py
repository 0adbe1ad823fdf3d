# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The analysis of a gather as lines of text. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..results.table import BAD, FAINT, GOOD, PLAIN, WARN, Line, columns, heading, wrapped
from .document import total_of

#: Rows of each part; all of them are in must-gather.json.
_MAX_HOURS = 24
_MAX_WARNINGS = 6
_MAX_ROWS = 20

Document = Mapping[str, Any]


def gather_lines(document: Document, *, path: str = "", page: str = "") -> list[Line]:
    """The whole table. `path` and `page` are the files that were written, if any."""
    lines = [heading(f"must-gather {document['path'].rpartition('/')[2]}")]
    for part in (_hours, _failure, _errors, _builds, _reference, _comparison, _unread, _warnings):
        lines += part(document)
    lines += [Line(f"  {what:<9} {where}", FAINT) for what, where in (("figures", path), ("page", page)) if where]
    return lines


def _hours(document: Document) -> list[Line]:
    rows: list[tuple[str, ...]] = [("hour (UTC)", "source", "ADD", "DEL", "both", "failed", "on previous", "on first")]
    rises = {(source, row["hour"]): row for source, found in document["growth"].items() for row in found}
    for hour in document["hours"]:
        for source, counts in hour["sources"].items():
            rise = rises[source, hour["start"]]
            rows.append(
                (
                    hour["start"][:16].replace("T", " "),
                    source,
                    *(f"{value:,}" for value in (counts["add"], counts["del"], total_of(counts), counts["failed"])),
                    _percent(rise["on_previous_percent"]),
                    _percent(rise["on_first_percent"]),
                )
            )
    if len(rows) == 1:
        return [Line("  network plug-in: no operation was found", FAINT)]
    kept = [rows[0], *rows[1:][-_MAX_HOURS:]]
    texts = columns(kept, align="llrrrrrr")
    lines = [Line(texts[0], FAINT), *(Line(text) for text in texts[1:])]
    if len(kept) < len(rows):
        lines.append(Line(f"  and {len(rows) - len(kept):,} rows before them, all in must-gather.json", FAINT))
    note = "An operation is one distinct request, container id and verb. Sources log the same pods: never add them up."
    return lines + [Line(text, FAINT) for text in wrapped(note, indent=2)]


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:+,.1f} %"


def _fact(name: str, text: str, tone: str = PLAIN) -> list[Line]:
    first, *rest = wrapped(text, indent=12)
    return [Line(f"  {name:<9} {first.strip()}", tone), *(Line(part, tone) for part in rest)]


def _failure(document: Document) -> list[Line]:
    first = document["first_failure"]
    if first is None:
        return _fact("failure", "none found", GOOD)
    where = f" on {first['node']}" if first["node"] else ", the node is not known"
    lines = _fact("failure", f"first at {first['time']}: {first['kind']}, told by {first['source']}{where}", BAD)
    lines += _fact("", first["text"][:300], FAINT)
    window = document["window"]
    counts = "; ".join(f"{source} {total_of(one):,}" for source, one in window["sources"].items()) or "no operations"
    errors = ", ".join(f"{times:,} × {kind}" for kind, times in window["errors"].items())
    return lines + _fact("window", f"{window['from']} to {window['to']}: {counts}; {errors}")


def _errors(document: Document) -> list[Line]:
    lines: list[Line] = []
    for kind, by_source in document["totals"]["errors_by_source"].items():
        told = ", ".join(f"{source} {times:,}" for source, times in by_source.items())
        lines += _fact("errors", f"{kind}: {told}", BAD)
    return lines


def _builds(document: Document) -> list[Line]:
    builds = document["builds"]
    if not builds["created"]:
        return _fact("builds", "none found", FAINT)
    text = (
        f"{builds['created']:,} created (namespaces: {len(builds['by_namespace']):,}), {builds['started']:,} started, "
        f"{builds['finished']:,} finished, {builds['failed']:,} failed; {builds['peak_at_once'] or 0:,} at once"
    )
    for name, unit in (("intervals_s", "started"), ("lengths_s", "took")):
        spread = builds[name]
        if spread:
            text += f"; {unit} {spread['min']:,.0f} to {spread['max']:,.0f} s"
            text += f" (median {spread['median']:,.0f})" + (" apart" if name == "intervals_s" else "")
    lines = _fact("builds", text, WARN if builds["failed"] else PLAIN)
    processes = document["processes"]
    if processes:
        of = f" of {processes['capacity']:,}" if processes["capacity"] else ""
        lines += _fact("processes", f"most {processes['max']:,}{of}, at {processes['max_at']}")
    return lines


def _reference(document: Document) -> list[Line]:
    known = [row for row in document["reference"] if row["here"] is not None]
    if not known:
        return []
    rows: list[tuple[str, ...]] = [("beside the outage of record", "there", "here", "")]
    rows += [(row["what"], row["reference"], f"{row['here']:,}", row["verdict"] or "") for row in known]
    texts = columns(rows, align="lrrl")
    return [Line(texts[0], FAINT), *(Line(text) for text in texts[1:])]


def _comparison(document: Document) -> list[Line]:
    comparison = document["comparison"]
    if comparison is None:
        return []
    rows: list[tuple[str, ...]] = [("beside the other gather", "here", "there", "difference")]
    rows += [
        (row["what"], _figure(row["here"]), _figure(row["there"]), _percent(row["difference_percent"]))
        for row in comparison["rows"][:_MAX_ROWS]
    ]
    texts = columns(rows, align="lrrr")
    lines = [Line(texts[0], FAINT), *(Line(text) for text in texts[1:])]
    more = len(comparison["rows"]) - _MAX_ROWS
    return lines + ([Line(f"  and {more:,} more, all in must-gather.json", FAINT)] if more > 0 else [])


def _figure(value: float | None) -> str:
    return "no data" if value is None else f"{value:,.0f}"


def _unread(document: Document) -> list[Line]:
    read, unread = sum(document["read"].values()), sum(document["unread"].values())
    files = len({*document["read"], *document["unread"]})
    return _fact("lines", f"{read:,} read by a rule, {unread:,} by none, in {files:,} files", FAINT)


def _warnings(document: Document) -> list[Line]:
    warnings = document["warnings"]
    lines = [line for text in warnings[:_MAX_WARNINGS] for line in _fact("note", text, WARN)]
    more = len(warnings) - _MAX_WARNINGS
    return lines + (_fact("note", f"and {more:,} more in must-gather.json", WARN) if more > 0 else [])
