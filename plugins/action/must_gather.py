# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action plug-in of `must_gather`: shows progress while the module collects, and what became of it."""

from __future__ import annotations

import os
from typing import Any

from ansible_collections.kubestress.core.plugins.module_utils.results.table import PLAIN, WARN, Line
from ansible_collections.kubestress.core.plugins.plugin_utils.progress_action import ProgressAction
from ansible_collections.kubestress.core.plugins.plugin_utils.show import show_lines


class ActionModule(ProgressAction):
    """The folder is named where the playbook runs, if the module runs there."""

    def module_arguments(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        """The module's arguments with the connection, and with an absolute path."""
        arguments = super().module_arguments(task_vars)
        if arguments.get("dest") and getattr(self._connection, "transport", "") == "local":
            # A module's own working directory is not the user's.
            arguments["dest"] = os.path.abspath(os.path.expanduser(str(arguments["dest"])))
        return arguments

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """The module's result; its message is shown, because Ansible shows none of a task that went well."""
        result = super().run(tmp, task_vars)
        if result.get("msg") and not result.get("failed"):
            show_lines([Line(str(result["msg"]), WARN if result.get("missing") or result.get("stopped") else PLAIN)])
        return result
