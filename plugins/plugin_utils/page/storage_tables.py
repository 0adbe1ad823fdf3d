# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of storage.html: findings, claims, the storage box, totals, and what was read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .formats import figure, number, percent, seconds, size, words
from .model import BAD, FAINT, GOOD, NO_DATA, PLAIN, WARN, Cell, Section, Table, columns

Document = Mapping[str, Any]
#: Tones of a level.
LEVELS = {"ok": PLAIN, "warning": WARN, "critical": BAD}
_STATES = {"orphan": WARN, "unknown": FAINT}
_CONFIRMED = {True: "yes", False: "no", None: ""}
_DAY = 86_400
_TOTALS = (
    ("by_namespace", "namespace", "By namespace", "Namespace"),
    ("by_class", "storage_class", "By class", "StorageClass"),
    ("by_driver", "driver", "By driver", "Driver"),
)


def sections_of(document: Document) -> list[Section]:
    """All sections with tables, in the order in which readers need them."""
    sections = [_findings(document), _claims(document)]
    if document["box"]:
        sections.append(_box(document["box"]))
    return [*sections, _totals(document), _scan(document)]


def _findings(document: Document) -> Section:
    table = Table(
        id="findings-table",
        title="All findings",
        columns=columns("Name", "Kind", "State", "#Size", "#Age", "~Evidence", "Reason", "Confirmed", "Namespace"),
        rows=[
            [
                Cell(text=_full_name(one), code=True),
                Cell(text=one["kind"]),
                Cell(text=one["state"], tone=_STATES.get(one["state"], PLAIN)),
                figure(one["bytes"], size),
                figure(one["age_seconds"], age),
                Cell(text="; ".join(one["evidence"])),
                Cell(text=one["reason"]),
                Cell(text=_CONFIRMED[one["confirmed"]]),
                Cell(text=one["namespace"] or ""),
            ]
            for one in document["findings"]
        ],
        empty="No findings: all that was read is in use or kept on purpose.",
        shown=25,
        choices=("Kind", "State", "Reason", "Namespace"),
    )
    lead = "Orphans first, then what is unknown because something was not read, then what is kept for a reason."
    return Section(id="findings", title="Findings", tables=[table], lead=lead if document["findings"] else "")


def _full_name(one: Document) -> str:
    return f"{one['namespace']}/{one['name']}" if one["namespace"] else str(one["name"])


def age(value: float | None) -> str:
    """An age: "40 d", "5 h", "12 min"."""
    if value is None:
        return NO_DATA
    if value >= 2 * _DAY:
        return f"{value / _DAY:,.0f} d"
    return f"{value / 3600:.0f} h" if value >= 7200 else f"{max(0.0, value) / 60:.0f} min"


def _claims(document: Document) -> Section:
    table = Table(
        id="claims-table",
        title="Every claim",
        columns=columns(
            "Name",
            "#Used %",
            "#Used",
            "#Left",
            "#Capacity",
            "Level",
            "StorageClass",
            "~Why there is no figure",
            "Source",
            "Shared",
            "#Inodes used",
            "Node",
            "Driver",
            "Measured (UTC)",
            "Namespace",
        ),
        rows=[_claim(row) for row in document["usage"]],
        note="Figures of kubelets are of volumes that a pod has mounted, those of zfs of what a dataset uses itself. "
        "Where several claims share a filesystem, each row has the figures of all of it.",
        empty="No claim's use was asked for.",
        choices=("Namespace", "StorageClass", "Level", "Driver"),
    )
    return Section(id="claims", title="Claims", tables=[table])


def _claim(row: Document) -> list[Cell]:
    used, total = row["inodes_used"], row["inodes"]
    measured = str(row["time"])[:19].replace("T", "\u00a0") if row["time"] else ""
    return [
        Cell(text=_full_name(row), code=True),
        figure(row["used_percent"], lambda value: NO_DATA if value is None else f"{value:.1f} %"),
        figure(row["used_bytes"], size),
        figure(row["available_bytes"], size),
        figure(row["capacity_bytes"], size),
        # Of what is not known, the document says ok.
        Cell(text="" if row["used_percent"] is None else row["level"], tone=LEVELS[row["level"]]),
        Cell(text=row["storage_class"] or ""),
        Cell(text=row["cause"] or ""),
        Cell(text=row["source"]),
        Cell(text="yes" if row["shared"] else ""),
        # Some filesystems have no fixed number of inodes, and tell 0.
        figure(used / total if used is not None and total else None, percent),
        Cell(text=row["node"] or ""),
        Cell(text=row["driver"] or ""),
        Cell(text=measured),
        Cell(text=row["namespace"]),
    ]


def _box(box: Document) -> Section:
    pools = Table(
        id="pools-table",
        title="Pools",
        columns=columns("Pool", "Status", "Level", "#Used %", "#Allocated", "#Free", "#Size", "#Promised"),
        rows=[
            [
                words(pool["name"], code=True),
                words(pool["status"], tone=BAD if pool["healthy"] is False else PLAIN),
                words(pool["level"], tone=LEVELS[pool["level"]]),
                figure(pool["used_percent"], lambda value: NO_DATA if value is None else f"{value:.1f} %"),
                figure(pool["allocated_bytes"], size),
                figure(pool["free_bytes"], size),
                figure(pool["size_bytes"], size),
                figure(pool["overcommit_ratio"], lambda value: NO_DATA if value is None else f"{value:.2f} ×"),
            ]
            for pool in box["pools"]
        ],
        note="Promised is what volumes may hold in all, by the size of the pool.",
        empty="No pool was read.",
    )
    facts = [
        ("Address", words(box["url"], code=True)),
        ("Version", words(box["version"])),
        ("Read by", words(box["transport"])),
        ("Volumes", figure(box["volumes"])),
        ("Snapshots", figure(box["snapshots"])),
        ("Matched with objects of a cluster", figure(box["matched"])),
    ]
    table = Table(
        id="box-table",
        title="The storage box",
        columns=columns("What", "Value"),
        rows=[[words(name), value] for name, value in facts],
    )
    return Section(
        id="box",
        title="Storage box",
        tables=[pools, table],
        lead="" if box["complete"] else f"Not all of it was read: {box['cause'] or NO_DATA}",
        tone=PLAIN if box["complete"] else BAD,
    )


def _totals(document: Document) -> Section:
    tables = [
        Table(
            id=f"total-{key.replace('_', '-')}",
            title=title,
            columns=columns(head, "#Claims", "#Capacity", "#Used", "#Orphans", "#Orphaned"),
            rows=[
                [
                    Cell(text="none", tone=FAINT) if row[key] is None else words(row[key]),
                    figure(row["claims"]),
                    figure(row["capacity_bytes"], size),
                    figure(row["used_bytes"], size),
                    figure(row["orphans"], tone=WARN if row["orphans"] else PLAIN),
                    figure(row["orphan_bytes"], size),
                ]
                for row in document["totals"][name]
            ],
            empty="There is none.",
            choices=() if len(document["totals"][name]) <= _FEW else (head,),
        )
        for name, key, title, head in _TOTALS
    ]
    return Section(id="totals", title="Totals", tables=tables)


#: Rows that nobody needs a filter for.
_FEW = 20


def _scan(document: Document) -> Section:
    parts = Table(
        id="parts-table",
        title="What was read",
        columns=columns("Part", "Complete", "#Objects", "#Took", "~Why not"),
        rows=[
            [
                words(name),
                words("yes" if part["complete"] else "no", tone=GOOD if part["complete"] else BAD),
                figure(part["objects"]),
                figure(part["seconds"], seconds),
                words(part["cause"] or ""),
            ]
            for name, part in document["parts"].items()
        ],
        empty="Nothing was read.",
    )
    states = Table(
        id="states-table",
        title="Objects by kind and state",
        columns=columns("Kind", "State", "#Objects"),
        rows=[
            [words(kind), words(state, tone=_STATES.get(state, PLAIN)), figure(found)]
            for kind, counts in document["summary"]["states"].items()
            for state, found in counts.items()
        ],
        empty="No object was judged.",
        shown=30,
    )
    options = Table(
        id="options-table",
        title="What was asked for",
        columns=columns("Option", "Value"),
        rows=[[words(name, code=True), words(_value(value))] for name, value in document["options"].items()],
        shown=40,
        folded=True,
        empty="The defaults.",
    )
    return Section(id="scan", title="The scan", tables=[parts, states, options])


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return number(value)
    if isinstance(value, list):
        return ", ".join(_value(one) for one in value) or "all"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, Mapping) else str(value or "")
