# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role report: its variables and its entry points."""

from __future__ import annotations

from ..setting import Entry, Range, Role, Setting

_SETTINGS = (
    Setting(
        "report_error",
        "str",
        of_run=False,
        meaning="Message of the task that ended the play early, if any. It makes the verdict C(aborted).",
    ),
    Setting(
        "report_slo_required",
        "bool",
        False,
        meaning=(
            "Whether the verdict is C(failed) if a service level of Kubernetes was missed in this run, or if none "
            "could be judged. By default, service levels are only reported."
        ),
    ),
    Setting(
        "report_formats",
        "list",
        ["html", "junit", "metrics"],
        elements="str",
        choices=("html", "junit", "metrics"),
        meaning=(
            "Reports to write in addition to C(summary.json) and C(timeline.json). C(html) is C(report.html), "
            "C(junit) is C(junit.xml), C(metrics) is C(metrics.prom)."
        ),
    ),
    Setting(
        "report_live",
        "bool",
        True,
        meaning=(
            "Whether C(report.html) is there while the run goes on. A process of its own on the machine of the "
            "playbook writes it anew every ten seconds, at the lowest priority, from the files that the run writes "
            "anyway; the open page loads itself again until it shows the verdict.\n"
            "Needs C(html) in C(report_formats)."
        ),
    ),
)

_AGAIN_SETTINGS = (
    Setting(
        "report_attempt",
        "int",
        allowed=Range(1, 1_000_000),
        of_run=False,
        meaning="Number of the attempt. By default the newest.",
    ),
)

ROLE = Role(
    "report",
    entries=(
        Entry(
            "main",
            "Write the reports of a run and show them as a table",
            (
                "Writes C(summary.json), C(timeline.json), C(report.html), C(junit.xml) and C(metrics.prom) from the "
                "measurements in the results folder, shows the end-of-run table, and sets the summary as custom "
                "statistics C(kubestress_summary), which AWX keeps as an artifact.\n"
                "Works alone, with no more than C(run_id), and at the end of a run, whose attempt it then reports on.\n"
                "It does not fail on a bad verdict, which is in C(report_result.verdict) and "
                "C(report_result.reasons).\n"
                "The action kubestress.core.report does the work; its result is in C(report_result)."
            ),
            settings=_SETTINGS,
        ),
        Entry(
            "again",
            "Write the reports of an earlier run",
            (
                "Writes the same files for the run C(run_id) under C(run_results_dir), even if its playbook was "
                "killed. Needs no cluster and starts no new attempt. The playbook kubestress.core.report runs it.\n"
                "C(report_slo_required) and C(report_formats) apply here as well."
            ),
            settings=_AGAIN_SETTINGS,
        ),
    ),
    alone=True,
    reads=("run_id", "run_results_dir"),
    requires=("run_id",),
)
