# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the action plug-ins of all modules share: the connection's variables, and packing a module in half the time."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.kubestress.core.plugins.plugin_utils.connection import with_connection


class ModuleAction(ActionBase):
    """Runs the module of the same name, its connection completed from the variables kubestress_*."""

    TRANSFERS_FILES = False
    _supports_async = True
    _supports_check_mode = True

    def module_arguments(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        """The arguments for the module; plug-ins change them here."""
        return with_connection(self._task.args, task_vars, template=self._templar.template)

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """The module's result."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        task_vars = task_vars or {}
        result.update(self.execute(self.module_arguments(task_vars), task_vars))
        return result

    def execute(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Run the module with these arguments."""
        with _collector_at_rest():
            answer: dict[str, Any] = self._execute_module(
                module_args=arguments, task_vars=task_vars, wrap_async=bool(self._task.async_val)
            )
        return answer


@contextlib.contextmanager
def _collector_at_rest() -> Iterator[None]:
    """Keep Python's collector of cycles still.

    To pack a module Ansible parses all that it imports. Every few hundred nodes of the syntax trees the collector would
    look through them, and now and then through all of Ansible: a third to a half of the time.
    """
    was_at_work = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_at_work:
            gc.enable()
