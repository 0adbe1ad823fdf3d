# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""In which order: the next operation that may be sent now, made only when it is asked for.

Each namespace has one lane per fragment. A lane hands out its members in order; what holds a lane back is said by
`Lane.blocked`. A namespace that can go on is awake, one that waits for an event sleeps, so an idle namespace costs
nothing, and what is kept grows with the namespaces at work, not with the objects.
"""

from __future__ import annotations

import asyncio
import enum
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from ..plan.fragment import Fragment


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


Result = Literal["created", "unchanged", "patched", "deleted", "failed"]


@dataclass(slots=True)
class Operation:
    """One object to create, patch or delete. `namespace` is the one it is for, also for a Namespace itself."""

    api_version: str
    kind: str
    namespace: str
    name: str
    body: bytes
    role: str
    unit: Unit
    #: Set when something that this object needs has failed: then it is not sent, and this says why.
    skipped_because: str | None = None


@dataclass(slots=True)
class Outcome:
    """What became of an operation; exactly one per operation.

    `seconds` is the time of the request that was answered, without pauses and earlier attempts; 0 where nothing was
    sent. `reason` is a stable word for counting, `message` the whole text; both are empty but for failures.
    """

    operation: Operation
    result: Result
    attempts: int = 0
    seconds: float = 0.0
    reason: str = ""
    message: str = ""


class Scheduler:
    """Hands out operations: `operation = await next()`, then `finished_operation(...)`; None means that all is done.

    Events from the watch open gates: `namespace_ready`, `namespace_failed`, `member_finished`, `poke`. `stop`
    ends it early. `unready_in(namespace, role)` is asked for fragments with `after`.
    """

    def __init__(
        self,
        fragments: list[Fragment],
        *,
        namespaces: Iterable[tuple[int, str]],
        parallel: int,
        existing: frozenset[str] = frozenset(),
        namespaces_ready_at_once: bool = False,
    ) -> None:
        self._fragments = fragments
        self._coming: Iterator[tuple[int, str]] = iter(namespaces)
        self._parallel = parallel
        self._existing = existing
        #: Nobody watches (no waiting wanted, or objects are deleted): a stored namespace is taken for ready.
        self._ready_at_once = namespaces_ready_at_once
        self._makes_namespaces = any(fragment.makes_namespace for fragment in fragments)
        self._works: dict[str, NamespaceWork] = {}
        self._ready_early: set[str] = set()
        self._awake: deque[NamespaceWork] = deque()
        self._operations: deque[Operation] = deque()
        self._idle: deque[asyncio.Future[None]] = deque()
        self._slots_held = 0
        self._open = 0
        self._all_begun = False
        self._stopped = False
        self.unready_in: Callable[[str, str], int] = lambda _namespace, _role: 0
        #: When a role's last member was stored (monotonic seconds): its ready_timeout counts from it.
        self.last_stored: dict[str, float] = {}

    # -- for the runner ----------------------------------------------------------------------------------------------

    async def next(self) -> Operation | None:
        """The next operation, as soon as there is one; None when there will be none."""
        while True:
            if self._stopped:
                return None
            if self._operations or self._fill():
                return self._operations.popleft()
            if self._all_begun and not self._open:
                self._wake_all()
                return None
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._idle.append(waiter)
            await waiter

    def finished_operation(self, operation: Operation, *, failure: str | None, final: bool = False) -> None:
        """An operation has its outcome. `final`: what it made needs no more watching (it is finished already)."""
        unit = operation.unit
        lane = unit.lane
        work = lane.namespace
        unit.outstanding -= 1
        work.outstanding -= 1
        if failure:
            unit.failed = unit.failed or failure
            if lane.fragment.makes_namespace:
                work.failed = failure
        if unit.outstanding == 0:
            self._step_done(unit, operation.name, final=final)
        if work.outstanding == 0 or unit.outstanding == 0:
            self._awaken(work)

    def stop(self) -> None:
        """Hand out nothing more."""
        self._stopped = True
        self._wake_all()

    @property
    def resting(self) -> bool:
        """Whether nothing is under way or can be begun, although not all is done: only an event helps."""
        paused = any(lane.paused_until > time.monotonic() for work in self._works.values() for lane in work.lanes)
        busy = self._awake or self._operations or any(work.outstanding for work in self._works.values())
        return not busy and not paused

    # -- events ------------------------------------------------------------------------------------------------------

    def namespace_ready(self, namespace: str) -> None:
        """The namespace is Active and has its ServiceAccount."""
        work = self._works.get(namespace)
        if work is None:
            if not self._all_begun:
                # A resumed run: the first list tells before the namespace's turn comes.
                self._ready_early.add(namespace)
        elif not work.ready:
            work.ready = True
            for lane in work.lanes:
                while lane.held:
                    self._queue_step(lane.held.popleft())
            self._awaken(work)

    def namespace_failed(self, namespace: str, cause: str) -> None:
        """The namespace will never be ready: what is still to come there is not sent."""
        work = self._works.get(namespace)
        if work is not None and not work.failed:
            work.failed = cause
            for lane in work.lanes:
                while lane.held:
                    unit = lane.held.popleft()
                    unit.failed = cause
                    self._queue_step(unit)
            self._awaken(work)

    def member_finished(self, namespace: str, name: str) -> None:
        """A gated object has come to its end, or has vanished."""
        work = self._works.get(namespace)
        if work is None:
            return
        for lane in work.lanes:
            if name in lane.unfinished:
                lane.unfinished.discard(name)
                self._awaken(work)

    def poke(self, namespace: str) -> None:
        """Something that lanes of the namespace may wait for has changed."""
        work = self._works.get(namespace)
        if work is not None:
            self._awaken(work)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _fill(self) -> bool:
        """Make operations of one unit; begin another namespace where none of the awake can go on."""
        while True:
            while self._awake:
                work = self._awake.popleft()
                work.awake = False
                if self._begin_unit(work):
                    self._awaken(work)
                    if self._operations:
                        return True
                    continue
                self._rest(work)
                if self._operations:
                    return True
            if not self._begin_namespace():
                return bool(self._operations)

    def _begin_namespace(self) -> bool:
        if self._all_begun or self._slots_held >= self._parallel:
            return False
        try:
            index, name = next(self._coming)
        except StopIteration:
            self._all_begun = True
            return False
        known = name in self._existing or not self._makes_namespaces
        ready = known or self._ready_at_once or name in self._ready_early
        self._ready_early.discard(name)
        work = NamespaceWork(name, index, stored=known, ready=ready, holds_slot=True, unready_in=self.unready_in)
        work.lanes = [
            Lane(work, fragment)
            for fragment in self._fragments
            if fragment.count and not (fragment.makes_namespace and known)
        ]
        self._works[name] = work
        self._slots_held += 1
        self._open += 1
        self._awaken(work)
        return True

    def _begin_unit(self, work: NamespaceWork) -> bool:
        now = time.monotonic()
        for lane in work.lanes:
            if lane.exhausted or lane.blocked(now) is not Blocked.NO:
                continue
            fragment = lane.fragment
            unit = Unit(lane, lane.next_index, failed=work.failed)
            lane.next_index += 1
            lane.begun += 1
            if fragment.wave_size and (lane.next_index - 1) % fragment.wave_size == 0 and not lane.exhausted:
                self._pause(lane, now + fragment.wave_pause_seconds)
            self._queue_step(unit)
            return True
        return False

    def _pause(self, lane: Lane, until: float) -> None:
        lane.paused_until = until
        loop = asyncio.get_running_loop()
        loop.call_later(max(0.0, until - time.monotonic()) + 0.001, self._awaken, lane.namespace)

    def _queue_step(self, unit: Unit) -> None:
        """Make the operations of a unit's step, or hold it for the namespace's ServiceAccount.

        An empty step passes by; a failed unit's operations are made, but not sent.
        """
        lane = unit.lane
        work, fragment = lane.namespace, lane.fragment
        last_name = ""
        while unit.step < len(fragment.steps):
            if not unit.failed and fragment.step_makes_pods(unit.step) and not work.ready:
                lane.held.append(unit)
                return
            values = fragment.values(namespace=work.name, namespace_index=work.index, index=unit.index)
            for rendered in fragment.render_step(unit.step, values):
                unit.outstanding += 1
                work.outstanding += 1
                last_name = rendered.name
                self._operations.append(
                    Operation(
                        rendered.api_version,
                        rendered.kind,
                        work.name,
                        rendered.name,
                        rendered.body,
                        fragment.role,
                        unit,
                        unit.failed,
                    )
                )
            if unit.outstanding:
                self._wake(unit.outstanding)
                return
            unit.step += 1
        self._unit_done(unit, last_name, final=True)

    def _step_done(self, unit: Unit, last_name: str, *, final: bool) -> None:
        lane = unit.lane
        unit.step += 1
        # The namespace may have failed while this step was under way: nobody would open what it is held for.
        unit.failed = unit.failed or lane.namespace.failed
        if unit.step >= len(lane.fragment.steps):
            self._unit_done(unit, last_name, final=final)
        else:
            self._queue_step(unit)

    def _unit_done(self, unit: Unit, name: str, *, final: bool) -> None:
        lane = unit.lane
        lane.begun -= 1
        self.last_stored[lane.fragment.role] = time.monotonic()
        if lane.fragment.active and not unit.failed and not final:
            lane.unfinished.add(name)
        if lane.fragment.makes_namespace and not unit.failed:
            lane.namespace.stored = True

    def _rest(self, work: NamespaceWork) -> None:
        """Nothing of this namespace can go on now: free its slot where it would only wait for its members."""
        if work.outstanding or work.done:
            return
        now = time.monotonic()
        waiting = [lane for lane in work.lanes if not lane.exhausted or lane.held or lane.begun]
        if not waiting:
            work.done = True
            self._open -= 1
            del self._works[work.name]  # what comes of its objects from now on opens nothing more
        if work.holds_slot and all(not lane.held and lane.blocked(now) is Blocked.LONG for lane in waiting):
            work.holds_slot = False
            self._slots_held -= 1
        if work.done and self._all_begun and not self._open:
            self._wake_all()

    def _awaken(self, work: NamespaceWork) -> None:
        if not work.awake and not work.done:
            work.awake = True
            self._awake.append(work)
            self._wake(1)

    def _wake(self, number: int) -> None:
        while number and self._idle:
            waiter = self._idle.popleft()
            if not waiter.done():
                waiter.set_result(None)
                number -= 1

    def _wake_all(self) -> None:
        self._wake(len(self._idle))
