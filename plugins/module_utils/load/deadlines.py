# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When the time of each role is over."""

from __future__ import annotations

import time

from ..plan.fragment import Fragment
from .object_states import Standings
from .scheduler import Scheduler


class Deadlines:
    """The ready_timeouts of a batch's fragments. Times are monotonic seconds; `began` is the batch's first moment.

    A gated role's time counts from the start, because sending its members is part of the waiting; any other's from its
    last stored member. A Namespace has a time of its own, from the moment when it was stored.
    """

    def __init__(self, fragments: list[Fragment], scheduler: Scheduler, standings: Standings, *, began: float) -> None:
        self._fragments = [fragment for fragment in fragments if fragment.ready and not fragment.makes_namespace]
        self._scheduler = scheduler
        self._standings = standings
        self._began = began

    def _running(self, *, sent: bool) -> list[tuple[float, Fragment]]:
        running = []
        for fragment in self._fragments:
            if fragment.active:
                if not sent or self._standings.unready(fragment.role):
                    running.append((self._began + fragment.ready_timeout_seconds, fragment))
            elif self._standings.unready(fragment.role):
                stored = self._scheduler.last_stored.get(fragment.role, self._began)
                running.append((stored + fragment.ready_timeout_seconds, fragment))
        return running

    def seconds_to_next(self, *, sent: bool) -> float:
        """Until the next is over; 1 where none is running. `sent`: everything has been sent."""
        now = time.monotonic()
        return max(0.0, min((deadline - now for deadline, _fragment in self._running(sent=sent)), default=1.0))

    def over(self, *, sent: bool) -> list[Fragment]:
        """The fragments whose time is over."""
        now = time.monotonic()
        return [fragment for deadline, fragment in self._running(sent=sent) if now >= deadline]
