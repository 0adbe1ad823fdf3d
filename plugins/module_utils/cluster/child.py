# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a function in a short-lived child process, so that its memory and imports do not stay in this one."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable
from typing import Any

from .errors import ConfigurationError


async def run_in_child(function: Callable[[], Any]) -> Any:
    """Return what `function()` returns, after a round trip through JSON.

    A ConfigurationError is passed on. Any other exception is a bug and becomes a RuntimeError with the child's
    traceback. The child has its own temporary folder, which is removed when it ends.
    """
    if sys.platform == "darwin" or threading.active_count() > 1:
        # A fork copies locks that other threads hold, and macOS system libraries cannot be used after one.
        return await asyncio.to_thread(function)
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _child(function, writing)
    os.close(writing)
    try:
        answer = await _read_all(reading)
    finally:
        os.close(reading)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if not answer:
        raise ConfigurationError(f"the process that reads the kubeconfig ended without an answer (status {status})")
    document = json.loads(answer)
    if "refused" in document:
        raise ConfigurationError(document["refused"])
    if "fault" in document:
        raise RuntimeError(document["fault"])
    return document["result"]


def _child(function: Callable[[], Any], writing: int) -> None:
    """Run in the child. Never returns: exit handlers of the parent must not run here."""
    try:
        with tempfile.TemporaryDirectory(prefix="kubestress-") as folder:
            tempfile.tempdir = folder
            try:
                document = {"result": function()}
            except ConfigurationError as error:
                document = {"refused": str(error)}
            except BaseException:
                document = {"fault": traceback.format_exc()}
        with os.fdopen(writing, "w") as pipe:
            json.dump(document, pipe)
    finally:
        os._exit(0)


async def _read_all(descriptor: int) -> bytes:
    """Read until the other end is closed, without blocking the event loop."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()
    pieces: list[bytes] = []

    def readable() -> None:
        piece = os.read(descriptor, 65536)
        pieces.append(piece)
        if not piece and not ended.done():
            ended.set_result(None)

    loop.add_reader(descriptor, readable)
    try:
        await ended
    finally:
        loop.remove_reader(descriptor)
    return b"".join(pieces)
