# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Follows the objects that were sent: one list+watch per kind, selected by the run's label.

The tracker knows whether each object is ready, waiting or failed, lets the scheduler open its gates, and feeds the pod
book. It sends nothing but lists, watches and, after a broken watch, single gets.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from ..cluster.client import Cluster
from ..cluster.discovery import Discovery
from ..cluster.errors import ClusterError, Forbidden, NotFound
from ..cluster.labels import LABEL_ROLE, run_selector
from ..cluster.watch import Event, ListWatch, key_of
from ..measure.job_times import job_end
from ..measure.pods import PodBook
from ..plan.fragment import Fragment
from ..plan.kinds import POD_MAKERS
from ..readiness.registry import has_predicate, readiness_of
from ..readiness.state import Readiness, State
from .failure_log import FailureLog
from .ledger import FinishedJob, JobBook, Ledger
from .object_states import CrashingSets, Key, NamespaceStates, ObjectState, ObjectStates
from .role_progress import RoleProgress
from .scheduler import Operation, Outcome, Scheduler


def _state_of(answer: Readiness) -> State:
    """READY, WAITING or FAILED: an object that has finished well counts as ready here."""
    return State.READY if answer.is_ready else answer.state


class Tracker:
    """See the module's text. `broken` is the error that ended a watch which the run cannot do without."""

    def __init__(
        self,
        cluster: Cluster,
        discovery: Discovery,
        scheduler: Scheduler,
        states: ObjectStates,
        progress: RoleProgress,
        *,
        run_id: str,
        fragments: list[Fragment],
        ledger: Ledger,
        failures: FailureLog,
    ) -> None:
        self._cluster = cluster
        self._discovery = discovery
        self._scheduler = scheduler
        self._states = states
        self._progress = progress
        self._run_id = run_id
        self._fragments = {fragment.role: fragment for fragment in fragments}
        self._needed_by_others = {role for fragment in fragments for role in fragment.after}
        self._ledger = ledger
        self._failures = failures
        self.pods = PodBook()
        #: Whether the figures of `pods` are measured; without permission to watch pods, 0 would be made up.
        self.sees_pods = False
        self.jobs = JobBook()
        self.warnings: list[str] = []
        self.namespaces = NamespaceStates(states, scheduler, roles=frozenset(self._fragments))
        self._crashing_sets = CrashingSets(states)
        self._cluster_wide = {"Namespace"}
        self._watches: list[ListWatch] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._synced: dict[str, asyncio.Event] = {}
        self._changed = asyncio.Event()
        self._catching_up = False
        self.broken: BaseException | None = None
        states.subscribe(self)

    # -- life --------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Begin to watch every kind that can be waited for, and return when each was listed once."""
        kinds = {kind for fragment in self._fragments.values() if fragment.ready for kind in fragment.kinds}
        watched = {(version, kind) for version, kind in kinds if has_predicate(kind) or kind == "Namespace"}
        if any(kind in POD_MAKERS for _version, kind in kinds):
            watched.add(("v1", "Pod"))
            self.sees_pods = True
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
        if not resource.namespaced:
            self._cluster_wide.add(kind)
        self._synced[kind] = asyncio.Event()
        handler = {
            "Pod": self._pod_event,
            "ServiceAccount": self.namespaces.account_event,
            "Namespace": self.namespaces.namespace_event,
        }
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
        """Go on without a kind that only adds detail; without any other the run cannot be judged."""
        if kind == "ServiceAccount":
            self.warnings.append(f"ServiceAccounts cannot be watched ({error}); an Active namespace counts as ready")
            self.namespaces.without_accounts()
        elif kind == "Pod":
            self.sees_pods = False
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

    # -- for the runner and the batch --------------------------------------------------------------------------------

    def pod_counts(self) -> dict[str, int] | None:
        """Pods pending, running, succeeded and failed; None where they are not watched."""
        return self.pods.counts() if self.sees_pods else None

    def stored(self, outcome: Outcome) -> None:
        """The API has an object of ours: created now, or earlier by this run."""
        operation = outcome.operation
        self._progress.moved(operation.role)
        if self._waits_for(operation):
            self._states.stored(operation.kind, self._key(operation), operation.role)
        else:
            self._states.ready[operation.kind] += 1

    def _waits_for(self, operation: Operation) -> bool:
        return operation.kind in self._synced and self._fragments[operation.role].ready

    def _key(self, operation: Operation) -> Key:
        return ("" if operation.kind in self._cluster_wide else operation.namespace, operation.name)

    def is_finished(self, operation: Operation) -> bool:
        """Whether the object of an operation is settled already, or is not waited for at all."""
        if not self._waits_for(operation):
            return True
        known = self._states.find(operation.kind, self._key(operation))
        return known is not None and known.state is not State.WAITING

    def finished_earlier(self, operation: Operation) -> bool:
        """Whether a Job ended in an earlier attempt of this run and has vanished since; it is counted as it ended."""
        if operation.kind != "Job":
            return False
        namespace, key = operation.namespace, self._key(operation)
        uid = self.namespaces.uids.get(namespace, "")
        job = self._ledger.find(namespace=namespace, namespace_uid=uid, name=operation.name)
        if job is None or self._states.find("Job", key) is not None:
            return False
        self.jobs.add(job)
        known = self._states.find_or_add("Job", key, operation.role)
        self._states.set("Job", key, known, State.READY if job.complete else State.FAILED, job.cause)
        return True

    async def catch_up(self, timeout_seconds: float) -> None:
        """Return when every living pod is known to be ready, at the latest after the time.

        For when all objects are ready: then their pods are too, but each kind has a watch of its own, and the one of
        the pods, which is the busiest, may be behind the others.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout_seconds
        self._catching_up = True
        while self.sees_pods and self.pods.are_any_starting() and (left := until - loop.time()) > 0:
            await self.changed(left)

    async def changed(self, timeout_seconds: float) -> None:
        """Return when nothing is waited for any more, when a watch has broken, at `signal`, or after the time."""
        self._changed.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                await self._changed.wait()

    def signal(self) -> None:
        """Let `changed` return."""
        self._changed.set()

    # -- called by the object states ---------------------------------------------------------------------------------

    def object_failed(self, kind: str, key: Key, role: str, cause: str) -> None:
        """Record the failure."""
        self._failures.not_ready(kind, key, role, cause)

    def object_settled(self, namespace: str, name: str) -> None:
        """Let the next member through the gate."""
        self._scheduler.member_finished(namespace, name)

    def role_settled(self, namespace: str, role: str) -> None:
        """Let the roles that come after this one begin."""
        if role in self._needed_by_others:
            self._scheduler.recheck(namespace)

    def all_settled(self) -> None:
        """Let `changed` return."""
        self._changed.set()

    # -- events ------------------------------------------------------------------------------------------------------

    def _object_event(self, kind: str, event: Event, _from_list: bool) -> None:
        obj = event.object
        key = key_of(obj)
        role = (obj["metadata"].get("labels") or {}).get(LABEL_ROLE, "")
        # A kind is watched for all roles that make it, and some of these may not be waited for.
        if role not in self._fragments or not self._fragments[role].ready:
            return
        known = self._states.find_or_add(kind, key, role)
        if kind == "StatefulSet" and self._fragments[role].expect == "restarts":
            self._crashing_sets.set_event(key, obj)
            return
        answer = readiness_of(obj)
        if kind == "Job":
            self._job_event(key, known, obj, answer)
        if event.type == "DELETED":
            self._deleted(kind, key, known, answer)
        else:
            self._states.set(kind, key, known, _state_of(answer), answer.cause)

    def _deleted(self, kind: str, key: Key, known: ObjectState, answer: Readiness) -> None:
        if known.state is State.WAITING and answer.state is State.WAITING:
            self._states.set(kind, key, known, State.FAILED, "it was deleted while the run waited for it")
        elif kind != "Job":
            self._states.set(kind, key, known, State.FAILED, "it was deleted during the run")
        elif known.state is State.WAITING:
            # Its TTL removed it, and this event is the first to show how it ended.
            self._states.set(kind, key, known, _state_of(answer), answer.cause)

    def _job_event(self, key: Key, known: ObjectState, job: Mapping[str, Any], answer: Readiness) -> None:
        status = job.get("status") or {}
        succeeded, failed = status.get("succeeded") or 0, status.get("failed") or 0
        self._states.count_ended_pods(known, succeeded + failed)
        if known.state is not State.WAITING or answer.state is State.WAITING:
            return
        end = job_end(job)
        finished = FinishedJob(
            namespace=key[0],
            namespace_uid=self.namespaces.uids.get(key[0], ""),
            name=key[1],
            complete=answer.is_ready,
            succeeded=succeeded,
            failed=failed,
            cause=answer.cause,
            seconds=end.seconds if end else None,
            retried=end.retried if end else 0,
        )
        self.jobs.add(finished)
        self._ledger.add(finished)

    def _pod_event(self, _kind: str, event: Event, from_list: bool) -> None:
        pod = event.object
        role = (pod["metadata"].get("labels") or {}).get(LABEL_ROLE, "")
        fragment = self._fragments.get(role)
        if fragment is None:
            return  # of another batch of this run, which has counted it
        failure = self.pods.observe(event.type, pod, from_list=from_list)
        self._progress.pod_event(event.type, pod, role)
        if self._catching_up:
            self._changed.set()
        if failure is not None:
            self._failures.pod(failure, role)
        if fragment.expect == "restarts":
            self._crashing_sets.pod_event(pod)

    async def _find_vanished(self, kind: str, watch: ListWatch, names: frozenset[Key]) -> None:
        """After a new list: an object that we waited for and that is not in it was deleted unseen, or is newer."""
        missing = [(key, known) for key, known in self._states.waiting(kind) if key not in names]
        for key, known in missing:
            try:
                await self._cluster.get(watch.resource.path(*key))
            except NotFound:
                self._states.set(kind, key, known, State.FAILED, "it vanished while the watch was interrupted")
            except ClusterError as error:
                self.warnings.append(f"{kind} {key[1]}: {error}")
