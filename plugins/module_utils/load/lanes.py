# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fragment in a namespace is a lane; what a lane has handed out, and what holds it back."""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from .plan import Fragment


class Blocked(enum.Enum):
    """Why a lane gives nothing now. SHORT blocks keep the namespace's slot, LONG ones free it for the next."""

    NO = 0
    SHORT = 1
    LONG = 2


@dataclass(slots=True)
class Unit:
    """One member of a lane on its way through the steps."""

    lane: Lane
    index: int
    step: int = 0
    outstanding: int = 0
    failed: str | None = None


@dataclass(slots=True, eq=False)
class Lane:
    """One fragment in one namespace. `unfinished` holds the names of gated objects that are not finished."""

    namespace: NamespaceWork
    fragment: Fragment
    next_index: int = 1
    paused_until: float = 0.0
    #: Members begun and not finished, for the gate; members whose last object is stored and unfinished, by name.
    begun: int = 0
    unfinished: set[str] = field(default_factory=set)
    #: Members that wait, after an earlier step, for the namespace's ServiceAccount.
    held: deque[Unit] = field(default_factory=deque)

    @property
    def exhausted(self) -> bool:
        """Whether every member was handed out."""
        return self.next_index > self.fragment.count

    def blocked(self, now: float) -> Blocked:
        """What holds back the next member."""
        fragment, work = self.fragment, self.namespace
        if not fragment.makes_namespace and not work.stored and not work.failed:
            return Blocked.SHORT
        if work.failed:
            return Blocked.NO  # nothing is sent any more, but every operation gets its outcome
        if fragment.step_makes_pods(0) and not work.ready:
            return Blocked.SHORT
        if now < self.paused_until:
            return Blocked.SHORT
        if fragment.active and self.begun + len(self.unfinished) >= fragment.active:
            return Blocked.LONG
        if any(not work.role_done(role) for role in fragment.after):
            return Blocked.LONG
        return Blocked.NO


@dataclass(slots=True, eq=False)
class NamespaceWork:
    """All lanes of one namespace."""

    name: str
    index: int
    stored: bool
    ready: bool
    lanes: list[Lane] = field(default_factory=list)
    outstanding: int = 0
    failed: str | None = None
    awake: bool = False
    holds_slot: bool = False
    done: bool = False
    unready_in: Callable[[str, str], int] = field(default=lambda _namespace, _role: 0)

    def role_done(self, role: str) -> bool:
        """Whether all members of a role were sent here, and none is waited for."""
        lanes = [lane for lane in self.lanes if lane.fragment.role == role]
        sent = all(lane.exhausted and not lane.begun for lane in lanes)
        return sent and not self.unready_in(self.name, role)
