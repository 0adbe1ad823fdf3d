# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role must_gather: its variables and its entry points."""

from __future__ import annotations

from functools import partial

from ..setting import DAY_SECONDS, WEEK_SECONDS, Entry, Range, Role, Setting

WINDOW = Range(1, WEEK_SECONDS)
_MIB = Range(1, 1024 * 1024)
#: Reading files is no part of a run.
_setting = partial(Setting, of_run=False)

_SETTINGS = (
    _setting(
        "must_gather_path",
        "path",
        "",
        meaning=(
            "The must-gather: its folder, an archive of it (tar, also in gzip, xz or zstd), or a single log.\n"
            "Empty means that one is collected from the cluster, see O(must_gather_collect)."
        ),
    ),
    _setting(
        "must_gather_collect",
        "str",
        "auto",
        choices=("auto", "true", "false"),
        synonyms={"yes": "true", "on": "true", "1": "true", "no": "false", "off": "false", "0": "false"},
        meaning=(
            "Whether a gather is collected from the cluster first: C(auto) means if no O(must_gather_path) is given. "
            "It lies in C(gather-TIME) in O(must_gather_dest)."
        ),
    ),
    _setting(
        "must_gather_namespaces",
        "list",
        [],
        elements="str",
        meaning="Only what lies in these namespaces is collected, and all nodes. Empty means all namespaces.",
    ),
    _setting(
        "must_gather_since",
        "int",
        0,
        allowed=Range(0, WEEK_SECONDS),
        meaning=(
            "Only lines of containers' logs and journals of the last so many seconds are collected; 0 is all. Files of "
            "nodes are copied whole."
        ),
    ),
    _setting(
        "must_gather_max_size",
        "int",
        2048,
        allowed=_MIB,
        meaning="MiB of the whole gather. Where it is reached, collecting is stopped, and the gather is partial.",
    ),
    _setting(
        "must_gather_max_file_size",
        "int",
        256,
        allowed=_MIB,
        meaning="MiB of one collected file; what is longer is cut.",
    ),
    _setting(
        "must_gather_time_limit",
        "int",
        600,
        allowed=Range(1, DAY_SECONDS),
        meaning="Seconds for collecting; then it is stopped, and the gather is partial.",
    ),
    _setting(
        "must_gather_file_timeout",
        "int",
        60,
        allowed=Range(1, 3600),
        meaning="Seconds for collecting one log; what was read until then is kept.",
    ),
    _setting(
        "must_gather_max_concurrent",
        "int",
        5,
        allowed=Range(1, 100),
        meaning="API requests in flight at once while a gather is collected.",
    ),
    _setting(
        "must_gather_oc",
        "str",
        "auto",
        choices=("auto", "always", "never"),
        meaning=(
            "Whether C(oc adm must-gather) is run: C(auto) means where C(oc) is on PATH and the cluster is OpenShift."
        ),
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
            "Empty means C(kubestress-results/must-gather-NAME), with the name of the gather, or the time of one that "
            "is collected."
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
            "Collect a must-gather, and say what its logs and objects tell of an outage",
            (
                "Counts the network plug-in's operations, failures and builds by hour and minute, and finds the first "
                "failure. With O(must_gather_path) it needs no cluster; without, it collects from one first.\n"
                "The modules kubestress.core.must_gather and kubestress.core.must_gather_info do the work; their "
                "results are in C(must_gather_collected) and C(must_gather_result)."
            ),
            settings=_SETTINGS,
        ),
    ),
    alone=True,
)
