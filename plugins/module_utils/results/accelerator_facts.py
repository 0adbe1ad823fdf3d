# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of the end-of-run table on accelerator jobs. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..measure.accelerator_jobs import OWN_TIMES
from ..text import clock_time, value_text
from .table import BAD, PLAIN, WARN

Row = Mapping[str, Any]
#: How many of each are shown; all of them are in summary.json.
_MOST_WAITS, _MOST_CAUSES, _MOST_POOLS = 4, 3, 6
_WORDS = {"reserved": "quota reserved", "admitted": "admitted", "scheduled": "all pods on nodes"}


def accelerator_facts(jobs: Row | None) -> list[tuple[str, str, str]]:
    """(name, text, tone) of each line."""
    if not jobs:
        return []
    return [
        *_named("waits", _waits(jobs), _MOST_WAITS),
        *_named("pending", _causes(jobs), _MOST_CAUSES),
        *_named("pools", _pools(jobs), 2),
        *_named("restarts", _restarts(jobs), 2),
    ]


def _named(name: str, lines: Iterator[tuple[str, str]], most: int) -> Iterator[tuple[str, str, str]]:
    """The first lines, of which only the first has the name."""
    for number, (text, tone) in enumerate(lines):
        if number == most:
            yield "", "more of them are in summary.json", PLAIN
            return
        yield "" if number else name, text, tone


def _waits(jobs: Row) -> Iterator[tuple[str, str]]:
    for wait in jobs["waits"]:
        parts = [
            f"{_WORDS[stage]} p50 {value_text(row['p50_s'], 's')}, p99 {value_text(row['p99_s'], 's')} "
            f"({row['count']:,})"
            for stage, row in wait["stages"].items()
            if row.get("count") and stage not in OWN_TIMES
        ]
        if wait["first_admitted"]:
            first, last = clock_time(wait["first_admitted"]), clock_time(wait["last_admitted"])
            parts.append(f"first admitted at {first}, last at {last}")
        if wait["waiting"]:
            longest = wait["waiting_longest_s"]
            since = "" if longest is None else f", the longest for {value_text(longest, 's')}"
            parts.append(f"{wait['waiting']:,} still waiting{since}")
        parts += [f"{number:,} evicted ({reason})" for reason, number in wait["evicted"].items()]
        names = [wait["role"], *(f"{name} {wait[name]}" for name in ("queue", "priority") if wait[name])]
        if parts:
            yield f"{', '.join(names)}: {'; '.join(parts)}", WARN if wait["waiting"] else PLAIN


def _causes(jobs: Row) -> Iterator[tuple[str, str]]:
    """What still holds at the end. What is over is only on the page and in summary.json."""
    for row in jobs["unschedulable"]:
        if row["pending"]:
            thing = "pod" if row["by"] == "scheduler" else "job"
            number = f"{row['pending']:,} {thing}{'' if row['pending'] == 1 else 's'}"
            longest = "" if row["longest_s"] is None else f", the longest for {value_text(row['longest_s'], 's')}"
            yield f"{number} of {row['role']}: {row['cause']}{longest}", BAD


def _pools(jobs: Row) -> Iterator[tuple[str, str]]:
    unknown = "(pool not known)" if jobs["pools_cause"] else "(no pool)"
    used = [row for row in jobs["pools"] if row["pods"]]
    empty = [row["pool"] for row in jobs["pools"] if row["pool"] and not row["pods"]]
    parts = [
        f"{row['pool'] or unknown} {row['pods']:,} {'pod' if row['pods'] == 1 else 'pods'}, "
        f"{row['slices']:,} {'slice' if row['slices'] == 1 else 'slices'}"
        for row in used[:_MOST_POOLS]
    ]
    if len(used) > _MOST_POOLS:
        parts.append(f"{len(used) - _MOST_POOLS:,} more")
    if parts:
        yield "; ".join(parts), PLAIN
    if empty:
        more = f" and {len(empty) - _MOST_POOLS:,} more" if len(empty) > _MOST_POOLS else ""
        yield f"empty: {', '.join(empty[:_MOST_POOLS])}{more}", PLAIN


def _restarts(jobs: Row) -> Iterator[tuple[str, str]]:
    for row in jobs["restarts"]:
        parts = []
        if row["restarts"]:
            word = "restart" if row["restarts"] == 1 else "restarts"
            parts.append(f"{row['restarts']:,} {word} of {row['restarted']:,} of {row['jobs']:,} jobs")
        if row["failed_pods"]:
            codes = ", ".join(
                f"{f'exit code {code}' if code.isdigit() else code} {number:,}"
                for code, number in row["exit_codes"].items()
            )
            parts.append(f"{row['failed_pods']:,} pods failed ({codes})")
        if parts:
            yield f"{row['role']}: {'; '.join(parts)}", PLAIN
