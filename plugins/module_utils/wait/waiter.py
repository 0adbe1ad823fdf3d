# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for selected objects: one list+watch per kind, never a poll per object.

Of each object only its state is kept, so memory grows with the number of objects, not with their size.
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
from ..cluster.watch import Event, ListWatch, key_of
from ..readiness.pods import is_hopeless
from ..readiness.registry import predicate_for
from ..readiness.state import Predicate, Readiness, State, waiting

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


#: Up to this many namespaces get watches of their own; beyond, one watch over all is cheaper.
_OWN_WATCHES = 20
#: Kinds whose pods can show that they will never be ready.
_POD_MAKERS = frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job"})
#: Seconds between two looks at the pods behind what waits: in a start-up storm every pod has its events.
_SUSPECT_SECONDS = 1.0


class Waiter:
    """Watches until everything is as wanted, something can never be ready, or the time is over."""

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
        self._goal = goal
        self._explainer = Explainer(cluster)
        self._suspects: set[str] = set()
        self._looked = 0.0
        self._changed = asyncio.Event()
        self._sources = 0
        self.kinds: list[Watched] = []
        self.warnings: list[str] = []
        self.outcome = "timeout"

    async def run(self, *, timeout_seconds: float, once: bool = False) -> None:
        """Return with `outcome` done, hopeless, timeout, or (with `once`: after the first list) seen.

        Raises ClusterError for what no waiting can mend: no such kind, no permission.
        """
        discovery = Discovery(self._cluster)
        for wanted in self._wanted:
            resource = await discovery.resource(wanted.api_version, wanted.kind)
            self.kinds.append(Watched(wanted, resource, predicate_for(wanted.api_version, wanted.kind), self._goal))
        watches = [self._follow(watched, place) for watched in self.kinds for place in self._places(watched.resource)]
        self._sources = len(watches)
        if self._goal is Goal.READY and any(wanted.kind in _POD_MAKERS for wanted in self._wanted):
            pod = await discovery.resource("v1", "Pod")
            watches += [self._follow_pods(pod, place) for place in self._places(pod)]
        await self._until_settled(watches, timeout_seconds=timeout_seconds, once=once)

    async def _until_settled(
        self, watches: list[Coroutine[Any, Any, None]], *, timeout_seconds: float, once: bool
    ) -> None:
        tasks = [asyncio.create_task(watch) for watch in watches]
        judge = asyncio.create_task(self._judge(once))
        try:
            async with asyncio.timeout(timeout_seconds):
                # A watch ends only by failing, but for the optional one of pods; the judge by having an answer.
                pending = {judge, *tasks}
                while not judge.done():
                    done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                    for task in done:
                        task.result()
        except TimeoutError:
            self.outcome = "timeout"
        finally:
            for task in (judge, *tasks):
                task.cancel()
            await asyncio.gather(judge, *tasks, return_exceptions=True)

    def _places(self, resource: Resource) -> list[str | None]:
        if not resource.namespaced or not self._namespaces or len(self._namespaces) > _OWN_WATCHES:
            return [None]
        return list(self._namespaces)

    # -- watching ----------------------------------------------------------------------------------------------------

    async def _follow(self, watched: Watched, place: str | None) -> None:
        watch = ListWatch(self._cluster, watched.resource, label_selector=self._selector, namespace=place)
        listed = False
        async for event in self._here(watch):
            if event.type == "SYNCED":
                self._forget_missing(watched, place, event)
                watched.synced += not listed
                listed = True
            else:
                self._note(watched, event)
            self._changed.set()

    async def _here(self, watch: ListWatch) -> AsyncIterator[Event]:
        """Its events, without those of namespaces that nobody asked for."""
        asked = frozenset(self._namespaces) if watch.resource.namespaced else frozenset()
        async for event in watch.events():
            if event.type == "SYNCED" or not asked or event.object["metadata"].get("namespace") in asked:
                yield event

    def _forget_missing(self, watched: Watched, place: str | None, event: Event) -> None:
        for key in [key for key in watched.states if place in (None, key[0]) and key not in event.names]:
            watched.gone(key)

    def _note(self, watched: Watched, event: Event) -> None:
        key = key_of(event.object)
        answer = watched.judge(event.object)
        if event.type == "DELETED":
            watched.gone(key, answer)
        else:
            watched.put(key, answer)

    async def _follow_pods(self, resource: Resource, place: str | None) -> None:
        """Pods are not waited for here; one that can never start makes its controller a suspect."""
        watch = ListWatch(self._cluster, resource, label_selector=self._selector, namespace=place)
        try:
            async for event in self._here(watch):
                if event.type in ("ADDED", "MODIFIED") and is_hopeless(event.object):
                    self._suspects.add(event.object["metadata"]["namespace"])
                    self._changed.set()
        except Forbidden as error:
            self.warnings.append(f"pods cannot be watched, so their causes are not told: {error}")

    # -- judging -----------------------------------------------------------------------------------------------------

    async def _judge(self, once: bool) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            if sum(watched.synced for watched in self.kinds) < self._sources:
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
        """Look at the pods of those namespaces where one can never start; True if that holds for all of an object's."""
        if not self._suspects:
            return False
        await asyncio.sleep(max(0.0, self._looked + _SUSPECT_SECONDS - time.monotonic()))
        self._looked = time.monotonic()
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

    # -- telling -----------------------------------------------------------------------------------------------------

    def counts(self) -> tuple[int, int]:
        """(objects that are as wanted, objects in all, missing ones included)."""
        total = sum(len(watched.states) + watched.missing for watched in self.kinds)
        return total - sum(watched.unsettled for watched in self.kinds), total

    async def unsettled_rows(self, most: int) -> list[dict[str, str]]:
        """The first `most` objects that are not as wanted, with their causes; failed ones first."""
        rows = [
            _row(watched, ("", ""), f"{len(watched.states)} of {watched.wanted.count} expected exist")
            for watched in self.kinds
            if watched.missing
        ]
        found = [(watched, *row) for watched in self.kinds for row in watched.unsettled_objects()]
        found.sort(key=lambda row: row[2].state is not State.FAILED)
        first = found[: max(0, most - len(rows))]
        causes = await asyncio.gather(*(self._cause(*row) for row in first))
        rows += [_row(watched, key, cause) for (watched, key, _answer), cause in zip(first, causes, strict=True)]
        return rows[:most]

    async def _cause(self, watched: Watched, key: Key, answer: Readiness) -> str:
        if self._goal is Goal.ABSENT:
            return await self._explainer.why_still_there(watched.resource, key)
        if self._goal is Goal.FINISHED and answer.state is State.READY:
            answer = waiting("still runs")
        return (await self._explainer.explain(watched.resource, key, answer)).cause

    def failed_rows(self, most: int) -> list[dict[str, str]]:
        """The first `most` that have failed, with their own causes."""
        rows = [_row(watched, key, answer.cause) for watched in self.kinds for key, answer in watched.failed_objects()]
        return rows[:most]


def _row(watched: Watched, key: Key, cause: str) -> dict[str, str]:
    return {"kind": watched.wanted.kind, "namespace": key[0], "name": key[1], "cause": cause}
