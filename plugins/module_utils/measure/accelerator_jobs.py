# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long accelerator jobs waited, for what, where they ran and how often they were restarted. No I/O.

A job is a Job, or a JobSet with all of its Jobs. Waits are measured by this machine's clock, from the first event that
shows an object to the one that shows what happened; one stage is a difference of times in the object itself, which have
whole seconds.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..readiness.causes import JOB_SET_UID
from ..readiness.state import condition, is_true, spec_of, status_of
from .job_pools import Pool, PoolBook
from .latency import LatencySketch
from .pod_status import controller_of, epoch, is_disturbed
from .waiting_causes import (
    BY_QUEUE,
    BY_SCHEDULER,
    OTHERS,
    Waiter,
    WaitingCauses,
    cause_of_workload,
    causes_of_pod,
    told_of_pod,
)

#: The role whose jobs these are in any case; those of others are if they have a queue, a JobSet or accelerators.
ROLE = "accelerator_jobs"
#: Stages of a job's wait, in order. That of OWN_TIMES is from times in the object, the others from the watch.
#:
#: reserved     a Workload of Kueue: from its creation until quota is reserved for it
#: admitted     the same, until it is admitted
#: admitted_own the same by its own times
#: scheduled    a job: from its creation until all of its pods have a node, the wait in the queue included
STAGES = ("reserved", "admitted", "admitted_own", "scheduled")
OWN_TIMES = ("admitted_own",)
QUEUE = "kueue.x-k8s.io/queue-name"
_PRIORITY = "kueue.x-k8s.io/priority-class"
#: Role, queue and priority by which waits are told apart, so many at most.
_MOST_GROUPS = 100
#: Workloads of unknown jobs that are kept, in case their job is heard of later.
_MOST_UNKNOWN = 10_000
_ENDS = ("Complete", "Completed", "Failed")

Object = Mapping[str, Any]


@dataclass(slots=True)
class _Group:
    jobs: int = 0
    sketches: dict[str, LatencySketch] = field(default_factory=lambda: defaultdict(LatencySketch))
    evicted: Counter[str] = field(default_factory=Counter)
    #: The first and the last time of an admission, by the Workloads' own times; empty before any.
    first_admitted: str = ""
    last_admitted: str = ""

    def admitted(self, at: str) -> None:
        """Take in the time of an admission: RFC 3339 in UTC, which sorts as text."""
        self.first_admitted = min(self.first_admitted or at, at)
        self.last_admitted = max(self.last_admitted, at)


@dataclass(slots=True)
class _Job:
    """A Job or JobSet on its way. `wanted`: pods that it has at once; None before an event of its own.

    `placed`: pods that have a node, until all have; None from then on.
    """

    key: tuple[str, str, str] | None = None
    since: float | None = None
    wanted: int | None = None
    placed: set[str] | None = field(default_factory=set)
    last_placed: float = 0.0
    restarts: int = 0
    was_restarted: bool = False
    ended: bool = False


@dataclass(slots=True)
class _Workload:
    """`times` and `evictions` wait for the event of their job, which says whose they are."""

    uid: str
    since: float | None
    waiter: Waiter | None = None
    done: set[str] = field(default_factory=set)
    times: list[tuple[str, float]] = field(default_factory=list)
    evictions: list[str] = field(default_factory=list)
    evicted_at: str = ""
    admitted_at: str = ""


@dataclass(slots=True)
class _Pod:
    waiter: Waiter
    slice_uid: int
    job: str
    has_node: bool = False
    pool: Pool | None = None


@dataclass(slots=True)
class _Restarts:
    jobs: int = 0
    restarted: int = 0
    restarts: int = 0
    failed_pods: int = 0
    exit_codes: Counter[str] = field(default_factory=Counter)


class AcceleratorJobBook:
    """Fed with the events of Jobs, JobSets, their pods and Kueue's Workloads.

    Memory grows with what is on its way, and with about 60 bytes for each job and pod that has ended.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.pools = PoolBook()
        self.causes = WaitingCauses(clock)
        #: Times in Workloads whose end lies before their beginning; they count as 0 s.
        self.backwards = 0
        self._groups: dict[tuple[str, str, str], _Group] = {}
        self._restarts: dict[str, _Restarts] = defaultdict(_Restarts)
        self._jobs: dict[str, _Job] = {}
        #: By the uid of the job that it stands for.
        self._workloads: dict[str, _Workload] = {}
        self._pods: dict[str, _Pod] = {}
        #: Hashes of the uids of jobs and pods that have ended.
        self._over: set[int] = set()

    # -- jobs --------------------------------------------------------------------------------------------------------

    def job(self, kind: str, obj: Object, role: str, *, from_list: bool) -> None:
        """Take in an event (`kind`: ADDED, MODIFIED, DELETED) of a Job or JobSet."""
        uid = obj["metadata"]["uid"]
        owner = controller_of(obj)
        if hash(uid) in self._over or (owner is not None and owner[0] == "JobSet"):
            return
        job = self._jobs.setdefault(uid, _Job())
        if job.key is None:
            if from_list and _has_ended(obj):
                self._forget_job(uid)
                return  # of an earlier attempt, which has counted it
            self._begin(job, uid, obj, role, from_list=from_list)
        self._count_restarts(job, obj, role)
        self._placed(job)
        if kind == "DELETED":
            self._forget_job(uid)
        elif _has_ended(obj):
            job.ended = True
            self._drop(uid, job)

    def _begin(self, job: _Job, uid: str, obj: Object, role: str, *, from_list: bool) -> None:
        queue = (obj["metadata"].get("labels") or {}).get(QUEUE) or ""
        key = (role, queue, _priority_of(obj))
        job.key = key if key in self._groups or len(self._groups) < _MOST_GROUPS else (role, OTHERS, OTHERS)
        self._groups.setdefault(job.key, _Group()).jobs += 1
        self._restarts[role].jobs += 1
        job.since = None if from_list else self._clock()
        job.restarts = status_of(obj).get("restarts") or 0 if from_list else 0
        job.wanted = _pods_at_once(obj)
        if (workload := self._workloads.get(uid)) is not None:
            self._settle(uid, workload)

    def _count_restarts(self, job: _Job, obj: Object, role: str) -> None:
        new = (status_of(obj).get("restarts") or 0) - job.restarts
        if new > 0:
            job.restarts += new
            row = self._restarts[role]
            row.restarts += new
            row.restarted += not job.was_restarted
            job.was_restarted = True

    def _placed(self, job: _Job) -> None:
        """Measure the wait once all of its pods have a node."""
        if job.placed is None or job.key is None or not job.wanted or len(job.placed) < job.wanted:
            return
        job.placed = None
        if job.since is not None:
            self._groups[job.key].sketches["scheduled"].add(max(0.0, job.last_placed - job.since))

    def _drop(self, uid: str, job: _Job) -> None:
        """Forget a job that has ended, once nothing more is to be learnt of it: its pods' events may come later."""
        if job.ended and job.placed is None:
            self._forget_job(uid)

    def _forget_job(self, uid: str) -> None:
        self._jobs.pop(uid, None)
        self._over.add(hash(uid))

    # -- pods --------------------------------------------------------------------------------------------------------

    def pod(self, kind: str, obj: Object, role: str, *, from_list: bool) -> None:
        """Take in an event of a pod of such a job."""
        uid, phase = obj["metadata"]["uid"], status_of(obj).get("phase")
        if hash(uid) in self._over:
            return
        has_ended = phase in ("Succeeded", "Failed")
        pod = self._pods.get(uid)
        if pod is None:
            if (from_list and has_ended) or (kind == "DELETED" and not has_ended):
                self._over.add(hash(uid))
                if has_ended:
                    self._has_node(_job_of(obj), uid)  # in an earlier attempt, which has counted it
                return
            waiter = Waiter(role, BY_SCHEDULER, None if from_list else self._clock())
            pod = self._pods[uid] = _Pod(waiter, hash(_slice_of(obj)), _job_of(obj))
        if not pod.has_node:
            self._look_for_node(pod, uid, obj)
        if phase == "Failed" and not is_disturbed(obj):
            self._count_failure(obj, role)
        if has_ended or kind == "DELETED":
            self._end_pod(pod, uid, is_deleted=kind == "DELETED")

    def _look_for_node(self, pod: _Pod, uid: str, obj: Object) -> None:
        node = spec_of(obj).get("nodeName")
        if not node:
            causes = causes_of_pod(obj)
            if causes:
                self.causes.take(pod.waiter, causes, told_of_pod(obj))
            return
        pod.has_node = True
        self.causes.over(pod.waiter)
        pod.pool = self.pools.placed(pod.waiter.role, node, pod.slice_uid)
        self._has_node(pod.job, uid)

    def _has_node(self, job_uid: str, uid: str) -> None:
        if hash(job_uid) in self._over:
            return
        job = self._jobs.setdefault(job_uid, _Job())
        if job.placed is not None:
            job.placed.add(uid)
            job.last_placed = self._clock()
            self._placed(job)
            self._drop(job_uid, job)

    def _end_pod(self, pod: _Pod, uid: str, *, is_deleted: bool) -> None:
        del self._pods[uid]
        self._over.add(hash(uid))
        if pod.has_node:
            self.pools.ended(pod.pool, pod.slice_uid)
        else:
            self.causes.over(pod.waiter)
        job = self._jobs.get(pod.job)
        if is_deleted and job is not None and job.placed is not None:
            job.placed.discard(uid)  # its successor needs a node too

    def _count_failure(self, obj: Object, role: str) -> None:
        row = self._restarts[role]
        row.failed_pods += 1
        row.exit_codes.update(set(_exit_codes(obj)) or {status_of(obj).get("reason") or "unknown"})

    # -- Workloads ---------------------------------------------------------------------------------------------------

    def workload(self, kind: str, obj: Object) -> None:
        """Take in an event of a Workload in a namespace of the run, whosesoever it is."""
        uid, job = obj["metadata"]["uid"], _owner_of(obj)
        workload = self._workloads.get(job)
        is_over = kind == "DELETED" or is_true(obj, "Finished")
        if workload is None or workload.uid != uid:
            if is_over or not job or hash(job) in self._over:
                return
            if workload is not None:
                self._end_workload(job, workload)
            elif len(self._workloads) >= _MOST_UNKNOWN + len(self._jobs):
                return
            workload = self._workloads[job] = _Workload(uid, self._clock() if kind == "ADDED" else None)
        self._take_workload(job, workload, obj)
        if is_over:
            self._end_workload(job, workload)

    def _end_workload(self, job: str, workload: _Workload) -> None:
        del self._workloads[job]
        if workload.waiter is not None:
            self.causes.over(workload.waiter)

    def _take_workload(self, job: str, workload: _Workload, obj: Object) -> None:
        now = self._clock()
        for stage, name in (("reserved", "QuotaReserved"), ("admitted", "Admitted")):
            if stage not in workload.done and is_true(obj, name):
                workload.done.add(stage)
                if workload.since is not None:
                    workload.times.append((stage, now - workload.since))
                if stage == "admitted":
                    self._take_own_times(workload, obj)
        evicted = condition(obj, "Evicted")
        if evicted is not None and evicted.get("status") == "True":
            at = evicted.get("lastTransitionTime") or ""
            if at != workload.evicted_at:
                workload.evicted_at = at
                workload.evictions.append(evicted.get("reason") or "unknown")
        self._settle(job, workload)
        self._take_cause(job, workload, obj)

    def _take_own_times(self, workload: _Workload, obj: Object) -> None:
        workload.admitted_at = (condition(obj, "Admitted") or {}).get("lastTransitionTime") or ""
        begin, end = epoch(obj["metadata"].get("creationTimestamp")), epoch(workload.admitted_at)
        if workload.since is not None and begin is not None and end is not None:
            self.backwards += end < begin
            workload.times.append(("admitted_own", max(0, end - begin)))

    def _settle(self, uid: str, workload: _Workload) -> None:
        """Count what was measured, if it is known whose it is."""
        job = self._jobs.get(uid)
        if job is None or job.key is None:
            return
        group = self._groups[job.key]
        for stage, seconds in workload.times:
            group.sketches[stage].add(seconds)
        group.evicted.update(workload.evictions)
        if workload.admitted_at:
            group.admitted(workload.admitted_at)
            workload.admitted_at = ""
        workload.times.clear()
        workload.evictions.clear()

    def _take_cause(self, uid: str, workload: _Workload, obj: Object) -> None:
        job = self._jobs.get(uid)
        if job is None or job.key is None:
            return
        if "admitted" in workload.done:
            if workload.waiter is not None:
                self.causes.over(workload.waiter)
                workload.waiter = None
            return
        if cause := cause_of_workload(obj):
            if workload.waiter is None:
                workload.waiter = Waiter(job.key[0], BY_QUEUE, workload.since)
            found = condition(obj, "QuotaReserved") or condition(obj, "Admitted") or {}
            self.causes.take(workload.waiter, (cause,), found.get("message") or "")

    def why_queued(self, role: str) -> str:
        """What most of a role's jobs that wait in their queue wait for now; empty where none waits."""
        waiters = [one.waiter for one in self._workloads.values() if one.waiter is not None]
        causes = Counter(cause for waiter in waiters if waiter.role == role for cause in waiter.now)
        return causes.most_common(1)[0][0] if causes else ""

    # -- figures -----------------------------------------------------------------------------------------------------

    def figures(self) -> dict[str, Any]:
        """`waits`, `pools`, `restarts` and `unschedulable`, a list of rows each, as they are now."""
        now = self._clock()
        waiting: dict[tuple[str, str, str], list[float | None]] = defaultdict(list)
        for job in self._jobs.values():
            if job.key is not None and job.placed is not None and not job.ended:
                waiting[job.key].append(None if job.since is None else now - job.since)
        still = [pod.waiter for pod in self._pods.values() if not pod.has_node]
        still += [one.waiter for one in self._workloads.values() if one.waiter is not None]
        return {
            "waits": [_wait_row(key, group, waiting[key]) for key, group in sorted(self._groups.items())],
            "pools": self.pools.rows(),
            "pools_cause": self.pools.cause,
            "restarts": [
                {
                    "role": role,
                    "jobs": row.jobs,
                    "restarted": row.restarted,
                    "restarts": row.restarts,
                    "failed_pods": row.failed_pods,
                    "exit_codes": dict(sorted(row.exit_codes.items())),
                }
                for role, row in sorted(self._restarts.items())
            ],
            "unschedulable": self.causes.rows(still),
            "clock_backwards": self.backwards,
        }


def _wait_row(key: tuple[str, str, str], group: _Group, waiting: list[float | None]) -> dict[str, Any]:
    longest = max((seconds for seconds in waiting if seconds is not None), default=None)
    return {
        "role": key[0],
        "queue": key[1],
        "priority": key[2],
        "jobs": group.jobs,
        "waiting": len(waiting),
        "waiting_longest_s": None if longest is None else round(longest, 3),
        "first_admitted": group.first_admitted or None,
        "last_admitted": group.last_admitted or None,
        "evicted": dict(sorted(group.evicted.items())),
        "stages": {
            stage: {**group.sketches[stage].summary_s(), "histogram": group.sketches[stage].to_dict()}
            for stage in STAGES
            if stage in group.sketches
        },
    }


def _has_ended(obj: Object) -> bool:
    return any(is_true(obj, kind) for kind in _ENDS)


def _job_specs(obj: Object) -> Iterator[tuple[Object, int]]:
    """The spec of each Job that an object stands for, and how many of it there are."""
    parts = spec_of(obj).get("replicatedJobs")
    if parts is None:
        yield spec_of(obj), 1
    for part in parts or ():
        replicas = part.get("replicas")
        yield (part.get("template") or {}).get("spec") or {}, 1 if replicas is None else int(replicas)


def _pods_at_once(obj: Object) -> int:
    number = 0
    for spec, jobs in _job_specs(obj):
        parallelism = spec.get("parallelism")
        at_once = 1 if parallelism is None else int(parallelism)
        completions = spec.get("completions")
        number += jobs * (at_once if completions is None else min(at_once, int(completions)))
    return number


def _priority_of(obj: Object) -> str:
    """Kueue's class where the job names one, which orders its queue; else the class of its pods."""
    if named := (obj["metadata"].get("labels") or {}).get(_PRIORITY):
        return str(named)
    for spec, _jobs in _job_specs(obj):
        if named := ((spec.get("template") or {}).get("spec") or {}).get("priorityClassName"):
            return str(named)
    return ""


def _owner_of(obj: Object) -> str:
    """The uid of the Job or JobSet that a Workload stands for."""
    for owner in obj["metadata"].get("ownerReferences") or ():
        if owner.get("kind") in ("Job", "JobSet"):
            return str(owner.get("uid") or "")
    return ""


def _slice_of(pod: Object) -> str:
    """The uid of a pod's Job."""
    return next((owner["uid"] for owner in pod["metadata"].get("ownerReferences") or () if owner.get("controller")), "")


def _job_of(pod: Object) -> str:
    return (pod["metadata"].get("labels") or {}).get(JOB_SET_UID) or _slice_of(pod)


def _exit_codes(pod: Object) -> Iterator[str]:
    """The exit codes of containers that failed, each as a word to count by."""
    for part in ("initContainerStatuses", "containerStatuses"):
        for container in status_of(pod).get(part) or ():
            code = ((container.get("state") or {}).get("terminated") or {}).get("exitCode")
            if code:
                yield str(code)
