# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a run's reports from its files and shows the table. Runs on the controller; there is no module code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.kubestress.core.plugins.module_utils.results.folder import ResultsError, RunFolder
from ansible_collections.kubestress.core.plugins.module_utils.results.rendering import report_lines
from ansible_collections.kubestress.core.plugins.module_utils.results.summary import bounded, statistics
from ansible_collections.kubestress.core.plugins.module_utils.results.table import Line
from ansible_collections.kubestress.core.plugins.plugin_utils.report_files import (
    FILES,
    Report,
    find_attempt,
    make_report,
)
from ansible_collections.kubestress.core.plugins.plugin_utils.show import show_lines

display = Display()

ARGUMENTS: dict[str, Any] = {
    "results_dir": {"type": "path"},
    "run_id": {"type": "str"},
    "run_results_dir": {"type": "path", "default": "kubestress-results"},
    "attempt": {"type": "int"},
    "error": {"type": "str", "default": ""},
    "slo_required": {"type": "bool", "default": False},
    "formats": {"type": "list", "elements": "str", "choices": list(FILES), "default": list(FILES)},
    "log_file": {"type": "path"},
    "set_stats": {"type": "bool", "default": True},
}


class ActionModule(ActionBase):
    """A bad verdict is a result, not a failure of this task; the play decides what to do about it."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Verdict, reasons, bounded summary, paths of the files, and the summary as custom statistics.

        :raises AnsibleActionFail: if the run's files cannot be read or written.
        """
        result: dict[str, Any] = super().run(tmp, task_vars)
        del tmp
        _checked, options = self.validate_argument_spec(
            argument_spec=ARGUMENTS,
            mutually_exclusive=[("results_dir", "run_id"), ("results_dir", "attempt")],
            required_one_of=[("results_dir", "run_id")],
        )
        if self._task.check_mode:
            result.update(skipped=True, changed=False, msg="nothing to report: check mode runs no load")
            return result
        try:
            folder = _folder(options)
            report = make_report(
                folder,
                error=options["error"],
                slo_required=options["slo_required"],
                formats=options["formats"],
            )
            lines = report_lines(report.summary, path=str(report.path), page=report.files.get("html"))
            write_log(Path(options["log_file"] or folder.log_file), lines)
        except ResultsError as error:
            raise AnsibleActionFail(f"report: {error}") from error
        show_lines(lines)
        for problem in report.problems:
            display.warning(problem)
        result.update(_answer(report, lines))
        if options["set_stats"]:
            # The same result as of set_stats: AWX keeps it as an artifact of the job.
            data = {"kubestress_summary": statistics(report.summary)}
            result["ansible_stats"] = {"data": data, "per_host": False, "aggregate": False}
        return result


def _folder(options: Mapping[str, Any]) -> RunFolder:
    """Raises ResultsError."""
    if options["results_dir"]:
        return RunFolder.of_attempt(options["results_dir"])
    return find_attempt(options["run_results_dir"], options["run_id"], options["attempt"])


def _answer(report: Report, lines: Sequence[Line]) -> dict[str, Any]:
    return {
        "changed": True,
        "verdict": report.summary["verdict"],
        "reasons": report.summary["reasons"],
        "trust": report.summary["validity"]["trust"],
        "summary": bounded(report.summary),
        "summary_path": str(report.path),
        "files": report.files,
        "problems": report.problems,
        "table": [line.text for line in lines],
    }


def write_log(path: Path, lines: Sequence[Line]) -> None:
    """Add the table to the run's log. Raises ResultsError."""
    try:
        with path.expanduser().open("a", encoding="utf-8") as file:
            file.writelines(line.text + "\n" for line in lines)
    except OSError as error:
        raise ResultsError(f"cannot write {path} (run_log_file): {error.strerror or error}") from error
