# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role run: its variables and its entry points."""

from __future__ import annotations

from ..setting import DAY_SECONDS, Entry, Range, Role, Setting

_SETTINGS = (
    Setting(
        "run_id",
        "str",
        "",
        meaning=(
            "Identifier of the run, the value of the label C(kubestress.core/run-id) on everything that it makes.\n"
            "At most 63 lower-case letters, digits and hyphens, beginning and ending with a letter or digit.\n"
            "Empty means a new one, of the time and a random suffix. The id of an earlier run continues that run as "
            "its next attempt."
        ),
    ),
    Setting(
        "run_results_dir",
        "str",
        "kubestress-results",
        meaning="Folder under which the folder of each run lies, relative to where the user runs Ansible.",
    ),
    Setting(
        "run_max_concurrent",
        "int",
        50,
        allowed=Range(1, 2_000),
        environment="MAX_CONCURRENT_OPERATIONS",
        old_flags=("--max-concurrent", "--max-concurrent-operations"),
        meaning="API requests in flight at once over the whole run, retries included.",
    ),
    Setting(
        "run_qps",
        "float",
        0,
        allowed=Range(0, 100_000),
        meaning="API requests begun per second. C(0) is no limit beyond C(run_max_concurrent).",
    ),
    Setting(
        "run_burst",
        "int",
        0,
        allowed=Range(0, 100_000),
        meaning="API requests that may begin at once before C(run_qps) holds them back. C(0) is C(run_qps) rounded up.",
    ),
    Setting(
        "run_request_timeout",
        "float",
        60,
        allowed=Range(1, 3_600),
        meaning="Seconds until one attempt of a request counts as unanswered and is tried again.",
    ),
    Setting(
        "run_retry_deadline",
        "float",
        120,
        allowed=Range(0, DAY_SECONDS),
        meaning="Seconds during which one operation is tried again after transient failures, pauses included.",
    ),
    Setting(
        "run_outage_limit",
        "float",
        300,
        allowed=Range(0, DAY_SECONDS),
        meaning=(
            "Seconds for which an outage of the API server is sat out, once it has answered: nothing counts as late "
            "meanwhile, and what was being sent is sent afterwards.\n"
            "A longer outage ends the run at once. With C(0), any outage does: nobody answers for half a second, and "
            "the API server does not say that it is ready."
        ),
    ),
    Setting(
        "run_seed",
        "int",
        1,
        allowed=Range(0, 2**63 - 1),
        meaning="All random choices and lengths come from it, so two runs with the same seed load alike.",
    ),
    Setting(
        "run_node_selector",
        "dict",
        {},
        meaning="Node labels, with their values, of the nodes on which the run's pods are placed.",
    ),
    Setting(
        "run_tolerations",
        "list",
        [],
        elements="dict",
        options={
            "key": {"type": "str", "description": ["Key of the taint."]},
            "operator": {
                "type": "str",
                "choices": ["Equal", "Exists", "Gt", "Lt"],
                "description": ["How the value is compared."],
            },
            "value": {"type": "str", "description": ["Value of the taint."]},
            "effect": {
                "type": "str",
                "choices": ["NoSchedule", "PreferNoSchedule", "NoExecute"],
                "description": ["Effect of the taint."],
            },
            "tolerationSeconds": {
                "type": "int",
                "description": ["Seconds that a taint with the effect C(NoExecute) is tolerated."],
            },
        },
        meaning="Tolerations of the run's pods, as in a pod's C(spec.tolerations).",
    ),
    Setting(
        "run_image_pull_secrets",
        "list",
        [],
        elements="str",
        meaning="Names of the Secrets, there already in each namespace, by which the run's images are pulled.",
    ),
    Setting(
        "run_user_id",
        "int",
        # The end of Linux's user numbers; 0 is root, which runAsNonRoot forbids.
        allowed=Range(1, 2**32 - 2),
        meaning=(
            "User number of the containers.\nIf unset, the images' own; on OpenShift the namespace's range decides."
        ),
    ),
    Setting(
        "run_log_file",
        "str",
        "",
        environment="LOG_FILE",
        old_flags=("--log-file",),
        meaning=(
            "File to which the run's log is added, on the machine where the playbook runs. Empty means C(run.log) "
            "among the results of the attempt."
        ),
    ),
    Setting(
        "run_log_level",
        "str",
        "INFO",
        environment="LOG_LEVEL",
        old_flags=("--log-level",),
        choices=("DEBUG", "INFO", "WARNING", "ERROR"),
        synonyms={"warn": "WARNING", "err": "ERROR", "critical": "ERROR", "fatal": "ERROR", "trace": "DEBUG"},
        meaning=(
            "Least severity of what is written to the log. C(DEBUG) adds every setting's value; progress is C(INFO). "
            "The end-of-run table is written in any case.\n"
            "Letters' case does not matter, and other programs' names count too: C(warn), C(err), C(critical), "
            "C(fatal) and C(trace)."
        ),
    ),
    Setting(
        "run_unknown_variables",
        "str",
        "refuse",
        choices=("refuse", "warn", "ignore"),
        meaning=(
            "What to do about variables that begin with a role's prefix and that no role has.\n"
            "With C(refuse), typing errors of known names are refused, and any such extra var; all others are only "
            "warned of, since they may belong to the playbook that the role is part of.\n"
            "With C(warn) all are only warned of, with C(ignore) they are not looked for."
        ),
    ),
    Setting(
        "run_environment",
        "bool",
        True,
        meaning=(
            "Whether the environment variables of the scripts that this collection replaces count. Their names, such "
            "as C(LOG_LEVEL) and C(SERVICE_ENABLED), may have another meaning where the playbook runs.\n"
            "Those that count are listed at the start of a run. No environment variable sets this one."
        ),
    ),
    Setting(
        "run_profile_fixed",
        "str",
        "",
        meaning=(
            "The only profile that is accepted, if not empty. The playbooks that are called like a profile set it, "
            "so that C(-e profile=NAME) cannot make them run another."
        ),
    ),
    Setting(
        "run_profile_required",
        "bool",
        False,
        meaning="Refuse to run without a profile. The playbook kubestress.core.stress sets it.",
    ),
)

ROLE = Role(
    "run",
    entries=(
        Entry(
            "main",
            "Check the settings of all roles at once, and define the run",
            (
                "Takes the variables of all roles of the collection from extra vars, inventory, environment, profile "
                'and defaults, in this order, converts text such as C("3") and C("false"), and refuses what is '
                "wrong, all of it at once, one line each, before anything is created.\n"
                "Chooses the run id and makes the folder of the run's results, with C(run.json) in it.\n"
                "Sets C(kubestress_settings), the values of all roles in their types, and C(kubestress_run), what "
                "the run is. The other roles read these only.\n"
                "A run has one host: a play of several is refused, since each of them would make the same objects.\n"
                "An empty string or null counts as not given, as AWX surveys send it.\n"
                "The action kubestress.core.settings does the work."
            ),
            settings=_SETTINGS,
        ),
        Entry(
            "current",
            "Check the settings again for one role, within the current run",
            (
                "How the other roles begin when they are used alone. The run goes on, or a new one begins if there "
                "is none, or if C(run_id) names another."
            ),
        ),
        Entry(
            "whole",
            "A whole run: settings, preflight, load, report, cleanup if asked for, verdict",
            (
                "What the playbook kubestress.core.stress consists of. The role capacity runs it once for each of its "
                "runs, with the variable C(kubestress_values) for the settings that come before all others."
            ),
        ),
        Entry(
            "batch",
            "Run what the roles have added to the plan",
            (
                "Hands C(kubestress_plan) to the module kubestress.core.batch. Fails if anything could not be made "
                "or did not become ready."
            ),
        ),
    ),
)
