# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role must_gather: its variables and its entry points."""

from __future__ import annotations

from functools import partial

from ..setting import WEEK_SECONDS, Entry, Range, Role, Setting

WINDOW = Range(1, WEEK_SECONDS)
#: Reading files is no part of a run.
_setting = partial(Setting, of_run=False)

_SETTINGS = (
    _setting(
        "must_gather_path",
        "path",
        "",
        meaning="The must-gather: its folder, an archive of it (tar, also in gzip, xz or zstd), or a single log.",
    ),
    _setting(
        "must_gather_window",
        "int",
        7200,
        allowed=WINDOW,
        meaning="Seconds before the first failure that are counted apart from the hours of the clock.",
    ),
    _setting(
        "must_gather_compare",
        "path",
        "",
        meaning="Another gather, whose figures are put beside this one's. Empty means none.",
    ),
    _setting(
        "must_gather_dest",
        "path",
        "",
        meaning=(
            "Folder for C(must-gather.json) and C(must-gather.html); it is made if necessary.\n"
            "Empty means C(kubestress-results/must-gather-NAME), with the name of the gather."
        ),
    ),
    _setting(
        "must_gather_fail_on",
        "str",
        "none",
        choices=("none", "failures"),
        meaning=(
            "With C(failures), the play fails if the gather shows a failed fork, a sandbox or a network that could "
            "not be set up, or a time-out of annotations. The files are written all the same."
        ),
    ),
    _setting(
        "must_gather_rules",
        "path",
        "",
        meaning="YAML file with more rules for lines, which come behind the collection's own. Empty means none.",
    ),
)

ROLE = Role(
    "must_gather",
    entries=(
        Entry(
            "main",
            "Say what a must-gather's logs and objects tell of an outage",
            (
                "Counts the network plug-in's operations, failures and builds by hour and minute, and finds the first "
                "failure. Needs no cluster.\n"
                "The module kubestress.core.must_gather_info does the work; its result is in C(must_gather_result)."
            ),
            settings=_SETTINGS,
        ),
    ),
    alone=True,
    requires=("must_gather_path",),
)
