# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of a gather's page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .formats import count, counted, figure, length, number, words
from .model import BAD, FAINT, GOOD, NO_DATA, PLAIN, WARN, Cell, Section, Table, columns

#: Files on the page; must-gather.json has all.
_MAX_FILES = 500

Document = Mapping[str, Any]


def sections_of(gather: Document) -> list[Section]:
    """The sections below the plots."""
    sections = [_operations(gather), _builds(gather), _reference(gather)]
    if gather["comparison"]:
        sections.append(_comparison(gather["comparison"]))
    return [*sections, _reading(gather)]


def _percent(value: float | None) -> Cell:
    return figure(value, lambda one: NO_DATA if one is None else f"{one:+,.1f} %")


def _exact(value: float | None) -> str:
    return NO_DATA if value is None else f"{value:,}"


def _operations(gather: Document) -> Section:
    rises = {(source, row["hour"]): row for source, found in gather["growth"].items() for row in found}
    rows = []
    for hour in gather["hours"]:
        for source, counts in hour["sources"].items():
            rise = rises[source, hour["start"]]
            rows.append(
                [
                    words(hour["start"][:16].replace("T", " ")),
                    words(source),
                    figure(counts["add"]),
                    figure(counts["del"]),
                    figure(counts["add"] + counts["del"]),
                    figure(counts["failed"], tone=BAD if counts["failed"] else PLAIN),
                    _percent(rise["on_previous_percent"]),
                    _percent(rise["on_first_percent"]),
                ]
            )
    table = Table(
        id="hours",
        title="By hour of the clock",
        columns=columns(
            "Hour (UTC)", "Source", "#ADD", "#DEL", "#Both", "#Failed", "#On the hour before", "#On the first"
        ),
        rows=rows,
        note=gather["rule"],
        empty="No data: no operation of a network plug-in was found.",
        shown=48,
    )
    errors = [
        [
            words(hour["start"][:16].replace("T", " ")),
            words(kind, tone=BAD),
            figure(times),
            words(_by_source(hour, kind)),
        ]
        for hour in gather["hours"]
        for kind, times in hour["errors"].items()
    ]
    tables = [table]
    if errors:
        tables.append(
            Table(
                id="errors",
                title="Errors by hour",
                columns=columns("Hour (UTC)", "Kind", "#Errors", "By source"),
                rows=errors,
                note="Of an error that several sources tell, the source with most of them counts.",
            )
        )
    return Section(id="operations", title="Operations", tables=tables)


def _by_source(hour: Document, kind: str) -> str:
    return counted(hour["errors_by_source"][kind])


def _builds(gather: Document) -> Section:
    builds = gather["builds"]
    if not builds["created"]:
        return Section(id="builds", title="Builds", tables=[], lead="No builds were found.", tone=FAINT)
    spaces = Table(
        id="build-namespaces",
        title="By namespace",
        columns=columns("Namespace", "#Created", "#Started", "#Finished", "#Failed"),
        rows=[
            [
                words(name),
                *(figure(one[key]) for key in ("created", "started", "finished")),
                figure(one["failed"], tone=BAD if one["failed"] else PLAIN),
            ]
            for name, one in builds["by_namespace"].items()
        ],
    )
    listed = Table(
        id="build-list",
        title="Timeline",
        columns=columns("Build", "Namespace", "Created", "Started", "Finished", "Failed because of"),
        rows=[
            [
                words(one["name"], code=True),
                words(one["namespace"]),
                *(words(one[key]) for key in ("created", "started", "finished")),
                words(one["cause"] or "", tone=BAD if one["failed"] else PLAIN),
            ]
            for one in builds["timeline"]
        ],
        folded=True,
    )
    lead = (
        f"{count(builds['created'])} builds, {count(builds['peak_at_once'])} at once, {count(builds['failed'])} failed."
    )
    for name, text in (("intervals_s", "Starts in a namespace lie"), ("lengths_s", "A build takes")):
        spread = builds[name]
        if spread:
            apart = " apart" if name == "intervals_s" else ""
            lead += (
                f" {text} {length(spread['min'])} to {length(spread['max'])}{apart}, median {length(spread['median'])}."
            )
    tone = WARN if builds["failed"] else GOOD
    return Section(id="builds", title="Builds", tables=[spaces, listed], lead=lead, tone=tone)


def _reference(gather: Document) -> Section:
    table = Table(
        id="reference-table",
        title="Figures",
        columns=columns("What", "#The outage", "#Here", "Verdict"),
        rows=[
            [words(row["what"]), words(row["reference"]), figure(row["here"], _exact), words(row["verdict"] or "")]
            for row in gather["reference"]
        ],
    )
    return Section(id="reference", title="Beside the outage of record", tables=[table])


def _comparison(comparison: Document) -> Section:
    first = comparison["first_failure"]
    table = Table(
        id="comparison-table",
        title="Figures",
        columns=columns("What", "#Here", "#There", "#Difference"),
        rows=[
            [
                words(row["what"]),
                figure(row["here"], number),
                figure(row["there"], number),
                _percent(row["difference_percent"]),
            ]
            for row in comparison["rows"]
        ],
    )
    when = f"its first failure: {first['time']}, {first['kind']}" if first else "no failure was found there"
    lead = f"The other gather is {comparison['path']}; {when}."
    return Section(id="comparison", title="Beside the other gather", tables=[table], lead=lead)


def _reading(gather: Document) -> Section:
    read, unread = gather["read"], gather["unread"]
    names = sorted({*read, *unread}, key=lambda name: (-read.get(name, 0), -unread.get(name, 0), name))
    files = Table(
        id="files",
        title="Lines by file",
        columns=columns("File", "#Read by a rule", "#Read by none"),
        rows=[
            [words(name, code=True), figure(read.get(name, 0)), figure(unread.get(name, 0))]
            for name in names[:_MAX_FILES]
        ],
        note=f"First {_MAX_FILES:,} of {len(names):,}." if len(names) > _MAX_FILES else "",
        folded=True,
    )
    notes = Table(
        id="notes",
        title="Notes",
        columns=columns("~What was assumed, and what was not read"),
        rows=[[words(text)] for text in gather["warnings"]],
        empty="None.",
    )
    lead = f"{count(sum(read.values()))} lines were read by a rule, {count(sum(unread.values()))} by none."
    return Section(id="reading", title="What was read", tables=[notes, files], lead=lead)
