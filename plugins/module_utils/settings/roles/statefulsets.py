# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role statefulsets: its variables and its entry points."""

from __future__ import annotations

from ..setting import WEEK_SECONDS, Entry, Range, Role, Setting, plan_entry

_SETTINGS = (
    Setting(
        "statefulsets_enabled",
        "bool",
        True,
        environment="STATEFULSET_ENABLED",
        old_flags=("--statefulset-enabled", "--no-statefulset"),
        meaning="Whether the run has StatefulSets.",
    ),
    Setting(
        "statefulsets_per_namespace",
        "int",
        1,
        allowed=Range(0, 10_000),
        environment="STATEFULSETS_PER_NS",
        old_flags=("--statefulsets-per-ns",),
        meaning="StatefulSets in each namespace.",
    ),
    Setting(
        "statefulsets_replicas",
        "int",
        3,
        allowed=Range(0, 10_000),
        environment="STATEFULSET_REPLICAS",
        old_flags=("--statefulset-replicas",),
        meaning="Pods of each StatefulSet. They are started side by side.",
    ),
    Setting(
        "statefulsets_ready_timeout",
        "int",
        600,
        allowed=Range(1, WEEK_SECONDS),
        meaning="Seconds until each pod has been killed once, from the last set of a namespace made.",
    ),
    Setting(
        "statefulsets_memory_total",
        "str",
        "80Mi",
        meaning="Memory that a container allocates, a Kubernetes quantity. More than its limit, or nothing is killed.",
    ),
    Setting(
        "statefulsets_memory_step", "str", "5Mi", meaning="Memory that is allocated at a time, a Kubernetes quantity."
    ),
    Setting(
        "statefulsets_memory_step_interval_ms",
        "int",
        200,
        allowed=Range(1, 3_600_000),
        meaning="Milliseconds from one step to the next.",
    ),
    Setting(
        "statefulsets_image",
        "str",
        "registry.k8s.io/e2e-test-images/agnhost:2.53",
        meaning=(
            "The default is the image of Kubernetes' own end-to-end tests.\n"
            "Another one needs agnhost's command C(stress), or another O(statefulsets_template)."
        ),
    ),
    Setting(
        "statefulsets_requests",
        "dict",
        {"memory": "48Mi"},
        meaning="Resource requests of each pod's container, as in a pod's spec: cpu and memory.",
    ),
    Setting(
        "statefulsets_limits",
        "dict",
        {"memory": "64Mi"},
        meaning="Resource limits of each pod's container, as in a pod's spec: cpu and memory.",
    ),
    Setting(
        "statefulsets_template",
        "str",
        "statefulset.yml.j2",
        meaning=(
            "Template of a StatefulSet: the role's own, or a path, or a file in a C(templates) folder beside the "
            "playbook."
        ),
    ),
    Setting(
        "statefulsets_service_template",
        "str",
        "statefulset_service.yml.j2",
        meaning=(
            "Template of a headless Service: the role's own, or a path, or a file in a C(templates) folder beside "
            "the playbook."
        ),
    ),
)

_SUMMARY = "StatefulSets whose pods run out of memory"

ROLE = Role(
    "statefulsets",
    entries=(
        Entry(
            "main",
            _SUMMARY,
            (
                "Makes StatefulSets, each with a headless Service, whose containers allocate more memory than they "
                "may have. The kernel kills them (OOMKilled), and they are started again.\n"
                "That is what is wanted: a set is ready when each of its pods has been killed or restarted once, and "
                "the run counts kills and restarts.\n"
                "On simulated nodes nothing is really killed; those of the role local_cluster report it all the same. "
                "Where nothing is killed, the run says so when O(statefulsets_ready_timeout) is over."
            ),
            settings=_SETTINGS,
        ),
        plan_entry(_SUMMARY),
    ),
)
