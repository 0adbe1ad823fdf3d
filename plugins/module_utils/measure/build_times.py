# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When the builds of a role came forward for the first time and the last, by this machine's clock. No I/O."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

#: Jobs stored, first pod running, first pod succeeded, first Job removed by its TTL: the first of each counts.
BEGUN, FIRST_POD, FIRST_FINISHED, FIRST_REMOVED = "begun", "first_pod_s", "first_finished_s", "first_removed_s"
#: The last Job that ended.
ALL_FINISHED = "all_finished_s"
_FROM_BEGUN = (FIRST_POD, FIRST_FINISHED, ALL_FINISHED, FIRST_REMOVED)


class BuildTimes:
    """Fed with what a watch shows of Jobs and their pods; remembers six numbers a role."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._times: dict[str, dict[str, float]] = {}

    def job_stored(self, role: str) -> None:
        """The API has a Job of the role."""
        self._first(role, BEGUN)

    def pod(self, role: str, pod: Mapping[str, Any]) -> None:
        """An event of a pod of the role, but not of what was there before."""
        phase = (pod.get("status") or {}).get("phase")
        if phase in ("Running", "Succeeded", "Failed"):
            self._first(role, FIRST_POD)
        if phase == "Succeeded":
            self._first(role, FIRST_FINISHED)

    def job_ended(self, role: str) -> None:
        """A Job of the role is Complete or Failed."""
        self._times.setdefault(role, {})[ALL_FINISHED] = self._clock()

    def job_removed(self, role: str) -> None:
        """A Job of the role that had ended is gone."""
        self._first(role, FIRST_REMOVED)

    def figures(self, role: str) -> dict[str, float | None]:
        """Seconds from the first stored Job, None for what was not seen."""
        times = self._times.get(role, {})
        begun = times.get(BEGUN)
        return {
            name: None if begun is None or name not in times else round(max(0.0, times[name] - begun), 3)
            for name in _FROM_BEGUN
        }

    def seconds_since(self, role: str) -> float | None:
        """Seconds since the first stored Job; None without one."""
        begun = self._times.get(role, {}).get(BEGUN)
        return None if begun is None else self._clock() - begun

    def _first(self, role: str, name: str) -> None:
        self._times.setdefault(role, {}).setdefault(name, self._clock())
