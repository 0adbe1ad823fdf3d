# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many build pods a run has, how many at once, and how long that takes. No I/O, nothing but the settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: Length of one build in seconds at time scale 1: the sums of its seven phases' shortest and longest lengths
#: (environment 2-5, dependencies 5-15, compile 10-30, unit tests 5-15, integration tests 3-10, package 2-8,
#: publish 2-5), and the mean of the two, because each phase is drawn evenly.
SHORTEST_BUILD_SECONDS = 29.0
MEAN_BUILD_SECONDS = 58.5
LONGEST_BUILD_SECONDS = 88.0


@dataclass(frozen=True, kw_only=True)
class BuildJobs:
    """The build jobs of a run. `namespaces` and all counts are whole numbers; `active_per_namespace` 0 means all."""

    namespaces: int
    jobs_per_namespace: int
    active_per_namespace: int
    completions: int
    parallelism: int
    processes: int
    time_scale: float
    timeout_seconds: int

    @classmethod
    def of_settings(cls, settings: Mapping[str, Any]) -> BuildJobs:
        """From kubestress_settings; all counts are 0 where build jobs are switched off. Raises KeyError."""
        enabled = settings["build_jobs_enabled"]
        return cls(
            namespaces=settings["namespaces_total"],
            jobs_per_namespace=settings["build_jobs_per_namespace"] if enabled else 0,
            active_per_namespace=settings["build_jobs_active_per_namespace"],
            completions=settings["build_jobs_completions"],
            parallelism=settings["build_jobs_parallelism"],
            processes=settings["build_jobs_processes"],
            time_scale=settings["build_jobs_time_scale"],
            timeout_seconds=settings["build_jobs_timeout"],
        )

    @property
    def jobs_all(self) -> int:
        """Jobs of the run."""
        return self.namespaces * self.jobs_per_namespace

    @property
    def pods_per_job_at_once(self) -> int:
        """A Job never runs more pods than it still has to complete."""
        return min(self.parallelism, self.completions)

    @property
    def active_jobs_per_namespace(self) -> int:
        """Unfinished Jobs of one namespace at once."""
        return min(self.active_per_namespace or self.jobs_per_namespace, self.jobs_per_namespace)

    @property
    def pods_all(self) -> int:
        """Pods that must complete, in all (those made again after a failure come on top)."""
        return self.jobs_all * self.completions

    @property
    def ceiling_active_pods(self) -> int:
        """Build pods at once, at most."""
        return self.namespaces * self.active_jobs_per_namespace * self.pods_per_job_at_once

    @property
    def pods_all_jobs_active(self) -> int:
        """Build pods at once if nothing held Jobs back (build_jobs_active_per_namespace=0)."""
        return self.jobs_all * self.pods_per_job_at_once

    @property
    def rounds(self) -> int:
        """How often the ceiling is filled before all pods have run: ceil(pods_all / ceiling_active_pods)."""
        return -(-self.pods_all // self.ceiling_active_pods) if self.ceiling_active_pods else 0

    @property
    def expected_seconds(self) -> float:
        """Expected length, without queueing, image pulls and pod start-up."""
        return self.rounds * MEAN_BUILD_SECONDS * self.time_scale

    @property
    def wait_timeout_seconds(self) -> int:
        """Seconds to wait for all Jobs at most: every round at its longest, plus the deadline of one Job."""
        return round(self.rounds * LONGEST_BUILD_SECONDS * self.time_scale) + self.timeout_seconds

    def processes_of(self, pods: int) -> int:
        """Live processes of `pods` build pods in their compile phase."""
        return pods * self.processes
