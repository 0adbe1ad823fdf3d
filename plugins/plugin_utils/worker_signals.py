# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A second thread in Ansible's worker that does not keep Ctrl-C from ending the playbook.

Ansible ends a worker with SIGINT, and with SIGTERM some milliseconds later. Its handler kills the process and the
module at once. Without a second thread that always works. With one, both of these were seen on busy machines:

- The kernel gives the second signal to the second thread, as the first thread has yet to wake for the first one, and
  the second thread then takes both. Python runs handlers in the first thread only, which sleeps until the module has
  ended, and nobody wakes it. So the run goes on, and the playbook waits for it.
- What the second thread displays goes to the playbook through a queue, whose lock all processes share. Killed in the
  middle of that, the worker leaves the lock taken, and the playbook waits for it for ever.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

#: Seconds for the second thread to finish what it does when a signal comes; the playbook may have stopped reading.
_FINISH_SECONDS = 5.0


@contextlib.contextmanager
def threads_without_signals() -> Iterator[None]:
    """Threads that are started inside get no signal, so that each goes to the first thread and wakes it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class WholeSteps:
    """Steps of the second thread that SIGINT and SIGTERM do not cut: their handlers wait for the end of a step."""

    def __init__(self) -> None:
        # Re-entrant, because the second signal may come in the handler of the first.
        self._stepping = threading.RLock()
        self._is_interrupted = False

    def do(self, step: Callable[[], None]) -> None:
        """Do a step, unless there was a signal: then the process is about to end."""
        with self._stepping:
            if not self._is_interrupted:
                step()

    @contextlib.contextmanager
    def kept_whole(self) -> Iterator[None]:
        """While the block runs, handlers of both signals wait for the end of a step. For the first thread only."""
        before = {}
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                handler = signal.getsignal(number)
                if callable(handler):
                    before[number] = handler
                    signal.signal(number, self._after_a_step(handler))
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _after_a_step(
        self, handler: Callable[[int, FrameType | None], object]
    ) -> Callable[[int, FrameType | None], None]:
        def handle(number: int, frame: FrameType | None) -> None:
            self._is_interrupted = True
            is_between_steps = self._stepping.acquire(timeout=_FINISH_SECONDS)
            try:
                handler(number, frame)
            finally:
                if is_between_steps:
                    self._stepping.release()

        return handle
