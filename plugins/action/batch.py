# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action plug-in of `batch`: reads the templates where the playbook runs, and shows progress while the module works."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.kubestress.core.plugins.plugin_utils.plan_action import PlanAction, ResultsError, show_table
from ansible_collections.kubestress.core.plugins.plugin_utils.progress_action import ProgressAction


class ActionModule(PlanAction, ProgressAction):
    """The preflight's table is among the progress; where that cannot be shown, it comes at the end."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """The module's result; failed also if what preflight found cannot be written to run.json."""
        result = super().run(tmp, task_vars)
        found = result.get("preflight")
        if not isinstance(found, dict) or "table" not in found:
            return result
        if self.shows_progress():
            found.pop("tones")
        else:
            show_table(found)
            self._keep(found, result)
        if result.get("failed"):
            # Ansible prints all that a failed task returns. The table was shown, and run.json has every figure.
            result["preflight"] = {name: found[name] for name in ("problems", "cautions", "existing")}
        return result

    def _keep(self, found: dict[str, Any], result: dict[str, Any]) -> None:
        folder = self._task.args.get("results_dir")
        if folder and (Path(str(folder)) / "run.json").exists():
            try:
                self.keep_preflight(found, into=folder)
            except ResultsError as error:
                result.update(failed=True, msg=f"preflight: {error}")
