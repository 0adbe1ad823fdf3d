# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action plug-in of `gke_credentials`: keeps the token that is returned out of all output."""

from __future__ import annotations

import os
from typing import Any

from ansible_collections.kubestress.core.plugins.module_utils.results.table import PLAIN, Line
from ansible_collections.kubestress.core.plugins.plugin_utils.module_action import ModuleAction
from ansible_collections.kubestress.core.plugins.plugin_utils.show import show_lines

#: Options that name something on the user's machine, relative to the user's working directory.
_PATHS = ("ca_file", "credentials_file", "kubeconfig")


class ActionModule(ModuleAction):
    """It finds out how a cluster is reached, so that there is no connection to complete."""

    def module_arguments(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        """The task's arguments with absolute paths."""
        arguments = dict(self._task.args)
        if getattr(self._connection, "transport", "") == "local":
            # A module's own working directory is not the user's.
            for option in _PATHS:
                if arguments.get(option):
                    arguments[option] = os.path.abspath(os.path.expanduser(str(arguments[option])))
        return arguments

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """The module's result. A registered variable has all of it, the output nothing but its message."""
        result = super().run(tmp, task_vars)
        if not result.get("failed"):
            result["_ansible_no_log"] = True
            show_lines([Line(str(result.get("msg", "")), PLAIN)])
        return result
