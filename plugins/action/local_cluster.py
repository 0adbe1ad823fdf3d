# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells the module of the same name where this collection's Go modules and Stages are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

SOURCES = Path(__file__).resolve().parents[2] / "roles" / "local_cluster" / "files"


class ActionModule(ActionBase):
    """Runs the module with `sources_dir` filled in."""

    _supports_async = True
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """The module's result.

        :raises AnsibleActionFail: on another machine, where this collection's files are not.
        """
        result = super().run(tmp, task_vars)
        del tmp
        arguments = dict(self._task.args)
        if not arguments.get("sources_dir"):
            # By the connection's name, not by its type: the option names the machine on which the files have to be.
            if self._connection.transport != "local" and arguments.get("state") != "absent":
                raise AnsibleActionFail(
                    "local_cluster: runs where the playbook runs; use connection: local, or copy the role's files "
                    "folder to that machine and name it with sources_dir"
                )
            arguments["sources_dir"] = str(SOURCES)
        result.update(
            self._execute_module(
                module_name="kubestress.core.local_cluster",
                module_args=arguments,
                task_vars=task_vars,
                wrap_async=self._task.async_val,
            )
        )
        return result
