# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of the run, the cluster and the settings, and of how far the figures can be trusted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .formats import date, figure, length, moment, number, seconds_from, size, words
from .model import BAD, FAINT, GOOD, NO_DATA, PLAIN, WARN, Cell, Section, Table, at, columns

_STATES = {"good": GOOD, "limited": WARN, "poor": BAD}
_YES = {"True": "yes", "False": "no"}
_TRUST = {
    "good": "The figures can be trusted.",
    "limited": "The figures can be trusted within limits.",
    "poor": "The figures are poor evidence.",
}
_VERDICTS = {"ok": GOOD, "over": BAD, "warning": WARN, "no data": FAINT}


def run_section(summary: Mapping[str, Any], run: Mapping[str, Any]) -> Section:
    """The run, the cluster, the preflight's figures and all settings."""
    return Section(
        id="configuration",
        title="Configuration",
        tables=[_run(summary, run), _cluster(run), _phases(summary), _preflight(run), _settings(run)],
    )


def _run(summary: Mapping[str, Any], run: Mapping[str, Any]) -> Table:
    versions = run.get("versions") or {}
    rows = [
        ("Run", words(summary.get("run_id"), code=True)),
        ("Attempt", figure(summary.get("attempt"))),
        ("Profile", words(summary.get("profile") or "none")),
        ("Started", words(date(summary.get("started")))),
        ("Finished", words(date(summary.get("finished")))),
        ("Length", words(length(seconds_from(summary.get("started"), summary.get("finished"))))),
        ("Hash of the settings", words(summary.get("settings_hash"), code=True)),
        *((f"Version of {name}", words(text)) for name, text in versions.items()),
    ]
    return _facts("run", "The run", rows)


def _cluster(run: Mapping[str, Any]) -> Table:
    cluster = run.get("cluster") or {}
    nodes = cluster.get("nodes") or {}
    rows = [
        ("Kubernetes", words(cluster.get("version"))),
        ("Platform", words(cluster.get("platform"))),
        ("OpenShift", words(_YES.get(str(cluster.get("openshift"))))),
        ("Nodes", figure(nodes.get("total"))),
        ("Nodes ready", figure(nodes.get("ready"))),
        ("Cores for pods", figure(nodes.get("allocatable_cores"), number)),
        ("Memory for pods", figure(nodes.get("allocatable_memory_bytes"), size)),
        ("Pod slots", figure(nodes.get("allocatable_pods"))),
        ("Namespaces before the run", figure(cluster.get("namespaces"))),
        ("Pods before the run", figure(cluster.get("pods_running"))),
    ]
    rows += [(f"Nodes of kind {index}", words(_kind(kind))) for index, kind in enumerate(nodes.get("kinds") or (), 1)]
    if not cluster:
        return _facts("cluster", "The cluster", [], empty="No data: the run ended before the cluster was read.")
    return _facts("cluster", "The cluster", rows)


def _kind(kind: Mapping[str, Any]) -> str:
    parts = [f"{kind.get('count')} with {kind.get('cores')} cores, {kind.get('pods')} pods"]
    parts += [str(kind[key]) for key in ("kubeletVersion", "osImage", "kernelVersion", "architecture") if kind.get(key)]
    return ", ".join(parts + (["simulated"] if kind.get("simulated") else []))


def _facts(identity: str, title: str, rows: list[tuple[str, Cell]], empty: str = "") -> Table:
    cells = [[words(name), cell] for name, cell in rows]
    return Table(id=identity, title=title, columns=columns("What", "Value"), rows=cells, empty=empty)


def _phases(summary: Mapping[str, Any]) -> Table:
    rows = [
        [words(one.get("role"), code=True), figure(one.get("seconds"), length)] for one in summary.get("phases") or ()
    ]
    whole = seconds_from(summary.get("started"), summary.get("finished"))
    if rows:
        rows.append([words("the whole run"), figure(whole, length)])
    return Table(
        id="phases",
        title="Times of sending",
        columns=columns("Role", "#First request to last response"),
        rows=rows,
        note="How long a role sent, not how long its objects worked: Jobs go on after it. Roles overlap.",
        empty="No data: no batch left measurements.",
    )


def _preflight(run: Mapping[str, Any]) -> Table:
    rows = [
        [
            words(one.get("name")),
            words(one.get("needed_text")),
            words(one.get("offered_text")),
            words(one.get("verdict"), tone=_VERDICTS.get(str(one.get("verdict")), PLAIN)),
            words("; ".join(str(one[key]) for key in ("note", "cure") if one.get(key))),
        ]
        for one in at(run, "preflight", "rows") or ()
    ]
    return Table(
        id="preflight",
        title="Preflight: needed and offered",
        columns=columns("What", "#Needed", "#Offered", "Verdict", "~Remark"),
        rows=rows,
        empty="No data: the run ended before the preflight.",
        folded=True,
    )


def _settings(run: Mapping[str, Any]) -> Table:
    rows = [
        [words(name, code=True), words(_value(value), code=True)] for name, value in (run.get("settings") or {}).items()
    ]
    return Table(
        id="settings",
        title="Settings",
        columns=columns("Setting", "Value"),
        rows=rows,
        empty="No data: the run ended before its settings were written.",
        folded=True,
    )


def _value(value: Any) -> str:
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)


def validity_section(summary: Mapping[str, Any]) -> Section:
    """How far the figures can be trusted, and why."""
    validity = summary.get("validity")
    if not validity:
        lead = "No data: the validity of the figures was not checked."
        return Section(id="validity", title="Validity", tables=[], lead=lead, tone=FAINT)
    rows = [
        [
            words(one.get("about")),
            words(one.get("state") or NO_DATA, tone=_STATES.get(str(one.get("state")), FAINT)),
            words(one.get("text")),
        ]
        for one in validity.get("statements") or ()
    ]
    table = Table(
        id="validity-table",
        title="Checks",
        columns=columns("About", "State", "~Details"),
        rows=rows,
        empty="Nothing was checked.",
    )
    tables = [table, _absences(summary)] if summary.get("outages") or summary.get("controllers") else [table]
    tables += [_guard(summary)] if summary.get("guard") else []
    trust = str(validity.get("trust"))
    lead, tone = _TRUST.get(trust, f"Trust: {trust}."), _STATES.get(trust, FAINT)
    return Section(id="validity", title="Validity", tables=tables, lead=lead, tone=tone)


def _guard(summary: Mapping[str, Any]) -> Table:
    """What the guard looked for: the highest figures, and the thresholds that they reached."""
    guard, started = summary["guard"], summary.get("started")
    sources = guard.get("sources") or {}
    rows = [
        [
            words(row.get("what")),
            words(_amount(row.get("peak"), row), tone=_tone(row, guard)),
            words("never" if row.get("threshold") is None else _amount(row["threshold"], row)),
            moment(started, row.get("crossed")) if row.get("crossed") else words("no"),
            words(row.get("cause") or (sources.get(row.get("source")) if row.get("peak") is None else "") or ""),
        ]
        for row in guard.get("signs") or ()
    ]
    act = "stops the run" if guard.get("action") == "stop" else "is only told"
    return Table(
        id="guard",
        title="Guard",
        columns=columns("Sign of ill health", "#Highest", "#Threshold", "Reached", "~What was seen"),
        rows=rows,
        note=f"Counted over {number(guard.get('window_seconds') or 0)} s. A threshold that is reached {act}.",
        empty="Nothing was looked for.",
    )


def _amount(value: float | None, row: Mapping[str, Any]) -> str:
    unit = row.get("unit")
    return NO_DATA if value is None else f"{number(value)} {unit}" if unit else number(value)


def _tone(row: Mapping[str, Any], guard: Mapping[str, Any]) -> str:
    if row.get("peak") is None:
        return FAINT
    return (BAD if guard.get("action") == "stop" else WARN) if row.get("crossed") else PLAIN


def _absences(summary: Mapping[str, Any]) -> Table:
    """When the API server could not be reached, and controllers did not renew their leases."""
    started = summary.get("started")
    outages = [{**row, "who": "API server"} for row in at(summary, "outages", "list") or ()]
    silences = [
        {**row, "who": row.get("controller"), "message": "did not renew its lease"}
        for row in at(summary, "controllers", "silences") or ()
    ]
    rows = [
        [
            words(row.get("who")),
            moment(started, row.get("began")),
            figure(row.get("seconds"), length, tone=WARN),
            words("yes" if row.get("over") else "no", tone=PLAIN if row.get("over") else BAD),
            words(row.get("message")),
        ]
        for row in sorted([*outages, *silences], key=lambda row: str(row.get("began")))
    ]
    return Table(
        id="outages",
        title="Outages",
        columns=columns("Who", "Began", "#Lasted", "Came back", "~What was seen"),
        rows=rows,
        note="While the API server could not be reached, the run waited, and nothing counted as late.",
        empty="None: the API server could be reached all the time, and no controller was seen to be silent.",
    )
