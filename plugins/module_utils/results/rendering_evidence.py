# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table's short lines on what was observed: start-up, API server, service levels, nodes, warnings, trust. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..measure.validity import GOOD, NO_DATA, POOR
from ..text import text_of
from .table import BAD, FAINT, PLAIN, WARN, shortened

Fact = tuple[str, str, str]
Summary = Mapping[str, Any]

_MAX_MISSED = 2
_MAX_WARNINGS = 5
_MAX_STATEMENTS = 2
#: Part of all calls that one verb and resource must have to be named.
_SPEAKING = 0.01
#: Letters of one statement, two lines of the table.
_STATEMENT = 170


def evidence_facts(summary: Summary) -> list[Fact]:
    """(name, text, tone) of each line; what was not measured has none, but for what the trust says of it."""
    return [
        *_startup(summary["pods"]["startup"]),
        *_server(summary["api_server"]),
        *_levels(summary["slo"]),
        *_nodes(summary["nodes"]),
        *_warnings(summary["events"]),
        *_trust(summary["validity"]),
    ]


def _seconds(value: float | None) -> str:
    # Pods' times have whole seconds and the sketch is off by 1 %: more digits would be none.
    return "-" if value is None else f"{value:,.1f}".removesuffix(".0") + " s"


def _startup(startup: Mapping[str, Mapping[str, Any]]) -> list[Fact]:
    parts = []
    for group, stages in startup.items():
        row = stages.get("total") or {}
        if row.get("count"):
            parts.append(f"{group} {row['count']:,}: p50 {_seconds(row['p50_s'])}, p99 {_seconds(row['p99_s'])}")
    return [("start-up", "; ".join(parts), PLAIN)] if parts else []


def _server(server: Summary | None) -> list[Fact]:
    if not server or server["source"] == "none":
        return []
    parts = []
    # What is called a few times has no 99th percentile to speak of.
    least = sum(row["count"] for row in server["sli"]) * _SPEAKING
    rows = [row for row in server["sli"] if row.get("p99_s") is not None and row["count"] >= least]
    if rows:
        worst = max(rows, key=lambda row: row["p99_s"])
        call = " ".join(str(worst[key]) for key in ("verb", "resource", "subresource") if worst.get(key))
        parts.append(f"highest p99 {_bucket(worst)} ({call}, {worst['scope']}, {worst['count']:,} calls)")
    if server["cpu_seconds"] is not None:
        parts.append(f"CPU {server['cpu_seconds']:,.0f} s")
    if server["resident_bytes_max"] is not None:
        parts.append(f"memory {text_of(server['resident_bytes_max'], 'bytes')}")
    rejected = sum(row["rejected"] or 0 for row in server["flow_control"])
    if rejected:
        parts.append(f"{rejected:,} requests rejected")
    return [("server", "; ".join(parts), PLAIN)] if parts else []


def _bucket(row: Summary) -> str:
    """The bounds of the bucket, which is all that a histogram tells for certain."""
    low, high = row["p99_bucket_s"] or (row["p99_s"], None)
    if high is None:
        return f"more than {low:g} s"
    return f"between {low:g} and {high:g} s" if low else f"at most {high:g} s"


def _levels(levels: Sequence[Summary]) -> list[Fact]:
    if not levels:
        return []
    missed = [level for level in levels if level["met"] is False]
    met = sum(level["met"] is True for level in levels)
    open_ones = len(levels) - met - len(missed)
    text = f"service levels in this run: {met:,} met, {len(missed):,} missed"
    facts: list[Fact] = [("levels", text + (f", {open_ones:,} not decided" if open_ones else ""), PLAIN)]
    facts += [("", f"missed: {shortened(level['statement'], _STATEMENT)}", WARN) for level in missed[:_MAX_MISSED]]
    if len(missed) > _MAX_MISSED:
        facts.append(("", f"and {len(missed) - _MAX_MISSED:,} more, all in summary.json", WARN))
    return facts


def _nodes(nodes: Summary | None) -> list[Fact]:
    """The node nearest to its limit; the list is in that order."""
    rows = (nodes or {}).get("nodes") or ()
    facts: list[Fact] = []
    told = [row for row in rows if row["samples"]]
    if told:
        which = f", of {len(told):,} nodes nearest to its limit" if len(told) > 1 else ""
        facts.append(("nodes", f"{told[0]['name']}{which}: {_peaks(told[0])}", PLAIN))
    pressed = [f"{row['name']} {one['type']}" for row in rows for one in row["conditions"] or ()]
    if pressed:
        unique = list(dict.fromkeys(text.replace(" Ready", " NotReady") for text in pressed))
        facts.append(("" if facts else "nodes", shortened(f"pressure: {', '.join(unique)}", _STATEMENT), WARN))
    return facts


def _peaks(row: Summary) -> str:
    parts = []
    if row["threads_peak"] is not None:
        limit = f" of {row['max_threads']:,}" if row["max_threads"] else ""
        parts.append(f"{row['threads_peak']:,}{limit} threads")
    pod = row["pod_threads_peak"] or row["pod_processes_peak"]
    if pod is not None:
        limit = f" of {row['pod_pids_limit']:,}" if row["pod_pids_limit"] else ""
        parts.append(f"{pod:,}{limit} in its largest pod")
    if row["cpu_cores_peak"] is not None:
        parts.append(f"{row['cpu_cores_peak']:,.1f} cores")
    return ", ".join(parts)


def _warnings(events: Summary | None) -> list[Fact]:
    rows = (events or {}).get("warnings") or ()
    if not rows:
        return []
    parts = [f"{row['reason']} {row['count']:,} ({row['kind']})" for row in rows[:_MAX_WARNINGS]]
    if len(rows) > _MAX_WARNINGS:
        parts.append(f"{len(rows) - _MAX_WARNINGS:,} reasons more")
    return [("warnings", ", ".join(parts), WARN)]


def _trust(validity: Summary) -> list[Fact]:
    """What limits the trust in the figures, and what nobody measured; the worst first."""
    doubts = [one for one in validity["statements"] if one["state"] not in (GOOD, NO_DATA)]
    doubts.sort(key=lambda one: one["state"] != POOR)
    tone = {GOOD: PLAIN, POOR: BAD}.get(validity["trust"], WARN)
    text = str(validity["trust"])
    missing = [one["about"] for one in validity["statements"] if one["state"] == NO_DATA]
    if missing:
        text += f" (no data: {', '.join(missing)})"
    facts: list[Fact] = [("trust", text, tone)]
    facts += [("", shortened(one["text"], _STATEMENT), FAINT) for one in doubts[:_MAX_STATEMENTS]]
    if len(doubts) > _MAX_STATEMENTS:
        facts.append(("", f"and {len(doubts) - _MAX_STATEMENTS} more, all in summary.json", FAINT))
    return facts
