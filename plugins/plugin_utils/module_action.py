# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Base of the action plugins that run a module.

It adds the connection from variables named after the modules' options, such as kubestress_kubeconfig, and packs the
module in half the time.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.kubestress.core.plugins.module_utils.cluster.arguments import AUTH_ARGUMENTS
from ansible_collections.kubestress.core.plugins.module_utils.settings.names import is_unset

VARIABLE_PREFIX = "kubestress_"


class ModuleAction(ActionBase):
    """Runs the module of the same name, with the connection from the variables kubestress_*."""

    TRANSFERS_FILES = False
    _supports_async = True
    _supports_check_mode = True

    def module_arguments(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        """The module's arguments; subclasses change them here."""
        return with_connection(self._task.args, task_vars, template=self._templar.template)

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """The module's result."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        task_vars = task_vars or {}
        result.update(self.execute(self.module_arguments(task_vars), task_vars))
        return result

    def execute(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Run the module with these arguments."""
        with _without_garbage_collection():
            answer: dict[str, Any] = self._execute_module(
                module_args=arguments, task_vars=task_vars, wrap_async=bool(self._task.async_val)
            )
        return answer


def with_connection(
    arguments: Mapping[str, Any], task_vars: Mapping[str, Any], *, template: Callable[[Any], Any]
) -> dict[str, Any]:
    """The task's arguments plus the connection from variables such as kubestress_kubeconfig.

    Empty variables count as unset. The task's own arguments and its module_defaults win. Our roles cannot do this with
    `module_defaults` and `default(omit)`: an omitted value there overrides the one in the user's own play, and the task
    would talk to another cluster.
    """
    complete = dict(arguments)
    for option, spec in AUTH_ARGUMENTS.items():
        if any(name in arguments for name in (option, *spec.get("aliases", ()))):
            continue
        value = task_vars.get(VARIABLE_PREFIX + option)
        if not is_unset(value) and not is_unset(value := template(value)):
            complete[option] = value
    return complete


@contextlib.contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Pause Python's garbage collector.

    To pack a module, Ansible parses everything that it imports. The collector would scan the growing syntax trees again
    and again, and sometimes all of Ansible, which takes a third to a half of the time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
