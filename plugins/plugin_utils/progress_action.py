# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the action plug-ins of long tasks share: the module writes lines to a file, a thread here shows them."""

from __future__ import annotations

import fcntl
import os
import tempfile
import threading
from typing import Any, TextIO

from ansible.utils.display import Display
from ansible_collections.kubestress.core.plugins.plugin_utils.module_action import ModuleAction
from ansible_collections.kubestress.core.plugins.plugin_utils.run_log import RunLog

#: Seconds between two looks at the file. The number of lines is bounded by the module, not by this.
_LOOK_SECONDS = 0.5

display = Display()


class ProgressAction(ModuleAction):
    """Runs the module of the same name, and shows its progress.

    That needs a module on this machine that is waited for: with another connection or `async` the task is silent, and
    works all the same.
    """

    def execute(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Run the module, with its lines shown as they come."""
        if self._task.async_val or not self._is_local() or self._task.check_mode:
            return super().execute(arguments, task_vars)
        with tempfile.TemporaryDirectory(prefix="kubestress-") as folder:
            path = os.path.join(folder, "progress")
            file = open(path, "w+", encoding="utf-8")  # noqa: SIM115 (the thread closes it)
            # The module tests this lock: where it is free, the playbook is gone and its load must end.
            fcntl.flock(file, fcntl.LOCK_EX)
            ended = threading.Event()
            log = RunLog.of_play(task_vars)
            thread = threading.Thread(target=_show, args=(file, ended, log), daemon=True)
            thread.start()
            try:
                return super().execute({**arguments, "progress_file": path}, task_vars)
            finally:
                ended.set()
                thread.join()

    def _is_local(self) -> bool:
        return getattr(self._connection, "transport", "") == "local" and not self._play_context.become


def _show(file: TextIO, ended: threading.Event, log: RunLog | None) -> None:
    """Display the file's new whole lines until the task has ended, and then the rest; into the run's log, too.

    Ends early, and lets go of the file, when the process that started this one is gone: an ansible-playbook that is
    killed leaves its worker behind.
    """
    parent = os.getppid()
    with file:
        rest = ""
        while True:
            last_look = ended.wait(_LOOK_SECONDS) or os.getppid() != parent
            *lines, rest = (rest + file.read()).split("\n")
            for line in lines:
                display.display(f"  {line}", color="bright blue")
            if log and lines:
                try:
                    log.add("INFO", lines)
                except OSError as error:
                    display.warning(f"the log {log.path} (run_log_file) gets no more lines: {error.strerror or error}")
                    log = None
            if last_look:
                return
