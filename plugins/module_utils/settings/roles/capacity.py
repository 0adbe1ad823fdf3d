# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role capacity: its variables and its entry points."""

from __future__ import annotations

from functools import partial

from ..setting import DAY_SECONDS, Entry, Range, Role, Setting

#: Its runs have settings of their own, which it does not share.
_setting = partial(Setting, of_run=False)
_COUNT = Range(0, 10_000_000, special=-1, meaning="not judged")

_SEARCH = (
    _setting(
        "capacity_knob",
        "list",
        ["build_jobs_parallelism"],
        elements="str",
        meaning=(
            "The variable whose value grows from step to step: one of the load that is a number. Of several, such as "
            "C(build_jobs_parallelism,build_jobs_active_per_namespace), each takes the step's value."
        ),
    ),
    _setting(
        "capacity_steps",
        "list",
        [3, 5, 8, 10],
        elements="raw",
        meaning=(
            "The values, ascending. A step may also be a dictionary of variables and their values, such as "
            'C([{"namespaces_total": 2, "build_jobs_parallelism": 3}, {"namespaces_total": 4, '
            '"build_jobs_parallelism": 5}]); then all steps are, the lightest first, and C(capacity_knob) is not '
            "used."
        ),
    ),
    _setting(
        "capacity_runs",
        "int",
        1,
        allowed=Range(1, 100),
        meaning="Runs of a step. It is safe if all of them are; the first that is not ends the step.",
    ),
    _setting(
        "capacity_bisect",
        "bool",
        False,
        meaning=(
            "Whether to halve the distance between the highest safe and the lowest broken value after the steps, until "
            "they are neighbours; for values with decimals, until they are 5 % apart, with six more steps at most."
        ),
    ),
    _setting(
        "capacity_keep_going",
        "bool",
        False,
        meaning="Go on after a step that broke. What preflight refuses ends the search all the same.",
    ),
    _setting(
        "capacity_settle",
        "int",
        60,
        allowed=Range(0, DAY_SECONDS),
        meaning=(
            "Seconds between the end of a run and what follows it: collecting, cleaning up and the next run. After the "
            "last run there is no wait, unless C(capacity_gather=true)."
        ),
    ),
    _setting(
        "capacity_gather",
        "bool",
        False,
        meaning=(
            "Collect a must-gather after each run, before it is removed, into C(gathers) in the folder of the search."
        ),
    ),
    _setting(
        "capacity_id",
        "str",
        "",
        meaning=(
            "Name of the search, and the beginning of its runs' ids. Empty means a new one, of the time and a random "
            "suffix. That of an earlier search resumes it: what it has finished is not run again.\n"
            "At most 40 lower-case letters, digits and hyphens, beginning and ending with a letter or digit."
        ),
    ),
)

_HEALTH = (
    _setting(
        "capacity_require_passed",
        "bool",
        True,
        meaning="Whether a step is only safe if its run's verdict is C(passed).",
    ),
    _setting(
        "capacity_max_failed_pods",
        "int",
        0,
        allowed=_COUNT,
        meaning="Failed pods that a run may have, but for the causes in C(capacity_max_failed_pods_by_cause).",
    ),
    _setting(
        "capacity_max_failed_pods_by_cause",
        "dict",
        {},
        meaning=(
            'Failed pods that a run may have of a cause, by its name in C(summary.json), such as C({"OOMKilled": 2}). '
            "C(-1) is any number."
        ),
    ),
    _setting(
        "capacity_max_fork_failures",
        "int",
        0,
        allowed=_COUNT,
        meaning="Pods and Warnings that report that a process could not be started, both together.",
    ),
    _setting(
        "capacity_max_sandbox_failures",
        "int",
        0,
        allowed=_COUNT,
        meaning="Warnings C(FailedCreatePodSandBox): pods whose sandbox or network could not be set up.",
    ),
    _setting(
        "capacity_max_startup_p99",
        "float",
        10,
        allowed=Range(0, DAY_SECONDS, special=-1, meaning="not judged"),
        meaning="p99, in seconds, of the time from a pod's creation until it runs or is ready.",
    ),
    _setting(
        "capacity_max_api_p99",
        "float",
        1000,
        allowed=Range(0, 3_600_000, special=-1, meaning="not judged"),
        meaning="p99, in milliseconds, of all requests that create or change an object, as the load generator saw it.",
    ),
    _setting(
        "capacity_max_node_threads",
        "float",
        90,
        allowed=Range(0, 100, special=-1, meaning="not judged"),
        meaning="Processes and threads of a node, in percent of its limit, on the node that came closest.",
    ),
    _setting(
        "capacity_allow_pressure",
        "bool",
        False,
        meaning="Whether a step is safe although a node reported pressure or was not ready.",
    ),
)

ROLE = Role(
    "capacity",
    entries=(
        Entry(
            "main",
            "Find the highest load that a cluster bears",
            (
                "Raises one variable step by step. Each step is a whole run, with a run id and namespaces of its own, "
                "and is removed before the next begins. Ends at the first step that is not healthy, and says which "
                "value was safe, what broke at the next, and why.\n"
                "Everything else is the run's own variables: C(profile), and those of all roles.\n"
                "Writes C(capacity.json) and C(capacity.html) into C(capacity-ID) under C(run_results_dir) after each "
                "run. A search that was interrupted is resumed with C(capacity_id).\n"
                "Fails if there is no answer: neither a safe value nor one that broke is known, a run could not be "
                "measured, or what a run left could not be removed.\n"
                "The action kubestress.core.capacity_search does the work; its result is in C(capacity_search)."
            ),
            settings=(*_SEARCH, *_HEALTH),
        ),
    ),
    alone=True,
    reads=("run_results_dir", "namespaces_prefix", "namespaces_names", "namespaces_existing"),
)
