# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Follows the objects that were sent: one list+watch per kind, selected by the run's label.

The tracker knows whether each object is ready, waiting or failed, lets the scheduler open its gates, and feeds the pod
book. It sends nothing but lists, watches and, after a broken watch, single gets. What a watch repeats, or tells too
late, is dropped; and before anything is given up, `look_again` lists its kind once more.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..cluster.client import Cluster
from ..cluster.clock import Sight
from ..cluster.discovery import Discovery
from ..cluster.errors import ClusterError, Forbidden, NotFound
from ..cluster.labels import LABEL_ROLE, run_selector
from ..cluster.scopes import ScopedWatch, Scopes
from ..cluster.versions import Versions, uid_number
from ..cluster.watch import Event, key_of
from ..measure.build_times import BuildTimes
from ..measure.pod_status import controller_of
from ..measure.pods import PodBook
from ..measure.service_checks import ROLE as CHECK_ROLE
from ..measure.service_checks import ServiceChecks
from ..plan.fragment import Fragment
from ..plan.kinds import POD_MAKERS
from ..readiness.registry import has_predicate, readiness_of
from ..readiness.state import Readiness, State
from .failure_log import FailureLog
from .ledger import FinishedJob, JobBook, Ledger, finished_job, finished_job_set
from .object_states import CrashingSets, Key, NamespaceStates, ObjectState, ObjectStates
from .planned import Planned, maker_of
from .role_progress import RoleProgress
from .scheduler import Operation, Outcome, Scheduler
from .volumes import Volumes


@dataclass(frozen=True, slots=True)
class _Ending:
    """A Job that has ended, and how."""

    known: ObjectState
    answer: Readiness
    finished: FinishedJob


class Tracker:
    """See the module's text. `broken` is the error that ended a watch which the run cannot do without.

    `namespaces`: those of the batch, as (index, name). What lies in others is another load generator's. `scopes`: where
    to look if not all namespaces may be watched at once. Without `makes_namespaces`, all of the batch's namespaces
    exist and are ready, and are not watched.
    """

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
        namespaces: Iterable[tuple[int, str]],
        ledger: Ledger,
        failures: FailureLog,
        scopes: Scopes | None = None,
        makes_namespaces: bool = True,
        sight: Sight | None = None,
        volumes: Volumes | None = None,
    ) -> None:
        self._cluster, self._discovery = cluster, discovery
        self._scopes = scopes or Scopes()
        self._makes_namespaces = makes_namespaces
        self._scheduler, self._states, self._progress = scheduler, states, progress
        self._run_id = run_id
        self._fragments = {fragment.role: fragment for fragment in fragments}
        self._needed_by_others = {role for fragment in fragments for role in fragment.after}
        self._ledger, self._failures = ledger, failures
        self._sight = sight or Sight()
        self.pods = PodBook()
        self.checks = ServiceChecks()
        self.volumes = volumes or Volumes(cluster, fragments)
        #: Whether `pods` has figures; without permission to watch pods, 0 would be made up.
        self.sees_pods = False
        self.jobs = JobBook()
        self.build_times = BuildTimes()
        self.warnings: list[str] = []
        self.namespaces = NamespaceStates(states, scheduler)
        self._crashing_sets = CrashingSets(states)
        self._cluster_wide = {"Namespace"}
        self._watches: dict[str, ScopedWatch] = {}
        self._versions: dict[str, Versions] = {}
        #: By role the kinds whose objects are waited for. Others are only looked at, such as the pods of a Job.
        self._judged: dict[str, set[str]] = {}
        self._planned = Planned(fragments, namespaces)
        #: (kind, namespace, name) of what was there before and carries our labels, but is not what this batch makes.
        self._strangers: set[tuple[str, str, str]] = set()
        #: Gated Jobs that have ended while pods of theirs have not.
        self._ending: dict[Key, _Ending] = {}
        #: Which object was deleted by somebody else, the first one; nothing more is sent then.
        self.disturbed: str | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._synced: dict[str, asyncio.Event] = {}
        self._changed = asyncio.Event()
        self._catching_up = False
        self.broken: BaseException | None = None
        #: Is told of each Job that fails while it is waited for: namespace, name and cause.
        self.on_job_failed: Callable[[str, str, str], None] = lambda _namespace, _name, _cause: None
        #: Is told of each event of an object of the batch: kind, role, event, whether a list told of it.
        self.on_event: Callable[[str, str, Event, bool], None] = lambda *_event: None
        states.subscribe(self)

    # -- life --------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Begin to watch every kind that can be waited for, and return when each was listed once."""
        kinds = {kind for fragment in self._fragments.values() if fragment.ready for kind in fragment.kinds}
        resources = {kind: await self._discovery.resource(*kind) for kind in kinds}
        watched = {kind for kind in kinds if has_predicate(*kind, has_status=resources[kind].has_status)}
        if not self._makes_namespaces:
            watched.discard(("v1", "Namespace"))
        # What the run itself defines cannot be watched yet; stored is all that it has to be.
        watched = {kind for kind in watched if await self._discovery.is_served(*kind)}
        for role, fragment in self._fragments.items():
            self._judged[role] = {kind for version, kind in watched & set(fragment.kinds)} if fragment.ready else set()
        if any(kind in POD_MAKERS for _version, kind in kinds):
            watched.add(("v1", "Pod"))
            self.sees_pods = True
        if ("v1", "Namespace") in watched:
            await self._watch("v1", "ServiceAccount", field_selector="metadata.name=default")
        if any(kind == "PersistentVolumeClaim" for _version, kind in watched):
            await self.volumes.begin()
        for api_version, kind in sorted(watched):
            await self._watch(api_version, kind, label_selector=run_selector(self._run_id))
        for event in self._synced.values():
            await event.wait()
        self._planned.forget_names()

    async def _watch(self, api_version: str, kind: str, *, label_selector: str = "", field_selector: str = "") -> None:
        resource = await self._discovery.resource(api_version, kind)
        self._watches[kind] = ScopedWatch(
            self._cluster, resource, self._scopes, label_selector=label_selector, field_selector=field_selector
        )
        self._watches[kind].sight = self._sight
        self._versions[kind] = Versions()
        if not resource.namespaced:
            self._cluster_wide.add(kind)
        self._synced[kind] = asyncio.Event()
        self._tasks.append(asyncio.create_task(self._follow(kind)))

    async def _follow(self, kind: str) -> None:
        synced = self._synced[kind]
        try:
            async for event in self._watches[kind].events():
                if event.type == "SYNCED":
                    if synced.is_set():
                        await self._find_vanished(kind, event)
                        if kind == "Pod":
                            self._forget_pods(event)
                    synced.set()
                else:
                    self._take(kind, event, from_list=not synced.is_set())
        except asyncio.CancelledError:
            raise
        except Forbidden as error:
            self._without(kind, error)
        except BaseException as error:
            self.broken = error
        finally:
            self._sight.forget(kind)
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

    def _take(self, kind: str, event: Event, *, from_list: bool) -> None:
        """Take in an event of an object of this batch, if it tells something new."""
        metadata = event.object["metadata"]
        namespace, name = metadata.get("namespace", ""), metadata["name"]
        if (namespace or (name if kind == "Namespace" else "")) not in self._planned.namespaces:
            return  # another load generator's
        if not self._versions[kind].is_news(event):
            return
        if namespace:
            # What is kept of events would otherwise have a copy of the name for each object.
            namespace = metadata["namespace"] = sys.intern(namespace)
        if kind == "ServiceAccount":
            self.namespaces.account_event(event)
            return
        role = (metadata.get("labels") or {}).get(LABEL_ROLE, "")
        if role not in self._fragments:
            return  # another batch's
        role = self._fragments[role].role  # one text for all objects
        is_first_list = not self._synced[kind].is_set()
        if (self._strangers or is_first_list) and self._is_strange(kind, role, event.object, is_new=is_first_list):
            return  # of an earlier attempt that made more
        if not namespace and kind != "Namespace" and not self._planned.has(role, kind, "", name):
            return  # in no namespace, so that only its name tells it from another load generator's
        # A kind is watched for all roles that make it, and some of these may not be waited for.
        is_judged = kind in self._judged[role]
        if kind == "Pod":
            self._pod_event(event, role, from_list=from_list)
            is_judged = is_judged and controller_of(event.object) is None
        self.volumes.event(kind, role, event, from_list=from_list)
        self.on_event(kind, role, event, from_list)
        if is_judged:
            self._object_event(kind, (namespace, name), role, event)

    def _is_strange(self, kind: str, role: str, obj: Mapping[str, Any], *, is_new: bool) -> bool:
        """Whether an object, or what its pod was made for, was there before, but is not what this batch makes."""
        namespace, name = key_of(obj)
        maker = maker_of(obj) if kind == "Pod" else (kind, name)
        if not self._planned.makes_kind(role, maker[0]):
            return False
        if is_new and not self._planned.has(role, maker[0], namespace, maker[1]):
            self._strangers.add((maker[0], namespace, maker[1]))
        return (maker[0], namespace, maker[1]) in self._strangers

    async def look_again(self, fragments: Iterable[Fragment]) -> None:
        """The last look, before objects of these fragments are given up: list their kinds, and judge by that.

        A watch may be open and hear nothing, and what it told may have been out of date.
        """
        kinds = {kind for fragment in fragments for _version, kind in fragment.kinds}
        if "Namespace" in kinds:
            kinds.add("ServiceAccount")
        if any(fragment.expect == "restarts" for fragment in fragments):
            kinds.add("Pod")
        await asyncio.gather(*(self._look_again(kind) for kind in sorted(kinds) if kind in self._watches))

    async def _look_again(self, kind: str) -> None:
        try:
            async with (
                asyncio.timeout(self._cluster.retry.deadline_seconds),
                contextlib.aclosing(self._watches[kind].events()) as events,
            ):
                async for event in events:
                    if event.type == "SYNCED":
                        await self._find_vanished(kind, event)
                        return
                    self._take(kind, event, from_list=True)
        except (ClusterError, TimeoutError) as error:
            cause = str(error) or "no answer in time"
            self.warnings.append(f"{kind}: could not be listed once more before some were given up: {cause}")

    async def stop(self) -> None:
        """End all watches."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def in_vain(self) -> str | None:
        """Why going on is in vain; None while it is not."""
        if self.broken is not None:
            return f"the state of the objects can no longer be watched: {self.broken}"
        return self.disturbed

    @property
    def watch_breaks(self) -> Counter[str]:
        """How often watches broke, by cause."""
        return sum((watch.broken for watch in self._watches.values()), Counter())

    # -- for the runner and the batch --------------------------------------------------------------------------------

    def pod_counts(self) -> dict[str, int] | None:
        """Pods pending, running, succeeded and failed; None where they are not watched."""
        return self.pods.counts() if self.sees_pods else None

    def stored(self, outcome: Outcome) -> None:
        """The API has an object of ours: created now, or earlier by this run."""
        operation = outcome.operation
        self._progress.moved(operation.role)
        if operation.kind == "Job":
            self.build_times.job_stored(operation.role)
        if not self.waits_for(operation):
            self._states.ready[operation.kind] += 1
            return
        key = self._key(operation)
        if operation.unit.lane.fragment.patch:
            versions = self._versions[operation.kind]
            is_seen = outcome.result != "patched" or versions.is_known(outcome.uid, outcome.version)
            # What an event shows that was written before the patch is no answer to it.
            versions.stored(outcome.uid, outcome.version)
            self._states.patched(operation.kind, key, operation.role, is_seen=is_seen)
            known = self._states.find_or_add(operation.kind, key, operation.role)
            if operation.kind == "PersistentVolumeClaim" and outcome.result == "patched":
                self.volumes.patched(key, operation.role, known.state)
            return
        known = self._states.stored(operation.kind, key, operation.role, uid_number(outcome.uid) if outcome.uid else 0)
        if outcome.uid:
            versions = self._versions[operation.kind]
            if versions.is_gone(outcome.uid) and known.state is State.WAITING:
                self._deleted(operation.kind, key, known, by_event=False)
            else:
                versions.stored(outcome.uid, outcome.version)

    def waits_for(self, operation: Operation) -> bool:
        """Whether the object of an operation is watched until it is ready."""
        return operation.kind in self._judged.get(operation.role, ())

    def _key(self, operation: Operation) -> Key:
        return ("" if operation.kind in self._cluster_wide else operation.namespace, operation.name)

    def is_finished(self, operation: Operation) -> bool:
        """Whether the object of an operation is settled already, or is not waited for at all."""
        if not self.waits_for(operation):
            return True
        known = self._states.find(operation.kind, self._key(operation))
        return known is not None and known.state is not State.WAITING

    def finished_earlier(self, operation: Operation) -> bool:
        """Whether a Job or JobSet ended in an earlier attempt and has vanished since; it is counted as it ended."""
        kind, key = operation.kind, self._key(operation)
        uid = self.namespaces.uids.get(operation.namespace, "")
        job = self._ledger.find(namespace=operation.namespace, namespace_uid=uid, name=operation.name, kind=kind)
        if job is None or self._states.find(kind, key) is not None:
            return False
        self.jobs.add(job)
        known = self._states.find_or_add(kind, key, operation.role)
        self._states.set(kind, key, known, State.READY if job.complete else State.FAILED, job.cause)
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

    def _object_event(self, kind: str, key: Key, role: str, event: Event) -> None:
        obj = event.object
        known = self._states.find_or_add(kind, key, role)
        uid = uid_number(obj["metadata"]["uid"])
        if known.uid and known.uid != uid:
            self._event_of_another(kind, key, known, event)
            return
        known.uid = uid
        if kind == "Namespace":
            self.namespaces.namespace_event(known, event)
            if known.state is State.FAILED and known.stored:
                self._disturb(kind, key)
        elif kind == "Job":
            self._job_event(key, known, event)
        elif kind == "JobSet" and (answer := readiness_of(obj)).state is not State.WAITING:
            # Its TTL may remove it, and a failure has removed most of its pods.
            answer = self.pods.job_set_failures.explained(obj, answer)
            self._ledger.add(finished_job_set(obj, answer, self.namespaces.uids.get(key[0], "")))
            self._states.judge(kind, key, known, answer)
        elif known.is_going(event):
            self._deleted(kind, key, known)
        elif kind == "StatefulSet" and self._fragments[role].expect == "restarts":
            self._crashing_sets.set_event(key, obj)
        else:
            answer = readiness_of(obj)
            if kind == "PersistentVolumeClaim":
                answer = self.volumes.judged(obj, answer)
            self._states.judge(kind, key, known, answer)

    def _event_of_another(self, kind: str, key: Key, known: ObjectState, event: Event) -> None:
        """An event of an object of this name with another uid: of one before it, unless it was written later."""
        is_newer = self._versions[kind].is_newer(event.object["metadata"], known.uid)
        if event.type == "DELETED" or not is_newer or known.state is State.FAILED:
            return
        self._deleted(kind, key, known)

    def _deleted(self, kind: str, key: Key, known: ObjectState, *, by_event: bool = True) -> None:
        """An object is gone, or going, that nobody but somebody else has deleted."""
        if not known.stored and by_event:
            self._states.forget(kind, key)  # of an earlier attempt, and not yet asked for by this one
            return
        when = "while the run waited for it" if known.state is State.WAITING else "during the run"
        self._disturb(kind, key)
        self._states.set(kind, key, known, State.FAILED, f"it was deleted by somebody else {when}")

    def _disturb(self, kind: str, key: Key) -> None:
        """Nothing more is sent: no gate opens because somebody else deletes what the run waits for."""
        if self.disturbed is None:
            place = "/".join(part for part in key if part)
            self.disturbed = f"{kind} {place} was deleted by somebody else during the run"
            self._scheduler.stop()
            self._changed.set()

    # -- Jobs --------------------------------------------------------------------------------------------------------

    def _job_event(self, key: Key, known: ObjectState, event: Event) -> None:
        job = event.object
        answer = readiness_of(job)
        status = job.get("status") or {}
        self._states.count_ended_pods(known, (status.get("succeeded") or 0) + (status.get("failed") or 0))
        if known.state is not State.WAITING:
            if event.type == "DELETED":
                self.build_times.job_removed(known.role)
            return  # it has ended; its TTL removes it
        if answer.state is State.WAITING:
            if known.is_going(event):
                self._deleted("Job", key, known)
            else:
                known.cause = answer.cause
            return
        ending = _Ending(known, answer, finished_job(job, answer, self.namespaces.uids.get(key[0], "")))
        pods = self.pods.active_pods_of_job(key)
        if pods and self._fragments[known.role].active and self.sees_pods:
            # Where a Job fails, its pods may go on for their grace period, and still count for the ceiling.
            self._ending[key] = ending
            known.cause = f"it has ended, but {pods} of its pods have not"
        else:
            self._job_ended(key, ending)

    def _job_ended(self, key: Key, ending: _Ending) -> None:
        self._ending.pop(key, None)
        self.jobs.add(ending.finished)
        self._ledger.add(ending.finished)
        if ending.known.stored and not ending.answer.is_ready:
            self.on_job_failed(*key, ending.answer.cause)
        self.build_times.job_ended(ending.known.role)
        self._states.judge("Job", key, ending.known, ending.answer)

    # -- pods --------------------------------------------------------------------------------------------------------

    def _pod_event(self, event: Event, role: str, *, from_list: bool) -> None:
        pod = event.object
        failure = self.pods.observe(event.type, pod, from_list=from_list)
        self._progress.pod_event(event.type, pod, role)
        if not from_list:
            self.build_times.pod(role, pod)
        if role == CHECK_ROLE:
            self.checks.take(pod)
        if self._catching_up:
            self._changed.set()
        if failure is not None:
            self._failures.pod(failure, role)
        if self._fragments[role].expect == "restarts":
            self._crashing_sets.pod_event(pod)
        if self._ending:
            self._end_jobs()

    def _end_jobs(self) -> None:
        """Jobs whose last pod has ended have ended themselves."""
        over = [key for key in self._ending if not self.pods.active_pods_of_job(key)]
        for key in over:
            self._job_ended(key, self._ending[key])

    async def _find_vanished(self, kind: str, synced: Event) -> None:
        """After a new list: an object that we waited for and that is not in it was deleted unseen, or is newer."""
        missing = [(key, known) for key, known in self._states.waiting(kind) if synced.forgets(key)]
        for key, known in missing:
            if key in self._ending:
                continue  # its TTL has removed it; its pods are still awaited
            try:
                await self._cluster.get(self._watches[kind].resource.path(*key))
            except NotFound:
                self._states.set(kind, key, known, State.FAILED, "it vanished while the watch was interrupted")
            except ClusterError as error:
                self.warnings.append(f"{kind} {key[1]}: {error}")

    def _forget_pods(self, synced: Event) -> None:
        """After a new list of pods: those that are not in it have ended unseen."""
        for pod, role in self._progress.living_pods(synced.forgets):
            self._pod_event(Event("DELETED", pod), role, from_list=True)
