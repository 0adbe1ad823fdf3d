# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process of its own that outlives the task which starts it, and is found again by its pid and starting time."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import select
import signal
import time
import traceback
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn

from ..cluster.errors import ClusterError
from ..machine.process import Process
from ..machine.sync import wait_until
from ..results.folder import ResultsError, read_json, write_json
from .arguments import ObserveError

#: Tells the process that started it a JSON object. The first call ends that process's wait.
Tell = Callable[[Mapping[str, Any]], None]
Work = Callable[[Tell], Coroutine[Any, Any, None]]


@dataclass(frozen=True, kw_only=True)
class Started:
    """What was started: the process, the observation's file, and what it was asked for, without any secret."""

    process: Process
    path: str
    settings: dict[str, Any]

    def save(self, file: Path) -> None:
        """Write it down. Raises ResultsError."""
        write_json(file, asdict(self))

    @classmethod
    def load(cls, file: Path) -> Started | None:
        """What `save` wrote, None if there is nothing. Raises ResultsError where something else is there."""
        if not file.exists():
            return None
        document = read_json(file)
        try:
            return cls(
                process=Process(**document["process"]), path=document["path"], settings=dict(document["settings"])
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ResultsError(f"{file} is not what observe wrote: {error!r}") from error


def start(work: Work, *, timeout_seconds: float) -> tuple[Process, dict[str, Any]]:
    """Let `work` run in a process that nobody waits for; returns that process and the first that it told.

    Raises ObserveError with the work's own error, or if it tells nothing in time; the process is then gone.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _leave(work, writing)
    os.close(writing)
    os.waitpid(child, 0)
    try:
        lines, ended = _lines(reading, timeout_seconds=timeout_seconds)
    finally:
        os.close(reading)
    process = Process.of(lines[0]["pid"]) if lines else None
    if len(lines) > 1 and "error" in lines[1]:
        raise ObserveError(lines[1]["error"])
    if process is not None and not ended:
        process.send(signal.SIGKILL)
        raise ObserveError(f"observing did not begin within {timeout_seconds:g} s")
    if process is None or len(lines) < 2:
        raise ObserveError("the process that observes ended at once, and did not say why")
    return process, lines[1]


def stop(process: Process, *, timeout_seconds: float) -> None:
    """Ask the process to end, and return when it has. Raises ObserveError if it may not be asked or does not end."""
    try:
        process.send(signal.SIGTERM)
    except PermissionError as error:
        raise ObserveError(f"process {process.pid}, which observes, belongs to another user") from error
    if not wait_until(lambda: not process.alive, timeout_seconds=timeout_seconds):
        raise ObserveError(
            f"process {process.pid}, which observes, did not end within {timeout_seconds:g} s of SIGTERM"
        )


def _lines(reading: int, *, timeout_seconds: float) -> tuple[list[dict[str, Any]], bool]:
    """What the process tells, its pid and then one thing; whether it came to its end before the time was over."""
    text, ended = b"", False
    until = time.monotonic() + timeout_seconds
    while select.select([reading], [], [], max(0.0, until - time.monotonic()))[0]:
        piece = os.read(reading, 65536)
        if not piece:
            ended = True
            break
        text += piece
    return [json.loads(line) for line in text.decode().splitlines(keepends=True) if line.endswith("\n")], ended


def _leave(work: Work, writing: int) -> NoReturn:
    """The other process's life. It never returns: what the module registered for its own end must not run here.

    The working directory stays: a kubeconfig may be named from there, and is read again when credentials are renewed.
    """
    try:
        os.setsid()
        if os.fork() > 0:
            os._exit(0)
        _let_go(but=writing)
        pipe = os.fdopen(writing, "w", encoding="utf-8")

        def tell(document: Mapping[str, Any]) -> None:
            with contextlib.suppress(OSError, ValueError):  # who started us waits no longer
                pipe.write(json.dumps(document) + "\n")
                pipe.flush()
                if "pid" not in document:
                    pipe.close()

        tell({"pid": os.getpid()})
        try:
            asyncio.run(work(tell))
        except (ObserveError, ClusterError, ResultsError) as error:
            tell({"error": str(error)})
        except BaseException:
            tell({"error": f"a fault of observe: {traceback.format_exc()}"})
    finally:
        os._exit(0)


def _let_go(*, but: int) -> None:
    """Hold nothing of the task's: Ansible and sshd wait for whoever has their pipes, the lock for whoever has it."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    os.closerange(3, but)
    os.closerange(but + 1, os.sysconf("SC_OPEN_MAX"))
