# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role observe: its variables and its entry points."""

from __future__ import annotations

from ..setting import DAY_SECONDS, Entry, Range, Role, Setting

_SETTINGS = (
    Setting(
        "observe_enabled",
        "bool",
        True,
        meaning=(
            "Whether anything is measured beside the work, by this role or by the batch. With C(false) the client's "
            "own figures are all there is."
        ),
    ),
    Setting(
        "observe_api_interval",
        "float",
        15,
        allowed=Range(1, 3_600, special=0, meaning="only before and after"),
        meaning="Seconds between two readings of the API server's metrics; C(0) reads before and after only.",
    ),
    Setting(
        "observe_node_interval",
        "float",
        5,
        allowed=Range(1, 3_600, special=0, meaning="never"),
        meaning=(
            "Seconds between two questions to the kubelet of a node, through the API server's node proxy; C(0) asks "
            "none.\n"
            "All questions together are at most 1 % of the run's requests, or one per second if that is more."
        ),
    ),
    Setting("observe_events", "bool", True, meaning="Whether events of type Warning are watched and counted."),
    Setting(
        "observe_name",
        "str",
        "observe",
        meaning=(
            "Name of the observation, part of its file's name; 1 to 63 lower-case letters, digits and hyphens. "
            "Several of different names may be made at once. Only for this role's own process."
        ),
    ),
    Setting(
        "observe_namespaces",
        "list",
        [],
        elements="str",
        meaning=(
            "Namespaces whose pods, Jobs, StatefulSets and events count. Empty means everything that carries the "
            "run's label. Only for this role's own process."
        ),
    ),
    Setting(
        "observe_max_seconds",
        "float",
        86400,
        allowed=Range(1, 30 * DAY_SECONDS),
        meaning="Seconds after which the process ends unless it is stopped before. Only for this role's own process.",
    ),
)

ROLE = Role(
    "observe",
    entries=(
        Entry(
            "main",
            "Begin to measure the cluster, beside whatever the play does next",
            (
                "Starts a process that reads the API server's metrics, kubelets, events and pods until "
                "C(tasks_from=stop) ends it, and writes what it finds among the results of the run every ten "
                "seconds.\n"
                "In a run of C(kubestress.core.stress) this role is not needed. The batch is observed by the same "
                "code in its own process, with the variables of this role.\n"
                "The module kubestress.core.observe does the work; its result is in C(observe_result)."
            ),
            settings=_SETTINGS,
        ),
        Entry(
            "start",
            "Begin to measure the cluster",
            "The same as the entry point C(main). Twice is once, unless the variables differ; then it fails.",
        ),
        Entry(
            "stop",
            "End what start began, and read for the last time",
            (
                "Returns when the observation is whole in its file. Where nothing is measured, nothing happens.\n"
                "On another host than the one where the playbook runs, the file is fetched to the results here."
            ),
        ),
    ),
)
