# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""must-gather.json: the analysis of one gather as a document. No I/O."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

from ..measure.events import FORK_FAILED
from .builds import timeline
from .requests import ADD
from .rules import FAILURES
from .settled import Settled, settle
from .tally import Tally
from .times import rfc3339, stamp_of_text

SCHEMA = 1
HOUR = 3600
#: Minutes in the document, the newest: two weeks.
MAX_MINUTES = 20_160
RULE = (
    "An operation is one distinct request, container id and verb, counted in the hour of the first line about it. "
    "ADD and DEL are counted apart, and those that ended with an error among them as failed. Each source is counted "
    "by itself: several log the same pod, so they are never added up. An hour is a whole hour of the clock; times are "
    "in UTC. Of an error that several sources tell, the source with most of them counts; all are in errors_by_source."
)

Counts = dict[str, dict[str, int]]


def document_of(tally: Tally, *, path: str, window: int) -> dict[str, Any]:
    """The document. `window` is the length of the window before the first failure, in seconds."""
    settled = settle(tally)
    hours = _spans(settled, tally, HOUR)
    minutes = _spans(settled, tally, 60)
    warnings = list(settled.warnings)
    if len(minutes) > MAX_MINUTES:
        warnings.append(f"of {len(minutes):,} minutes the newest {MAX_MINUTES:,} are listed")
    first = _first_failure(settled, tally)
    return {
        "schema": SCHEMA,
        "path": path,
        "rule": RULE,
        "from": hours[0]["start"] if hours else None,
        "newest": rfc3339(settled.newest) if tally.newest >= 0 else None,
        "bytes": tally.bytes,
        "hours": hours,
        "minutes": minutes[-MAX_MINUTES:],
        "growth": growth(hours),
        "first_failure": first,
        "first_by_kind": {kind: _told(kind, settled, tally) for kind in sorted(settled.firsts)},
        "window": _window(settled, window),
        "totals": _totals(settled),
        "builds": timeline(tally.builds, tally.jobs, newest=settled.newest),
        "processes": _processes(settled, tally),
        "reference": [],
        "comparison": None,
        "read": dict(sorted(tally.read.items())),
        "unread": {name: lines for name, lines in sorted(tally.unread.items()) if lines},
        "warnings": warnings,
    }


def _add(counts: Counts, source: str, verb: int, failed: bool) -> None:
    mine = counts.setdefault(source, {"add": 0, "del": 0, "failed": 0})
    mine["add" if verb == ADD else "del"] += 1
    mine["failed"] += failed


def _spans(settled: Settled, tally: Tally, width: int) -> list[dict[str, Any]]:
    """A row for each span of the clock in which something was read."""
    operations: dict[int, Counts] = defaultdict(dict)
    for source in sorted(settled.operations):
        for stamp, verb, failed in settled.operations[source]:
            _add(operations[stamp // width], source, verb, failed)
    errors: dict[int, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for kind, by_source in settled.errors.items():
        for source, stamps in by_source.items():
            for place, times in Counter(stamp // width for stamp in stamps).items():
                errors[place][kind][source] += times
    starts = (one.started if one.started is not None else one.created for one in tally.builds.values())
    builds = Counter(start // width for start in starts if start is not None)
    processes: dict[int, int] = {}
    for stamp, most in settled.processes.items():
        processes[stamp // width] = max(most, processes.get(stamp // width, 0))
    return [
        {
            "start": rfc3339(place * width),
            "sources": operations.get(place, {}),
            **_errors(errors.get(place, {})),
            "builds_started": builds.get(place, 0),
            "processes": processes.get(place),
        }
        for place in sorted({*operations, *errors, *builds, *processes})
    ]


def _errors(by_kind: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    """What several sources tell of the same failures is not added up."""
    by_source = {kind: dict(sorted(by_kind[kind].items())) for kind in sorted(by_kind)}
    return {"errors": {kind: max(found.values()) for kind, found in by_source.items()}, "errors_by_source": by_source}


def total_of(counts: Mapping[str, int]) -> int:
    """ADD and DEL of one source together."""
    return counts["add"] + counts["del"]


def growth(hours: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """For each source and hour, by how many percent it has more than the hour before and than the source's first.

    The hour before is that of the clock: if nothing was read in it, there is no figure.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    totals: dict[str, dict[str, int]] = defaultdict(dict)
    for row in hours:
        for source, counts in row["sources"].items():
            totals[source][row["start"]] = total_of(counts)
    for source in sorted(totals):
        rows: list[dict[str, Any]] = []
        before: tuple[str, int] | None = None
        first = next(iter(totals[source].values()))
        for start, total in totals[source].items():
            follows = before is not None and _follows(before[0], start)
            rows.append(
                {
                    "hour": start,
                    "on_previous_percent": percent(total, before[1]) if before is not None and follows else None,
                    "on_first_percent": percent(total, first) if rows else None,
                }
            )
            before = (start, total)
        found[source] = rows
    return found


def _follows(earlier: str, later: str) -> bool:
    one, other = stamp_of_text(earlier), stamp_of_text(later)
    return one is not None and other is not None and other - one == HOUR


def percent(value: float, base: float) -> float | None:
    """By how much the value is above the base, in percent with one digit; None without a base."""
    return round(100 * (value - base) / base, 1) if base else None


def _first_failure(settled: Settled, tally: Tally) -> dict[str, Any] | None:
    """The first failed fork; without one, the first of the other failures; None if none was found."""
    kind = _failing(settled)
    return None if kind is None else _told(kind, settled, tally)


def _failing(settled: Settled) -> str | None:
    if FORK_FAILED in settled.firsts:
        return FORK_FAILED
    others = [kind for kind in FAILURES if kind in settled.firsts]
    return min(others, key=lambda kind: settled.firsts[kind][0].stamp, default=None)


def _told(kind: str, settled: Settled, tally: Tally) -> dict[str, Any]:
    first, source = settled.firsts[kind]
    # A pod's log does not say on which node it ran; its object does.
    node = tally.nodes.get(first.node.removeprefix("pod "), "") if first.node.startswith("pod ") else first.node
    return {
        "time": rfc3339(first.stamp),
        "kind": kind,
        "source": source,
        "node": node or None,
        "text": first.text,
        "file": first.file,
    }


def _window(settled: Settled, seconds: int) -> dict[str, Any] | None:
    """What was counted in the window that ends with the first failure, both ends included."""
    kind = _failing(settled)
    if kind is None:
        return None
    end = settled.firsts[kind][0].stamp
    begin = max(0, end - seconds)
    counts: Counts = {}
    for source in sorted(settled.operations):
        for stamp, verb, failed in settled.operations[source]:
            if begin <= stamp <= end:
                _add(counts, source, verb, failed)
    errors: dict[str, dict[str, int]] = {}
    for name, by_source in settled.errors.items():
        for source, stamps in by_source.items():
            if within := _within(stamps, begin, end):
                errors.setdefault(name, {})[source] = within
    return {"from": rfc3339(begin), "to": rfc3339(end), "seconds": seconds, "sources": counts, **_errors(errors)}


def _within(stamps: array[int], begin: int, end: int) -> int:
    in_order = sorted(stamps)
    return bisect_right(in_order, end) - bisect_left(in_order, begin)


def _totals(settled: Settled) -> dict[str, Any]:
    counts: Counts = {}
    for source in sorted(settled.operations):
        for _stamp, verb, failed in settled.operations[source]:
            _add(counts, source, verb, failed)
    errors: dict[str, Counter[str]] = defaultdict(Counter)
    for kind, by_source in settled.errors.items():
        for source, stamps in by_source.items():
            errors[kind][source] += len(stamps)
    for (kind, source), times in settled.undated.items():
        errors[kind][source] += times
    return {"sources": counts, **_errors(errors)}


def _processes(settled: Settled, tally: Tally) -> dict[str, Any] | None:
    if not settled.processes:
        return None
    at = max(settled.processes, key=lambda stamp: settled.processes[stamp])
    return {
        "samples": tally.process_samples,
        "max": settled.processes[at],
        "max_at": rfc3339(at),
        "capacity": tally.capacity,
    }
