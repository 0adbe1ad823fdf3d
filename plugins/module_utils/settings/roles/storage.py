# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role storage: its variables and its entry point. All but the last are options of the module storage_info."""

from __future__ import annotations

from functools import partial

from ..setting import DAY_SECONDS, Entry, Range, Role, Setting

#: Scanning a cluster is no part of a run.
_setting = partial(Setting, of_run=False)
PARTS = ("claims", "volumes", "snapshots", "attachments", "usage", "backend")
FORMATS = ("json", "csv", "yaml", "metrics", "html")

_WHAT = (
    _setting(
        "storage_namespaces",
        "list",
        [],
        elements="str",
        meaning="Only these namespaces, and of volumes only those that belong to them. Empty means all namespaces.",
    ),
    _setting(
        "storage_exclude_namespaces",
        "list",
        [],
        elements="str",
        meaning="All namespaces but these.",
    ),
    _setting(
        "storage_label_selector",
        "str",
        "",
        meaning="Only objects that have such labels themselves are reported. In the syntax of kubectl.",
    ),
    _setting(
        "storage_storage_classes",
        "list",
        [],
        elements="str",
        meaning="Only claims, volumes and snapshots of these StorageClasses.",
    ),
    _setting(
        "storage_drivers",
        "list",
        [],
        elements="str",
        meaning="Only what belongs to these CSI drivers or provisioners.",
    ),
    _setting(
        "storage_parts",
        "list",
        list(PARTS),
        elements="str",
        choices=PARTS,
        meaning="What to look at. What a part needs beside itself is read, too.",
    ),
    _setting(
        "storage_min_age",
        "str",
        "24h",
        meaning=(
            "How old an orphan is at least: a number of seconds, or with a unit such as C(90m), C(24h), C(7d) or C(2w)."
        ),
    ),
    _setting(
        "storage_confirm",
        "bool",
        True,
        meaning="Whether to look again at everything that seems to be an orphan, before it is called one.",
    ),
    _setting(
        "storage_thresholds",
        "dict",
        {},
        meaning=(
            "From where on something is worth a warning; only those that differ from the defaults: C(volume_warning) "
            "and C(volume_critical) in percent used (85 and 95), C(snapshot_age_days) (30), C(snapshots_per_volume) "
            "(50), and of the pools of a TrueNAS C(pool_warning) and C(pool_critical) in percent used (80 and 90) and "
            "C(overcommit) as a multiple of what the pool holds (2)."
        ),
    ),
    _setting(
        "storage_truenas",
        "dict",
        {},
        secret=True,
        meaning=(
            "The TrueNAS behind democratic-csi, with which volumes and snapshots are compared, by the options of the "
            "module's C(truenas). Empty means that none is asked.\n"
            "Keep the key in a vault, in an AWX credential, or in the environment, where the module looks for it. The "
            "role shows nothing of this variable."
        ),
    ),
    _setting(
        "storage_other_clusters",
        "list",
        [],
        elements="dict",
        secret=True,
        meaning=(
            'Connections of other clusters that share the TrueNAS, such as C([{"kubeconfig": "/etc/other.conf"}]). '
            "What their volumes use is no orphan. The role shows nothing of this variable."
        ),
    ),
    _setting(
        "storage_strict",
        "bool",
        False,
        meaning="Whether to fail if a part could not be read whole. The files are written all the same.",
    ),
    _setting(
        "storage_top",
        "int",
        100,
        allowed=Range(0, 100_000),
        meaning="Rows of each list in C(storage_result). The files have all.",
    ),
)

_REPORTS = (
    _setting(
        "storage_dest",
        "path",
        "",
        meaning=(
            "Folder for the files; it is made if necessary, and files of an earlier scan are replaced.\n"
            "Empty means C(storage) under C(run_results_dir)."
        ),
    ),
    _setting(
        "storage_formats",
        "list",
        ["json", "csv", "html", "metrics"],
        elements="str",
        choices=FORMATS,
        meaning=(
            "Files to write: C(json) is C(storage.json), C(yaml) is C(storage.yaml), C(csv) is C(findings.csv) and "
            "C(claims.csv), C(html) is C(storage.html), and C(metrics) is C(metrics.prom)."
        ),
    ),
    _setting(
        "storage_metrics_per_object",
        "bool",
        False,
        meaning=(
            "Whether C(metrics.prom) has samples of each claim, and of each snapshot with a finding, too. A cluster of "
            "10,000 claims has 30,000 of them."
        ),
    ),
    _setting(
        "storage_fail_on",
        "list",
        ["none"],
        elements="str",
        choices=("none", "orphans", "incomplete", "over_threshold"),
        meaning=(
            "The play fails if there is any of these: C(orphans), C(incomplete) parts, or something C(over_threshold), "
            "pools in trouble among it. The files are written all the same."
        ),
    ),
)

_WATCH = (
    _setting(
        "storage_watch_dest",
        "path",
        "",
        meaning=(
            "Folder on the task's host for the files of a watch: C(events.jsonl), C(metrics.prom) and C(storage.json). "
            "It is made if necessary, and C(events.jsonl) is added to.\nEmpty means C(storage-watch) under "
            "C(run_results_dir)."
        ),
    ),
    _setting(
        "storage_watch_state",
        "str",
        "foreground",
        choices=("foreground", "started", "stopped"),
        meaning=(
            "C(foreground) watches until a limit is reached. C(started) leaves a process behind that watches, and "
            "C(stopped) ends it."
        ),
    ),
    _setting(
        "storage_watch_max_seconds",
        "float",
        3600,
        allowed=Range(1, 366 * DAY_SECONDS, special=0, meaning="no limit"),
        meaning="Seconds after which a watch ends; C(0) means that only C(storage_watch_max_events) ends it.",
    ),
    _setting(
        "storage_watch_max_events",
        "int",
        0,
        allowed=Range(1, 1_000_000_000, special=0, meaning="no limit"),
        meaning=(
            "Changes of claims, volumes, snapshots and contents after which a watch ends; what is there when it begins "
            "is no change."
        ),
    ),
    _setting(
        "storage_watch_resync_interval",
        "float",
        600,
        allowed=Range(1, DAY_SECONDS),
        meaning=(
            "Seconds after which every list is read anew, beside its watch, and C(storage.json) is written. What was "
            "refused is asked for again then, at the latest."
        ),
    ),
    _setting(
        "storage_watch_metrics_file",
        "path",
        "",
        meaning=(
            "File on the task's host for the metrics, such as one in the folder of node exporter's textfile collector. "
            "Must end with C(.prom). Empty means C(metrics.prom) in C(storage_watch_dest)."
        ),
    ),
    _setting(
        "storage_watch_metrics_interval",
        "float",
        15,
        allowed=Range(0.1, 3_600),
        meaning="Seconds between two metrics files at least. Without a change, one is written each minute.",
    ),
    _setting(
        "storage_watch_http_port",
        "int",
        0,
        allowed=Range(1, 65_535, special=0, meaning="none"),
        meaning=(
            "Port at which the metrics can also be read, at C(/metrics), as long as the watch goes on. Needs the "
            "Python library prometheus-client."
        ),
    ),
    _setting(
        "storage_watch_http_address",
        "str",
        "127.0.0.1",
        meaning=(
            "IP address to listen on. With another than a loopback address, everybody who reaches it can read names of "
            "claims and namespaces; there is no password."
        ),
    ),
)

ROLE = Role(
    "storage",
    entries=(
        Entry(
            "main",
            "Find claims, volumes and snapshots that nobody needs, and what fills up",
            (
                "Scans the storage of a cluster, shows what is left over, how full it is and what could not be read, "
                "and writes reports. Deletes and changes nothing.\n"
                "The module kubestress.core.storage_info does the work; its result is in C(storage_result). AWX keeps "
                "its figures as the artifact C(kubestress_storage)."
            ),
            settings=(*_WHAT, *_REPORTS),
        ),
        Entry(
            "watch",
            "Watch claims, volumes and snapshots, and report findings as they appear and vanish",
            (
                "Judges by the same rules as C(main), with its variables, all the time: events and findings as JSON "
                "lines, and a metrics file that is always new.\n"
                "The module kubestress.core.storage_watch does the work; its result is in C(storage_watch_result)."
            ),
            settings=_WATCH,
        ),
    ),
    alone=True,
    reads=("run_results_dir",),
)
