# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of a capacity search's page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .formats import count, counted, figure, length, milliseconds, number, seconds, words
from .model import BAD, FAINT, GOOD, NO_DATA, PLAIN, WARN, Cell, Column, Section, Table, columns

Document = Mapping[str, Any]
TONES = {"safe": GOOD, "broke": BAD, "refused": WARN, "unknown": BAD}


def steps_table(document: Document) -> Table:
    """One row for each step that was begun."""
    rows = []
    for step in document["steps"]:
        found = step["figures"]
        rows.append(
            [
                Cell(text=step["label"], sort=step["position"]),
                words(step["verdict"] or "not finished", tone=TONES.get(step["verdict"], FAINT)),
                figure(len(step["runs"])) if document["asked"]["runs"] > 1 else words(""),
                figure(found.get("pods_at_once")),
                figure(found.get("pods_failed"), tone=BAD if found.get("pods_failed") else PLAIN),
                figure(found.get("fork_failures"), tone=BAD if found.get("fork_failures") else PLAIN),
                figure(found.get("startup_p99_s"), seconds),
                figure(found.get("api_p99_ms"), milliseconds),
                _threads(found),
                figure(found.get("length_s"), length),
                words(_first(step["reasons"])),
            ]
        )
    return Table(
        id="steps-table",
        title="Steps",
        columns=columns(
            "#Value", "Verdict", "#Runs", "#Pods at once", "#Failed pods", "#Failed forks",
            "#Start-up p99", "#API p99", "#Threads", "#Length", "~Why",
        ),
        rows=rows,
        empty="No step was begun.",
    )  # fmt: skip


def _first(reasons: Sequence[str]) -> str:
    """The reason nearest to the cause; all of them are with the runs."""
    more = f"; and {len(reasons) - 1} more, below" if len(reasons) > 1 else ""
    return reasons[0] + more if reasons else ""


def _threads(found: Mapping[str, Any]) -> Cell:
    peak, limit, share = (found.get(f"threads_{name}") for name in ("peak", "limit", "percent"))
    if peak is None:
        return figure(None)
    return Cell(text=count(peak) if limit is None else f"{count(peak)} of {count(limit)}", sort=share or peak)


def sections_of(document: Document) -> list[Section]:
    """The sections below the curves."""
    return [_health(document), _runs(document), _asked(document)]


def _health(document: Document) -> Section:
    """The criteria down, the runs across."""
    by_place = sorted(document["runs"], key=lambda record: (record["position"], record["number"]))
    measured = [record for record in by_place if record["criteria"]]
    names = list(dict.fromkeys(row["name"] for record in measured for row in record["criteria"]))
    rows = []
    for name in names:
        found = [next(row for row in record["criteria"] if row["name"] == name) for record in measured]
        limits = {_shown(row["limit"], row["unit"]) for row in found}
        rows.append([words(name), words(", ".join(sorted(limits))), *(_criterion(row) for row in found)])
    heads = [Column(name="Criterion"), Column(name="Allowed")]
    heads += [Column(name=_run_head(record), number=True) for record in measured]
    table = Table(
        id="health-table",
        title="By criterion and run",
        columns=heads,
        rows=rows,
        note="A figure that no run measured breaks no criterion, and is shown as \u201cno data\u201d.",
        empty="No run was measured.",
        shown=30,
    )
    return Section(id="health", title="Health", tables=[table])


def _run_head(record: Mapping[str, Any]) -> str:
    return str(record["label"]) + (f" (run {record['number']})" if record["number"] > 1 else "")


def _shown(value: Any, unit: str) -> str:
    if value is None:
        return "not judged"
    text = value if isinstance(value, str) else number(value)
    return f"{text} {unit}".strip()


def _criterion(row: Mapping[str, Any]) -> Cell:
    if row["figure"] is None:
        return Cell(text=NO_DATA, tone=FAINT)
    tone = FAINT if row["met"] is None else GOOD if row["met"] else BAD
    sort = None if isinstance(row["figure"], str) else row["figure"]
    return Cell(text=_shown(row["figure"], row["unit"]), sort=sort, tone=tone)


def _runs(document: Document) -> Section:
    rows = []
    for record in document["runs"]:
        found = record["figures"] or {}
        report = f"../{record['run_id']}/report.html" if record["attempt"] else ""
        rows.append(
            [
                Cell(text=record["run_id"], code=True, link=report),
                Cell(text=record["label"], sort=record["position"]),
                words(record["verdict"] or "not finished", tone=TONES.get(record["verdict"], FAINT)),
                words(record["run_verdict"]),
                words(str(record["started"])[:19].replace("T", "\u00a0") if record["started"] else None),
                figure(found.get("length_s"), length),
                words(counted(found.get("failed_by_cause"))),
                words("; ".join(record["reasons"])),
            ]
        )
    table = Table(
        id="runs-table",
        title="In their order",
        columns=columns("Run", "#Value", "Verdict", "The run", "Started (UTC)", "#Length", "Failed pods", "~Reasons"),
        rows=rows,
        note="Each run has a report of its own, beside the folder of this page.",
        empty="No run was begun.",
    )
    return Section(id="runs", title="Runs", tables=[table])


def _asked(document: Document) -> Section:
    asked = document["asked"]
    steps = ", ".join(_text(value) for value in asked["steps"])
    rows = [
        ("Variables", ", ".join(document["knob"])),
        ("Steps", steps),
        ("Runs of a step", count(asked["runs"])),
        ("Bisection", "yes" if asked["bisect"] else "no"),
        ("After a step that broke", "go on" if asked["keep_going"] else "stop"),
        ("Settling after a run", length(asked["settle_seconds"])),
        *((name, _text(value)) for name, value in document["limits"].items()),
    ]
    table = Table(
        id="asked-table",
        title="What was asked for",
        columns=columns("What", "Value"),
        rows=[[words(name), words(value)] for name, value in rows],
        note="A limit of −1 is not judged.",
        shown=30,
    )
    return Section(id="asked", title="Settings", tables=[table])


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={one}" for name, one in value.items()) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return number(value) if isinstance(value, int | float) else str(value)
