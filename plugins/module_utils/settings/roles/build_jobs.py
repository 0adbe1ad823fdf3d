# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role build_jobs: its variables and its entry points."""

from __future__ import annotations

from ..setting import WEEK_SECONDS, Entry, Range, Role, Setting, plan_entry

_SETTINGS = (
    Setting(
        "build_jobs_enabled",
        "bool",
        False,
        environment="BUILD_JOB_ENABLED",
        old_flags=("--build-job-enabled", "--no-build-job"),
        meaning="Whether the run has build jobs.",
    ),
    Setting(
        "build_jobs_per_namespace",
        "int",
        20,
        allowed=Range(0, 10_000),
        meaning="Jobs in each namespace, over the whole run.",
    ),
    Setting(
        "build_jobs_active_per_namespace",
        "int",
        1,
        allowed=Range(0, 10_000),
        meaning="Unfinished Jobs of a namespace at once; the next is made when one ends. V(0) is all.",
    ),
    Setting(
        "build_jobs_completions",
        "int",
        10,
        allowed=Range(1, 100_000),
        environment="BUILDS_PER_NS",
        old_flags=("--builds-per-ns",),
        meaning="Pods of each Job that must finish.",
    ),
    Setting(
        "build_jobs_parallelism",
        "int",
        3,
        allowed=Range(1, 10_000),
        environment="BUILD_PARALLELISM",
        old_flags=("--build-parallelism",),
        meaning="Pods of each Job at once. Also how many Jobs of a namespace make a wave.",
    ),
    Setting(
        "build_jobs_wave_pause",
        "float",
        1,
        allowed=Range(0, 3_600),
        meaning="Seconds between two waves of a namespace.",
    ),
    Setting(
        "build_jobs_timeout",
        "int",
        900,
        allowed=Range(1, WEEK_SECONDS),
        environment="BUILD_TIMEOUT",
        old_flags=("--build-timeout",),
        meaning="Seconds after which Kubernetes ends a Job (activeDeadlineSeconds).",
    ),
    Setting(
        "build_jobs_ttl",
        "int",
        300,
        allowed=Range(0, WEEK_SECONDS),
        meaning="Seconds after which Kubernetes removes a finished Job (ttlSecondsAfterFinished).",
    ),
    Setting(
        "build_jobs_backoff_limit",
        "int",
        2,
        allowed=Range(0, 1_000),
        meaning="Failed pods of a Job before it is Failed (backoffLimit).",
    ),
    Setting(
        "build_jobs_wait_timeout",
        "int",
        0,
        allowed=Range(1, 4 * WEEK_SECONDS, special=0, meaning="no absolute limit"),
        meaning=(
            "Seconds until all build jobs have to be finished, however much they still progress. See "
            "O(build_jobs_stall_timeout) for a limit on standing still."
        ),
    ),
    Setting(
        "build_jobs_stall_timeout",
        "int",
        0,
        allowed=Range(1, 4 * WEEK_SECONDS, special=0, meaning="build_jobs_timeout and a margin"),
        meaning="Seconds without any progress of a build job or one of its pods after which the run gives up.",
    ),
    Setting(
        "build_jobs_time_scale",
        "float",
        1.0,
        allowed=Range(0, 100, above=True),
        meaning="Multiplies the length of every phase.",
    ),
    Setting(
        "build_jobs_processes",
        "int",
        72,
        # Measured on the farm that this stands for: a build has 60 to 85 processes while it compiles.
        allowed=Range(60, 85),
        meaning="Live processes of the build container through its compile phase, its shell included.",
    ),
    Setting(
        "build_jobs_cpu_workers",
        "int",
        2,
        allowed=Range(0, 83),
        meaning=(
            "Busy loops of a build in its compile phase; in the other phases that burn CPU half of them, rounded up. "
            "They are among O(build_jobs_processes), so 0 to that minus 2. The CPU limit bounds what they get: with "
            "the default of 500m one loop takes all of it, and a build burns no more CPU while it compiles than in the "
            "other phases. C(build_jobs_limits={cpu: 2000m, memory: 256Mi}) gives two loops a core each."
        ),
    ),
    Setting(
        "build_jobs_memory",
        "int",
        0,
        allowed=Range(0, 65_536),
        meaning=(
            "MiB of memory that a build holds through its compile phase, beside what its processes take. C(0) holds "
            "none. It has to fit into the memory of O(build_jobs_limits); a build that is killed for it is a failed "
            "pod."
        ),
    ),
    Setting(
        "build_jobs_image",
        "str",
        "registry.k8s.io/e2e-test-images/busybox:1.36.1-1",
        meaning=(
            "Needs a POSIX shell at C(/bin/sh), C(cksum), C(date) and C(sleep). The default is a small image of "
            "Kubernetes' own end-to-end tests."
        ),
    ),
    Setting(
        "build_jobs_requests",
        "dict",
        {"cpu": "50m", "memory": "64Mi"},
        meaning="Resource requests of each pod's container, as in a pod's spec: cpu and memory.",
    ),
    Setting(
        "build_jobs_limits",
        "dict",
        {"cpu": "500m", "memory": "256Mi"},
        meaning="Resource limits of each pod's container, as in a pod's spec: cpu and memory.",
    ),
    Setting(
        "build_jobs_template",
        "str",
        "build_job.yml.j2",
        meaning=(
            "Template of a Job; C(build_name) is its name: the role's own, or a path, or a file in a C(templates) "
            "folder beside the playbook."
        ),
    ),
)

_SUMMARY = "A CI/CD farm: builds of many processes"

ROLE = Role(
    "build_jobs",
    entries=(
        Entry(
            "main",
            _SUMMARY,
            (
                "Makes Jobs that build in seven phases (29-88 s), burn CPU and hold 60-85 processes alive through "
                "their compile phase.\n"
                "At most O(build_jobs_active_per_namespace) Jobs of a namespace are unfinished at any moment, so "
                "namespaces x active Jobs x parallelism is a ceiling on build pods.\n"
                "Waits until every Job is Complete or Failed."
            ),
            settings=_SETTINGS,
        ),
        plan_entry(_SUMMARY),
    ),
)
