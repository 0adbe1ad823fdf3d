# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role cleanup: its variables and its entry points."""

from __future__ import annotations

from ..setting import DAY_SECONDS, WEEK_SECONDS, Entry, Range, Role, Setting
from .run import ROLE as RUN

_SETTINGS = (
    Setting(
        "cleanup_on_completion",
        "bool",
        False,
        environment="CLEANUP_ON_COMPLETION",
        old_flags=("--cleanup",),
        meaning=(
            "Whether the playbook stress removes the run at its end, after a failure too. The role alone always does."
        ),
    ),
    Setting(
        "cleanup_timeout",
        "int",
        600,
        allowed=Range(1, WEEK_SECONDS),
        meaning="Seconds until everything has to be gone.",
    ),
    Setting(
        "cleanup_max_concurrent",
        "int",
        50,
        allowed=RUN["run_max_concurrent"].allowed,
        meaning="API requests in flight at once.",
    ),
    Setting(
        "cleanup_namespaces",
        "list",
        [],
        elements="str",
        meaning=(
            "Namespaces to look into, for a user who may not list the whole cluster. Those of C(namespaces_existing) "
            "and C(namespaces_names) are looked into anyway."
        ),
    ),
    Setting(
        "cleanup_delete_foreign",
        "bool",
        False,
        meaning=(
            "Delete a namespace of the run even if it holds foreign objects, which are lost with it.\n"
            "Otherwise it is kept, those objects are named, and the role fails after it has removed the rest."
        ),
    ),
    Setting(
        "cleanup_accept_unseen",
        "bool",
        False,
        meaning=(
            "Delete a namespace of the run even if some kinds in it cannot be listed. Foreign objects of these kinds "
            "are lost with it.\n"
            "Otherwise it is kept, those kinds and the missing rights are named, and the role fails after it has "
            "removed the rest."
        ),
    ),
    Setting(
        "cleanup_grace_period",
        "int",
        allowed=Range(0, DAY_SECONDS),
        meaning="Seconds that pods have to terminate. If unset, what each pod's own specification says.",
    ),
    Setting(
        "cleanup_older_than",
        "int",
        allowed=Range(1, 3_650 * DAY_SECONDS),
        of_run=False,
        meaning=(
            "Instead of C(run_id): remove all runs whose newest object is at least so many seconds old, such as "
            "C(604800) for a week. They are listed first. What controllers make, such as pods, does not count.\n"
            "Fails if a kind cannot be listed, unless C(cleanup_accept_unseen=true)."
        ),
    ),
)

ROLE = Role(
    "cleanup",
    entries=(
        Entry(
            "main",
            "Remove what one run made, verify that it is gone, name what blocks",
            (
                "Deletes everything that carries the labels of the run C(run_id), and nothing else, waits until it "
                "is gone, and fails naming what is still there and what holds it.\n"
                "Works alone, with no more than C(run_id), and at the end of a run, whose id it then takes.\n"
                "The module kubestress.core.cleanup does the work; its result is in C(cleanup_result)."
            ),
            settings=_SETTINGS,
        ),
        Entry(
            "runs",
            "List the runs on a cluster",
            (
                "Shows for each run that has objects on the cluster its id, age, objects and namespaces, and what made "
                "them. Changes nothing. The playbook kubestress.core.runs runs it.\n"
                "The module kubestress.core.runs_info does the work; its result is in C(cleanup_runs)."
            ),
        ),
    ),
    alone=True,
    reads=("run_id", "namespaces_existing", "namespaces_names"),
    requires=("run_id",),
    instead="cleanup_older_than",
)
