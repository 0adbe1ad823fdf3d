# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes of this machine: found, described, signalled and ended.

A process is identified by its pid and its start time, because a pid may be reused. The start time comes from /proc on
Linux and from `ps` elsewhere.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from .sync import wait_until

PROC = Path("/proc")
HAS_PROC = (PROC / "self" / "stat").exists()
#: Seconds to wait for a process to start its first child.
_CHILD_SECONDS = 5.0


@dataclass(frozen=True)
class Process:
    """One process: `started` is opaque, equal only for the same process."""

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> Process | None:
        """The running process with this pid, or None."""
        started = _start_of(pid)
        return cls(pid, started) if started is not None else None

    @property
    def alive(self) -> bool:
        """Whether this process still runs; a zombie does not."""
        return _start_of(self.pid) == self.started

    def send(self, number: int) -> None:
        """Send a signal, unless the process is gone."""
        if self.alive:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return

    def save(self, path: Path) -> None:
        """Write pid and start time to a file, atomically."""
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps(asdict(self)))
        temporary.replace(path)

    @classmethod
    def load(cls, path: Path) -> Process | None:
        """What `save` wrote; None if there is no file or it is not valid."""
        try:
            document = json.loads(path.read_text())
            return cls(pid=int(document["pid"]), started=str(document["started"]))
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None


def child_of(pid: int) -> Process | None:
    """Wait for the first child of a process; None if the process ends before it has one."""

    def first() -> int | None:
        try:
            return int((PROC / str(pid) / "task" / str(pid) / "children").read_text().split()[0])
        except (OSError, IndexError):
            return None

    wait_until(lambda: first() is not None or Process.of(pid) is None, timeout_seconds=_CHILD_SECONDS)
    child = first()
    return Process.of(child) if child is not None else None


def terminate(processes: list[Process], *, grace_seconds: float) -> None:
    """End the processes: SIGTERM, then SIGKILL for those that still run after the grace period.

    Raises TimeoutError if one survives SIGKILL, which happens when it is stuck in I/O.
    """
    for process in processes:
        process.send(signal.SIGTERM)
    if wait_until(lambda: not _living(processes), timeout_seconds=grace_seconds):
        return
    for process in _living(processes):
        process.send(signal.SIGKILL)
    if not wait_until(lambda: not _living(processes), timeout_seconds=10):
        stuck = ", ".join(str(process.pid) for process in _living(processes))
        raise TimeoutError(f"process {stuck} did not end within 10 s of SIGKILL")


def command_of(pid: int) -> str:
    """The program's name; empty if it cannot be read."""
    try:
        return (PROC / str(pid) / "comm").read_text().strip()
    except OSError:
        return ""


def in_own_pid_namespace(pid: int) -> bool:
    """Whether a process is in another pid namespace than ours."""
    try:
        return os.readlink(PROC / str(pid) / "ns" / "pid") != os.readlink(PROC / "self" / "ns" / "pid")
    except OSError:
        return False


def pids() -> Iterator[int]:
    """The pids of all processes; none without /proc."""
    if HAS_PROC:
        for entry in PROC.iterdir():
            if entry.name.isdigit():
                yield int(entry.name)


def environment_of(pid: int) -> list[bytes]:
    """NAME=value pairs that a process started with; empty if it has ended or belongs to another user."""
    try:
        return (PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _living(processes: list[Process]) -> list[Process]:
    for process in processes:
        _reap(process.pid)
    return [process for process in processes if process.alive]


def _reap(pid: int) -> None:
    """Read the exit status if this is a child of ours, so that no zombie is left."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return


def _start_of(pid: int) -> str | None:
    return _start_from_proc(pid) if HAS_PROC else _start_from_ps(pid)


def _start_from_proc(pid: int) -> str | None:
    try:
        text = (PROC / str(pid) / "stat").read_text()
        # The ticks count from boot, so the boot's id is part of the answer.
        boot = (PROC / "sys" / "kernel" / "random" / "boot_id").read_text().strip()
    except OSError:
        return None
    # The command is in parentheses and may itself contain spaces and parentheses; proc(5), fields 3 and 22.
    fields = text[text.rindex(")") + 2 :].split()
    state, start_ticks = fields[0], fields[19]
    return None if state in "ZX" else f"{boot}:{start_ticks}"


def _start_from_ps(pid: int) -> str | None:
    answer = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.split(maxsplit=1)
    return None if len(answer) < 2 or answer[0].startswith("Z") else answer[1].strip()
