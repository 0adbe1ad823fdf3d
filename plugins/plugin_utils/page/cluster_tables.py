# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of what the cluster told: warning events and nodes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .formats import clock, count, figure, moment, number, seconds_from, size, things, words
from .model import BAD, FAINT, GOOD, PLAIN, WARN, Cell, Section, Table, at, columns

#: Nodes with a row; the highest peaks first.
_MAX_NODES = 200
#: From this share of a limit on a peak is worth a look.
_NEAR = 0.8


def events_section(summary: Mapping[str, Any], *, start: Any) -> Section:
    """Warning events by reason, at times counted from `start` (RFC 3339)."""
    events = summary.get("events")
    if not events or events.get("source") == "none":
        cause = at(events, "cause") or "events were not watched"
        return Section(id="events", title="Events", tables=[], lead=f"No data: {cause}.", tone=FAINT)
    found = events.get("warnings") or []
    rows = [
        [
            words(one.get("reason")),
            words(one.get("kind")),
            figure(one.get("count")),
            moment(start, one.get("first")),
            moment(start, one.get("last")),
            words(
                "/".join(str(part) for part in (at(one, "example", "namespace"), at(one, "example", "name")) if part)
            ),
            words(at(one, "example", "message") or ""),
        ]
        for one in found
    ]
    table = Table(
        id="warnings",
        title="Warnings by reason",
        columns=columns("Reason", "Kind", "#Count", "#First", "#Last", "For example", "~Message"),
        rows=rows,
        note="Times are counted from the start of the run.",
    )
    total = events.get("total") or sum(one.get("count") or 0 for one in found)
    lead = (
        f"{things(total, 'warning')} of {things(len(found), 'reason')}." if found else "The cluster warned of nothing."
    )
    forks = sum(one.get("fork_failures") or 0 for one in found)
    lead += (
        f" {things(forks, 'of them tells', 'of them tell')} of processes that could not be started." if forks else ""
    )
    return Section(id="events", title="Events", tables=[table] if rows else [], lead=lead, tone=WARN if found else GOOD)


def nodes_section(summary: Mapping[str, Any], *, start: Any) -> Section:
    """What kubelets told of nodes: peaks against limits, and conditions at times counted from `start` (RFC 3339)."""
    nodes = summary.get("nodes") or {}
    found = nodes.get("nodes") or []
    conditions = _conditions(found, start)
    if nodes.get("source", "none") == "none":
        # Conditions are the API server's, which tells them also of nodes whose kubelets tell nothing.
        tables = [conditions] if conditions.rows else []
        lead = f"No data of their load: {nodes.get('cause') or 'kubelets were not asked'}."
        return Section(id="nodes", title="Nodes", tables=tables, lead=lead, tone=FAINT)
    tables = [_nodes(found), conditions]
    troubled = sum(1 for one in found if one.get("conditions"))
    told = sum(1 for one in found if one.get("samples"))
    seen = max(nodes.get("seen") or 0, len(found))
    lead = f"{told:,} of {things(len(found), 'node')} told of their load" + _of_seen(seen, len(found))
    if nodes.get("not_asked"):
        lead += f"; {nodes['not_asked']:,} more were not asked, to keep requests few"
    if troubled:
        lead += f"; {things(troubled, 'node')} under pressure or not ready for a while"
    shown = [table for table in tables if table.rows]
    return Section(id="nodes", title="Nodes", tables=shown, lead=lead + ".", tone=WARN if troubled else PLAIN)


def _of_seen(seen: int, listed: int) -> str:
    return f" (of {seen:,} seen, those nearest to their limits are listed)" if seen > listed else ""


def _nodes(found: list[Mapping[str, Any]]) -> Table:
    rows = [
        [
            words(one.get("name"), code=True),
            figure(one.get("samples")),
            _against(one.get("threads_peak"), one.get("max_threads")),
            figure(one.get("max_threads")),
            _against(one.get("pod_threads_peak"), one.get("pod_pids_limit")),
            figure(one.get("pod_pids_limit")),
            figure(one.get("pod_processes_peak")),
            figure(one.get("cpu_cores_peak"), number),
            figure(one.get("memory_bytes_peak"), size),
            figure(one.get("pods_peak")),
            words(_remark(one), tone=FAINT),
        ]
        for one in found[:_MAX_NODES]
    ]
    note = "The nodes nearest to a limit come first. Threads are what limits of the kernel and of kubelets count."
    if len(found) > _MAX_NODES:
        note += f" The first {_MAX_NODES:,} of {count(len(found))}; all are in summary.json."
    return Table(
        id="node-peaks",
        title="Peaks and limits",
        columns=columns(
            "Node",
            "#Samples",
            "#Threads, peak",
            "#Threads, limit",
            "#Threads in one pod, peak",
            "#Threads in one pod, limit",
            "#Processes in one pod, peak",
            "#CPU cores, peak",
            "#Memory, peak",
            "#Pods, peak",
            "~Remark",
        ),
        rows=rows,
        note=note,
    )


def _remark(one: Mapping[str, Any]) -> str:
    parts = ["simulated"] if one.get("simulated") else []
    parts += [str(one["cause"])] if one.get("cause") else []
    return ": ".join(parts)


def _against(peak: float | None, limit: float | None) -> Cell:
    """The cell of a peak: bad at its limit, and worth a look near it."""
    if peak is None or not limit:
        return figure(peak)
    return figure(peak, tone=BAD if peak >= limit else WARN if peak >= _NEAR * limit else PLAIN)


def _conditions(found: list[Mapping[str, Any]], start: Any) -> Table:
    rows = [
        [
            words(one.get("name"), code=True),
            words(f"{condition.get('type')} {condition.get('status')}", tone=BAD),
            words(condition.get("reason") or ""),
            moment(start, condition.get("from")),
            _end(start, condition.get("to")),
        ]
        for one in found
        for condition in one.get("conditions") or ()
    ]
    return Table(
        id="conditions",
        title="Pressure and nodes not ready",
        columns=columns("Node", "Condition", "Reason", "#From", "#To"),
        rows=rows[:_MAX_NODES],
    )


def _end(start: Any, text: Any) -> Cell:
    value = seconds_from(start, text)
    return Cell(text="the end" if value is None else clock(value), sort=value)
