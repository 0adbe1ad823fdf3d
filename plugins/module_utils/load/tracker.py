# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of the objects that were sent: one list+watch per kind, by the run's label.

The tracker knows of each object that its kind can be waited for whether it is ready, waiting or failed; it tells the
scheduler what opens gates; and it feeds the pod book. It sends nothing but lists and watches.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any, Callable, Mapping

from ..cluster.client import Cluster
from ..cluster.discovery import Discovery
from ..cluster.errors import ClusterError, Forbidden, NotFound
from ..cluster.watch import Event, ListWatch, key_of
from ..measure.pods import FailedPod, PodBook, controller_of, has_started
from ..readiness.registry import has_predicate, readiness_of
from ..readiness.state import Readiness, State
from .labels import LABEL_ROLE, run_selector
from .ledger import FinishedJob, Ledger
from .outcome import Operation, Outcome
from .plan import POD_MAKERS, Fragment
from .scheduler import Scheduler

Key = tuple[str, str]


@dataclass(slots=True)
class _Known:
    """What is known of one object. `stored`: the API took it from us; events may come before that answer."""

    role: str
    state: State = State.WAITING
    cause: str = "no status yet"
    stored: bool = False


@dataclass
class JobBook:
    """Jobs that ended, by namespace."""

    complete: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    pods_succeeded: Counter[str] = field(default_factory=Counter)
    pods_failed: Counter[str] = field(default_factory=Counter)

    def add(self, job: FinishedJob) -> None:
        """Count one."""
        (self.complete if job.complete else self.failed)[job.namespace] += 1
        self.pods_succeeded[job.namespace] += job.succeeded
        self.pods_failed[job.namespace] += job.failed


def _plain(answer: Readiness) -> State:
    """READY, WAITING or FAILED: that something finished well is, here, one way of being ready."""
    return State.READY if answer.is_ready else answer.state


class Tracker:
    """See the module's text. `on_failed_pod` and `on_failed_object` write failures down as they are seen."""

    def __init__(
        self,
        cluster: Cluster,
        discovery: Discovery,
        scheduler: Scheduler,
        *,
        run_id: str,
        fragments: list[Fragment],
        ledger: Ledger,
        on_failed_pod: Callable[[FailedPod, str], None],
        on_failed_object: Callable[[str, Key, str, str], None],
    ) -> None:
        self._cluster = cluster
        self._discovery = discovery
        self._scheduler = scheduler
        self._run_id = run_id
        self._fragments = {fragment.role: fragment for fragment in fragments}
        self._ledger = ledger
        self._on_failed_pod = on_failed_pod
        self._on_failed_object = on_failed_object
        self.pods = PodBook()
        self.jobs = JobBook()
        self.warnings: list[str] = []
        self.ready: Counter[str] = Counter()
        self.namespace_uids: dict[str, str] = {}
        self._known: dict[str, dict[Key, _Known]] = defaultdict(dict)
        self._stored_unready: dict[Key, int] = defaultdict(int)
        self._unready: Counter[str] = Counter()
        self._needed_by_others = {role for fragment in fragments for role in fragment.after}
        self._accounts: set[str] = set()
        self._active: set[str] = set()
        self._needs_accounts = True
        #: Sets that are meant to be killed: replicas wanted, and pods that have run, by set.
        self._replicas: dict[Key, int] = {}
        self._ran: dict[Key, set[str]] = defaultdict(set)
        self._watches: list[ListWatch] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._synced: dict[str, asyncio.Event] = {}
        self._changed = asyncio.Event()
        self.broken: BaseException | None = None

    # -- life --------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Begin to watch every kind that can be waited for, and return when each was listed once."""
        kinds = {kind for fragment in self._fragments.values() if fragment.ready for kind in fragment.kinds}
        watched = {(version, kind) for version, kind in kinds if has_predicate(kind) or kind == "Namespace"}
        if any(kind in POD_MAKERS for _version, kind in kinds):
            watched.add(("v1", "Pod"))
        if ("v1", "Namespace") in watched:
            await self._watch("v1", "ServiceAccount", field_selector="metadata.name=default")
        for api_version, kind in sorted(watched):
            await self._watch(api_version, kind, label_selector=run_selector(self._run_id))
        for event in self._synced.values():
            await event.wait()

    async def _watch(self, api_version: str, kind: str, **selectors: str) -> None:
        resource = await self._discovery.resource(api_version, kind)
        watch = ListWatch(self._cluster, resource, **selectors)
        self._watches.append(watch)
        self._synced[kind] = asyncio.Event()
        handler = {"Pod": self._pod_event, "ServiceAccount": self._account_event, "Namespace": self._namespace_event}
        self._tasks.append(asyncio.create_task(self._follow(kind, watch, handler.get(kind, self._object_event))))

    async def _follow(self, kind: str, watch: ListWatch, handle: Callable[[str, Event, bool], None]) -> None:
        synced = self._synced[kind]
        try:
            async for event in watch.events():
                if event.type == "SYNCED":
                    if synced.is_set():
                        await self._find_vanished(kind, watch, event.names)
                    synced.set()
                else:
                    handle(kind, event, not synced.is_set())
        except asyncio.CancelledError:
            raise
        except Forbidden as error:
            self._without(kind, error)
        except BaseException as error:
            self.broken = error
        finally:
            synced.set()
            self._changed.set()

    def _without(self, kind: str, error: Forbidden) -> None:
        """Go on without a kind that only refines what is known; without any other the run cannot be judged."""
        if kind == "ServiceAccount":
            self.warnings.append(f"ServiceAccounts cannot be watched ({error}); a namespace counts as ready when Active")
            self._needs_accounts = False
            for namespace in list(self._active):
                self._namespace_ready(namespace)
        elif kind == "Pod":
            self.warnings.append(f"Pods cannot be watched ({error}); there are no figures on them")
        else:
            self.broken = error

    async def stop(self) -> None:
        """End all watches."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def watch_breaks(self) -> Counter[str]:
        """How often watches broke, by cause."""
        return sum((watch.broken for watch in self._watches), Counter())

    # -- asked by others ---------------------------------------------------------------------------------------------

    def stored(self, outcome: Outcome) -> None:
        """The API has an object of ours (created now, or earlier by this run)."""
        operation = outcome.operation
        fragment = self._fragments[operation.role]
        if operation.kind not in self._synced or not fragment.ready:
            self.ready[operation.kind] += 1
            return
        key = self._key(operation)
        known = self._entry(operation.kind, key, operation.role)
        if not known.stored:
            known.stored = True
            if known.state is State.WAITING:
                self._count_unready((operation.namespace, operation.role), +1)

    def _count_unready(self, place: Key, step: int) -> None:
        self._stored_unready[place] += step
        self._unready[place[1]] += step
        if self._stored_unready[place] == 0:
            del self._stored_unready[place]
            if place[1] in self._needed_by_others:
                self._scheduler.poke(place[0])
        if not self._stored_unready:
            self._changed.set()

    def is_finished(self, operation: Operation) -> bool:
        """Whether the object of an operation has come to its end."""
        known = self._known.get(operation.kind, {}).get(self._key(operation))
        return known is not None and known.state is not State.WAITING

    def finished_earlier(self, operation: Operation) -> bool:
        """Whether a Job ended in an earlier attempt of this run and has vanished since; it is counted as it ended."""
        if operation.kind != "Job":
            return False
        job = self._ledger.find(self.namespace_uids.get(operation.namespace, ""), operation.name)
        if job is None or self._key(operation) in self._known["Job"]:
            return False
        self.jobs.add(job)
        known = self._entry("Job", self._key(operation), operation.role)
        self._set("Job", self._key(operation), known, State.READY if job.complete else State.FAILED, job.cause)
        return True

    def unready(self, role: str | None = None) -> int:
        """Stored objects that are neither ready nor failed, of one role or of all."""
        return self._unready.total() if role is None else self._unready[role]

    def unready_in(self, namespace: str, role: str) -> int:
        """The same for one role in one namespace."""
        return self._stored_unready.get((namespace, role), 0)

    def unsettled(self, role: str | None = None) -> list[tuple[str, Key, str]]:
        """(kind, key, cause) of what is not ready, of one role or of all."""
        return [
            (kind, key, known.cause)
            for kind, entries in self._known.items()
            for key, known in entries.items()
            if known.state is not State.READY and role in (None, known.role)
        ]

    async def changed(self, timeout_seconds: float) -> None:
        """Return when nothing is unready any more, when the watch has broken, at `signal`, or after the time."""
        self._changed.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                await self._changed.wait()

    def signal(self) -> None:
        """Let `changed` return."""
        self._changed.set()

    def give_up_namespace(self, name: str, seconds: float) -> None:
        """A namespace that is still not ready has failed: nothing more is sent there."""
        known = self._known["Namespace"].get(("", name))
        if known is not None and known.state is State.WAITING:
            cause = f"not ready after {seconds:g} s: {known.cause}"
            self._set("Namespace", ("", name), known, State.FAILED, cause)
            self._scheduler.namespace_failed(name, f"Namespace {name} {cause}")

    def give_up(self, role: str | None, cause: str) -> None:
        """What of a role, or of all, is still waiting has failed: its time is over."""
        for kind, entries in self._known.items():
            for key, known in entries.items():
                if role in (None, known.role) and known.state is State.WAITING:
                    self._set(kind, key, known, State.FAILED, f"{cause}; {known.cause}")

    # -- events ------------------------------------------------------------------------------------------------------

    def _key(self, operation: Operation) -> Key:
        return ("" if operation.kind == "Namespace" else operation.namespace, operation.name)

    def _entry(self, kind: str, key: Key, role: str) -> _Known:
        known = self._known[kind].get(key)
        if known is None:
            known = self._known[kind][key] = _Known(role)
        return known

    def _set(self, kind: str, key: Key, known: _Known, state: State, cause: str) -> None:
        known.cause = cause
        if state is known.state:
            return
        before, known.state = known.state, state
        self.ready[kind] += (state is State.READY) - (before is State.READY)
        if known.stored:
            step = (state is State.WAITING) - (before is State.WAITING)
            if step:
                self._count_unready((key[0] or key[1], known.role), step)
        if state is State.FAILED:
            self._on_failed_object(kind, key, known.role, cause)
        if state is not State.WAITING:
            self._scheduler.member_finished(*key)

    def _object_event(self, kind: str, event: Event, _from_list: bool) -> None:
        obj = event.object
        key = key_of(obj)
        role = (obj["metadata"].get("labels") or {}).get(LABEL_ROLE, "")
        if role not in self._fragments:
            return
        known = self._entry(kind, key, role)
        if kind == "StatefulSet" and self._fragments[role].expect == "restarts":
            self._replicas[key] = obj["spec"].get("replicas", 1)
            self._judge_killed_set(key)
            return
        answer = readiness_of(obj)
        if kind == "Job":
            self._job_event(key, known, obj, answer)
        if event.type == "DELETED":
            if known.state is State.WAITING and answer.state is State.WAITING:
                self._set(kind, key, known, State.FAILED, "it was deleted while the run waited for it")
            elif known.state is State.WAITING or kind != "Job":
                self._deleted(kind, key, known, answer)
            return
        self._set(kind, key, known, _plain(answer), answer.cause)

    def _deleted(self, kind: str, key: Key, known: _Known, answer: Readiness) -> None:
        if kind == "Job":  # its TTL took it: what counts is how it ended
            self._set(kind, key, known, _plain(answer), answer.cause)
        else:
            self._set(kind, key, known, State.FAILED, "it was deleted during the run")

    def _job_event(self, key: Key, known: _Known, job: Mapping[str, Any], answer: Readiness) -> None:
        if known.state is not State.WAITING or answer.state is State.WAITING:
            return
        status = job["status"]
        finished = FinishedJob(
            namespace=key[0],
            namespace_uid=self.namespace_uids.get(key[0], ""),
            name=key[1],
            complete=answer.is_ready,
            succeeded=status.get("succeeded", 0),
            failed=status.get("failed", 0),
            cause=answer.cause,
        )
        self.jobs.add(finished)
        self._ledger.add(finished)

    def _pod_event(self, _kind: str, event: Event, from_list: bool) -> None:
        pod = event.object
        failure = self.pods.observe(event.type, pod, from_list=from_list)
        role = (pod["metadata"].get("labels") or {}).get(LABEL_ROLE, "")
        if failure is not None:
            self._on_failed_pod(failure, role)
        fragment = self._fragments.get(role)
        if fragment is None or fragment.expect != "restarts" or not has_started(pod):
            return
        owner = controller_of(pod)
        if owner is not None and owner[0] == "StatefulSet":
            key = (pod["metadata"]["namespace"], owner[1])
            if pod["metadata"]["name"] not in self._ran[key]:
                self._ran[key].add(pod["metadata"]["name"])
                self._judge_killed_set(key)

    def _judge_killed_set(self, key: Key) -> None:
        """A set whose pods are meant to be killed is ready once each of its pods has run."""
        known = self._known["StatefulSet"].get(key)
        if known is None or key not in self._replicas:
            return
        ran, wanted = len(self._ran[key]), self._replicas[key]
        if ran >= wanted:
            self._set("StatefulSet", key, known, State.READY, "")
        else:
            known.cause = f"{ran} of {wanted} pods have run"

    def _account_event(self, _kind: str, event: Event, _from_list: bool) -> None:
        if event.type != "DELETED":
            namespace = event.object["metadata"]["namespace"]
            self._accounts.add(namespace)
            if namespace in self._active:
                self._namespace_ready(namespace)

    def _namespace_event(self, kind: str, event: Event, _from_list: bool) -> None:
        obj = event.object
        name = obj["metadata"]["name"]
        role = (obj["metadata"].get("labels") or {}).get(LABEL_ROLE, "")
        if role not in self._fragments:
            return
        known = self._entry(kind, ("", name), role)
        self.namespace_uids[name] = obj["metadata"]["uid"]
        phase = obj.get("status", {}).get("phase")
        if event.type == "DELETED" or phase == "Terminating":
            self._set(kind, ("", name), known, State.FAILED, "it is being deleted by somebody else")
            self._scheduler.namespace_failed(name, f"Namespace {name} is being deleted")
        elif phase == "Active":
            self._active.add(name)
            if not self._needs_accounts or name in self._accounts:
                self._namespace_ready(name)
            else:
                known.cause = "Active, but its ServiceAccount default does not exist yet"

    def _namespace_ready(self, name: str) -> None:
        known = self._known["Namespace"].get(("", name))
        if known is not None and known.state is State.WAITING:
            self._set("Namespace", ("", name), known, State.READY, "")
        self._scheduler.namespace_ready(name)

    async def _find_vanished(self, kind: str, watch: ListWatch, names: frozenset[Key]) -> None:
        """After a new list: what we waited for and is not in it was deleted unseen, unless it is newer than the list."""
        missing = [
            (key, known)
            for key, known in self._known[kind].items()
            if known.stored and known.state is State.WAITING and key not in names
        ]
        for key, known in missing:
            try:
                await self._cluster.get(watch.resource.path(*key))
            except NotFound:
                self._set(kind, key, known, State.FAILED, "it vanished while the watch was interrupted")
            except ClusterError as error:
                self.warnings.append(f"{kind} {key[1]}: {error}")
