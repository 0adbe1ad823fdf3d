# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the status of a pod says: controller, start, end, cause of failure, restarts and OOM kills. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from .events import FORK_FAILED, fork_failure

_GROUP_OF_OWNER = {"ReplicaSet": "stateless", "StatefulSet": "stateful", "Job": "job"}
#: Waiting reasons of a container that has not been started yet.
_PATIENT = frozenset({"", "ContainerCreating", "PodInitializing"})
#: Waiting reasons of a container whose image the node does not have and does not get.
IMAGE_PULLS = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "ErrImageNeverPull",
        "InvalidImageName",
        "ImageInspectError",
        "RegistryUnavailable",
        "SignatureValidationFailed",
    }
)
GROUPS = ("stateless", "stateful", "job", "other")


def controller_of(obj: Mapping[str, Any]) -> tuple[str, str] | None:
    """(kind, name) of the owner that controls an object, or None."""
    for owner in obj["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            return owner["kind"], owner["name"]
    return None


def group_of(pod: Mapping[str, Any]) -> str:
    """One of GROUPS, by the controlling owner's kind: ReplicaSet, StatefulSet, Job, anything else or none."""
    owner = controller_of(pod)
    return _GROUP_OF_OWNER.get(owner[0], "other") if owner else "other"


def containers_of(pod: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    """The statuses of its containers, without init containers; empty before its kubelet has reported."""
    return (pod.get("status") or {}).get("containerStatuses") or ()


def has_started(pod: Mapping[str, Any]) -> bool:
    """Whether every container runs, has run, or was started again."""
    statuses = containers_of(pod)
    if not statuses:
        return False
    for status in statuses:
        state = status.get("state") or {}
        if not (status.get("restartCount") or "running" in state or "terminated" in state):
            return False
    return True


def has_ended_once(pod: Mapping[str, Any]) -> bool:
    """Whether a container was killed, ended, or was started again; or the pod failed, as one that is evicted."""
    status = pod.get("status") or {}
    return status.get("phase") == "Failed" or any(
        container.get("restartCount") or last_end(container) is not None for container in containers_of(pod)
    )


@lru_cache(maxsize=4096)  # pods are many, and few seconds are new
def epoch(text: str | None) -> int | None:
    """Seconds since 1970 of a time as the API writes it; None where it is missing, no time, or the kubelet's zero."""
    try:
        seconds = int(datetime.fromisoformat(text or "").timestamp())
    except (ValueError, OverflowError):
        return None
    return seconds if seconds > 0 else None


def first_started(pod: Mapping[str, Any]) -> int | None:
    """When the last of its containers was started for the first time, in seconds since 1970.

    None where the status no longer tells: it holds a container's present and previous start, not the first of many.
    """
    times = [_first_start(status) for status in containers_of(pod)]
    known = [time for time in times if time is not None]
    return max(known) if known and len(known) == len(times) else None


def _first_start(status: Mapping[str, Any]) -> int | None:
    state = status.get("state") or {}
    present = state.get("running") or state.get("terminated")
    last = (status.get("lastState") or {}).get("terminated")
    restarts = status.get("restartCount") or 0
    # While a container waits to be started again, its newest start is the one in lastState.
    first = present if present and not restarts else last if last and restarts == (1 if present else 0) else None
    return epoch(first.get("startedAt")) if first else None


def last_end(status: Mapping[str, Any]) -> tuple[int, str] | None:
    """A container's newest end: which of its starts ended (0 is the first), and the reason. None: none has."""
    state = status.get("state") or {}
    restarts = status.get("restartCount") or 0
    if ended := state.get("terminated"):
        return restarts, ended.get("reason") or ""
    if ended := (status.get("lastState") or {}).get("terminated"):
        return restarts - ("running" in state), ended.get("reason") or ""
    return None


def is_held_up(pod: Mapping[str, Any]) -> bool:
    """Whether its status names an obstacle: it failed, has no node to go to, or a container waits for more than a turn.

    Far cheaper than the text of it, and of nearly all pods nearly always False.
    """
    status = pod.get("status") or {}
    if status.get("phase") == "Failed":
        return True
    for part in ("containerStatuses", "initContainerStatuses"):
        for container in status.get(part) or ():
            state = container.get("state") or {}
            if waiting := state.get("waiting"):
                if waiting.get("reason", "") not in _PATIENT:
                    return True
            elif (ended := state.get("terminated")) and ended.get("exitCode"):
                return True
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled":
            return bool(condition.get("status") == "False")
    return False


def waiting_state(pod: Mapping[str, Any]) -> tuple[str, str] | None:
    """(reason, message) of the first container that waits for more than its turn; None where none does."""
    status = pod.get("status") or {}
    for part in ("initContainerStatuses", "containerStatuses"):
        for container in status.get(part) or ():
            waiting = (container.get("state") or {}).get("waiting")
            if waiting and (reason := waiting.get("reason") or "") not in _PATIENT:
                return reason, waiting.get("message") or ""
    return None


def last_reasons(pod: Mapping[str, Any]) -> str:
    """How containers of a pod last ended, each reason once, such as "OOMKilled"; empty where the status is silent."""
    ends = (last_end(status) for status in containers_of(pod))
    return ", ".join(dict.fromkeys(end[1] for end in ends if end is not None and end[1]))


def is_disturbed(pod: Mapping[str, Any]) -> bool:
    """Whether somebody deletes the pod: how it ends then says nothing of its node.

    Evictions and preemptions are deletions too, and have the condition DisruptionTarget, which tells them apart.
    """
    if not pod["metadata"].get("deletionTimestamp"):
        return False
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return not any(one.get("type") == "DisruptionTarget" and one.get("status") == "True" for one in conditions)


def failure_reason(pod: Mapping[str, Any]) -> tuple[str, str]:
    """(reason, message) of a pod in phase Failed: the kubelet's own reason, else that of the first failed container.

    The reason is FORK_FAILED, with what told it as the message, where a container ended because nothing could be
    started any more. A container's message is the end of its output, if its terminationMessagePolicy says so.
    """
    status = pod["status"]
    if status.get("reason"):
        return status["reason"], status.get("message", "")
    for container in containers_of(pod):
        ended = (container.get("state") or {}).get("terminated")
        if ended and (ended.get("exitCode") or ended.get("reason") == "OOMKilled"):
            if told := fork_failure(ended.get("message") or ""):
                return FORK_FAILED, told
            reason = ended.get("reason") or "Error"
            code = ended.get("exitCode", "?")
            word = f"exit {code}" if reason == "Error" else reason
            return word, ended.get("message") or f"container {container['name']}: {reason}, exit {code}"
    return "unknown", "phase Failed without a container that tells why"


@dataclass(slots=True)
class Counted:
    """What of one pod has been counted: restarts, and the newest end that was looked at, by container."""

    restarts: dict[str, int] = field(default_factory=dict)
    ends: dict[str, int] = field(default_factory=dict)
    killed: bool = False


@dataclass(slots=True)
class Restarts:
    """Of all pods of one kind: restarts, kills for memory, and pods that had such a kill at least once.

    Kills are those that a status told of. Where a container was started again more than once between two statuses, as
    over a broken watch, only its newest end is in there: so many kills at least.
    """

    restarts: int = 0
    oom_kills: int = 0
    pods_killed: int = 0

    def take(self, counted: Counted | None, pod: Mapping[str, Any]) -> Counted | None:
        """Count what a pod's status has that `counted` has not. Returns what is counted now; most pods never have any.

        The first argument is what the call before returned for the same pod.
        """
        for status in containers_of(pod):
            restarts = status.get("restartCount") or 0
            if not restarts and "running" in (status.get("state") or ()):
                continue
            end = last_end(status)
            if not restarts and (end is None or end[1] != "OOMKilled"):
                continue
            if counted is None:
                counted = Counted()
            self._take_container(counted, name=status["name"], restarts=restarts, end=end)
        return counted

    def _take_container(self, counted: Counted, *, name: str, restarts: int, end: tuple[int, str] | None) -> None:
        new = restarts - counted.restarts.get(name, 0)
        if new > 0:
            counted.restarts[name] = restarts
            self.restarts += new
        if end is None or end[0] <= counted.ends.get(name, -1):
            return
        counted.ends[name] = end[0]
        if end[1] == "OOMKilled":
            self.oom_kills += 1
            if not counted.killed:
                counted.killed = True
                self.pods_killed += 1
