# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Summaries of several runs side by side: how each ended, and what its nodes ran out of. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..measure.events import FORK_FAILED
from ..text import duration_text
from .table import BAD, FAINT, GOOD, PLAIN, Line, columns, heading
from .times import seconds_between
from .verdict import PASSED

Summary = Mapping[str, Any]

NO_DATA = "no data"
#: Causes of failed pods and reasons of Warnings that get a row: the most frequent across all runs.
_MAX_ROWS = 6


def compared(summaries: Sequence[Summary]) -> list[tuple[str, list[str]]]:
    """(label, one text per summary), in reading order.

    "no data" means that the run did not measure it; 0 means that it looked and found none.
    """
    rows: list[tuple[str, list[str]]] = []

    def add(label: str, figure: Callable[..., Any]) -> None:
        rows.append((label, [_text(figure(summary)) for summary in summaries]))

    add("verdict", lambda summary: summary["verdict"])
    add("length", lambda summary: _duration(seconds_between(summary["started"], summary["finished"])))
    add("Jobs complete", lambda summary: summary["jobs"]["complete"])
    add("Jobs failed", lambda summary: summary["jobs"]["failed"])
    add("pods succeeded", lambda summary: summary["pods"]["succeeded"])
    add("pods failed", lambda summary: summary["pods"]["failed"])
    for cause in _most_frequent(_causes(summary) for summary in summaries):
        add(f"  {cause}", lambda summary, cause=cause: _of(_causes(summary), cause, known=summary["pods"]["failed"]))
    add("pod start-up p99", lambda summary: _duration(summary["pods"]["startup_p99_s"]))
    add("processes in a build pod, peak", lambda summary: summary["processes"]["per_build_pod"]["max"])
    add("processes and threads of a node, peak", _threads)
    add("node conditions", _conditions)
    add("Warnings", _warnings)
    add("  about failed forks", fork_events)
    for reason in _most_frequent(_reasons(summary) for summary in summaries):
        add(f"  {reason}", lambda summary, reason=reason: _of(_reasons(summary), reason, known=_warnings(summary)))
    return rows


def fork_failures(summary: Summary) -> int:
    """Pods that failed because no process could be started in them."""
    return _causes(summary)[FORK_FAILED]


def fork_events(summary: Summary) -> int | None:
    """Warnings about a process that could not be started, by the container runtime say; None if none were watched."""
    rows = _events(summary).get("warnings") or ()
    return None if _warnings(summary) is None else sum(row.get("fork_failures") or 0 for row in rows)


def comparison_lines(names: Sequence[str], summaries: Sequence[Summary]) -> list[Line]:
    """The table: one column per run, headed by its name."""
    rows = [("", *names), *((label, *values) for label, values in compared(summaries))]
    first, *texts = columns(rows, align="l" + "r" * len(names))
    lines = [heading(" and ".join(summary["run_id"] for summary in summaries)), Line(first, FAINT)]
    good = [summary["verdict"] == PASSED for summary in summaries]
    lines.append(Line(texts[0], GOOD if all(good) else BAD if not any(good) else PLAIN))
    return lines + [Line(text) for text in texts[1:]]


def _text(value: Any) -> str:
    if value is None:
        return NO_DATA
    return f"{value:,}" if isinstance(value, int) else str(value)


def _duration(seconds: float | None) -> str | None:
    return None if seconds is None else duration_text(seconds)


def _causes(summary: Summary) -> Counter[str]:
    return Counter(summary["pods"]["causes"])


def _events(summary: Summary) -> Mapping[str, Any]:
    return summary.get("events") or {}


def _warnings(summary: Summary) -> int | None:
    total: int | None = _events(summary).get("total")
    return total


def _reasons(summary: Summary) -> Counter[str]:
    counts: Counter[str] = Counter()
    for row in _events(summary).get("warnings") or ():
        counts[row["reason"]] += row["count"]
    return counts


def _of(counts: Counter[str], name: str, *, known: int | None) -> int | None:
    """The count; None, not 0, if nothing was counted at all."""
    return None if known is None else counts[name]


def _most_frequent(every: Any) -> list[str]:
    together: Counter[str] = Counter()
    for counts in every:
        together += counts
    return [name for name, _count in together.most_common(_MAX_ROWS)]


def _nodes(summary: Summary) -> Sequence[Mapping[str, Any]]:
    return (summary.get("nodes") or {}).get("nodes") or ()


def _threads(summary: Summary) -> str | None:
    """The peak of the node that came closest to its limit, with the limit."""
    measured = [node for node in _nodes(summary) if node.get("threads_peak") is not None]
    if not measured:
        return None
    node = max(measured, key=lambda node: node["threads_peak"] / (node.get("max_threads") or float("inf")))
    limit = f" of {node['max_threads']:,}" if node.get("max_threads") else ""
    return f"{node['threads_peak']:,}{limit}"


def _conditions(summary: Summary) -> str | None:
    """Conditions such as PIDPressure that any node had, or "none"."""
    read = [node["conditions"] for node in _nodes(summary) if node.get("conditions") is not None]
    types = dict.fromkeys(period["type"] for periods in read for period in periods)
    names = ", ".join("not Ready" if kind == "Ready" else kind for kind in types)
    return names or ("none" if read else None)
