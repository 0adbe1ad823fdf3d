# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happened to the run's pods, from their watch events."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from .job_set_failures import JobSetFailures
from .latency import LatencySketch
from .pod_status import (
    GROUPS,
    IMAGE_PULLS,
    Counted,
    Restarts,
    controller_of,
    epoch,
    failure_reason,
    group_of,
    is_disturbed,
    last_reasons,
    waiting_state,
)
from .pod_times import PodStart, StartBook

#: Failed pods kept by name per namespace; all of them are in failures.jsonl.
KEPT_PER_NAMESPACE = 20


@dataclass(slots=True)
class _LivePod:
    """A pod that has not come to its end."""

    group: str
    #: Of a Job's pod: the (namespace, name) of the Job.
    job: tuple[str, str] | None = None
    #: Where it runs; None until it is scheduled.
    node: str | None = None
    running: bool = False
    counted: Counted | None = None


#: Ways in which a pod is in trouble: it has ended in phase Failed, a container waits for what it does not get, or one
#: was started again.
FAILED, WAITING, RESTARTED = "failed", "waiting", "restarted"
#: Called with the way, the pod, a short word for the cause and a text.
OnTrouble = Callable[[str, Mapping[str, Any], str, str], None]


@dataclass(slots=True, frozen=True)
class FailedPod:
    """A pod in phase Failed. `reason` is a short word such as OOMKilled, Evicted, DeadlineExceeded or "exit 1"."""

    namespace: str
    name: str
    reason: str
    message: str


def _live_pod(pod: Mapping[str, Any]) -> _LivePod:
    group = group_of(pod)
    owner = controller_of(pod)
    job = (sys.intern(pod["metadata"]["namespace"]), owner[1]) if owner and group == "job" else None
    return _LivePod(group, job)


class PodBook:
    """Fed with every pod event of the run; memory grows with the living pods, not with all.

    `created_since` (seconds since 1970) is for pods that are not all the run's own: what one that is older has done
    until it is first heard of is not counted, nor how it started.
    """

    def __init__(self, *, created_since: float | None = None) -> None:
        self.succeeded = 0
        self.failed = 0
        self.active_job_pods = 0
        self.peak_active_job_pods = 0
        self._active_of_job: Counter[tuple[str, str]] = Counter()
        self.causes: Counter[str] = Counter()
        self.failed_pods: dict[str, list[FailedPod]] = defaultdict(list)
        self.failed_by_namespace: Counter[str] = Counter()
        self.succeeded_by_namespace: Counter[str] = Counter()
        self.job_set_failures = JobSetFailures()
        self.starts = StartBook()
        self.restarts_of = {group: Restarts() for group in GROUPS}
        # Pods' times have whole seconds: one that is made later in the second of the beginning counts.
        self._created_since = None if created_since is None else int(created_since)
        self._live: dict[str, _LivePod] = {}
        #: Of the living pods those that are not ready yet.
        self._starting: dict[str, PodStart] = {}
        self._running = 0
        #: Living pods by node, of Jobs and of all others.
        self._on_nodes: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
        self._ended: set[int] = set()
        #: Those that any pod was in.
        self.namespaces: set[str] = set()
        #: Is told of pods in trouble as it begins; what a list shows has happened before.
        self.on_trouble: OnTrouble | None = None

    def observe(self, kind: str, pod: Mapping[str, Any], *, from_list: bool = False) -> FailedPod | None:
        """Take in one event (`kind`: ADDED, MODIFIED, DELETED). Returns the pod's failure when this event shows it."""
        uid: str = pod["metadata"]["uid"]
        phase = (pod.get("status") or {}).get("phase", "Pending")
        ended = phase in ("Succeeded", "Failed")
        live = self._live.get(uid)
        # One that a list shows when it has ended already, of an earlier attempt, was never active meanwhile.
        was_over = live is None and ended and from_list
        if live is None:
            # A pod that has ended stays in the API for a while: its later events must not count it again. Hashes are
            # kept instead of the ids, because a run may have a hundred thousand pods.
            if hash(uid) in self._ended or (kind == "DELETED" and not ended):
                return None
            live = _live_pod(pod)
            if self._is_older(pod):
                if ended:
                    self._ended.add(hash(uid))
                    return None
                live.counted = Restarts().take(None, pod)
            else:
                self._starting[uid] = self.starts.begin(pod, group=live.group, from_list=from_list)
            self._live[uid] = live
            self.namespaces.add(pod["metadata"]["namespace"])
            self._count_active(live, 0 if was_over else +1)
        self._take_status(uid, live, pod, from_list=from_list)
        self._count_running(live, phase == "Running")
        if not ended and kind != "DELETED":
            return None
        if (start := self._starting.pop(uid, None)) is not None:
            self.starts.finish(start, end=phase if ended else "Deleted")
        self._count_running(live, False)
        del self._live[uid]
        self._ended.add(hash(uid))
        self._count_active(live, 0 if was_over else -1)
        self._leave_node(live)
        failure = self._end(pod, phase) if ended else None
        if failure is not None:
            self.job_set_failures.take(pod, failure.reason)
        if failure is not None and self.on_trouble is not None and not from_list and not is_disturbed(pod):
            self.on_trouble(FAILED, pod, failure.reason, failure.message)
        return failure

    @property
    def restarts(self) -> int:
        """Restarts of containers."""
        return sum(one.restarts for one in self.restarts_of.values())

    @property
    def oom_kills(self) -> int:
        """Containers that were killed for their memory."""
        return sum(one.oom_kills for one in self.restarts_of.values())

    @property
    def startup(self) -> LatencySketch:
        """From the first event to the one that shows a pod started, of all pods whose start was watched."""
        return self.starts.merged("watched")

    def counts(self) -> dict[str, int]:
        """Pods `pending` and `running` now, `succeeded` and `failed` until now. Costs nothing worth counting."""
        return {
            "pending": len(self._live) - self._running,
            "running": self._running,
            "succeeded": self.succeeded,
            "failed": self.failed,
        }

    def figures(self) -> dict[str, Any]:
        """The key `pods` of a document: counts, causes of failure, kills, and how the pods started."""
        watched = self.startup
        p50, p99 = (watched.percentile(percent) for percent in (50, 99))
        return {
            "succeeded": self.succeeded,
            "failed": self.failed,
            "startup_p50_s": None if p50 is None else round(p50, 3),
            "startup_p99_s": None if p99 is None else round(p99, 3),
            "startup_histogram": watched.to_dict(),
            "restarts": self.restarts,
            "oom_kills": self.oom_kills,
            "causes": dict(self.causes),
            **self.start_figures(),
        }

    def start_figures(self) -> dict[str, Any]:
        """How pods started: `startup`, `worst`, `never_ready` and `clock_backwards`, as a batch's measurements have it.

        `never_ready` are those that ended, and those that live and are not ready (of Jobs: have not started) yet.
        """
        return {
            "startup": self.starts.startup(),
            "worst": self.starts.worst(self._starting.values()),
            "never_ready": self.starts.never + sum(start.is_missing for start in self._starting.values()),
            "clock_backwards": self.starts.backwards,
        }

    def are_any_starting(self) -> bool:
        """Whether a living pod is, as far as is known, not ready yet (of a Job: has not started)."""
        return any(start.is_missing for start in self._starting.values())

    def cause_of(self, uid: str) -> str:
        """Why a living pod has not become ready (of a Job: has not started); empty where it has, or is not known."""
        start = self._starting.get(uid)
        return start.cause if start is not None else ""

    def stateful_figures(self) -> dict[str, int]:
        """Of StatefulSets' pods: `pods_killed` for memory, `restarts`, `oom_kills`, as kubelets report them."""
        return asdict(self.restarts_of["stateful"])

    def is_active_job_pod(self, uid: str) -> bool:
        """Whether this is a Job's pod that has not come to its end."""
        live = self._live.get(uid)
        return live is not None and live.group == "job"

    def active_pods_of_job(self, job: tuple[str, str]) -> int:
        """How many pods of the Job (namespace, name) have not come to their end; those that are being deleted count."""
        return self._active_of_job.get(job, 0)

    def nodes_of_job_pods(self) -> set[str]:
        """The nodes that the active Job pods are on."""
        return set(self._on_nodes[True])

    def nodes_of_pods(self) -> set[str]:
        """The nodes that the living pods are on, those of Jobs included."""
        return set(self._on_nodes[True]) | set(self._on_nodes[False])

    def _is_older(self, pod: Mapping[str, Any]) -> bool:
        if self._created_since is None:
            return False
        created = epoch(pod["metadata"].get("creationTimestamp"))
        return created is not None and created < self._created_since

    def _leave_node(self, live: _LivePod) -> None:
        if live.node is not None:
            on_nodes = self._on_nodes[live.group == "job"]
            on_nodes[live.node] -= 1
            if not on_nodes[live.node]:
                del on_nodes[live.node]

    def _count_running(self, live: _LivePod, running: bool) -> None:
        if live.running is not running:
            live.running = running
            self._running += 1 if running else -1

    def _count_active(self, live: _LivePod, step: int) -> None:
        if live.job is not None:
            self.active_job_pods += step
            self.peak_active_job_pods = max(self.peak_active_job_pods, self.active_job_pods)
            self._active_of_job[live.job] += step
            if not self._active_of_job[live.job]:
                del self._active_of_job[live.job]

    def _take_status(self, uid: str, live: _LivePod, pod: Mapping[str, Any], *, from_list: bool) -> None:
        if live.node is None and (node := (pod.get("spec") or {}).get("nodeName")):
            live.node = sys.intern(node)  # pods are many, nodes are few
            self._on_nodes[live.group == "job"][live.node] += 1
        start = self._starting.get(uid)
        if start is not None and self.starts.take(start, pod, node=live.node):
            self.starts.finish(start)
            del self._starting[uid]
        counts = self.restarts_of[live.group]
        before = counts.restarts
        live.counted = counts.take(live.counted, pod)
        if self.on_trouble is None or from_list:
            return
        if counts.restarts > before:
            self.on_trouble(RESTARTED, pod, last_reasons(pod), "")
        if start is not None and start.held_up and (waits := waiting_state(pod)):
            # Each cause once, although the kubelet says it again and again, and has two words for one of them.
            cause = "image" if waits[0] in IMAGE_PULLS else waits[0]
            if cause not in start.told:
                start.told += (cause,)
                self.on_trouble(WAITING, pod, *waits)

    def _end(self, pod: Mapping[str, Any], phase: str) -> FailedPod | None:
        namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        if phase == "Succeeded":
            self.succeeded += 1
            self.succeeded_by_namespace[namespace] += 1
            return None
        reason, message = failure_reason(pod)
        self.failed += 1
        self.failed_by_namespace[namespace] += 1
        self.causes[reason] += 1
        failure = FailedPod(namespace, name, reason, message)
        if len(self.failed_pods[namespace]) < KEPT_PER_NAMESPACE:
            self.failed_pods[namespace].append(failure)
        return failure
