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
from ansible_collections.kubestress.core.plugins.module_utils.results.table import (
    MESSAGE,
    Line,
    brief,
    shortened,
)
from ansible_collections.kubestress.core.plugins.module_utils.results.verdict import PASSED
from ansible_collections.kubestress.core.plugins.plugin_utils.ends import command_lines, commands
from ansible_collections.kubestress.core.plugins.plugin_utils.live import process as live
from ansible_collections.kubestress.core.plugins.plugin_utils.report_files import (
    FILES,
    Report,
    find_attempt,
    make_report,
)
from ansible_collections.kubestress.core.plugins.plugin_utils.run_log import RunLog, cannot_log
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
            live.end(folder)
            report = make_report(
                folder,
                error=options["error"],
                slo_required=options["slo_required"],
                formats=options["formats"],
            )
            lines = report_lines(report.summary, path=str(report.path), page=report.files.get("html"))
            found = commands(
                folder.root.name,
                results_dir=_given_results_dir(folder, options, task_vars or {}),
                task_vars=task_vars or {},
                template=self._resolved,
            )
            lines += command_lines(found)
            write_log(Path(options["log_file"] or folder.log_file), lines)
            _log_verdict(report.summary, task_vars or {})
        except ResultsError as error:
            raise AnsibleActionFail(f"report: {error}") from error
        show_lines(lines)
        for problem in report.problems:
            display.warning(problem)
        result.update(_answer(report, lines), commands=found)
        if options["set_stats"]:
            # The same result as of set_stats: AWX keeps it as an artifact of the job.
            data = {"kubestress_summary": statistics(report.summary)}
            result["ansible_stats"] = {"data": data, "per_host": False, "aggregate": False}
        return result

    def _resolved(self, value: Any) -> Any:
        return self._templar.template(value)


def _folder(options: Mapping[str, Any]) -> RunFolder:
    """Raises ResultsError."""
    if options["results_dir"]:
        return RunFolder.of_attempt(options["results_dir"])
    return find_attempt(options["run_results_dir"], options["run_id"], options["attempt"])


def _given_results_dir(folder: RunFolder, options: Mapping[str, Any], task_vars: Mapping[str, Any]) -> str:
    """The folder of all runs as the user gave it, or in full where that is not known."""
    settings = task_vars.get("kubestress_settings")
    if isinstance(settings, Mapping):
        return str(settings["run_results_dir"])
    return str(folder.root.parent) if options["results_dir"] else str(options["run_results_dir"])


def _answer(report: Report, lines: Sequence[Line]) -> dict[str, Any]:
    return {
        "changed": True,
        "verdict": report.summary["verdict"],
        "reasons": report.summary["reasons"],
        "message": _message(report.summary),
        "trust": report.summary["validity"]["trust"],
        "summary": bounded(report.summary),
        "summary_path": str(report.path),
        "files": report.files,
        "problems": report.problems,
        "table": [line.text for line in lines],
    }


def _log_verdict(summary: Mapping[str, Any], task_vars: Mapping[str, Any]) -> None:
    """A verdict other than passed is an error in the log. Raises ResultsError."""
    log, reasons = RunLog.of_play(task_vars), summary["reasons"]
    if log is None or summary["verdict"] == PASSED:
        return
    more = f" (and {len(reasons) - 1:,} more reasons)" if len(reasons) > 1 else ""
    try:
        log.add("ERROR", [f"{summary['verdict']}: {reasons[0] if reasons else 'no reason is known'}{more}"])
    except OSError as error:
        raise ResultsError(cannot_log(log, error)) from error


def _message(summary: Mapping[str, Any]) -> str:
    reasons = summary["reasons"]
    short = [shortened(reason, MESSAGE // 2 if len(reasons) > 1 else MESSAGE) for reason in reasons]
    return f"{summary['verdict']}: {brief(short, rest='all in summary.json')}" if short else str(summary["verdict"])


def write_log(path: Path, lines: Sequence[Line]) -> None:
    """Add the table to the run's log. Raises ResultsError."""
    try:
        with path.expanduser().open("a", encoding="utf-8") as file:
            file.writelines(line.text + "\n" for line in lines)
    except OSError as error:
        raise ResultsError(f"cannot write {path} (run_log_file): {error.strerror or error}") from error
