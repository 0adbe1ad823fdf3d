# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How each object stands: ready, waiting or failed; and how many of each role are still waited for. No I/O."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..readiness.state import State

Key = tuple[str, str]


@dataclass(slots=True)
class Known:
    """What is known of one object. `stored`: the API took it from us; events may come before that answer."""

    role: str
    state: State = State.WAITING
    cause: str = "no status yet"
    stored: bool = False


class Standings:
    """The objects of a batch that can be waited for, by kind and (namespace, name); a Namespace lies in "".

    `on_failed(kind, key, role, cause)` is called when one fails; `on_end(namespace, name)` when one no longer waits;
    `on_role_settled(namespace, role)` when nothing stored of a role in a namespace waits; `on_all_settled()` when
    nothing at all does.
    """

    def __init__(
        self,
        *,
        on_failed: Callable[[str, Key, str, str], None],
        on_end: Callable[[str, str], None],
        on_role_settled: Callable[[str, str], None],
        on_all_settled: Callable[[], None],
    ) -> None:
        self.ready: Counter[str] = Counter()
        self._on_failed = on_failed
        self._on_end = on_end
        self._on_role_settled = on_role_settled
        self._on_all_settled = on_all_settled
        self._known: dict[str, dict[Key, Known]] = defaultdict(dict)
        self._unready_in: dict[Key, int] = defaultdict(int)
        self._unready: Counter[str] = Counter()

    def find(self, kind: str, key: Key) -> Known | None:
        """What is known of an object, or None."""
        return self._known[kind].get(key)

    def entry(self, kind: str, key: Key, role: str) -> Known:
        """The same, with a new entry where there was none."""
        known = self._known[kind].get(key)
        if known is None:
            known = self._known[kind][key] = Known(role)
        return known

    def stored(self, kind: str, key: Key, role: str) -> None:
        """The API has taken the object: from now on it is waited for."""
        known = self.entry(kind, key, role)
        if not known.stored:
            known.stored = True
            if known.state is State.WAITING:
                self._count((key[0] or key[1], role), +1)

    def set(self, kind: str, key: Key, known: Known, state: State, cause: str) -> None:
        """Take in how an object stands now."""
        known.cause = cause
        if state is known.state:
            return
        before, known.state = known.state, state
        self.ready[kind] += (state is State.READY) - (before is State.READY)
        step = (state is State.WAITING) - (before is State.WAITING)
        if step and known.stored:
            self._count((key[0] or key[1], known.role), step)
        if state is State.FAILED:
            self._on_failed(kind, key, known.role, cause)
        if state is not State.WAITING:
            self._on_end(*key)

    def _count(self, place: Key, step: int) -> None:
        self._unready_in[place] += step
        self._unready[place[1]] += step
        if self._unready_in[place] == 0:
            del self._unready_in[place]
            self._on_role_settled(*place)
        if not self._unready_in:
            self._on_all_settled()

    def unready(self, role: str | None = None) -> int:
        """Stored objects that are neither ready nor failed, of one role or of all."""
        return self._unready.total() if role is None else self._unready[role]

    def unready_in(self, namespace: str, role: str) -> int:
        """The same for one role in one namespace."""
        return self._unready_in.get((namespace, role), 0)

    def unsettled(self, role: str | None = None) -> list[tuple[str, Key, str]]:
        """(kind, key, cause) of what is not ready, of one role or of all."""
        return [
            (kind, key, known.cause)
            for kind, entries in self._known.items()
            for key, known in entries.items()
            if known.state is not State.READY and role in (None, known.role)
        ]

    def waiting(self, kind: str) -> Iterator[tuple[Key, Known]]:
        """Stored objects of a kind that are waited for."""
        for key, known in self._known[kind].items():
            if known.stored and known.state is State.WAITING:
                yield key, known

    def give_up(self, role: str | None, cause: str) -> None:
        """What of a role, or of all, is still waiting has failed: its time is over."""
        for kind, entries in self._known.items():
            for key, known in entries.items():
                if role in (None, known.role) and known.state is State.WAITING:
                    self.set(kind, key, known, State.FAILED, f"{cause}; {known.cause}")
