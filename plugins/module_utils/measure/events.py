# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Warning events counted by reason, and the messages of failed forks in them. Bounded memory, no I/O.

A repeated event is not a new Event: its `count` or `series.count` grows. So a changed Event counts by its growth.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: Pairs of reason and kind with their own counts; all others are counted together.
MAX_GROUPS = 200
#: Rows in the document.
MAX_ROWS = 50
#: Maximum of Events whose count is remembered; at least half as many are. An older one counts again if it changes.
MAX_KNOWN = 20_000
_MAX_MESSAGE = 300
_OTHERS = ("(others)", "")
#: The cause by which such failed pods are counted.
FORK_FAILED = "fork failed"
# The messages of shells (busybox, dash, bash), Go programs (kubelet, containerd, runc, CNI plug-ins), the C library,
# Java and Python. EAGAIN alone is not enough: reading from a socket may fail with it too.
FORK_FAILURE = re.compile(
    r"can(?:'t|not) fork"
    r"|fork failed"
    r"|\bfork: (?:retry: )?(?:resource temporarily unavailable|cannot allocate memory)"
    r"|fork/exec [^:]*: (?:resource temporarily unavailable|cannot allocate memory)"
    r"|failed to create new os thread"
    r"|pthread_create failed"
    r"|unable to create (?:new )?native thread"
    r"|can't start new thread",
    re.IGNORECASE,
)


def fork_failure(text: str) -> str:
    """The last line that reports a failed fork, which has most details; empty if there is none."""
    lower = text.lower()
    if "fork" not in lower and "thread" not in lower:
        return ""  # true of nearly all events, of which there may be thousands per second
    return next((line.strip() for line in reversed(text.splitlines()) if FORK_FAILURE.search(line)), "")


@dataclass(slots=True)
class _Group:
    """Times are RFC 3339 as in the Events, None if no Event has one. `forks` counts events about failed forks."""

    count: int
    first: str | None
    last: str | None
    example: dict[str, str]
    forks: int = 0


class EventBook:
    """Counts the Warning events of a watch."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, str], _Group] = {}
        #: Counts by hash of the uid, which takes half the memory: the newer half, and the older, which goes as a whole.
        self._known: dict[int, int] = {}
        self._older: dict[int, int] = {}
        self.total = 0
        #: When the newest of them was last seen (RFC 3339), by the server's clock; "" before the first one.
        self.newest = ""

    def observe(self, change: str, event: Mapping[str, Any], *, since: str = "") -> int:
        """Take in one event of the watch (`change`: ADDED, MODIFIED, DELETED); how often it happened that is new.

        `since`: an Event that was last seen before (RFC 3339, by the server's clock) is remembered, but not counted:
        for one that a list brings.
        """
        key = hash(event["metadata"].get("uid"))
        if change == "DELETED":
            self._known.pop(key, None)
            self._older.pop(key, None)
            return 0
        count, last = _count(event), _last(event)
        known = self._known.get(key)
        if known is None:
            known = self._older.get(key)
            if len(self._known) >= MAX_KNOWN // 2:
                self._older, self._known = self._known, {}
        self._known[key] = count
        if since and known is None and last is not None and _second(last) < _second(since):
            return 0
        if last is not None and last > self.newest:
            self.newest = last
        if known is None:
            # Of an Event from before the watch it is known that it happened again, not how often.
            new = count if change == "ADDED" else 1
        elif count >= known:
            new = count - known
        else:
            new = count  # made anew under its name
        if new:
            self._add(event, new, first=_first(event) if new == count else last, last=last)
        return new

    def _add(self, event: Mapping[str, Any], new: int, *, first: str | None, last: str | None) -> None:
        self.total += new
        about = event.get("involvedObject") or {}
        key = (event.get("reason") or "", about.get("kind") or "")
        if key not in self._groups and len(self._groups) >= MAX_GROUPS:
            key = _OTHERS
        forks = new if fork_failure(event.get("message") or "") else 0
        group = self._groups.get(key)
        if group is None:
            self._groups[key] = _Group(new, first, last, _example(event, about), forks)
            return
        group.count += new
        if forks and not group.forks:
            # The one that tells what the node has run out of.
            group.example = _example(event, about)
        group.forks += forks
        if first is not None and (group.first is None or _second(first) < _second(group.first)):
            group.first = first
        if last is not None and (group.last is None or _second(last) > _second(group.last)):
            group.last = last

    def rows(self) -> list[dict[str, Any]]:
        """The most frequent first: `reason`, `kind`, `count`, `first`, `last`, `example`; at most MAX_ROWS.

        `fork_failures` of them tell that no process or thread could be started.
        """
        groups = sorted(self._groups.items(), key=lambda item: (-item[1].count, item[0]))
        return [
            {
                "reason": reason,
                "kind": kind,
                "count": group.count,
                "fork_failures": group.forks,
                "first": group.first,
                "last": group.last,
                "example": group.example,
            }
            for (reason, kind), group in groups[:MAX_ROWS]
        ]

    @property
    def groups(self) -> int:
        """How many rows there would be without a bound."""
        return len(self._groups)


def _example(event: Mapping[str, Any], about: Mapping[str, Any]) -> dict[str, str]:
    message = " ".join((event.get("message") or "").split())
    return {
        "namespace": about.get("namespace") or "",
        "name": about.get("name") or "",
        "message": message if len(message) <= _MAX_MESSAGE else message[: _MAX_MESSAGE - 1] + "…",
    }


def _count(event: Mapping[str, Any]) -> int:
    series = event.get("series")
    return max((series.get("count") or 0) if series else 0, event.get("count") or 0, 1)


def _first(event: Mapping[str, Any]) -> str | None:
    return event.get("firstTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp")


def _last(event: Mapping[str, Any]) -> str | None:
    series = event.get("series")
    return (series and series.get("lastObservedTime")) or event.get("lastTimestamp") or _first(event)


def _second(time: str) -> str:
    """The part of a time that compares as text: only some Events have microseconds behind it."""
    return time[:19]
