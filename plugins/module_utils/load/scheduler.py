# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decides the order: the next operation that may be sent now, rendered only when a worker asks for it.

Each namespace has one lane per fragment; fragments that are made once have theirs in a place of their own, the run's,
which is no namespace and takes no slot. A lane hands out its members in order; `Lane.hold` says what keeps it from
handing out the next one. A namespace that can go on is awake, one that waits for an event sleeps. So an idle namespace
costs nothing, and memory grows with the namespaces at work, not with the objects.

All times are seconds of the running event loop's clock.
"""

from __future__ import annotations

import asyncio
import enum
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from ..cluster.clock import HeldClock
from ..plan.fragment import Fragment
from ..plan.scope import OF_THE_RUN


class Hold(enum.Enum):
    """Whether a lane may hand out its next member, and if not, what becomes of its namespace's slot.

    KEEPS_SLOT: the reason passes in seconds, so the namespace keeps its place among the `parallel` ones. FREES_SLOT:
    its objects have to finish or become ready first, which may take minutes, so the next namespace gets the place.
    """

    NONE = 0
    KEEPS_SLOT = 1
    FREES_SLOT = 2


@dataclass(slots=True)
class Unit:
    """One member of a lane on its way through the fragment's steps. `failed` says why its later steps are not sent."""

    lane: Lane
    index: int
    step: int = 0
    outstanding: int = 0
    failed: str | None = None


@dataclass(slots=True, eq=False)
class Lane:
    """One fragment in one namespace."""

    namespace: NamespaceWork
    fragment: Fragment
    next_index: int = 1
    paused_until: float = 0.0
    #: Members handed out whose last step has no outcome yet.
    in_progress: int = 0
    #: Names of the last objects of gated members: stored and not finished.
    unfinished: set[str] = field(default_factory=set)
    #: Members that wait, after an earlier step, for the namespace's ServiceAccount.
    waiting_for_account: deque[Unit] = field(default_factory=deque)

    @property
    def exhausted(self) -> bool:
        """Whether every member was handed out."""
        return self.next_index > self.fragment.count

    def hold(self, now: float) -> Hold:
        """What holds back the next member at the time `now`."""
        fragment, work = self.fragment, self.namespace
        if work.failed:
            return Hold.NONE  # nothing more is sent, but every operation gets its outcome
        if not fragment.makes_namespace and not work.stored:
            return Hold.KEEPS_SLOT
        if fragment.step_makes_pods(0) and not work.ready:
            return Hold.KEEPS_SLOT
        if now < self.paused_until:
            return Hold.KEEPS_SLOT
        if fragment.active and self.in_progress + len(self.unfinished) >= fragment.active:
            return Hold.FREES_SLOT
        if any(not work.role_done(role) for role in fragment.after):
            return Hold.FREES_SLOT
        return Hold.NONE


@dataclass(slots=True, eq=False)
class NamespaceWork:
    """All lanes of one namespace. `outstanding` counts its operations that have no outcome yet."""

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
    unfinished_in: Callable[[str, str], int] = field(default=lambda _namespace, _role: 0)
    #: Where the fragments are that are made once; None in that place itself.
    of_run: NamespaceWork | None = None

    def role_done(self, role: str) -> bool:
        """Whether all members of a role were sent here or once for the run, and none of them is still waited for."""
        if self.of_run is not None and not self.of_run.role_done(role):
            return False
        lanes = [lane for lane in self.lanes if lane.fragment.role == role]
        sent = all(lane.exhausted and not lane.in_progress for lane in lanes)
        return sent and not self.unfinished_in(self.name, role)


Result = Literal["created", "unchanged", "patched", "deleted", "failed"]


@dataclass(slots=True)
class Operation:
    """One object to create, patch or delete.

    The `namespace` of a Namespace is its own name; that of what is made once for the run is "".
    """

    api_version: str
    kind: str
    namespace: str
    name: str
    body: bytes
    role: str
    unit: Unit
    #: Why this object is not sent: something that it needs has failed.
    skipped_because: str | None = None


@dataclass(slots=True)
class Outcome:
    """The result of an operation; exactly one per operation.

    `seconds` is the time of the request that was answered, without pauses and earlier attempts; 0 where nothing was
    sent. `reason` is a stable word for counting, `message` the whole text; only failures have them. `uid` and `version`
    are those of the object as it is stored; empty where it is not.
    """

    operation: Operation
    result: Result
    attempts: int = 0
    seconds: float = 0.0
    reason: str = ""
    message: str = ""
    uid: str = ""
    version: str = ""


class Scheduler:
    """Hands out operations: `operation = await next()`, then `finished_operation(...)`. None means that all is done.

    Events from the watches open gates: `namespace_ready`, `namespace_failed`, `member_finished`, `recheck`. `stop` and
    `stop_role` end it early. `unfinished_in(namespace, role)` counts the objects there that are still waited for; it is
    called for fragments with `after`. With `assume_namespaces_ready` a stored namespace counts as ready: where nothing
    is watched, because nobody waits or objects are deleted, no event would say so.
    """

    def __init__(
        self,
        fragments: list[Fragment],
        *,
        namespaces: Iterable[tuple[int, str]],
        parallel: int,
        existing: frozenset[str] = frozenset(),
        assume_namespaces_ready: bool = False,
        unfinished_in: Callable[[str, str], int] = lambda _namespace, _role: 0,
        clock: HeldClock | None = None,
    ) -> None:
        self._fragments = [fragment for fragment in fragments if not fragment.once]
        self._coming: Iterator[tuple[int, str]] = iter(namespaces)
        self._parallel = parallel
        self._existing = existing
        self._assume_namespaces_ready = assume_namespaces_ready
        self._unfinished_in = unfinished_in
        self._makes_namespaces = any(fragment.makes_namespace for fragment in fragments)
        self._works: dict[str, NamespaceWork] = {}
        self._ready_early: set[str] = set()
        self._awake: deque[NamespaceWork] = deque()
        self._operations: deque[Operation] = deque()
        self._waiting_workers: deque[asyncio.Future[None]] = deque()
        self._slots_held = 0
        #: Namespaces begun and not done.
        self._open = 0
        self._all_begun = False
        self._stopped = False
        self._stopped_roles: set[str] = set()
        self._clock = clock or HeldClock()
        #: When a role's newest member was stored, by the clock of the deadlines.
        self.last_stored: dict[str, float] = {}
        #: Members begun, by role.
        self.members_begun: Counter[str] = Counter()
        index, name = OF_THE_RUN
        self._of_run = NamespaceWork(name, index, stored=True, ready=True, unfinished_in=unfinished_in)
        self._of_run.lanes = [Lane(self._of_run, fragment) for fragment in fragments if fragment.once]
        if self._of_run.lanes:
            self._works[name] = self._of_run
            self._open += 1
            self._awaken(self._of_run)

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
            worker: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting_workers.append(worker)
            await worker

    def finished_operation(self, operation: Operation, *, failure: str | None, finished: bool = False) -> None:
        """An operation has its outcome. `finished`: so is its object, and the gate need not wait for an event of it."""
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
            self._step_done(unit, operation.name, finished=finished)
        if work.outstanding == 0 or unit.outstanding == 0:
            self._awaken(work)

    def stop(self) -> None:
        """Hand out nothing more."""
        self._stopped = True
        self._wake_all()

    def stop_role(self, role: str) -> None:
        """Begin no more members of a role; those that have begun go on to their last step."""
        self._stopped_roles.add(role)
        for work in list(self._works.values()):
            for lane in work.lanes:
                if lane.fragment.role == role:
                    lane.next_index = lane.fragment.count + 1
            self._awaken(work)

    @property
    def is_waiting(self) -> bool:
        """Whether nothing is under way and nothing can begin, although not all is done: only an event helps."""
        now = asyncio.get_running_loop().time()
        paused = any(lane.paused_until > now for work in self._works.values() for lane in work.lanes)
        busy = self._awake or self._operations or any(work.outstanding for work in self._works.values())
        return not busy and not paused

    # -- events ------------------------------------------------------------------------------------------------------

    def namespace_ready(self, namespace: str) -> None:
        """The namespace is Active and has its ServiceAccount."""
        work = self._works.get(namespace)
        if work is None:
            if not self._all_begun:
                # A resumed run: the first list has the namespace before its turn comes.
                self._ready_early.add(namespace)
        elif not work.ready:
            work.ready = True
            for lane in work.lanes:
                while lane.waiting_for_account:
                    self._queue_step(lane.waiting_for_account.popleft())
            self._awaken(work)

    def namespace_failed(self, namespace: str, cause: str) -> None:
        """The namespace will never be ready: what is still to come there is not sent."""
        work = self._works.get(namespace)
        if work is not None and not work.failed:
            work.failed = cause
            for lane in work.lanes:
                while lane.waiting_for_account:
                    unit = lane.waiting_for_account.popleft()
                    unit.failed = cause
                    self._queue_step(unit)
            self._awaken(work)

    def member_finished(self, namespace: str, name: str) -> None:
        """A gated object has finished or has vanished."""
        work = self._works.get(namespace)
        if work is None:
            return
        for lane in work.lanes:
            if name in lane.unfinished:
                lane.unfinished.discard(name)
                self._awaken(work)

    def recheck(self, namespace: str) -> None:
        """Something that lanes of the namespace, or with the run's own place all lanes, may wait for has changed."""
        if namespace == self._of_run.name:
            for any_work in self._works.values():
                self._awaken(any_work)
            return
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
        ready = known or self._assume_namespaces_ready or name in self._ready_early
        self._ready_early.discard(name)
        work = NamespaceWork(name, index, stored=known, ready=ready, holds_slot=True, unfinished_in=self._unfinished_in)
        work.of_run = self._of_run
        work.lanes = [
            Lane(work, fragment)
            for fragment in self._fragments
            if fragment.count and not (fragment.makes_namespace and known) and fragment.role not in self._stopped_roles
        ]
        self._works[name] = work
        self._slots_held += 1
        self._open += 1
        self._awaken(work)
        return True

    def _begin_unit(self, work: NamespaceWork) -> bool:
        now = asyncio.get_running_loop().time()
        for lane in work.lanes:
            if lane.exhausted or lane.hold(now) is not Hold.NONE:
                continue
            fragment = lane.fragment
            unit = Unit(lane, lane.next_index, failed=work.failed)
            lane.next_index += 1
            lane.in_progress += 1
            self.members_begun[fragment.role] += 1
            if fragment.wave_size and (lane.next_index - 1) % fragment.wave_size == 0 and not lane.exhausted:
                self._pause(lane, fragment.wave_pause_seconds)
            self._queue_step(unit)
            return True
        return False

    def _pause(self, lane: Lane, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        lane.paused_until = loop.time() + seconds
        # A little later than the pause ends: a timer may fire early by the clock's resolution.
        loop.call_later(seconds + 0.001, self._awaken, lane.namespace)

    def _queue_step(self, unit: Unit) -> None:
        """Make the operations of a unit's step, or hold it for the namespace's ServiceAccount.

        An empty step passes by; a failed unit's operations are made, but not sent.
        """
        lane = unit.lane
        work, fragment = lane.namespace, lane.fragment
        last_name = ""
        while unit.step < len(fragment.steps):
            if not unit.failed and fragment.step_makes_pods(unit.step) and not work.ready:
                lane.waiting_for_account.append(unit)
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
                        sys.intern(rendered.name),  # mostly the same in all namespaces
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
        self._unit_done(unit, last_name, finished=True)

    def _step_done(self, unit: Unit, last_name: str, *, finished: bool) -> None:
        lane = unit.lane
        unit.step += 1
        # The namespace may have failed while this step was under way: no event would ever let the next one go.
        unit.failed = unit.failed or lane.namespace.failed
        if unit.step >= len(lane.fragment.steps):
            self._unit_done(unit, last_name, finished=finished)
        else:
            self._queue_step(unit)

    def _unit_done(self, unit: Unit, name: str, *, finished: bool) -> None:
        lane = unit.lane
        lane.in_progress -= 1
        self.last_stored[lane.fragment.role] = self._clock.time()
        if lane.fragment.active and not unit.failed and not finished:
            lane.unfinished.add(name)
        if lane.fragment.makes_namespace and not unit.failed:
            lane.namespace.stored = True
        if lane.fragment.once and lane.exhausted and not lane.in_progress:
            self.recheck(self._of_run.name)

    def _rest(self, work: NamespaceWork) -> None:
        """Nothing of this namespace can go on now: free its slot where it would only wait for its members."""
        if work.outstanding or work.done:
            return
        now = asyncio.get_running_loop().time()
        waiting = [lane for lane in work.lanes if not lane.exhausted or lane.waiting_for_account or lane.in_progress]
        if not waiting:
            work.done = True
            self._open -= 1
            del self._works[work.name]  # events of its objects open no more gates
            work.lanes = []  # lanes refer to their namespace: without this, only the garbage collector would free them
        if work.holds_slot and all(
            not lane.waiting_for_account and lane.hold(now) is Hold.FREES_SLOT for lane in waiting
        ):
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
        while number and self._waiting_workers:
            worker = self._waiting_workers.popleft()
            if not worker.done():
                worker.set_result(None)
                number -= 1

    def _wake_all(self) -> None:
        self._wake(len(self._waiting_workers))
