# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module of the same name, shows its table, and keeps its findings with the run's files."""

from __future__ import annotations

from typing import Any

from ansible_collections.kubestress.core.plugins.module_utils.results.folder import ResultsError, RunFolder
from ansible_collections.kubestress.core.plugins.module_utils.results.table import Line
from ansible_collections.kubestress.core.plugins.plugin_utils.module_action import ModuleAction
from ansible_collections.kubestress.core.plugins.plugin_utils.show import show_lines


class ActionModule(ModuleAction):
    """The table is shown whether or not the run may start."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """The module's result; failed also if the findings cannot be written to run.json."""
        result = super().run(tmp, task_vars)
        if "table" not in result:
            return result
        tones = result.pop("tones")
        show_lines(Line(text, tone) for text, tone in zip(result["table"], tones, strict=True))
        if self._task.args.get("results_dir") and not self._task.check_mode:
            try:
                self._keep(str(self._task.args["results_dir"]), result)
            except ResultsError as error:
                result.update(failed=True, msg=f"preflight: {error}")
        return result

    def _keep(self, results_dir: str, result: dict[str, Any]) -> None:
        names = ("rows", "problems", "cautions", "demand", "existing")
        findings = {name: result[name] for name in names}
        RunFolder.of_attempt(results_dir).update_run(cluster=result["cluster"], preflight=findings)
