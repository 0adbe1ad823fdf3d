# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells the module of the same name where this collection's Go modules and Stages are."""

from __future__ import annotations

from typing import Any

from ansible_collections.kubestress.core.plugins.plugin_utils.module_action import ModuleAction
from ansible_collections.kubestress.core.plugins.plugin_utils.sources import with_sources


class ActionModule(ModuleAction):
    """Runs the module with `sources_dir` filled in. It makes a cluster, so that there is no connection to complete."""

    def module_arguments(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        """The task's arguments with the folder.

        :raises AnsibleActionFail: on another machine, where this collection's files are not.
        """
        arguments = dict(self._task.args)
        if arguments.get("state") == "absent" and self._connection.transport != "local":
            return arguments
        return with_sources(arguments, transport=self._connection.transport, module="local_cluster")
