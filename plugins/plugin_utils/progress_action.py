# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Base of the action plugins of long tasks: the module writes lines to a file, a thread here shows them."""

from __future__ import annotations

import fcntl
import os
import tempfile
import threading
from functools import partial
from typing import Any, TextIO

from ansible.utils.display import Display
from ansible_collections.kubestress.core.plugins.module_utils.machine.progress import untoned
from ansible_collections.kubestress.core.plugins.module_utils.results.table import Line
from ansible_collections.kubestress.core.plugins.plugin_utils.module_action import ModuleAction
from ansible_collections.kubestress.core.plugins.plugin_utils.run_log import RunLog, cannot_log
from ansible_collections.kubestress.core.plugins.plugin_utils.show import show_lines
from ansible_collections.kubestress.core.plugins.plugin_utils.worker_signals import WholeSteps, threads_without_signals

#: Seconds between two reads of the file. The module, not this, limits the number of lines.
_POLL_SECONDS = 0.5

display = Display()


class ProgressAction(ModuleAction):
    """Runs the module of the same name and shows its progress.

    Progress needs a local connection and no `async`. Otherwise the task works too, without progress lines.
    """

    def execute(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Run the module and show its lines as they are written."""
        if not self.shows_progress():
            return super().execute(arguments, task_vars)
        with tempfile.TemporaryDirectory(prefix="kubestress-") as folder:
            path = os.path.join(folder, "progress")
            file = open(path, "w+", encoding="utf-8")  # noqa: SIM115 (the thread closes it)
            # The module checks this lock. If it is free, the playbook is gone and the load must stop.
            fcntl.flock(file, fcntl.LOCK_EX)
            ended = threading.Event()
            log, steps = RunLog.of_play(task_vars), WholeSteps()
            thread = threading.Thread(target=_show, args=(file, ended, log, steps), daemon=True)
            with steps.kept_whole():
                with threads_without_signals():
                    thread.start()
                try:
                    return super().execute({**arguments, "progress_file": path}, task_vars)
                finally:
                    ended.set()
                    thread.join()

    def shows_progress(self) -> bool:
        """Whether the module's lines are shown while it works."""
        return not self._task.async_val and self.is_local() and not self._task.check_mode

    def is_local(self) -> bool:
        """Whether the module runs on this machine as this user."""
        return getattr(self._connection, "transport", "") == "local" and not self._play_context.become


def _show(file: TextIO, ended: threading.Event, log: RunLog | None, steps: WholeSteps) -> None:
    """Display, each as a step, and log the file's new complete lines until the task ends, then the rest.

    Ends early, and so releases the lock, when the parent process is gone: killing ansible-playbook leaves its worker
    running.
    """
    parent = os.getppid()
    with file:
        rest = ""
        while True:
            is_last = ended.wait(_POLL_SECONDS) or os.getppid() != parent
            *lines, rest = (rest + file.read()).split("\n")
            for line in lines:
                steps.do(partial(_show_line, line))
            if log and lines:
                try:
                    log.add("INFO", [untoned(line)[1] for line in lines])
                except OSError as error:
                    steps.do(partial(display.warning, cannot_log(log, error)))
                    log = None
            if is_last:
                return


def _show_line(line: str) -> None:
    tone, text = untoned(line)
    if tone:
        show_lines([Line(text, tone)])
    else:
        display.display(f"  {text}", color="bright blue")
