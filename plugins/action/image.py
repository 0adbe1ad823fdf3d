# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action plug-in of `image`: shows the builder's lines as they come, and what came of it."""

from __future__ import annotations

import os
from typing import Any

from ansible_collections.kubestress.core.plugins.module_utils.results.table import PLAIN, Line
from ansible_collections.kubestress.core.plugins.plugin_utils.progress_action import ProgressAction
from ansible_collections.kubestress.core.plugins.plugin_utils.show import show_lines
from ansible_collections.kubestress.core.plugins.plugin_utils.sources import with_sources

#: Options that name something on the user's machine, relative to the user's working directory.
_PATHS = ("context", "log_file", "credentials_file", "cache_dir", "binaries_dir")


class ActionModule(ProgressAction):
    """The folder is named where the playbook runs, and the pinned Go modules are this collection's."""

    def module_arguments(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        """The module's arguments with absolute paths, and with the folder of the Go modules.

        :raises AnsibleActionFail: on another machine, where this collection's files are not.
        """
        transport = getattr(self._connection, "transport", "")
        arguments = with_sources(self._task.args, transport=transport, module="image")
        if transport == "local":
            # A module's own working directory is not the user's.
            for option in _PATHS:
                if arguments.get(option):
                    arguments[option] = os.path.abspath(os.path.expanduser(str(arguments[option])))
        return arguments

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """The module's result; its message is shown, because Ansible shows none of a task that went well."""
        result = super().run(tmp, task_vars)
        if result.get("msg") and not result.get("failed"):
            show_lines([Line(str(result["msg"]), PLAIN)])
        return result
