# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role compare: its variables and its entry point."""

from __future__ import annotations

from functools import partial

from ..setting import Entry, Role, Setting

#: Comparing what is there is no part of a run.
_setting = partial(Setting, of_run=False)

_SETTINGS = (
    _setting(
        "compare_before",
        "list",
        [],
        elements="str",
        meaning=(
            "The runs before a change: run ids under C(run_results_dir), or paths of results folders or of what the "
            "role must_gather has written."
        ),
    ),
    _setting(
        "compare_after",
        "list",
        [],
        elements="str",
        meaning="The runs after it, given in the same way.",
    ),
    _setting(
        "compare_tolerances",
        "dict",
        {},
        meaning=(
            "Tolerances in percent that replace the metrics' own, by the metric's name, such as "
            'C({"startup_p99": 10}). docs/compare.md lists the metrics.'
        ),
    ),
    _setting(
        "compare_fail_on",
        "str",
        "none",
        choices=("none", "regressed", "different"),
        meaning=(
            "With C(regressed), the play fails if the verdict is C(regressed) or C(not comparable). With "
            "C(different), it fails with any verdict but C(same). The files are written all the same."
        ),
    ),
    _setting(
        "compare_dest",
        "path",
        "",
        meaning=(
            "Folder for C(comparison.json) and C(comparison.html); it is made if necessary.\n"
            "Empty means C(compare-BEFORE-AFTER) under C(run_results_dir), with the names of the first of each."
        ),
    ),
)

ROLE = Role(
    "compare",
    entries=(
        Entry(
            "main",
            "Compare two groups of runs, metric by metric",
            (
                "Sets the runs before a change beside those after it, and says whether they improved, are the same or "
                "regressed, and by which metric. Needs no cluster.\n"
                "The module kubestress.core.compare does the work; its result is in C(compare_result)."
            ),
            settings=_SETTINGS,
        ),
    ),
    alone=True,
    reads=("run_results_dir",),
    requires=("compare_before", "compare_after"),
)
