# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action plug-in of `observe`: completes the connection from the variables kubestress_*."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.kubestress.core.plugins.plugin_utils.connection import with_connection


class ActionModule(ActionBase):
    """Runs the module of the same name. `async` is refused: the module returns at once and leaves a process behind."""

    TRANSFERS_FILES = False
    _supports_async = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """The module's result."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = with_connection(self._task.args, task_vars or {}, template=self._templar.template)
        result.update(self._execute_module(module_args=arguments, task_vars=task_vars))
        return result
