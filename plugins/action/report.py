# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes summary.json from what a run left behind, and shows it. Runs where the playbook runs; there is no module."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.kubestress.core.plugins.module_utils.results.folder import ResultsError, RunFolder
from ansible_collections.kubestress.core.plugins.module_utils.results.rendering import report_lines
from ansible_collections.kubestress.core.plugins.module_utils.results.summary import bounded, notes_on, summarize
from ansible_collections.kubestress.core.plugins.module_utils.results.table import Line
from ansible_collections.kubestress.core.plugins.plugin_utils.show import show_lines


class ActionModule(ActionBase):
    """A bad verdict is an answer, not a failure of this task; whoever asked decides what follows from it."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """verdict, reasons, summary (bounded), summary_path, and the whole summary as the play's statistics.

        :raises AnsibleActionFail: if the run's files cannot be read or written.
        """
        result: dict[str, Any] = super().run(tmp, task_vars)
        del tmp
        _checked, options = self.validate_argument_spec(
            argument_spec={
                "results_dir": {"type": "path", "required": True},
                "error": {"type": "str", "default": ""},
                "log_file": {"type": "path"},
                "set_stats": {"type": "bool", "default": True},
            }
        )
        if self._task.check_mode:
            result.update(skipped=True, changed=False, msg="check mode runs nothing, so there is nothing to report")
            return result
        try:
            folder = RunFolder.of_attempt(options["results_dir"])
            summary = summarize(folder, error=options["error"])
            path = folder.write_summary(summary)
            lines = report_lines(summary, path=str(path), notes=notes_on(folder))
            write_log(Path(options["log_file"] or folder.log_file), lines)
        except ResultsError as error:
            raise AnsibleActionFail(f"report: {error}") from error
        show_lines(lines)
        result.update(
            changed=True,
            verdict=summary["verdict"],
            reasons=summary["reasons"],
            summary=bounded(summary),
            summary_path=str(path),
            table=[line.text for line in lines],
        )
        if options["set_stats"]:
            # The form in which set_stats itself answers: AWX keeps it as the job's artifact.
            data = {"kubestress_summary": summary}
            result["ansible_stats"] = {"data": data, "per_host": False, "aggregate": False}
        return result


def write_log(path: Path, lines: Sequence[Line]) -> None:
    """Add the table to the run's log. Raises ResultsError."""
    try:
        with path.expanduser().open("a", encoding="utf-8") as file:
            file.writelines(line.text + "\n" for line in lines)
    except OSError as error:
        raise ResultsError(f"cannot write {path} (run_log_file): {error.strerror or error}") from error
