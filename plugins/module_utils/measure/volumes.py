# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long volumes took: bound, attached, mounted, cut, ready, expanded, by the role that asked for them. No I/O.

Kubernetes writes no time of the moment in which a claim is bound, a volume attached, or a snapshot ready. These are
measured by this machine's clock, from the first event that shows the object to the one that shows what happened. Two
stages are differences of times in the object itself, which have whole seconds.
"""

from __future__ import annotations

import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..readiness.volumes import is_smaller_than_wanted
from .latency import LatencySketch
from .pod_status import epoch

#: Stages in the order of a volume's life. Those of OWN_TIMES are from times in the objects, the others from the watch.
#:
#: bound       a claim, from its creation
#: provisioned a claim whose class waits for a pod: from the scheduling of that pod to bound
#: attached    a VolumeAttachment, from its creation
#: mounted     a pod with claims: from its scheduling until its volumes are mounted
#: mounted_own the same by the pod's own times
#: cut         a snapshot: from its creation to the moment that it holds, by its own times
#: ready       a snapshot: from its creation until it can be used
#: expanded    a claim: from the answer to its patch until it has the size
STAGES = ("bound", "provisioned", "attached", "mounted", "mounted_own", "cut", "ready", "expanded")
OWN_TIMES = ("mounted_own", "cut")
#: What told that volumes are mounted, see `_mounted`.
BY_CONDITION, BY_CONTAINER = "condition", "container"
_SELECTED_NODE = "volume.kubernetes.io/selected-node"
#: Attachments that are watched at once, those of others included: which are ours is known only when they are attached.
_MOST_ATTACHING = 10_000

Key = tuple[str, str]


@dataclass(slots=True)
class _Waiting:
    """An object on its way. Times are monotonic; `since` is None where its beginning was not watched."""

    since: float | None
    scheduled: float | None = None


class VolumeBook:
    """Fed with the events of claims, snapshots, pods and attachments. Memory grows with what is on its way.

    But for the names of the volumes that are bound: by them an attachment is known to be the run's.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.sketches: dict[str, dict[str, LatencySketch]] = defaultdict(lambda: defaultdict(LatencySketch))
        #: What told that the volumes of pods are mounted, and of how many pods.
        self.told_by: Counter[str] = Counter()
        #: Times in objects whose end lies before their beginning: the clocks of two writers differ. They count as 0 s.
        self.backwards = 0
        #: Claims that wait for their first consumer and count as ready, because the plan has none.
        self.unconsumed: set[Key] = set()
        #: Whether attachments are watched, and if not, why.
        self.sees_attachments = False
        self.attachments_cause: str | None = None
        self._claims: dict[Key, _Waiting] = {}
        self._expanding: dict[Key, tuple[str, float]] = {}
        self._snapshots: dict[Key, _Waiting] = {}
        self._pods: dict[str, _Waiting] = {}
        self._role_of_volume: dict[str, str] = {}
        self._attaching: dict[str, float] = {}

    @property
    def has_figures(self) -> bool:
        """Whether anything was measured, or is on its way."""
        return bool(self.sketches or self._claims or self._snapshots or self._expanding)

    # -- claims ------------------------------------------------------------------------------------------------------

    def claim(self, kind: str, obj: Mapping[str, Any], role: str, *, from_list: bool) -> None:
        """Take in an event (`kind`: ADDED, MODIFIED, DELETED) of a claim."""
        metadata = obj["metadata"]
        key = (metadata["namespace"], metadata["name"])
        if kind == "DELETED":
            self._claims.pop(key, None)
            self._expanding.pop(key, None)
            return
        now, status = self._clock(), obj.get("status") or {}
        if status.get("phase") != "Bound":
            claim = self._claims.setdefault(key, _Waiting(None if from_list else now))
            if claim.scheduled is None and not from_list and _SELECTED_NODE in (metadata.get("annotations") or {}):
                claim.scheduled = now
            return
        self.unconsumed.discard(key)
        if volume := (obj.get("spec") or {}).get("volumeName"):
            self._role_of_volume[volume] = sys.intern(role)
        if (waiting := self._claims.pop(key, None)) is not None:
            self._add(role, "bound", waiting.since, now)
            self._add(role, "provisioned", waiting.scheduled, now)
        if key in self._expanding and not is_smaller_than_wanted(obj):
            role_of_patch, since = self._expanding.pop(key)
            self._add(role_of_patch, "expanded", since, now)

    def expanding(self, key: Key, role: str) -> None:
        """A claim was patched just now, and no event has shown it with its new size yet."""
        self._expanding[key] = (role, self._clock())

    # -- snapshots ---------------------------------------------------------------------------------------------------

    def snapshot(self, kind: str, obj: Mapping[str, Any], role: str, *, from_list: bool) -> None:
        """Take in an event of a VolumeSnapshot."""
        metadata, status = obj["metadata"], obj.get("status") or {}
        key = (metadata["namespace"], metadata["name"])
        if kind == "DELETED":
            self._snapshots.pop(key, None)
        elif not status.get("readyToUse"):
            self._snapshots.setdefault(key, _Waiting(None if from_list else self._clock()))
        elif (waiting := self._snapshots.pop(key, None)) is not None:
            self._add(role, "ready", waiting.since, self._clock())
            self._add_own(role, "cut", epoch(metadata.get("creationTimestamp")), epoch(status.get("creationTime")))

    # -- pods --------------------------------------------------------------------------------------------------------

    def pod(self, kind: str, obj: Mapping[str, Any], role: str, *, from_list: bool) -> None:
        """Take in an event of a pod; those without claims are left out."""
        uid = obj["metadata"]["uid"]
        if kind == "DELETED":
            self._pods.pop(uid, None)
            return
        waiting = self._pods.get(uid)
        if waiting is None:
            # One that is first heard of when it is scheduled already has nothing to count from.
            if from_list or _condition(obj, "PodScheduled") is not None or not _has_claims(obj):
                return
            self._pods[uid] = _Waiting(self._clock())
            return
        scheduled = _condition(obj, "PodScheduled")
        if scheduled is None:
            return
        if waiting.scheduled is None:
            waiting.scheduled = self._clock()
        found = _mounted(obj)
        if found is not None:
            del self._pods[uid]
            told_by, at = found
            self.told_by[told_by] += 1
            self._add(role, "mounted", waiting.scheduled, self._clock())
            self._add_own(role, "mounted_own", epoch(scheduled.get("lastTransitionTime")), at)

    # -- attachments -------------------------------------------------------------------------------------------------

    def attachment(self, kind: str, obj: Mapping[str, Any]) -> None:
        """Take in an event of a VolumeAttachment, whosesoever it is."""
        name = obj["metadata"]["name"]
        if kind == "DELETED":
            self._attaching.pop(name, None)
        elif not (obj.get("status") or {}).get("attached"):
            if kind == "ADDED" and len(self._attaching) < _MOST_ATTACHING:
                self._attaching.setdefault(name, self._clock())
        elif (since := self._attaching.pop(name, None)) is not None:
            volume = ((obj.get("spec") or {}).get("source") or {}).get("persistentVolumeName")
            if role := self._role_of_volume.get(volume or ""):
                self._add(role, "attached", since, self._clock())

    # -- figures -----------------------------------------------------------------------------------------------------

    def _add(self, role: str, stage: str, since: float | None, now: float) -> None:
        if since is not None:
            self.sketches[role][stage].add(max(0.0, now - since))

    def _add_own(self, role: str, stage: str, begin: int | None, end: int | None) -> None:
        if begin is not None and end is not None:
            self.backwards += end < begin
            self.sketches[role][stage].add(max(0, end - begin))

    def figures(self) -> dict[str, Any]:
        """`stages`: role -> stage -> count, percentiles in seconds and the histogram; and what to know of them."""
        return {
            "stages": {
                role: {
                    stage: {**sketches[stage].summary_s(), "histogram": sketches[stage].to_dict()}
                    for stage in STAGES
                    if stage in sketches
                }
                for role, sketches in self.sketches.items()
            },
            "unconsumed": len(self.unconsumed),
            "mounted_by": dict(sorted(self.told_by.items())),
            "attachments_cause": None if self.sees_attachments else self.attachments_cause,
            "clock_backwards": self.backwards,
        }


def _has_claims(pod: Mapping[str, Any]) -> bool:
    volumes = (pod.get("spec") or {}).get("volumes") or ()
    return any("persistentVolumeClaim" in volume or "ephemeral" in volume for volume in volumes)


def _condition(pod: Mapping[str, Any], kind: str) -> Mapping[str, Any] | None:
    """The condition of that type, if it is true."""
    for entry in (pod.get("status") or {}).get("conditions") or ():
        if entry.get("type") == kind and entry.get("status") == "True":
            found: Mapping[str, Any] = entry
            return found
    return None


def _mounted(pod: Mapping[str, Any]) -> tuple[str, int | None] | None:
    """By what, and when by the pod's own times, its volumes are known to be mounted; None while they are not.

    A kubelet makes the pod's sandbox when all volumes are mounted, and says so in PodReadyToStartContainers (1.29 and
    newer). Without it, the start of the first container tells, which comes after pulling its image.
    """
    sandbox = _condition(pod, "PodReadyToStartContainers")
    if sandbox is not None:
        return BY_CONDITION, epoch(sandbox.get("lastTransitionTime"))
    status = pod.get("status") or {}
    for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        state = container.get("state") or {}
        present = state.get("running") or state.get("terminated")
        if present:
            return BY_CONTAINER, epoch(present.get("startedAt"))
    return None
