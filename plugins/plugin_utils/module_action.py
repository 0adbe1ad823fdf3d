# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Base of the action plugins that run a module.

It adds the connection from variables named after the modules' options, such as kubestress_kubeconfig, packs the module
in half the time, and says so where the module's process was killed.
"""

from __future__ import annotations

import contextlib
import gc
import signal
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.kubestress.core.plugins.module_utils.cluster.arguments import AUTH_ARGUMENTS
from ansible_collections.kubestress.core.plugins.module_utils.settings.names import is_unset
from ansible_collections.kubestress.core.plugins.plugin_utils.run_log import RunLog, cannot_log

VARIABLE_PREFIX = "kubestress_"
#: A shell ends with this plus the signal that killed its command.
_SHELL_SIGNAL_BASE = 128

display = Display()


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
        log = None if self._task.check_mode else RunLog.of_play(task_vars)
        if log is not None:
            try:
                log.add_failures(result)
            except OSError as error:
                display.warning(cannot_log(log, error))
        return result

    def execute(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Run the module with these arguments; `died` makes the result where its process was killed."""
        with _without_garbage_collection():
            answer: dict[str, Any] = self._execute_module(
                module_args=arguments, task_vars=task_vars, wrap_async=bool(self._task.async_val)
            )
        death = death_of(answer)
        return answer if death is None else self.died(answer, death)

    def died(self, answer: Mapping[str, Any], death: str) -> dict[str, Any]:
        """The result of a module whose process was killed, from what Ansible makes of it. `death` says by what."""
        # Ansible's own exception is about the missing answer, as if that were the cause.
        kept = {key: value for key, value in answer.items() if key != "exception"}
        return {**kept, "failed": True, "msg": f"{self._task.action}: {death}", "aborted": death}


def death_of(answer: Mapping[str, Any]) -> str | None:
    """By which signal the module's process was killed, in words; None if it ended by itself."""
    code = answer.get("rc")
    # Only where there was no answer to read does Ansible return what the process wrote.
    if "module_stdout" not in answer or not isinstance(code, int):
        return None
    number = -code if code < 0 else code - _SHELL_SIGNAL_BASE
    if number not in set(signal.Signals):
        return None
    text = f"the module's process was killed by {signal.Signals(number).name} (exit code {_SHELL_SIGNAL_BASE + number})"
    if number == signal.SIGKILL:
        text += ", probably because memory ran out (the kernel's log or the container's events tell)"
    return text


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
