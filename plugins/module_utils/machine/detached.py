# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A background process that outlives the task, and that later tasks find by its pid and start time."""

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

from ..errors import KubestressError
from .process import Process
from .sync import wait_until

#: Sends a JSON object to the process that started this one. The first call ends that process's wait.
Report = Callable[[Mapping[str, Any]], None]
Work = Callable[[Report], Coroutine[Any, Any, None]]


class DetachedError(KubestressError):
    """A background process did not begin or does not end, or what is known of it cannot be read."""


@dataclass(frozen=True, kw_only=True)
class Started:
    """A started process, the file that it writes, and its options without secrets."""

    process: Process
    path: str
    settings: dict[str, Any]

    def save(self, file: Path) -> None:
        """Write it to a file, whole or not at all. Raises DetachedError."""
        beside = file.with_name(f"{file.name}.tmp")
        try:
            beside.write_text(json.dumps(asdict(self)), encoding="utf-8")
            beside.replace(file)
        except OSError as error:
            raise DetachedError(f"cannot write {file}: {error.strerror}") from error

    @classmethod
    def load(cls, file: Path) -> Started | None:
        """What `save` wrote, or None if there is no file. Raises DetachedError if the file has something else."""
        try:
            document = json.loads(file.read_text(encoding="utf-8"))
            return cls(
                process=Process(**document["process"]), path=document["path"], settings=dict(document["settings"])
            )
        except FileNotFoundError:
            return None
        except OSError as error:
            raise DetachedError(f"cannot read {file}: {error.strerror}") from error
        except (KeyError, TypeError, ValueError) as error:
            raise DetachedError(f"{file} does not tell of a background process: {error!r}") from error


def start(work: Work, what: str, *, timeout_seconds: float) -> tuple[Process, dict[str, Any]]:
    """Run `work` in a background process; returns the process and its first report.

    `what` is its name in messages, such as "observation". Raises DetachedError with the error of `work`, or if it
    reports nothing in time; the process is then killed.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _run_detached(work, writing)
    os.close(writing)
    os.waitpid(child, 0)
    try:
        lines, ended = _lines(reading, timeout_seconds=timeout_seconds)
    finally:
        os.close(reading)
    process = Process.of(lines[0]["pid"]) if lines else None
    if len(lines) > 1 and "error" in lines[1]:
        raise DetachedError(lines[1]["error"])
    if process is not None and not ended:
        process.send(signal.SIGKILL)
        raise DetachedError(f"the {what} did not start within {timeout_seconds:g} s")
    if process is None or len(lines) < 2:
        raise DetachedError(f"the process of the {what} ended at once without an error message")
    return process, lines[1]


def stop(process: Process, *, timeout_seconds: float) -> None:
    """End the process with SIGTERM. Raises DetachedError if that is not permitted, or if it does not end."""
    try:
        process.send(signal.SIGTERM)
    except PermissionError as error:
        raise DetachedError(f"process {process.pid} belongs to another user") from error
    if not wait_until(lambda: not process.alive, timeout_seconds=timeout_seconds):
        raise DetachedError(f"process {process.pid} did not end within {timeout_seconds:g} s of SIGTERM")


def _lines(reading: int, *, timeout_seconds: float) -> tuple[list[dict[str, Any]], bool]:
    """The process's reports (its pid, then one more), and whether it closed the pipe before the time was over."""
    text, ended = b"", False
    until = time.monotonic() + timeout_seconds
    while select.select([reading], [], [], max(0.0, until - time.monotonic()))[0]:
        piece = os.read(reading, 65536)
        if not piece:
            ended = True
            break
        text += piece
    return [json.loads(line) for line in text.decode().splitlines(keepends=True) if line.endswith("\n")], ended


def _run_detached(work: Work, writing: int) -> NoReturn:
    """Run in the background process. Never returns: exit handlers of the module must not run here.

    The working directory stays the same: the path of the kubeconfig, which is read again for new credentials, may be
    relative to it.
    """
    try:
        os.setsid()
        if os.fork() > 0:
            os._exit(0)
        _release_resources(keep=writing)
        pipe = os.fdopen(writing, "w", encoding="utf-8")

        def report(document: Mapping[str, Any]) -> None:
            with contextlib.suppress(OSError, ValueError):  # the starting process no longer waits
                pipe.write(json.dumps(document) + "\n")
                pipe.flush()
                if "pid" not in document:
                    pipe.close()

        report({"pid": os.getpid()})
        try:
            asyncio.run(work(report))
        except KubestressError as error:
            report({"error": str(error)})
        except BaseException:
            report({"error": f"a bug: {traceback.format_exc()}"})
    finally:
        os._exit(0)


def _release_resources(*, keep: int) -> None:
    """Close the task's files: Ansible and sshd would wait for their pipes, and the lock would stay held."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    os.closerange(3, keep)
    os.closerange(keep + 1, os.sysconf("SC_OPEN_MAX"))
