# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells the module of the same name where this collection's Go modules and Stages are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible_collections.kubestress.core.plugins.plugin_utils.module_action import ModuleAction

SOURCES = Path(__file__).resolve().parents[2] / "roles" / "local_cluster" / "files"


class ActionModule(ModuleAction):
    """Runs the module with `sources_dir` filled in. It makes a cluster, so that there is no connection to complete."""

    def module_arguments(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        """The task's arguments with the folder.

        :raises AnsibleActionFail: on another machine, where this collection's files are not.
        """
        arguments = dict(self._task.args)
        if not arguments.get("sources_dir"):
            # By the connection's name, not by its type: the option names the machine on which the files have to be.
            if self._connection.transport != "local" and arguments.get("state") != "absent":
                raise AnsibleActionFail(
                    "local_cluster: runs where the playbook runs; use connection: local, or copy the role's files "
                    "folder to that machine and name it with sources_dir"
                )
            arguments["sources_dir"] = str(SOURCES)
        return arguments
