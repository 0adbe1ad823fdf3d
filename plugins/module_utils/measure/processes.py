# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many processes build pods had while they compiled, from consecutive kubelet summaries. No I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from .kubelet import PodProcesses

#: Processes up to which a build pod counts as not compiling: outside of that phase it has a shell, a timer, and half of
#: its CPU workers.
IDLE_PROCESSES = 8
#: Summaries without a pod after which it is gone. Kubelets leave a living one out of a summary now and then.
_GONE_AFTER = 2


@dataclass(slots=True)
class _LivePod:
    """Readings of a pod while it compiled, their highest value, and when the newest was taken."""

    readings: int = 0
    plateau: int = 0
    taken: str | None = None
    missed: int = 0


class ProcessSampler:
    """Fed with the pods of kubelets' summaries, for instance once a second.

    A pod counts with its plateau, the highest of its readings, because a reading may fall into the moment in which the
    processes start or end. That is sure only with two readings or more while it compiled; pods with a single one count
    only as long as there are no others. A reading that the kubelet repeats, because it measures less often than it is
    asked, is one reading.

    Memory grows with the pods that live on the nodes now and with the number of different plateaus, not with all pods.
    """

    def __init__(self, *, is_build_pod: Callable[[str], bool], idle_processes: int = IDLE_PROCESSES) -> None:
        """`is_build_pod` is asked for each uid of a summary until it says yes: a kubelet may know a pod before us."""
        self._is_build_pod = is_build_pod
        self._idle = idle_processes
        self._live: dict[str, dict[str, _LivePod]] = {}
        self._ended: tuple[Counter[int], Counter[int]] = (Counter(), Counter())
        #: Readings of build pods while they compiled.
        self.samples = 0

    def observe(self, node: str, pods: Iterable[PodProcesses]) -> int:
        """Take in one summary of a node; how many build pods are in it."""
        live = self._live.setdefault(node, {})
        here = set()
        for pod in pods:
            known = live.get(pod.uid)
            if known is None:
                if not self._is_build_pod(pod.uid):
                    continue
                known = live[pod.uid] = _LivePod()
            here.add(pod.uid)
            known.missed = 0
            self._take(known, pod)
        for uid in [uid for uid in live if uid not in here]:
            live[uid].missed += 1
            if live[uid].missed >= _GONE_AFTER:
                self._count(live.pop(uid), self._ended)
        return len(here)

    def _take(self, known: _LivePod, pod: PodProcesses) -> None:
        repeated = pod.taken is not None and pod.taken == known.taken
        known.taken = pod.taken
        if pod.processes is None or pod.processes <= self._idle or repeated:
            return
        self.samples += 1
        known.readings += 1
        known.plateau = max(known.plateau, pod.processes)

    @staticmethod
    def _count(pod: _LivePod, plateaus: tuple[Counter[int], Counter[int]]) -> None:
        if pod.readings:
            plateaus[pod.readings > 1][pod.plateau] += 1

    def figures(self) -> dict[str, Any]:
        """`min`, `median` and `max` of the pods' plateaus, `plateaus` with the pods that had each, `samples`, `source`.

        Without any reading the source is "none" and the figures are None.
        """
        single, sure = Counter(self._ended[False]), Counter(self._ended[True])
        for pods in self._live.values():
            for pod in pods.values():
                self._count(pod, (single, sure))
        plateaus = sure or single
        return {**figures_of(plateaus), "samples": self.samples, "source": "kubelet" if plateaus else "none"}


def figures_of(plateaus: Counter[int]) -> dict[str, Any]:
    """`min`, `median` and `max`, None where there is nothing, and `plateaus` as JSON can hold it."""
    return {
        "min": min(plateaus, default=None),
        "median": _median(plateaus) if plateaus else None,
        "max": max(plateaus, default=None),
        "plateaus": {str(value): plateaus[value] for value in sorted(plateaus)},
    }


def _median(values: Counter[int]) -> float:
    """Of an even number of values the mean of the middle two."""
    in_order = sorted(values.items())
    total = values.total()
    lower, upper = (_at(in_order, place) for place in ((total - 1) // 2, total // 2))
    return lower if lower == upper else (lower + upper) / 2


def _at(in_order: list[tuple[int, int]], place: int) -> int:
    """The value at a place (from 0) of a sorted list that is given as (value, how often)."""
    for value, often in in_order:
        place -= often
        if place < 0:
            return value
    raise IndexError(place)
