# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action plug-in of `batch`: reads the templates where the playbook runs, and shows progress while the module works."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible_collections.kubestress.core.plugins.module_utils.results.evidence import batch_files, mark_cut_short
from ansible_collections.kubestress.core.plugins.module_utils.results.table import FAINT, Line, shortened
from ansible_collections.kubestress.core.plugins.plugin_utils.ends import command_lines, commands
from ansible_collections.kubestress.core.plugins.plugin_utils.plan_action import PlanAction, ResultsError, show_table
from ansible_collections.kubestress.core.plugins.plugin_utils.progress_action import ProgressAction
from ansible_collections.kubestress.core.plugins.plugin_utils.show import show_lines

#: Rows of failures in the result of a task that fails.
_FAILED_ROWS = 5
#: Characters of a text in one of them.
_FAILED_TEXT = 190
#: Tables of its `pods` that it leaves out.
_FAILED_WITHOUT = ("startup", "worst")


def _shorten(result: dict[str, Any]) -> None:
    """Ansible prints all that a failed task returns. The whole of it is in the files of the run."""
    for name in ("first_failures", "not_ready"):
        if isinstance(result.get(name), list):
            result[name] = [
                {key: shortened(text, _FAILED_TEXT) if isinstance(text, str) else text for key, text in row.items()}
                for row in result[name][:_FAILED_ROWS]
            ]
    result.pop("requests", None)
    if isinstance(result.get("pods"), dict):
        result["pods"] = {name: value for name, value in result["pods"].items() if name not in _FAILED_WITHOUT}


class ActionModule(PlanAction, ProgressAction):
    """The preflight's table is among the progress; where that cannot be shown, it comes at the end.

    Where the module's process was killed, its last measurements are marked with the cause, and the result names them.
    """

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """The module's result; failed also if what preflight found cannot be written to run.json.

        Raises AnsibleActionFail if the run's folder is not on the host that would write there.
        """
        self._check_folder(task_vars or {})
        self._show_ways_out(task_vars or {})
        result = super().run(tmp, task_vars)
        if result.get("failed") and self._task.args.get("results_dir"):
            _shorten(result)
        found = result.get("preflight")
        if not isinstance(found, dict) or "table" not in found:
            return result
        self._write_rbac(found, result)
        if self.shows_progress():
            found.pop("tones")
        else:
            show_table(found)
            self._keep(found, result)
        if result.get("failed"):
            # Ansible prints all that a failed task returns. The table was shown, and run.json has every figure.
            if self._keeps_run():
                del result["preflight"]
            else:
                result["preflight"] = {name: found[name] for name in ("problems", "cautions", "existing")}
        return result

    def _write_rbac(self, found: dict[str, Any], result: dict[str, Any]) -> None:
        options = self._task.args.get("preflight_options")
        try:
            self.write_rbac(found, path=options.get("rbac_out") if isinstance(options, dict) else None)
        except ResultsError as error:
            result.update(failed=True, msg=f"preflight: {error}")

    def _show_ways_out(self, task_vars: dict[str, Any]) -> None:
        """Before the load of a run, since nothing is shown after Ctrl-C, SIGTERM or SIGKILL."""
        run, settings = task_vars.get("kubestress_run"), task_vars.get("kubestress_settings")
        if self._task.check_mode or not isinstance(run, Mapping) or not isinstance(settings, Mapping):
            return
        found = commands(
            run["run_id"],
            results_dir=settings["run_results_dir"],
            task_vars=task_vars,
            template=self._templar.template,
        )
        head = Line(f"  run {run['run_id']}; should it be interrupted:", FAINT)
        show_lines([head, *command_lines(found)], at_once=True)

    def execute(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Run the module, and remember which measurements are older than it."""
        folder = arguments.get("results_dir")
        self._results_dir = Path(str(folder)).expanduser().absolute() if folder else None
        self._files_before = frozenset(batch_files(self._results_dir) if self._results_dir else ())
        return super().execute(arguments, task_vars)

    def died(self, answer: Mapping[str, Any], death: str) -> dict[str, Any]:
        """The message also says what the batch left behind."""
        result = super().died(answer, death)
        result["msg"] += f"; {self._left_behind(death)}"
        return result

    def _left_behind(self, death: str) -> str:
        if self._results_dir is None:
            return "without results_dir, nothing that it measured is left"
        if not self.is_local():
            return f"what it measured is in {self._results_dir} on the host that it ran on"
        try:
            marked = mark_cut_short(self._results_dir, death, except_for=self._files_before)
        except ResultsError as error:
            return f"its files are in {self._results_dir}, but their end could not be noted there: {error}"
        names = ", ".join(f"{path.relative_to(self._results_dir)}" for path in marked)
        measured = f"up to its last snapshot in {names}" if marked else "not written yet"
        return f"its files are in {self._results_dir}, its measurements {measured}"

    def _check_folder(self, task_vars: dict[str, Any]) -> None:
        """A run's folder is made where the playbook runs; a new one of that name elsewhere would be no part of it."""
        folder = self._task.args.get("results_dir")
        if not folder or self._task.check_mode or self._connection.transport == "local":
            return
        of_run = os.path.join(str(folder), "run.json")
        if os.path.exists(of_run) and not self._execute_remote_stat(of_run, task_vars, follow=True)["exists"]:
            raise AnsibleActionFail(
                f"results_dir: {folder} is not on the host that sends the load; set run_results_dir to a folder that "
                "this machine and that host share"
            )

    def _keeps_run(self) -> bool:
        folder = self._task.args.get("results_dir")
        return bool(folder) and not self._task.check_mode and (Path(str(folder)) / "run.json").exists()

    def _keep(self, found: dict[str, Any], result: dict[str, Any]) -> None:
        if self._keeps_run():
            try:
                self.keep_preflight(found, into=self._task.args["results_dir"])
            except ResultsError as error:
                result.update(failed=True, msg=f"preflight: {error}")
