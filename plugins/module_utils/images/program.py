# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a program that may take long: its lines are shown as they come, and it is ended with the play."""

from __future__ import annotations

import math
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..text import text_of
from .errors import BuildFailed
from .log import Log

#: How often is looked whether somebody still waits.
_LOOK_SECONDS = 1.0
#: A program that was told to end gets this long.
_GRACE_SECONDS = 10.0


@dataclass(frozen=True)
class Done:
    """How a program ended: its exit code, what it printed, and the lines that were shown."""

    code: int
    printed: str
    said: list[str]


def run_program(
    command: Sequence[str | Path],
    *,
    about: str,
    log: Log,
    environment: Mapping[str, str],
    folder: Path | None = None,
    show: Callable[[str], None],
    show_all: bool = False,
    seconds: float = math.inf,
) -> Done:
    """Run it to its end; `show` gets each line of standard error as it comes, with `show_all` of both streams.

    `about` is the image that messages name.

    :raises BuildFailed: if it cannot be started, or has not ended after so many seconds.
    :raises Interrupted: if the playbook is gone. However this ends, the program has ended too.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as printed:
        try:
            process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if show_all else printed,
                stderr=subprocess.STDOUT if show_all else subprocess.PIPE,
                env=dict(environment),
                cwd=folder,
                encoding="utf-8",
                errors="replace",
            )
        except OSError as error:
            raise BuildFailed(f"{command[0]} cannot be started: {error.strerror or error}") from error
        said: list[str] = []
        stream = process.stdout if show_all else process.stderr
        reader = threading.Thread(target=_read, args=(stream, said, show), daemon=True)
        reader.start()
        _wait(process, log, seconds, about=f"{about}: {Path(command[0]).name} {command[1]}")
        reader.join()
        printed.seek(0)
        return Done(process.returncode, printed.read(), said)


def _read(stream: Any, said: list[str], show: Callable[[str], None]) -> None:
    for line in stream:
        if text := line.rstrip():
            said.append(text)
            show(text)


def _wait(process: subprocess.Popen[Any], log: Log, seconds: float, *, about: str) -> None:
    until = time.monotonic() + seconds
    try:
        while True:
            try:
                process.wait(_LOOK_SECONDS)
                return
            except subprocess.TimeoutExpired:
                log.raise_if_abandoned()
            if time.monotonic() > until:
                raise BuildFailed(f"{about} has not ended after {text_of(seconds, 'seconds')}")
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(_GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
