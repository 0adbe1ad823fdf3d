# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of the run's pods, from their watch events alone."""

from __future__ import annotations

import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .latency import LatencySketch

#: Failed pods kept by name per namespace; all of them are in failures.jsonl.
KEPT_PER_NAMESPACE = 20


@dataclass(slots=True)
class _LivePod:
    """A pod that has not come to its end. `seen` is monotonic seconds of its first event, None if it came by a list."""

    seen: float | None
    from_job: bool
    started: bool = False
    #: By container; most pods never have one.
    restarts: dict[str, int] | None = None
    #: Where it runs; None until it is scheduled.
    node: str | None = None
    running: bool = False


@dataclass(slots=True, frozen=True)
class FailedPod:
    """A pod in phase Failed. `reason` is a short word such as OOMKilled, Evicted, DeadlineExceeded or "exit 1"."""

    namespace: str
    name: str
    reason: str
    message: str


def controller_of(obj: Mapping[str, Any]) -> tuple[str, str] | None:
    """(kind, name) of the owner that controls an object, or None."""
    for owner in obj["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            return owner["kind"], owner["name"]
    return None


def _containers(pod: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from pod.get("status", {}).get("containerStatuses") or ()


def has_started(pod: Mapping[str, Any]) -> bool:
    """Whether every container runs, has run, or was started again."""
    statuses = list(_containers(pod))
    return bool(statuses) and all(
        status.get("restartCount", 0) > 0 or "running" in status.get("state", {}) or "terminated" in status["state"]
        for status in statuses
    )


def failure_reason(pod: Mapping[str, Any]) -> tuple[str, str]:
    """(reason, message) of a pod in phase Failed: the kubelet's own reason, else that of the first failed container."""
    status = pod["status"]
    if status.get("reason"):
        return status["reason"], status.get("message", "")
    for container in _containers(pod):
        ended = container.get("state", {}).get("terminated")
        if ended and (ended.get("exitCode") or ended.get("reason") == "OOMKilled"):
            reason = ended.get("reason") or "Error"
            word = f"exit {ended.get('exitCode')}" if reason == "Error" else reason
            return word, ended.get("message") or f"container {container['name']}: {reason}, exit {ended['exitCode']}"
    return "unknown", "phase Failed without a container that tells why"


@dataclass
class PodBook:
    """Fed with every pod event of the run; memory grows with the living pods, not with all."""

    startup: LatencySketch = field(default_factory=LatencySketch)
    succeeded: int = 0
    failed: int = 0
    restarts: int = 0
    oom_kills: int = 0
    active_job_pods: int = 0
    peak_active_job_pods: int = 0
    causes: Counter[str] = field(default_factory=Counter)
    failed_pods: dict[str, list[FailedPod]] = field(default_factory=lambda: defaultdict(list))
    failed_by_namespace: Counter[str] = field(default_factory=Counter)
    succeeded_by_namespace: Counter[str] = field(default_factory=Counter)
    _live: dict[str, _LivePod] = field(default_factory=dict)
    _running: int = 0
    #: Living pods by node, of Jobs and of all others.
    _on_nodes: dict[bool, Counter[str]] = field(default_factory=lambda: {True: Counter(), False: Counter()})
    _ended: set[int] = field(default_factory=set)

    def observe(self, kind: str, pod: Mapping[str, Any], *, from_list: bool = False) -> FailedPod | None:
        """Take in one event (`kind`: ADDED, MODIFIED, DELETED). Returns the pod's failure when this event shows it."""
        uid: str = pod["metadata"]["uid"]
        phase = pod.get("status", {}).get("phase", "Pending")
        ended = phase in ("Succeeded", "Failed")
        live = self._live.get(uid)
        if live is None:
            # A pod that has ended stays in the API for a while: its later events must not count it again. Hashes are
            # kept instead of the ids, because a run may have a hundred thousand pods.
            if hash(uid) in self._ended or (kind == "DELETED" and not ended):
                return None
            owner = controller_of(pod)
            live = _LivePod(None if from_list else time.monotonic(), from_job=bool(owner and owner[0] == "Job"))
            self._live[uid] = live
            self._count_active(live, +1)
        self._take_status(live, pod)
        self._count_running(live, phase == "Running")
        if not ended and kind != "DELETED":
            return None
        self._count_running(live, False)
        del self._live[uid]
        self._ended.add(hash(uid))
        self._count_active(live, -1)
        self._leave_node(live)
        return self._end(pod, phase) if ended else None

    def counts(self) -> dict[str, int]:
        """Pods `pending` and `running` now, `succeeded` and `failed` until now. Costs nothing worth counting."""
        return {
            "pending": len(self._live) - self._running,
            "running": self._running,
            "succeeded": self.succeeded,
            "failed": self.failed,
        }

    def is_active_job_pod(self, uid: str) -> bool:
        """Whether this is a Job's pod that has not come to its end."""
        live = self._live.get(uid)
        return live is not None and live.from_job

    def nodes_of_job_pods(self) -> set[str]:
        """The nodes that the active Job pods are on."""
        return set(self._on_nodes[True])

    def nodes_of_pods(self) -> set[str]:
        """The nodes that the living pods are on, those of Jobs included."""
        return set(self._on_nodes[True]) | set(self._on_nodes[False])

    def _count_active(self, live: _LivePod, step: int) -> None:
        if live.from_job:
            self.active_job_pods += step
            self.peak_active_job_pods = max(self.peak_active_job_pods, self.active_job_pods)

    def _leave_node(self, live: _LivePod) -> None:
        if live.node is not None:
            on_nodes = self._on_nodes[live.from_job]
            on_nodes[live.node] -= 1
            if not on_nodes[live.node]:
                del on_nodes[live.node]

    def _count_running(self, live: _LivePod, running: bool) -> None:
        if live.running is not running:
            live.running = running
            self._running += 1 if running else -1

    def _take_status(self, live: _LivePod, pod: Mapping[str, Any]) -> None:
        if live.node is None and (node := pod.get("spec", {}).get("nodeName")):
            live.node = sys.intern(node)  # pods are many, nodes are few
            self._on_nodes[live.from_job][live.node] += 1
        if not live.started and has_started(pod):
            live.started = True
            if live.seen is not None:
                self.startup.add(time.monotonic() - live.seen)
        for status in _containers(pod):
            restarts = status.get("restartCount", 0)
            if not restarts:
                continue
            known = live.restarts = live.restarts or {}
            new = restarts - known.get(status["name"], 0)
            if new > 0:
                known[status["name"]] = restarts
                self.restarts += new
                # lastState is what the restart ended.
                if ((status.get("lastState") or {}).get("terminated") or {}).get("reason") == "OOMKilled":
                    self.oom_kills += new

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
        if reason == "OOMKilled":
            self.oom_kills += 1
        failure = FailedPod(namespace, name, reason, message)
        if len(self.failed_pods[namespace]) < KEPT_PER_NAMESPACE:
            self.failed_pods[namespace].append(failure)
        return failure
