# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of the objects of one kind that somebody waits for, and whether that is what was wanted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum

from ..readiness.state import Predicate, Readiness, State
from .discovery import Resource

Key = tuple[str, str]


class Goal(Enum):
    """What is waited for: READY (or finished well), FINISHED (ended, well or not), ABSENT (gone)."""

    READY = "ready"
    FINISHED = "finished"
    ABSENT = "absent"


_SETTLED = {
    Goal.READY: frozenset({State.READY, State.FINISHED}),
    Goal.FINISHED: frozenset({State.FINISHED, State.FAILED}),
    Goal.ABSENT: frozenset[State](),
}
#: States that outlive the object: a finished Job whose TTL has removed it has finished all the same.
_LASTING = {
    Goal.READY: frozenset({State.FINISHED}),
    Goal.FINISHED: frozenset({State.FINISHED, State.FAILED}),
    Goal.ABSENT: frozenset[State](),
}


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A kind to wait for. `count`: objects expected at least."""

    api_version: str
    kind: str
    count: int = 1


@dataclass
class Watched:
    """The states of one kind's objects. `synced`: how many of its watches have handed out their first list."""

    wanted: Wanted
    resource: Resource
    judge: Predicate
    goal: Goal
    states: dict[Key, Readiness] = field(default_factory=dict)
    tally: Counter[State] = field(default_factory=Counter)
    synced: int = 0

    def put(self, key: Key, answer: Readiness) -> None:
        """Note the state of an object."""
        self._remove(key)
        self.states[key] = answer
        self.tally[answer.state] += 1

    def gone(self, key: Key, answer: Readiness | None = None) -> None:
        """The object is no more; `answer` is its last state, if that was seen."""
        last = answer or self.states.get(key)
        if last is not None and last.state in _LASTING[self.goal]:
            self.put(key, last)
        else:
            self._remove(key)

    def _remove(self, key: Key) -> None:
        old = self.states.pop(key, None)
        if old is not None:
            self.tally[old.state] -= 1

    @property
    def missing(self) -> int:
        """How many of the expected objects are not there; who waits for absence expects none."""
        return 0 if self.goal is Goal.ABSENT else max(0, self.wanted.count - len(self.states))

    @property
    def unsettled(self) -> int:
        """How many objects are not as wanted, missing ones included; 0 is the end of the wait for this kind."""
        return len(self.states) - sum(self.tally[state] for state in _SETTLED[self.goal]) + self.missing

    def unsettled_objects(self) -> list[tuple[Key, Readiness]]:
        """Those that exist and are not as wanted; failed ones first, then by name."""
        rows = [(key, answer) for key, answer in self.states.items() if answer.state not in _SETTLED[self.goal]]
        return sorted(rows, key=lambda row: (row[1].state is not State.FAILED, row[0]))

    def failed_objects(self) -> list[tuple[Key, Readiness]]:
        """Those that failed, by name."""
        return sorted((key, answer) for key, answer in self.states.items() if answer.state is State.FAILED)
