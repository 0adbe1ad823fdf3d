# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module of the same name, shows its table, and keeps its findings with the run's files."""

from __future__ import annotations

from typing import Any

from ansible_collections.kubestress.core.plugins.plugin_utils.plan_action import PlanAction, ResultsError, show_table


class ActionModule(PlanAction):
    """The table is shown whether or not the run may start."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """The module's result; failed also if the findings cannot be written to run.json."""
        result = super().run(tmp, task_vars)
        if "table" not in result:
            return result
        show_table(result)
        if result.get("failed"):
            # Ansible prints all that a failed task returns, and the table has been shown.
            del result["table"]
        try:
            self.write_rbac(result, path=self._task.args.get("rbac_out"))
            self.keep_preflight(result, into=self._task.args.get("results_dir"))
        except ResultsError as error:
            result.update(failed=True, msg=f"preflight: {error}")
        return result
