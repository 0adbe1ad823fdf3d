# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of what was observed in the cluster: Warning events and nodes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .formats import clock, count, figure, moment, number, seconds_from, size, things, words
from .model import BAD, FAINT, GOOD, PLAIN, WARN, Cell, Section, Table, at, columns

#: Rows of nodes, the highest peaks first.
_MAX_NODES = 200
#: Share of a limit from which a peak is marked as a warning.
_NEAR_LIMIT = 0.8


def events_section(summary: Mapping[str, Any], *, start: Any) -> Section:
    """Warning events by reason, with times relative to `start` (RFC 3339)."""
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
        columns=columns("Reason", "Kind", "#Count", "#First", "#Last", "Example", "~Message"),
        rows=rows,
        note="Times count from the start of the run.",
    )
    total = events.get("total") or sum(one.get("count") or 0 for one in found)
    lead = f"{things(total, 'warning')} with {things(len(found), 'reason')}." if found else "No warnings."
    forks = sum(one.get("fork_failures") or 0 for one in found)
    lead += f" {things(forks, 'of them is', 'of them are')} about processes that could not be started." if forks else ""
    return Section(id="events", title="Events", tables=[table] if rows else [], lead=lead, tone=WARN if found else GOOD)


def nodes_section(summary: Mapping[str, Any], *, start: Any) -> Section:
    """Peaks and limits of nodes as kubelets report them; conditions with times relative to `start` (RFC 3339)."""
    nodes = summary.get("nodes") or {}
    found = nodes.get("nodes") or []
    conditions = _conditions(found, start)
    if nodes.get("source", "none") == "none":
        # Conditions come from the API server, so they are known even if no kubelet answers.
        tables = [conditions] if conditions.rows else []
        lead = f"No data on their load: {nodes.get('cause') or 'kubelets were not read'}."
        return Section(id="nodes", title="Nodes", tables=tables, lead=lead, tone=FAINT)
    tables = [_nodes(found), conditions]
    troubled = sum(1 for one in found if one.get("conditions"))
    measured = sum(1 for one in found if one.get("samples"))
    seen = max(nodes.get("seen") or 0, len(found))
    lead = f"{measured:,} of {things(len(found), 'node')} with data on load" + _of_seen(seen, len(found))
    if nodes.get("not_asked"):
        lead += f"; {nodes['not_asked']:,} more were not read, to limit the number of requests"
    if troubled:
        lead += f"; {things(troubled, 'node')} under pressure or not ready for a while"
    shown = [table for table in tables if table.rows]
    return Section(id="nodes", title="Nodes", tables=shown, lead=lead + ".", tone=WARN if troubled else PLAIN)


def _of_seen(seen: int, listed: int) -> str:
    return f" (of {seen:,} nodes, those closest to their limits are listed)" if seen > listed else ""


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
    note = "Nodes closest to a limit come first. The limits of the kernel and of kubelets count threads."
    if len(found) > _MAX_NODES:
        note += f" First {_MAX_NODES:,} of {count(len(found))}."
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
    """The cell of a peak: bad at its limit, a warning near it."""
    if peak is None or not limit:
        return figure(peak)
    return figure(peak, tone=BAD if peak >= limit else WARN if peak >= _NEAR_LIMIT * limit else PLAIN)


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
        title="Pressure and not ready",
        columns=columns("Node", "Condition", "Reason", "#From", "#To"),
        rows=rows[:_MAX_NODES],
    )


def _end(start: Any, text: Any) -> Cell:
    value = seconds_from(start, text)
    return Cell(text="the end" if value is None else clock(value), sort=value)
