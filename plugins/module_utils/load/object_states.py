# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a namespace is ready: Active, and with the ServiceAccount `default`, without which no pod is admitted."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..cluster.labels import LABEL_ROLE
from ..cluster.watch import Event
from ..measure.pod_status import controller_of, has_started
from ..readiness.state import State
from .scheduler import Scheduler

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


class KilledSets:
    """Fed with the events of such sets and of their pods."""

    def __init__(self, standings: Standings) -> None:
        self._standings = standings
        self._replicas: dict[Key, int] = {}
        self._ran: dict[Key, set[str]] = defaultdict(set)

    def take_set(self, key: Key, obj: Mapping[str, Any]) -> None:
        """A set as it is now."""
        self._replicas[key] = obj["spec"].get("replicas", 1)
        self._judge(key)

    def take_pod(self, pod: Mapping[str, Any]) -> None:
        """A pod as it is now."""
        owner = controller_of(pod)
        if owner is None or owner[0] != "StatefulSet" or not has_started(pod):
            return
        key = (pod["metadata"]["namespace"], owner[1])
        if pod["metadata"]["name"] not in self._ran[key]:
            self._ran[key].add(pod["metadata"]["name"])
            self._judge(key)

    def _judge(self, key: Key) -> None:
        known = self._standings.find("StatefulSet", key)
        if known is None or key not in self._replicas:
            return
        ran, wanted = len(self._ran[key]), self._replicas[key]
        if ran >= wanted:
            self._standings.set("StatefulSet", key, known, State.READY, "")
        else:
            known.cause = f"{ran} of {wanted} pods have run"


class Namespaces:
    """Fed with the events of the run's Namespaces and of all ServiceAccounts `default`; tells standings and scheduler.

    `uids` are those of the run's namespaces, by name.
    """

    def __init__(self, standings: Standings, scheduler: Scheduler, *, roles: frozenset[str]) -> None:
        self.uids: dict[str, str] = {}
        self._standings = standings
        self._scheduler = scheduler
        self._roles = roles
        self._accounts: set[str] = set()
        self._active: set[str] = set()
        self._needs_accounts = True

    def account_event(self, _kind: str, event: Event, _from_list: bool) -> None:
        """A ServiceAccount `default` of any namespace."""
        if event.type != "DELETED":
            namespace = event.object["metadata"]["namespace"]
            self._accounts.add(namespace)
            if namespace in self._active:
                self._ready(namespace)

    def namespace_event(self, kind: str, event: Event, _from_list: bool) -> None:
        """A Namespace of the run."""
        obj = event.object
        name = obj["metadata"]["name"]
        role = (obj["metadata"].get("labels") or {}).get(LABEL_ROLE, "")
        if role not in self._roles:
            return
        known = self._standings.entry(kind, ("", name), role)
        self.uids[name] = obj["metadata"]["uid"]
        phase = obj.get("status", {}).get("phase")
        if event.type == "DELETED" or phase == "Terminating":
            self._standings.set(kind, ("", name), known, State.FAILED, "it is being deleted by somebody else")
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

    def give_up(self, name: str, seconds: float) -> None:
        """A namespace that is still not ready after its time has failed: nothing more is sent there."""
        known = self._standings.find("Namespace", ("", name))
        if known is not None and known.state is State.WAITING:
            cause = f"not ready after {seconds:g} s: {known.cause}"
            self._standings.set("Namespace", ("", name), known, State.FAILED, cause)
            self._scheduler.namespace_failed(name, f"Namespace {name} {cause}")

    def _ready(self, name: str) -> None:
        known = self._standings.find("Namespace", ("", name))
        if known is not None and known.state is State.WAITING:
            self._standings.set("Namespace", ("", name), known, State.READY, "")
        self._scheduler.namespace_ready(name)
