# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of every object that is waited for, the special rules of Namespaces and of StatefulSets meant to crash."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ..cluster.watch import Event
from ..measure.pod_status import controller_of, has_ended_once, has_started
from ..readiness.state import Readiness, State
from .role_progress import RoleProgress
from .scheduler import Scheduler

#: (namespace, name); the namespace of what lies in none is "".
Key = tuple[str, str]


@dataclass(slots=True)
class ObjectState:
    """One object. `state` is READY, WAITING or FAILED.

    `uid`, as a number (uid_number; 0 is unknown), distinguishes it from others that had its name before or get it
    later. `stored`: the API has accepted it from us; events may arrive before that answer. `settled_once`: it has been
    ready or failed before. `pods_ended`: of a Job, the most pods that its status has counted as succeeded or failed.
    `operations`: how many it stands for in the counts: its creation, and one for each patch of the plan.
    """

    role: str
    uid: int = 0
    state: State = State.WAITING
    cause: str = "no status yet"
    stored: bool = False
    settled_once: bool = False
    pods_ended: int = 0
    operations: int = 1

    def is_going(self, event: Event) -> bool:
        """Whether an event says that the object is gone, or where it is stored that it is being deleted."""
        return event.type == "DELETED" or (self.stored and bool(event.object["metadata"].get("deletionTimestamp")))


class StateListener(Protocol):
    """Is called when states change."""

    def object_failed(self, kind: str, key: Key, role: str, cause: str) -> None:
        """An object has failed."""

    def object_settled(self, namespace: str, name: str) -> None:
        """An object is no longer waited for."""

    def role_settled(self, namespace: str, role: str) -> None:
        """No stored object of a role in a namespace is waited for any more."""

    def all_settled(self) -> None:
        """Nothing is waited for any more."""


class ObjectStates:
    """The objects of a batch that can be waited for, by kind and key.

    An object is unfinished while it is stored and WAITING. `ready` counts the ready objects by kind, once for each
    operation on them.
    """

    def __init__(self, progress: RoleProgress) -> None:
        self.ready: Counter[str] = Counter()
        self._progress = progress
        self._listeners: list[StateListener] = []
        self._known: dict[str, dict[Key, ObjectState]] = defaultdict(dict)
        self._unfinished_in: dict[Key, int] = defaultdict(int)
        self._unfinished: Counter[str] = Counter()

    def subscribe(self, listener: StateListener) -> None:
        """Call this listener at every change from now on."""
        self._listeners.append(listener)

    def find(self, kind: str, key: Key) -> ObjectState | None:
        """The state of an object, or None."""
        return self._known[kind].get(key)

    def find_or_add(self, kind: str, key: Key, role: str) -> ObjectState:
        """The same, with a new entry where there was none."""
        known = self._known[kind].get(key)
        if known is None:
            known = self._known[kind][key] = ObjectState(role)
        return known

    def stored(self, kind: str, key: Key, role: str, uid: int = 0) -> ObjectState:
        """The API has accepted the object: from now on it is waited for."""
        known = self.find_or_add(kind, key, role)
        if uid and known.uid and uid != known.uid and not known.stored:
            # What was heard until now was about an object that had this name before.
            self.forget(kind, key)
            known = self.find_or_add(kind, key, role)
        known.uid = uid or known.uid
        if not known.stored:
            known.stored = True
            if known.state is State.WAITING:
                self._count((key[0] or key[1], role), +1)
        return known

    def patched(self, kind: str, key: Key, role: str, *, is_seen: bool) -> None:
        """A role has patched the object: from now on that role waits for it, until an event shows what became of it.

        `is_seen`: an event has shown the patch already, or it changed nothing, so that the state is that after it.
        """
        known = self.find_or_add(kind, key, role)
        is_waited_for = known.stored and known.state is State.WAITING
        before, known.role = known.role, role
        known.operations += 1
        known.settled_once = False  # to be ready once more is progress
        self.ready[kind] += known.state is State.READY
        if is_waited_for and before != role:
            self._count((key[0] or key[1], role), +1)
            self._count((key[0] or key[1], before), -1)
        elif known.state is State.READY and not is_seen:
            self.set(kind, key, known, State.WAITING, "patched, and nothing has been heard of it since")

    def forget(self, kind: str, key: Key) -> None:
        """An object that is not stored by us is gone."""
        known = self._known[kind].pop(key)
        self.ready[kind] -= known.operations * (known.state is State.READY)

    def judge(self, kind: str, key: Key, known: ObjectState, answer: Readiness) -> None:
        """Take in what its predicate says of an object; one that has finished well counts as ready here."""
        self.set(kind, key, known, State.READY if answer.is_ready else answer.state, answer.cause)

    def set(self, kind: str, key: Key, known: ObjectState, state: State, cause: str) -> None:
        """Take in an object's state as it is now."""
        known.cause = cause
        if state is known.state:
            return
        before, known.state = known.state, state
        self.ready[kind] += known.operations * ((state is State.READY) - (before is State.READY))
        if state is not State.WAITING and not known.settled_once:
            known.settled_once = True
            self._progress.moved(known.role)
        step = (state is State.WAITING) - (before is State.WAITING)
        if step and known.stored:
            self._count((key[0] or key[1], known.role), step)
        for listener in self._listeners:
            if state is State.FAILED:
                listener.object_failed(kind, key, known.role, cause)
            if state is not State.WAITING:
                listener.object_settled(*key)

    def count_ended_pods(self, known: ObjectState, number: int) -> None:
        """Take in how many pods a Job's status counts as succeeded or failed: more than ever before is progress."""
        if number > known.pods_ended:
            known.pods_ended = number
            self._progress.moved(known.role)

    def _count(self, place: Key, step: int) -> None:
        self._unfinished_in[place] += step
        self._unfinished[place[1]] += step
        if self._unfinished_in[place] == 0:
            del self._unfinished_in[place]
            for listener in self._listeners:
                listener.role_settled(*place)
        if not self._unfinished_in:
            for listener in self._listeners:
                listener.all_settled()

    def unfinished(self, role: str | None = None) -> int:
        """Stored objects that are neither ready nor failed, of one role or of all."""
        return self._unfinished.total() if role is None else self._unfinished[role]

    def unfinished_in(self, namespace: str, role: str) -> int:
        """The same for one role in one namespace."""
        return self._unfinished_in.get((namespace, role), 0)

    def not_ready(self, role: str | None = None) -> list[tuple[str, Key, str]]:
        """(kind, key, cause) of everything that is not ready, failed or not, of one role or of all."""
        return [
            (kind, key, known.cause)
            for kind, entries in self._known.items()
            for key, known in entries.items()
            if known.state is not State.READY and role in (None, known.role)
        ]

    def waiting(self, kind: str) -> Iterator[tuple[Key, ObjectState]]:
        """The unfinished objects of a kind."""
        for key, known in self._known[kind].items():
            if known.stored and known.state is State.WAITING:
                yield key, known

    def waiting_causes(self, role: str) -> Iterator[str]:
        """Why the unfinished objects of a role are not ready, one cause for each."""
        for entries in self._known.values():
            for known in entries.values():
                if known.role == role and known.stored and known.state is State.WAITING:
                    yield known.cause

    def give_up(self, role: str | None, cause: str) -> None:
        """Whatever of a role, or of all, is still waiting has failed: its time is over."""
        for kind, entries in self._known.items():
            for key, known in entries.items():
                if role in (None, known.role) and known.state is State.WAITING:
                    self.set(kind, key, known, State.FAILED, f"{cause}; {known.cause}")


class CrashingSets:
    """StatefulSets of fragments with `expect: restarts`: ready once a container of each of their pods has ended.

    That is what they are for. How a container ended is counted elsewhere (measure/pods.py).
    """

    def __init__(self, states: ObjectStates) -> None:
        self._states = states
        self._replicas: dict[Key, int] = {}
        self._ran: dict[Key, set[str]] = defaultdict(set)
        self._ended: dict[Key, set[str]] = defaultdict(set)

    def set_event(self, key: Key, obj: Mapping[str, Any]) -> None:
        """A set as it is now."""
        self._replicas[key] = obj["spec"].get("replicas", 1)
        self._judge(key)

    def pod_event(self, pod: Mapping[str, Any]) -> None:
        """A pod as it is now."""
        owner = controller_of(pod)
        if owner is None or owner[0] != "StatefulSet":
            return
        key, name = (pod["metadata"]["namespace"], owner[1]), pod["metadata"]["name"]
        if name in self._ended[key]:
            return
        if has_started(pod):
            self._ran[key].add(name)
        if has_ended_once(pod):
            self._ended[key].add(name)
        self._judge(key)

    def _judge(self, key: Key) -> None:
        known = self._states.find("StatefulSet", key)
        if known is None or key not in self._replicas:
            return
        ended, ran, wanted = len(self._ended[key]), len(self._ran[key]), self._replicas[key]
        if ended >= wanted:
            self._states.set("StatefulSet", key, known, State.READY, "")
        elif ran < wanted:
            known.cause = f"{ran} of {wanted} pods have run"
        else:
            known.cause = (
                f"all {wanted} pods run, but only {ended} have been killed or restarted: they need more memory than "
                "their limit, and a node that enforces it (simulated ones do only what their Stages say)"
            )


class NamespaceStates:
    """Namespaces of the run: ready when Active and with the ServiceAccount `default`, without which no pod is admitted.

    `uids` are those of the run's namespaces, by name.
    """

    def __init__(self, states: ObjectStates, scheduler: Scheduler) -> None:
        self.uids: dict[str, str] = {}
        self._states = states
        self._scheduler = scheduler
        self._accounts: set[str] = set()
        self._active: set[str] = set()
        self._needs_accounts = True

    def account_event(self, event: Event) -> None:
        """An event of the ServiceAccount `default` of any namespace."""
        if event.type != "DELETED":
            namespace = event.object["metadata"]["namespace"]
            self._accounts.add(namespace)
            if namespace in self._active:
                self._ready(namespace)

    def namespace_event(self, known: ObjectState, event: Event) -> None:
        """An event of one of the run's Namespaces."""
        obj = event.object
        name = obj["metadata"]["name"]
        self.uids[name] = obj["metadata"]["uid"]
        phase = obj.get("status", {}).get("phase")
        if event.type == "DELETED" or phase == "Terminating":
            self._states.set("Namespace", ("", name), known, State.FAILED, "it is being deleted by somebody else")
            self._scheduler.namespace_failed(name, f"Namespace {name} is being deleted")
        elif phase == "Active":
            self._active.add(name)
            if not self._needs_accounts or name in self._accounts:
                self._ready(name)
            else:
                known.cause = "Active, but its ServiceAccount default does not exist yet"

    def without_accounts(self) -> None:
        """ServiceAccounts may not be read: Active is enough."""
        self._needs_accounts = False
        for namespace in list(self._active):
            self._ready(namespace)

    def is_awaited(self, name: str) -> bool:
        """Whether a namespace is not ready yet, and has not failed."""
        known = self._states.find("Namespace", ("", name))
        return known is not None and known.state is State.WAITING

    def give_up(self, name: str, seconds: float) -> None:
        """A namespace that is still not ready after its time has failed: nothing more is sent there."""
        known = self._states.find("Namespace", ("", name))
        if known is not None and known.state is State.WAITING:
            cause = f"not ready after {seconds:g} s: {known.cause}"
            self._states.set("Namespace", ("", name), known, State.FAILED, cause)
            self._scheduler.namespace_failed(name, f"Namespace {name} {cause}")

    def _ready(self, name: str) -> None:
        known = self._states.find("Namespace", ("", name))
        if known is not None and known.state is State.WAITING:
            self._states.set("Namespace", ("", name), known, State.READY, "")
        self._scheduler.namespace_ready(name)
