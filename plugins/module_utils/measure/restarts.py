# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restarts of containers and kills for their memory, as kubelets report them in the pods' statuses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .pod_status import containers_of, last_end


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
