# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait for selected objects with one list and watch per kind, never by polling single objects.

Only the state of each object is kept, so memory grows with the number of objects, not with their size.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from ..cluster.client import Cluster
from ..cluster.discovery import Discovery, Resource
from ..cluster.errors import Forbidden
from ..cluster.explainer import Explainer
from ..cluster.scopes import FEW_NAMESPACES, ScopedWatch, Scopes
from ..cluster.versions import Versions, uid_number
from ..cluster.watch import Event, key_of
from ..readiness.pods import is_hopeless
from ..readiness.registry import predicate_for
from ..readiness.state import Predicate, Readiness, State, waiting

#: Kinds whose pods can show that they will never be ready.
_POD_MAKERS = frozenset(
    {"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job", "JobSet"}
)
#: Minimum seconds between checks of pods that cannot start: while many pods start, events are frequent.
_POD_CHECK_SECONDS = 1.0

Key = tuple[str, str]


class Goal(Enum):
    """What to wait for: READY (or finished successfully), FINISHED (successfully or not), ABSENT (gone)."""

    READY = "ready"
    FINISHED = "finished"
    ABSENT = "absent"


_SETTLED = {
    Goal.READY: frozenset({State.READY, State.FINISHED}),
    Goal.FINISHED: frozenset({State.FINISHED, State.FAILED}),
    Goal.ABSENT: frozenset[State](),
}
#: States that outlive the object: a finished Job that its TTL has removed still counts as finished.
_LASTING = {
    Goal.READY: frozenset({State.FINISHED}),
    Goal.FINISHED: frozenset({State.FINISHED, State.FAILED}),
    Goal.ABSENT: frozenset[State](),
}


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A kind to wait for, and how many objects of it at least."""

    api_version: str
    kind: str
    count: int = 1


@dataclass
class Watched:
    """The states of the objects of one kind. `synced`: their first list was delivered."""

    wanted: Wanted
    resource: Resource
    predicate: Predicate
    goal: Goal
    states: dict[Key, Readiness] = field(default_factory=dict)
    uids: dict[Key, str] = field(default_factory=dict)
    versions: Versions = field(default_factory=Versions)
    tally: Counter[State] = field(default_factory=Counter)
    synced: bool = False

    def take(self, event: Event) -> None:
        """Take in an event, unless it is out of date."""
        if not self.versions.is_news(event):
            return
        metadata, key = event.object["metadata"], key_of(event.object)
        uid, known = metadata.get("uid", ""), self.uids.get(key, "")
        is_another = bool(known) and known != uid
        if is_another and (event.type == "DELETED" or not self.versions.is_newer(metadata, uid_number(known))):
            return  # of an object that had this name before
        self.uids[key] = uid
        answer = self.predicate(event.object)
        if event.type == "DELETED":
            self.gone(key, answer)
        else:
            self.put(key, answer)

    def put(self, key: Key, answer: Readiness) -> None:
        """Record the state of an object."""
        self._remove(key)
        self.states[key] = answer
        self.tally[answer.state] += 1

    def gone(self, key: Key, answer: Readiness | None = None) -> None:
        """The object is gone; `answer` is its last state, if known."""
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
        """How many of the expected objects do not exist; 0 when waiting for absence."""
        return 0 if self.goal is Goal.ABSENT else max(0, self.wanted.count - len(self.states))

    @property
    def unsettled(self) -> int:
        """How many objects have not reached the goal, missing ones included; 0 ends the wait for this kind."""
        return len(self.states) - sum(self.tally[state] for state in _SETTLED[self.goal]) + self.missing

    def unsettled_objects(self) -> list[tuple[Key, Readiness]]:
        """Existing objects that have not reached the goal; failed ones first, then by name."""
        rows = [(key, answer) for key, answer in self.states.items() if answer.state not in _SETTLED[self.goal]]
        return sorted(rows, key=lambda row: (row[1].state is not State.FAILED, row[0]))

    def failed_objects(self) -> list[tuple[Key, Readiness]]:
        """Objects that failed, by name."""
        return sorted((key, answer) for key, answer in self.states.items() if answer.state is State.FAILED)


class Waiter:
    """Watches until everything has reached the goal, something never can, or the time is over."""

    def __init__(
        self,
        cluster: Cluster,
        wanted: list[Wanted],
        *,
        label_selector: str,
        namespaces: list[str],
        goal: Goal,
    ) -> None:
        self._cluster = cluster
        self._wanted = wanted
        self._selector = label_selector
        self._namespaces = namespaces
        self._scopes = Scopes(namespaces, few=FEW_NAMESPACES)
        self._goal = goal
        self._explainer = Explainer(cluster)
        #: Namespaces with a pod that can never start.
        self._suspects: set[str] = set()
        self._checked = 0.0
        self._changed = asyncio.Event()
        self.kinds: list[Watched] = []
        self.warnings: list[str] = []
        self.outcome = "timeout"

    async def run(self, *, timeout_seconds: float, once: bool = False) -> None:
        """Return with `outcome` done, hopeless, timeout, or (with `once`: after the first list) seen.

        Raises ClusterError if waiting cannot help: no such kind, no permission.
        """
        discovery = Discovery(self._cluster)
        for wanted in self._wanted:
            resource = await discovery.resource(wanted.api_version, wanted.kind)
            predicate = predicate_for(wanted.api_version, wanted.kind, has_status=resource.has_status)
            self.kinds.append(Watched(wanted, resource, predicate, self._goal))
        watches = [self._follow(watched) for watched in self.kinds]
        if self._goal is Goal.READY and any(wanted.kind in _POD_MAKERS for wanted in self._wanted):
            watches.append(self._follow_pods(await discovery.resource("v1", "Pod")))
        await self._until_settled(watches, timeout_seconds=timeout_seconds, once=once)

    async def _until_settled(
        self, watches: list[Coroutine[Any, Any, None]], *, timeout_seconds: float, once: bool
    ) -> None:
        tasks = [asyncio.create_task(watch) for watch in watches]
        verdict = asyncio.create_task(self._decide(once))
        try:
            async with self._cluster.reachability.timeout(timeout_seconds):
                # Watches end only by failing, except the optional one of pods.
                pending = {verdict, *tasks}
                while not verdict.done():
                    done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                    for task in done:
                        task.result()
        except TimeoutError:
            self.outcome = "timeout"
        finally:
            for task in (verdict, *tasks):
                task.cancel()
            await asyncio.gather(verdict, *tasks, return_exceptions=True)

    # -- watching ----------------------------------------------------------------------------------------------------

    async def _follow(self, watched: Watched) -> None:
        watch = ScopedWatch(self._cluster, watched.resource, self._scopes, label_selector=self._selector)
        async for event in self._events_of(watch):
            if event.type == "SYNCED":
                self._forget_missing(watched, event)
                watched.synced = True
            else:
                watched.take(event)
            self._changed.set()

    async def _events_of(self, watch: ScopedWatch) -> AsyncIterator[Event]:
        """Events of the wanted namespaces."""
        wanted = frozenset(self._namespaces) if watch.resource.namespaced else frozenset()
        async for event in watch.events():
            if event.type == "SYNCED" or not wanted or event.object["metadata"].get("namespace") in wanted:
                yield event

    def _forget_missing(self, watched: Watched, event: Event) -> None:
        for key in [key for key in watched.states if event.forgets(key)]:
            watched.gone(key)

    async def _follow_pods(self, resource: Resource) -> None:
        """Pods are not waited for; one that can never start makes its namespace suspect."""
        watch = ScopedWatch(self._cluster, resource, self._scopes, label_selector=self._selector)
        try:
            async for event in self._events_of(watch):
                if event.type in ("ADDED", "MODIFIED") and is_hopeless(event.object):
                    self._suspects.add(event.object["metadata"]["namespace"])
                    self._changed.set()
        except Forbidden as error:
            self.warnings.append(f"pods cannot be watched, so their problems are not reported: {error}")

    # -- deciding ----------------------------------------------------------------------------------------------------

    async def _decide(self, once: bool) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            if not all(watched.synced for watched in self.kinds):
                continue
            if not any(watched.unsettled for watched in self.kinds):
                self.outcome = "done"
                return
            if once:
                self.outcome = "seen"
                return
            if self._goal is Goal.READY and (self._any_failed() or await self._suspects_fail()):
                self.outcome = "hopeless"
                return

    def _any_failed(self) -> bool:
        return any(watched.tally[State.FAILED] for watched in self.kinds)

    async def _suspects_fail(self) -> bool:
        """Check the waiting objects of suspect namespaces; True if one of them can never be ready."""
        if not self._suspects:
            return False
        await asyncio.sleep(max(0.0, self._checked + _POD_CHECK_SECONDS - time.monotonic()))
        self._checked = time.monotonic()
        namespaces, self._suspects = self._suspects, set()
        for watched in self.kinds:
            if watched.wanted.kind not in _POD_MAKERS:
                continue
            for key, answer in list(watched.states.items()):
                if key[0] in namespaces and answer.state is State.WAITING:
                    fuller = await self._explainer.explain(watched.resource, key, answer)
                    if fuller.state is State.FAILED:
                        watched.put(key, fuller)
        return self._any_failed()

    # -- reporting ----------------------------------------------------------------------------------------------------

    def counts(self) -> tuple[int, int]:
        """(objects that have reached the goal, all objects including missing ones)."""
        total = sum(len(watched.states) + watched.missing for watched in self.kinds)
        return total - sum(watched.unsettled for watched in self.kinds), total

    async def unsettled_rows(self, limit: int) -> list[dict[str, str]]:
        """The first `limit` objects that have not reached the goal, with their causes; failed ones first."""
        rows = [
            _row(watched, ("", ""), f"{len(watched.states)} of {watched.wanted.count} expected exist")
            for watched in self.kinds
            if watched.missing
        ]
        found = [(watched, *row) for watched in self.kinds for row in watched.unsettled_objects()]
        found.sort(key=lambda row: row[2].state is not State.FAILED)
        first = found[: max(0, limit - len(rows))]
        causes = await asyncio.gather(*(self._cause(*row) for row in first))
        rows += [_row(watched, key, cause) for (watched, key, _answer), cause in zip(first, causes, strict=True)]
        return rows[:limit]

    async def _cause(self, watched: Watched, key: Key, answer: Readiness) -> str:
        if self._goal is Goal.ABSENT:
            return await self._explainer.why_still_there(watched.resource, key)
        if self._goal is Goal.FINISHED and answer.state is State.READY:
            answer = waiting("still running")
        return (await self._explainer.explain(watched.resource, key, answer)).cause

    def failed_rows(self, limit: int) -> list[dict[str, str]]:
        """The first `limit` objects that failed, with their causes."""
        rows = [_row(watched, key, answer.cause) for watched in self.kinds for key, answer in watched.failed_objects()]
        return rows[:limit]


def _row(watched: Watched, key: Key, cause: str) -> dict[str, str]:
    return {"kind": watched.wanted.kind, "namespace": key[0], "name": key[1], "cause": cause}
