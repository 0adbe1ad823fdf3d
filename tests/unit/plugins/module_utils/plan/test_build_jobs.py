"""The table of profiles: ceilings, pods in all, expected lengths and timeouts come out of the arithmetic."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.plan.demand import (
    LONGEST_BUILD_SECONDS,
    MEAN_BUILD_SECONDS,
    SHORTEST_BUILD_SECONDS,
    BuildJobs,
)
from ansible_collections.kubestress.core.plugins.module_utils.text import duration_text
from helpers.example_settings import profile, settings


class Profile(NamedTuple):
    name: str
    settings: dict
    ceiling: int
    pods: int
    length: str
    timeout_seconds: int


PROFILES = [
    Profile(
        "smoke",
        profile(parallelism=2, completions=2, namespaces=2, jobs=4, active=2, build_jobs_time_scale=0.1),
        8,
        16,
        "11.7 s",
        918,
    ),
    Profile("safe", profile(parallelism=3, completions=10, namespaces=10), 30, 2_000, "65 min", 6_796),
    Profile(
        "conservative",
        profile(parallelism=2, completions=5, namespaces=20, build_jobs_timeout=600),
        40,
        2_000,
        "49 min",
        5_000,
    ),
    Profile("moderate", profile(parallelism=5, completions=15, namespaces=5), 25, 1_500, "58 min", 6_180),
    Profile("high", profile(parallelism=8, completions=20, namespaces=3), 24, 1_200, "49 min", 5_300),
    Profile(
        "high_volume", profile(parallelism=5, completions=15, namespaces=5, active=0), 500, 1_500, "2 min 56 s", 1_164
    ),
    Profile("danger", profile(parallelism=10, completions=30, namespaces=10), 100, 6_000, "58 min", 6_180),
    Profile(
        "reproduce", profile(parallelism=10, completions=20, namespaces=10, active=0), 2_000, 4_000, "1 min 57 s", 1_076
    ),
]


@pytest.mark.parametrize("case", PROFILES, ids=lambda case: case.name)
def test_the_profiles_figures(case):
    builds = BuildJobs.of_settings(case.settings)
    assert builds.ceiling_active_pods == case.ceiling
    assert builds.pods_all == case.pods
    assert duration_text(builds.expected_seconds) == case.length
    assert builds.wait_timeout_seconds == case.timeout_seconds


def test_a_builds_length_is_the_sum_of_its_phases():
    phases = [(2, 5), (5, 15), (10, 30), (5, 15), (3, 10), (2, 8), (2, 5)]
    shortest, longest = sum(low for low, _high in phases), sum(high for _low, high in phases)
    assert (shortest, longest) == (SHORTEST_BUILD_SECONDS, LONGEST_BUILD_SECONDS)
    assert (shortest + longest) / 2 == MEAN_BUILD_SECONDS


def test_safe_without_the_gate_is_what_the_old_tables_forgot():
    builds = BuildJobs.of_settings(profile(parallelism=3, completions=10, namespaces=10, build_jobs_processes=85))
    assert builds.pods_all_jobs_active == 600
    assert builds.processes_of(builds.pods_all_jobs_active) == 51_000


def test_reproduce_reaches_the_processes_that_killed_the_cluster():
    for processes, expected in ((60, 120_000), (85, 170_000)):
        changed = profile(parallelism=10, completions=20, namespaces=10, active=0, build_jobs_processes=processes)
        builds = BuildJobs.of_settings(changed)
        assert builds.processes_of(builds.ceiling_active_pods) == expected


def test_a_job_never_runs_more_pods_than_it_has_to_complete():
    builds = BuildJobs.of_settings(profile(parallelism=8, completions=3, namespaces=1, jobs=2, active=5))
    assert builds.ceiling_active_pods == 2 * 3


def test_switched_off_there_are_none():
    builds = BuildJobs.of_settings(settings(build_jobs_enabled=False))
    assert (builds.jobs_all, builds.pods_all, builds.ceiling_active_pods, builds.expected_seconds) == (0, 0, 0, 0)
    assert builds.wait_timeout_seconds == 900
