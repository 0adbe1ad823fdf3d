# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When each role last came forward, and how many of its pods are pending and running.

Only what can happen a limited number of times counts as coming forward, so a pod whose container fails again and again,
or an object that is ready and not ready in turn, does not keep a run waiting for ever.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..cluster.clock import HeldClock
from ..measure.pod_status import group_of


@dataclass(slots=True)
class _LivePod:
    namespace: str
    name: str
    role: str
    #: Its controller makes a limited number of pods: it is a Job.
    of_job: bool
    running: bool = False


class RoleProgress:
    """Times are those of `clock`, which stands still while nobody can see whether anything comes forward."""

    def __init__(self, clock: HeldClock | None = None) -> None:
        self._clock = clock or HeldClock()
        self._moved: dict[str, float] = {}
        self._live: dict[str, _LivePod] = {}
        self._running: Counter[str] = Counter()
        self._most_running: Counter[str] = Counter()

    def moved(self, role: str) -> None:
        """Something of the role has come forward."""
        self._moved[role] = self._clock.time()

    def last_moved(self, role: str) -> float | None:
        """When something of the role last came forward; None if nothing ever has."""
        return self._moved.get(role)

    def pod_event(self, event_type: str, pod: Mapping[str, Any], role: str) -> None:
        """Take in a pod's event (ADDED, MODIFIED, DELETED).

        A Job makes a limited number of pods: each one that runs for the first time, and each one that ends, is
        progress. Other controllers replace their pods without a limit: progress is only when more of them run than ever
        before.
        """
        uid: str = pod["metadata"]["uid"]
        phase = (pod.get("status") or {}).get("phase", "Pending")
        if event_type == "DELETED" or phase in ("Succeeded", "Failed"):
            ended = self._live.pop(uid, None)
            if ended is not None:
                self._running[role] -= ended.running
                if ended.of_job and event_type != "DELETED":
                    self.moved(role)
            return
        live = self._live.get(uid)
        if live is None:
            metadata = pod["metadata"]
            live = self._live[uid] = _LivePod(
                metadata["namespace"], metadata["name"], role, of_job=group_of(pod) == "job"
            )
        if phase == "Running" and not live.running:
            live.running = True
            self._running[role] += 1
            more = self._running[role] > self._most_running[role]
            self._most_running[role] = max(self._most_running[role], self._running[role])
            if live.of_job or more:
                self.moved(role)

    def running(self, role: str) -> int:
        """How many pods of the role are running."""
        return self._running[role]

    def living_pods(self, selects: Callable[[tuple[str, str]], bool]) -> list[tuple[dict[str, Any], str]]:
        """The living pods whose (namespace, name) is selected: what of them is known, and their role."""
        return [
            ({"metadata": {"uid": uid, "namespace": live.namespace, "name": live.name}}, live.role)
            for uid, live in self._live.items()
            if selects((live.namespace, live.name))
        ]

    def pending(self, role: str) -> list[str]:
        """The uids of the role's pods that have not run yet."""
        return [uid for uid, live in self._live.items() if live.role == role and not live.running]
