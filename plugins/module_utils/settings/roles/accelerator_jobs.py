# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role accelerator_jobs: its variables and its entry points."""

from __future__ import annotations

from ..setting import WEEK_SECONDS, Entry, Range, Role, Setting, plan_entry


def _template(name: str, file: str, what: str) -> Setting:
    meaning = f"Template of {what}: the role's own, or a path, or a file in a C(templates) folder beside the playbook."
    return Setting(name, "str", file, meaning=meaning)


_SETTINGS = (
    Setting("accelerator_jobs_enabled", "bool", False, meaning="Whether the run has accelerator jobs."),
    Setting(
        "accelerator_jobs_kind",
        "str",
        "job",
        choices=("job", "jobset"),
        meaning=(
            "With C(job) each slice is a Job. With C(jobset) all slices of a job are one JobSet, whose controller the "
            "cluster needs, and which is restarted as a whole."
        ),
    ),
    Setting(
        "accelerator_jobs_count",
        "int",
        1,
        allowed=Range(0, 10_000),
        meaning="Jobs in each namespace, over the whole run.",
    ),
    Setting(
        "accelerator_jobs_active",
        "int",
        0,
        allowed=Range(0, 10_000),
        meaning="Unfinished jobs of a namespace at once; the next is made when one ends. V(0) is all.",
    ),
    Setting(
        "accelerator_jobs_name",
        "str",
        "accelerator",
        meaning="Start of the names, which a number follows: lower-case letters, digits and hyphens, first a letter.",
    ),
    Setting(
        "accelerator_jobs_type",
        "str",
        "",
        meaning=(
            "Type of accelerator of the catalogue, such as C(v5e) or C(nvidia-h100-80gb), or of "
            "O(accelerator_jobs_catalogue). Empty for jobs of CPUs."
        ),
    ),
    Setting(
        "accelerator_jobs_topology",
        "str",
        "",
        meaning="Topology of a slice, such as C(4x4) or C(2x2x4), of types that have it.",
    ),
    Setting(
        "accelerator_jobs_machine",
        "str",
        "",
        meaning=(
            "Machine type of the nodes. Empty for the one that holds the whole topology, else the one of which larger "
            "slices are made, else the only one there is."
        ),
    ),
    Setting("accelerator_jobs_slices", "int", 1, allowed=Range(1, 1_000), meaning="Slices of each job."),
    Setting(
        "accelerator_jobs_nodes",
        "int",
        0,
        allowed=Range(0, 5_000),
        meaning="Nodes of a slice, each with one pod. V(0) is what the topology says, and without one a single node.",
    ),
    Setting(
        "accelerator_jobs_catalogue",
        "dict",
        {},
        meaning=(
            "Types of accelerators of your own, by name, each with C(resource), C(machines), C(labels), C(taints) and "
            "what else the guide on accelerators lists. One of the name of a built-in type takes its place."
        ),
    ),
    Setting(
        "accelerator_jobs_queue",
        "str",
        "",
        meaning="LocalQueue of Kueue in each namespace that admits the jobs. Empty for none.",
    ),
    Setting(
        "accelerator_jobs_priority",
        "str",
        "",
        meaning="PriorityClass of the pods, such as C(high). Empty for the cluster's default.",
    ),
    Setting(
        "accelerator_jobs_priority_classes",
        "bool",
        False,
        meaning=(
            "Whether the run makes the PriorityClasses C(very-low) (100), C(low) (250), C(medium) (500), C(high) (750) "
            "and C(very-high) (1000). They lie in no namespace; if others made them, the run refuses to touch them."
        ),
    ),
    Setting(
        "accelerator_jobs_restarts",
        "int",
        1,
        allowed=Range(0, 1_000),
        meaning=(
            "How often a JobSet is restarted before it is Failed (maxRestarts). A Job is not restarted, unless "
            "O(accelerator_jobs_restart_on_exit_codes) says for what: then it is the number of its pods that are "
            "replaced (backoffLimit)."
        ),
    ),
    Setting(
        "accelerator_jobs_restart_on_exit_codes",
        "list",
        [],
        # As text, such as [42, 137], it is no list of numbers to ansible-core yet.
        elements="raw",
        meaning="Exit codes, V(1) to V(255), after which it is worth trying again; any other fails the job at once.",
    ),
    Setting(
        "accelerator_jobs_ttl",
        "int",
        3600,
        allowed=Range(0, WEEK_SECONDS),
        meaning="Seconds after which Kubernetes removes a finished job (ttlSecondsAfterFinished).",
    ),
    Setting(
        "accelerator_jobs_grace",
        "int",
        30,
        allowed=Range(0, 86_400),
        meaning="Seconds that a pod has to end when it is deleted (terminationGracePeriodSeconds).",
    ),
    Setting(
        "accelerator_jobs_command",
        "str",
        "",
        meaning=(
            "What a pod runs, as text for C(/bin/bash -c) of the image; quotes in it need no care. Empty sleeps for "
            "O(accelerator_jobs_duration)."
        ),
    ),
    Setting(
        "accelerator_jobs_duration",
        "int",
        60,
        allowed=Range(0, WEEK_SECONDS),
        meaning="Seconds that a pod takes where it has no command, and on simulated nodes.",
    ),
    Setting(
        "accelerator_jobs_stall_timeout",
        "int",
        0,
        allowed=Range(
            1, 4 * WEEK_SECONDS, special=0, meaning="600, or accelerator_jobs_duration and a minute if that is longer"
        ),
        meaning=(
            "Seconds without any progress of a job or one of its pods after which the run gives up. It has to be "
            "longer than a pod takes: set it where O(accelerator_jobs_command) runs for more than ten minutes."
        ),
    ),
    Setting(
        "accelerator_jobs_image",
        "str",
        "registry.k8s.io/e2e-test-images/busybox:1.36.1-1",
        meaning="Image of the pods. The default has no C(/bin/bash), which O(accelerator_jobs_command) needs.",
    ),
    Setting(
        "accelerator_jobs_requests",
        "dict",
        {"cpu": "500m", "memory": "512Mi"},
        meaning="Resource requests of each pod's container beside its chips, as in a pod's spec.",
    ),
    Setting(
        "accelerator_jobs_limits",
        "dict",
        {},
        meaning="Resource limits of each pod's container beside its chips, as in a pod's spec.",
    ),
    Setting(
        "accelerator_jobs_host_network",
        "bool",
        False,
        meaning="Whether the pods use their nodes' network, as some accelerators' libraries need for full speed.",
    ),
    _template("accelerator_jobs_template", "job.yml.j2", "a Job"),
    _template("accelerator_jobs_job_set_template", "job_set.yml.j2", "a JobSet"),
    _template("accelerator_jobs_priority_class_template", "priority_class.yml.j2", "a PriorityClass"),
)

_SUMMARY = "Jobs on accelerators: slices of TPU nodes, GPUs, or CPUs alone"

ROLE = Role(
    "accelerator_jobs",
    entries=(
        Entry(
            "main",
            _SUMMARY,
            (
                "Makes Jobs or JobSets whose node selector, tolerations, chips and number of pods follow from the type "
                "of accelerator and its topology or machine. A slice of several TPU nodes runs in one pool of nodes, "
                "which no other slice shares.\n"
                "Preflight says before anything is made which slices find no pool, and which pool comes nearest.\n"
                "Waits until every job has ended."
            ),
            settings=_SETTINGS,
        ),
        plan_entry(_SUMMARY),
    ),
)
