# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long pods took to start, stage by stage, and which took longest or never started. No I/O.

The stages are differences of times in the pod, which have whole seconds: the API server wrote the first, the scheduler
the second, the kubelet the others. Only `watched` is measured by this machine's clock.
"""

from __future__ import annotations

import heapq
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..readiness.pods import pod_cause
from .latency import LatencySketch
from .pod_status import GROUPS, containers_of, epoch, first_started, has_started, is_held_up

#: Each stage lasts from the end of the one before (the first from the pod's creation); `total` from creation to Ready,
#: of a Job's pod to started; `watched` from the first event to the one that shows it started.
STAGES = ("scheduled", "initialized", "started", "ready", "total", "watched")
_CHAIN = STAGES[:4]
_WORDS = {
    "scheduled": "from created to scheduled",
    "initialized": "from scheduled to initialized",
    "started": "from initialized to started",
    "ready": "from started to ready",
}
#: Pods that are listed as the worst.
KEPT_WORST = 10


@dataclass(slots=True)
class PodStart:
    """A pod on its way to Ready. Times of the pod are seconds since 1970; `seen` is monotonic, None if listed.

    `obstacle` is the newest cause that was more than waiting for its turn, `held_up` whether it is in force. `told`:
    the reasons for which a container waited that others have been told of.
    """

    namespace: str
    name: str
    group: str
    seen: float | None
    created: int | None
    scheduled: int | None = None
    initialized: int | None = None
    started: int | None = None
    ready: int | None = None
    runs: bool = False
    node: str | None = None
    late: bool = False
    reported: bool = False
    held_up: bool = False
    obstacle: str = ""
    told: tuple[str, ...] = ()

    @property
    def total(self) -> int | None:
        """Seconds from created to Ready, of a Job's pod to started; None where an end of it is not known."""
        end = self.started if self.group == "job" else self.ready
        return None if end is None or self.created is None else max(0, end - self.created)

    @property
    def is_missing(self) -> bool:
        """Whether it has not done what `total` measures: a Job's pod needs not be ready, to have started is enough."""
        return not self.late and self.ready is None and not (self.runs and self.group == "job")

    @property
    def cause(self) -> str:
        """Why it has not arrived, as far as its status told."""
        if self.held_up:
            return self.obstacle
        if self.node is None:
            return "Pending: its scheduler has not looked at it yet"
        if not self.runs:
            if not self.reported:
                return f"Pending: scheduled, but the kubelet of {self.node} has not reported yet"
            return f"its containers are being created on {self.node}"
        return "its containers have started, but it is not Ready"


class StartBook:
    """Sketches of the stages by group of pods, and the worst pods. Memory does not grow with the pods that arrived."""

    def __init__(self) -> None:
        self.sketches: dict[str, dict[str, LatencySketch]] = defaultdict(lambda: defaultdict(LatencySketch))
        #: Pods that came to an end without having become ready (of a Job: without having started).
        self.never = 0
        #: Stages whose end lies before their beginning: the clocks of two writers differ. They count as 0 s.
        self.backwards = 0
        self._finished = 0
        self._slowest: list[tuple[int, int, dict[str, Any]]] = []
        self._ended: list[dict[str, Any]] = []

    def begin(self, pod: Mapping[str, Any], *, group: str, from_list: bool) -> PodStart:
        """A pod that is heard of for the first time."""
        metadata = pod["metadata"]
        start = PodStart(
            namespace=sys.intern(metadata["namespace"]),
            name=metadata["name"],
            group=group,
            seen=None if from_list else time.monotonic(),
            created=epoch(metadata.get("creationTimestamp")),
        )
        if has_started(pod):
            # Nobody watched it start, and after a restart its condition Ready may be that of a later time.
            start.runs, start.started = True, first_started(pod)
            start.late = any(container.get("restartCount") for container in containers_of(pod))
        return start

    def take(self, start: PodStart, pod: Mapping[str, Any], *, node: str | None) -> bool:
        """Note what a status has that was not known. Returns whether the pod has become ready: then finish it."""
        ready = self._take_conditions(start, (pod.get("status") or {}).get("conditions") or ())
        start.node = node
        if not start.runs:
            start.reported = bool(containers_of(pod))
            if has_started(pod):
                start.runs = True
                start.started = first_started(pod)
                if start.seen is not None:
                    self.sketches[start.group]["watched"].add(time.monotonic() - start.seen)
        # A pod that is being deleted has what held it up until then.
        if not ready and not pod["metadata"].get("deletionTimestamp"):
            start.held_up = is_held_up(pod)
            if start.held_up:
                start.obstacle = sys.intern(pod_cause(pod))
        return ready

    @staticmethod
    def _take_conditions(start: PodStart, conditions: Iterable[Mapping[str, Any]]) -> bool:
        """Whether Ready is among those that are true."""
        ready = False
        for condition in conditions:
            if condition.get("status") != "True":
                continue
            kind = condition.get("type")
            if kind == "PodScheduled":
                if start.scheduled is None or not start.runs:
                    start.scheduled = epoch(condition.get("lastTransitionTime"))
            elif kind == "Initialized":
                # Written anew where init containers run again, and at a pod's end: what holds at the start counts.
                if (start.initialized is None or not start.runs) and condition.get("reason") != "PodCompleted":
                    start.initialized = epoch(condition.get("lastTransitionTime"))
            elif kind == "Ready":
                ready = True
                if not start.late:
                    start.ready = epoch(condition.get("lastTransitionTime"))
        return ready

    def finish(self, start: PodStart, *, end: str = "") -> None:
        """Count a pod that became ready, or that came to an end before: `end` is Succeeded, Failed or Deleted."""
        stages, total = _stages(start), start.total
        sketches = self.sketches[start.group]
        for stage, seconds in (*stages.items(), ("total", total)):
            if seconds is not None:
                self.backwards += seconds < 0
                sketches[stage].add(max(0, seconds))
        self._finished += 1
        if total is not None:
            if len(self._slowest) < KEPT_WORST or total > self._slowest[0][0]:
                # The earlier one of two alike is kept; the number also keeps rows from being compared.
                entry = (total, -self._finished, _row(start, cause=_slow_cause(start, stages, total)))
                (heapq.heappush if len(self._slowest) < KEPT_WORST else heapq.heappushpop)(self._slowest, entry)
        elif end not in ("", "Succeeded") and start.is_missing:
            self.never += 1
            if len(self._ended) < KEPT_WORST:
                self._ended.append(_row(start, cause="; ".join(part for part in (end, start.cause) if part)))

    def merged(self, stage: str) -> LatencySketch:
        """One stage of all groups together."""
        merged = LatencySketch()
        for sketches in self.sketches.values():
            if stage in sketches:
                merged.merge(sketches[stage])
        return merged

    def startup(self) -> dict[str, dict[str, Any]]:
        """Group -> stage -> count, p50_s, p90_s, p95_s, p99_s, max_s and the histogram; what nobody saw is left out."""
        return {
            group: {
                stage: {**sketches[stage].summary_s(), "histogram": sketches[stage].to_dict()}
                for stage in STAGES
                if stage in sketches
            }
            for group, sketches in sorted(self.sketches.items(), key=lambda item: GROUPS.index(item[0]))
        }

    def worst(self, living: Iterable[PodStart]) -> list[dict[str, Any]]:
        """Those that never became ready (`total_s` None; of the `living` the oldest), then the slowest.

        `waited_s` is how long a living one has been watched, None for the others.
        """
        rows = list(self._ended)
        missing = (start for start in living if start.is_missing)
        for start in heapq.nsmallest(KEPT_WORST, missing, key=lambda start: start.created or 0):
            waited = None if start.seen is None else round(time.monotonic() - start.seen, 3)
            rows.append({**_row(start, cause=start.cause), "waited_s": waited})
        rows += [row for _total, _number, row in sorted(self._slowest, key=lambda entry: entry[:2], reverse=True)]
        return rows[:KEPT_WORST]


def _stages(start: PodStart) -> dict[str, int | None]:
    """Seconds of each stage, below 0 where the clocks of its two writers differ; None where an end is not known."""
    stages: dict[str, int | None] = {}
    before = start.created
    for stage in _CHAIN:
        end: int | None = getattr(start, stage)
        stages[stage] = None if end is None or before is None else end - before
        before = end
    return stages


def _slow_cause(start: PodStart, stages: Mapping[str, int | None], total: int) -> str:
    """The longest stage, and what the pod was held up by, as far as its status told."""
    longest, seconds = max(((stage, stages[stage] or 0) for stage in _CHAIN), key=lambda item: item[1])
    told = f"{seconds} of {total} s {_WORDS[longest]}" if seconds > 0 else ""
    return "; ".join(part for part in (told, start.obstacle) if part)


def _row(start: PodStart, *, cause: str) -> dict[str, Any]:
    return {
        "namespace": start.namespace,
        "name": start.name,
        "group": start.group,
        "node": start.node,
        "total_s": start.total,
        "waited_s": None,
        "stages": _stages(start),
        "cause": cause,
    }
