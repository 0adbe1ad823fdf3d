# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When the wait for each role ends: an absolute limit, and a limit on how long nothing of the role comes forward."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass

from ..cluster.clock import HeldClock
from ..plan.fragment import Fragment
from .object_states import ObjectStates
from .role_progress import RoleProgress
from .scheduler import Scheduler
from .tracker import Tracker


@dataclass(frozen=True, slots=True)
class Overdue:
    """A fragment whose time is over. `stalled`: nothing of it came forward for so long, else its absolute limit."""

    fragment: Fragment
    limit_seconds: float
    stalled: bool

    @property
    def text(self) -> str:
        """In a few words."""
        if self.stalled:
            return f"nothing of {self.fragment.role} has come forward for {self.limit_seconds:g} s"
        return f"not ready after {self.limit_seconds:g} s"


class Deadlines:
    """The limits of a batch's fragments, by a clock that stands still while nobody can see what becomes of them.

    `namespaces` is their number.

    `stall_timeout` counts from the moment when something of the role last came forward, and only while objects of the
    role are stored and unfinished; until a role begins, it cannot stand still.

    `ready_timeout` counts from the batch's start where sending is part of the waiting (a gate), and where the stall
    timeout is what normally ends the wait; but a fragment that comes `after` others, and any other one, has its time
    from its last stored member. A Namespace has a time of its own, from the moment when it was stored.
    """

    def __init__(
        self,
        fragments: list[Fragment],
        namespaces: int,
        scheduler: Scheduler,
        states: ObjectStates,
        progress: RoleProgress,
        clock: HeldClock | None = None,
    ) -> None:
        self._clock = clock or HeldClock()
        self._fragments = [fragment for fragment in fragments if fragment.ready and not fragment.makes_namespace]
        self._namespaces = namespaces
        self._scheduler = scheduler
        self._states = states
        self._progress = progress
        self._ended: set[str] = set()
        self._began = 0.0
        #: Stored Namespaces in that order: when their time is over, name, and how long it was.
        self._namespaces_until: deque[tuple[float, str, float]] = deque()

    def begin(self) -> None:
        """The batch starts now."""
        self._began = self._clock.time()

    def end(self, role: str) -> None:
        """No more members of this role are sent: only those that were can be waited for."""
        self._ended.add(role)

    def has_ended(self, role: str) -> bool:
        """Whether `end` was called for the role."""
        return role in self._ended

    def namespace_stored(self, name: str, seconds: float) -> None:
        """A Namespace is stored; it has so many seconds to become ready."""
        self._namespaces_until.append((self._clock.time() + seconds, name, seconds))

    def overdue_namespaces(self) -> dict[str, float]:
        """The Namespaces whose time is over since the last call, with its length in seconds; ready or not."""
        now = self._clock.time()
        found = {}
        while self._namespaces_until and self._namespaces_until[0][0] <= now:
            _until, name, seconds = self._namespaces_until.popleft()
            found[name] = seconds
        return found

    def unsent(self, fragment: Fragment) -> int:
        """How many of the fragment's members have not begun."""
        places = 1 if fragment.once else self._namespaces
        return fragment.count * places - self._scheduler.members_begun[fragment.role]

    def is_a_namespace_overdue(self) -> bool:
        """Whether the time of one is over, ready or not."""
        return bool(self._namespaces_until) and self._clock.time() >= self._namespaces_until[0][0]

    def seconds_to_next(self) -> float:
        """Until the next limit is reached; 1 where none is running."""
        now = self._clock.time()
        limits = [deadline for deadline, _overdue in self._limits()]
        limits += [until for until, _name, _seconds in list(self._namespaces_until)[:1]]
        return max(0.0, min(limits, default=now + 1.0) - now)

    def overdue(self) -> list[Overdue]:
        """The fragments whose time is over, each with the limit that was reached first."""
        now = self._clock.time()
        found: dict[str, Overdue] = {}
        for deadline, overdue in sorted(self._limits(), key=lambda limit: limit[0]):
            if now >= deadline:
                found.setdefault(overdue.fragment.role, overdue)
        return list(found.values())

    def _limits(self) -> Iterator[tuple[float, Overdue]]:
        """The limits that are running, each with the time at which it is reached."""
        for fragment in self._fragments:
            role = fragment.role
            unfinished = self._states.unfinished(role)
            stall, ready = fragment.stall_timeout_seconds, fragment.ready_timeout_seconds
            if stall and unfinished:
                moved = self._progress.last_moved(role)
                yield (self._began if moved is None else moved) + stall, Overdue(fragment, stall, stalled=True)
            sending = fragment.active and role not in self._ended and self.unsent(fragment)
            if ready and (unfinished or sending):
                begin = self._began
                if not fragment.active and (fragment.after or not stall):
                    begin = self._scheduler.last_stored.get(role, self._began)
                yield begin + ready, Overdue(fragment, ready, stalled=False)


def stall_text(
    overdue: Overdue, *, unsent: int, states: ObjectStates, progress: RoleProgress, tracker: Tracker, queue: str = ""
) -> str:
    """One line: the role, for how long nothing came forward, how much is unfinished, and what its pods are doing.

    `queue`: why a queue admits no more of its jobs, which says more than that they are suspended.
    """
    role = overdue.fragment.role
    pending = progress.pending(role)
    counts = {"objects unfinished": states.unfinished(role)}
    if unsent:
        counts["members not sent"] = unsent
    if tracker.sees_pods:
        counts |= {"pods pending": len(pending), "pods running": progress.running(role)}
    figures = ", ".join(f"{what}: {number}" for what, number in counts.items())
    text = f"{overdue.text} ({figures}{'' if tracker.sees_pods else ', its pods may not be watched'})"
    causes = Counter(cause for uid in pending if (cause := tracker.pods.cause_of(uid)))
    if queue and not causes:
        return f"{text}; in their queue: {queue}"
    causes = causes or Counter(states.waiting_causes(role))
    return f"{text}; most frequent state: {causes.most_common(1)[0][0]}" if causes else text
