"""Processes that a test has started, with all that they have started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path


def descendants(pid: int) -> Iterator[int]:
    """Yield the ids of all processes below one, in whatever session they are."""
    try:
        tasks = [path.read_text().split() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:  # it has ended meanwhile
        return
    for child in (int(number) for numbers in tasks for number in numbers):
        yield child
        yield from descendants(child)


def kill_tree(process: subprocess.Popen[bytes]) -> None:
    """End a process and all below it at once and without a chance to tidy up, as a machine that goes down does.

    Ansible's workers have sessions of their own: the process group is not enough.
    """
    if process.poll() is not None:
        return
    # Stopped first, so that nothing is started between the look and the kill.
    process.send_signal(signal.SIGSTOP)
    for pid in [process.pid, *descendants(process.pid)]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()
