# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows the summaries of several runs as columns of one table. Runs on the controller; there is no module code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.kubestress.core.plugins.module_utils.results.comparison import (
    compared,
    comparison_lines,
    fork_events,
    fork_failures,
)
from ansible_collections.kubestress.core.plugins.module_utils.results.folder import ResultsError, read_json
from ansible_collections.kubestress.core.plugins.plugin_utils.show import show_lines

_RUN = {"name": {"type": "str", "required": True}, "summary_path": {"type": "path", "required": True}}


class ActionModule(ActionBase):
    """It compares; judging the difference is left to the reader."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Rows, failed forks in pods and in Warnings, and the table as text.

        :raises AnsibleActionFail: if a summary cannot be read.
        """
        result: dict[str, Any] = super().run(tmp, task_vars)
        del tmp
        _checked, options = self.validate_argument_spec(
            argument_spec={"runs": {"type": "list", "elements": "dict", "required": True, "options": _RUN}}
        )
        names = [run["name"] for run in options["runs"]]
        if not names:
            raise AnsibleActionFail("side_by_side: runs is empty; name at least one run")
        try:
            summaries = [read_json(Path(run["summary_path"]).expanduser()) for run in options["runs"]]
        except ResultsError as error:
            raise AnsibleActionFail(f"side_by_side: {error}") from error
        lines = comparison_lines(names, summaries)
        show_lines(lines)
        result.update(
            changed=False,
            rows=[{"what": what, "values": values} for what, values in compared(summaries)],
            fork_failures=[fork_failures(summary) for summary in summaries],
            fork_events=[fork_events(summary) for summary in summaries],
            table=[line.text for line in lines],
        )
        return result
