"""Processes that a test started, with their descendants."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path


def descendants(pid: int) -> Iterator[int]:
    """Yield the ids of all descendants of a process, in any session."""
    try:
        tasks = [path.read_text().split() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:  # it has ended in the meantime
        return
    for child in (int(number) for numbers in tasks for number in numbers):
        yield child
        yield from descendants(child)


def kill_tree(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and its descendants with SIGKILL, as if the machine went down.

    Ansible's workers have their own sessions, so killing the process group is not enough.
    """
    if process.poll() is not None:
        return
    # Stop it first, so that it starts nothing between the listing and the kill.
    process.send_signal(signal.SIGSTOP)
    for pid in [process.pid, *descendants(process.pid)]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def living_in_group(group: int) -> list[int]:
    """The processes of a group that still run. One that has ended and waits for its parent is not among them."""
    living = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended in the meantime
            state, _parent, its_group = path.read_text().rpartition(")")[2].split()[:3]
            if int(its_group) == group and state not in "ZX":
                living.append(int(path.parent.name))
    return living


def described(pid: int) -> str:
    """Where each thread of a process and of its descendants waits, and its signals: for the message of a failure."""
    found = []
    for one in (pid, *descendants(pid)):
        for thread in Path(f"/proc/{one}/task").glob("*"):
            with contextlib.suppress(OSError):  # it has ended in the meantime
                command = Path(f"/proc/{one}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                lines = (thread / "status").read_text().splitlines()
                states = [line for line in lines if line.startswith(("State", "SigPnd", "ShdPnd", "SigBlk", "SigCgt"))]
                waits_in = (thread / "wchan").read_text()
                found.append(f"{one}/{thread.name} {command[:150]}: in {waits_in}, {', '.join(states)}")
    return "\n".join(found).replace("\t", " ")
