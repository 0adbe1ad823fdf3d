# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why pods find no node and jobs no place in their queue, in words that can be counted. No I/O.

The messages of the scheduler and of Kueue have numbers in them that change from one attempt to the next. Without these
the same cause has the same words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..readiness.state import condition, one_line, why

#: Who says that a pod or a job has to wait.
BY_SCHEDULER, BY_QUEUE = "scheduler", "queue"
#: Stands for the causes beyond those that are told apart.
OTHERS = "(others)"
#: Causes that are told apart, over all roles.
MOST_CAUSES = 50
#: "0/8 nodes are available: 4 Insufficient google.com/tpu, 4 node(s) didn't match ..." of kube-scheduler.
_OF_NODES = re.compile(r"\d+/\d+ nodes are available: (.*)")
_NEXT_REASON = re.compile(r", (?=\d+ )")
_ADDED = re.compile(r",? (?:no new claims to deallocate|preemption:).*")
#: What one Workload lacks: "insufficient unused quota for cpu in flavor default, 1 more needed" of Kueue.
_LACKING = re.compile(r", \S+ more needed|, resuming in \S+")
#: A text that is longer is no cause to count by.
_LONGEST_TEXT = 200


def causes_of_pod(pod: Mapping[str, Any]) -> tuple[str, ...]:
    """Why a pod has no node, each reason of the scheduler by itself; empty where it has said nothing or found one."""
    scheduled = condition(pod, "PodScheduled")
    if scheduled is None or scheduled.get("status") != "False":
        return ()
    if scheduled.get("reason") == "SchedulingGated":
        return ("SchedulingGated",)
    found = _OF_NODES.match(one_line(scheduled.get("message") or ""))
    if found is None:
        return ((why(scheduled) or "Unschedulable")[:_LONGEST_TEXT],)
    parts = _NEXT_REASON.split(_ADDED.sub("", found[1]).rstrip(". "))
    reasons = (part.partition(" ")[2] if part[:1].isdigit() else part for part in parts)
    return tuple(dict.fromkeys(reason.rstrip(".")[:_LONGEST_TEXT] for reason in reasons if reason))


def told_of_pod(pod: Mapping[str, Any]) -> str:
    """The scheduler's whole message, without what it says of preemption."""
    return _ADDED.sub("", one_line((condition(pod, "PodScheduled") or {}).get("message") or ""))


def cause_of_workload(workload: Mapping[str, Any]) -> str:
    """Why Kueue has not admitted a Workload; empty where it has said nothing or admitted it."""
    for kind in ("QuotaReserved", "Admitted"):
        found = condition(workload, kind)
        if found is not None and found.get("status") != "True":
            return _LACKING.sub("", one_line(found.get("message") or "") or why(found))[:_LONGEST_TEXT]
    return ""


@dataclass(slots=True)
class _Told:
    """`number`: pods or jobs of which a cause was told at least once. `longest_seconds` of those with a beginning."""

    number: int = 0
    longest_seconds: float | None = None
    example: str = ""


@dataclass(slots=True)
class Waiter:
    """A pod or a job that waits. `since` is None where its beginning was not watched.

    `now`: the causes that hold. `ever`: all that were told of it.
    """

    role: str
    by: str
    since: float | None
    now: tuple[str, ...] = ()
    ever: tuple[str, ...] = ()


class WaitingCauses:
    """Counts causes, by role and by who tells them. Memory grows with MOST_CAUSES."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._told: dict[tuple[str, str, str], _Told] = {}

    def take(self, waiter: Waiter, causes: tuple[str, ...], example: str) -> None:
        """These causes hold now. `example`: the whole message, of which the newest is kept."""
        waiter.now = tuple(self._known(waiter, cause) for cause in causes)
        for cause in waiter.now:
            told = self._told.setdefault((waiter.role, waiter.by, cause), _Told())
            told.example = one_line(example)[: 2 * _LONGEST_TEXT]
            if cause not in waiter.ever:
                waiter.ever += (cause,)
                told.number += 1

    def _known(self, waiter: Waiter, cause: str) -> str:
        is_known = (waiter.role, waiter.by, cause) in self._told or len(self._told) < MOST_CAUSES
        return cause if is_known else OTHERS

    def over(self, waiter: Waiter) -> None:
        """It waits no longer: it has a place, or is gone."""
        self._lengthen(waiter, self._told)

    def _lengthen(self, waiter: Waiter, told: Mapping[tuple[str, str, str], _Told]) -> None:
        if waiter.since is None:
            return
        waited = self._clock() - waiter.since
        for cause in waiter.ever:
            row = told[waiter.role, waiter.by, cause]
            row.longest_seconds = max(waited, row.longest_seconds or 0.0)

    def rows(self, still_waiting: list[Waiter]) -> list[dict[str, Any]]:
        """A row a cause, those that still hold first: how many were told, how many still wait, the longest wait."""
        found = {key: _Told(told.number, told.longest_seconds, told.example) for key, told in self._told.items()}
        pending = dict.fromkeys(found, 0)
        for waiter in still_waiting:
            self._lengthen(waiter, found)
            for cause in set(waiter.now):
                pending[waiter.role, waiter.by, cause] += 1
        rows = [
            {
                "role": role,
                "by": by,
                "cause": cause,
                "told": told.number,
                "pending": pending[role, by, cause],
                "longest_s": None if told.longest_seconds is None else round(told.longest_seconds, 3),
                "example": told.example,
            }
            for (role, by, cause), told in found.items()
        ]
        return sorted(rows, key=lambda row: (-row["pending"], -row["told"], row["cause"]))
