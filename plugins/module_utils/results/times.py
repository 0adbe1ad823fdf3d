# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times of documents (RFC 3339 text) as seconds, and which of several documents cover the time without overlapping."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any


def epoch_seconds(text: Any) -> float | None:
    """Seconds since 1970 of an RFC 3339 time; None for what is no time."""
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except (ValueError, TypeError):
        return None


def seconds_between(started: str | None, finished: str | None) -> float | None:
    """Seconds between two RFC 3339 times; None where one is missing or is no time."""
    begin, end = epoch_seconds(started), epoch_seconds(finished)
    # Not through the epoch's floats: 60.5 is to stay 60.5.
    return None if begin is None or end is None else round(end - begin, 3)


def apart(documents: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Those that do not overlap, the longest first chosen, in the order of time.

    Two observers at the same time, one of a batch and one around the playbook, counted the same requests: their
    counters must not be added. One without an end counts as long as the others reach.
    """
    latest = max((epoch_seconds(one.get("finished")) or 0.0 for one in documents), default=0.0)
    spans = []
    for number, one in enumerate(documents):
        begin = epoch_seconds(one.get("started")) or 0.0
        end = epoch_seconds(one.get("finished"))
        spans.append((begin, max(latest, begin) if end is None else end, number))
    chosen: list[tuple[float, float, int]] = []
    for begin, end, number in sorted(spans, key=lambda span: (span[0] - span[1], span[2])):
        if all(end <= other_begin or begin >= other_end for other_begin, other_end, _number in chosen):
            chosen.append((begin, end, number))
    return [documents[number] for _begin, _end, number in sorted(chosen)]
