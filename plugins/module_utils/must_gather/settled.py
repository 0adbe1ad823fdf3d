# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A tally whose times are all known: what had no year has one, and what objects tell is among the errors. No I/O."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field

from .requests import Requests
from .tally import First, Tally
from .times import rfc3339, with_year_of

_UNDATED = "without a time, so in no hour"


@dataclass(slots=True)
class Settled:
    """`operations` by source; `errors` as stamps by kind and source; `firsts` of each kind, earliest first."""

    operations: dict[str, Requests] = field(default_factory=dict)
    errors: dict[str, dict[str, array[int]]] = field(default_factory=dict)
    undated: Counter[tuple[str, str]] = field(default_factory=Counter)
    firsts: dict[str, tuple[First, str]] = field(default_factory=dict)
    #: Stamp of a minute and the most processes in it.
    processes: dict[int, int] = field(default_factory=dict)
    newest: int = 0
    warnings: list[str] = field(default_factory=list)


def settle(tally: Tally) -> Settled:
    """Give every stamp its year. The tally is taken over: it is not to be read again."""
    settled = Settled(undated=Counter(tally.undated))
    newest = tally.newest if tally.newest >= 0 else tally.newest_file
    settled.newest = max(newest, 0)
    moved = with_year_of(settled.newest)

    def at(stamp: int, dated: bool) -> int:
        return stamp if dated else moved(stamp)

    # Those with years first: their table is large, and is taken over as it is.
    for (source, dated), requests in sorted(tally.operations.items(), key=lambda item: not item[0][1]):
        if dated:
            settled.operations[source] = requests
            continue
        whole = settled.operations.setdefault(source, Requests())
        whole.merge(requests, moved)
    for (kind, source, dated), stamps in tally.errors.items():
        known = settled.errors.setdefault(kind, {}).setdefault(source, array("I"))
        known.extend(at(stamp, dated) for stamp in stamps)
    for (kind, source, month), first in tally.firsts.items():
        _first(settled, kind, source, at(first.stamp, month == 0), first)
    for (dated, minute), most in tally.processes.items():
        place = at(minute * 60, dated)
        settled.processes[place] = max(most, settled.processes.get(place, 0))
    _marks(tally, settled)
    settled.warnings = _warnings(tally, settled)
    return settled


def _first(settled: Settled, kind: str, source: str, stamp: int, first: First) -> None:
    known = settled.firsts.get(kind)
    if known is None or stamp < known[0].stamp:
        settled.firsts[kind] = (
            First(stamp=stamp, node=first.node, text=first.text, file=first.file),
            source,
        )


def _marks(tally: Tally, settled: Settled) -> None:
    """An Event that happened several times: once when it began, and the other times when it was last seen."""
    for mark in tally.marks.values():
        for kind in mark.kinds:
            if mark.first is None or mark.last is None:
                settled.undated[kind, mark.source] += mark.count
                continue
            known = settled.errors.setdefault(kind, {}).setdefault(mark.source, array("I"))
            known.append(mark.first)
            known.extend([mark.last] * (mark.count - 1))
            first = First(stamp=mark.first, node=mark.node, text=mark.text, file=mark.file)
            _first(settled, kind, mark.source, mark.first, first)


def _warnings(tally: Tally, settled: Settled) -> list[str]:
    lines = []
    if tally.undated_years:
        if tally.newest >= 0:
            what = f"the newest dated object of the gather, {rfc3339(tally.newest)}"
        elif tally.newest_file >= 0:
            what = f"the newest change of a file, {rfc3339(tally.newest_file)}, since nothing else in it has a year"
        else:
            what = "nothing: no object and no file of the gather has a year"
        lines.append(f"lines without a year (klog, journals) are dated by {what}")
    if tally.zones:
        zones = ", ".join(f"{zone} ({count:,} lines)" for zone, count in tally.zones.most_common(5))
        lines.append(f"times with another zone than UTC are converted to UTC: {zones}")
    if settled.undated:
        total = settled.undated.total()
        kinds = ", ".join(f"{count:,} × {kind} in {source}" for (kind, source), count in settled.undated.most_common(5))
        lines.append(f"{total:,} error{'s' if total > 1 else ''} {_UNDATED}: {kinds}")
    lines += [text if times == 1 else f"{text} ({times:,} times)" for text, times in tally.warnings.most_common(200)]
    if len(tally.warnings) > 200:
        lines.append(f"and {len(tally.warnings) - 200:,} warnings more")
    return lines
