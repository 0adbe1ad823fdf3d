# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Begins and ends the process that writes a run's page while the run goes on.

The process belongs to a playbook. It is a Python of its own, in a session of its own: Ansible removes no code under it,
Ctrl-C does not end it before it has written how the run ended, and nothing of it is in the load's own process. It ends
by itself once its playbook is gone, and is ended by the playbook's report, which writes the last page.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ansible_collections.kubestress.core.plugins.module_utils.machine.process import Process
from ansible_collections.kubestress.core.plugins.module_utils.machine.sync import wait_until
from ansible_collections.kubestress.core.plugins.module_utils.results.folder import (
    ResultsError,
    RunFolder,
    read_json,
    write_json,
)
from ansible_collections.kubestress.core.plugins.plugin_utils.playbook import playbook_process

#: Identifies the process, and the playbook that it belongs to; in the attempt's folder.
STATE_FILE = ".live.process"
#: Seconds for the process to end.
_END_SECONDS = 10.0
#: Ansible's own loader of collections takes a second to import, and nothing here needs it: the collection's folder is
#: named to Python, first of all places, since a package `ansible_collections` may be installed beside ansible-core.
_BOOT = """
import sys, types
package = sys.modules["ansible_collections"] = types.ModuleType("ansible_collections")
package.__path__ = [sys.argv[1]]
from ansible_collections.kubestress.core.plugins.plugin_utils.live.writer import main
main(sys.argv[2])
"""


def begin(folder: RunFolder, *, log_file: str, log_level: str, report_command: str) -> Process | None:
    """Start the process for an attempt; None where no playbook runs this, whose end would end the process.

    `report_command` makes the report of the run, and stands on the page. Raises ResultsError if it cannot be started.
    """
    playbook = playbook_process()
    if playbook is None:
        return None
    arguments = {
        "attempt_dir": str(folder.attempt_dir),
        "playbook": asdict(playbook),
        "log_file": log_file,
        "log_level": log_level,
        "report_command": report_command,
    }
    collections = str(Path(__file__).parents[5])
    # No byte code is written into an installed collection; -P: no file in the working directory is taken for a module.
    command = [sys.executable, "-P", "-B", "-c", _BOOT, collections, json.dumps(arguments)]
    try:
        # What Python itself has to say, such as a traceback, is in the log.
        with Path(log_file).expanduser().open("ab") as log:
            started = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
    except OSError as error:
        raise ResultsError(f"the page cannot be written while the run goes on: {error.strerror or error}") from error
    process = Process.of(started.pid)
    if process is not None:
        try:
            write_json(folder.attempt_dir / STATE_FILE, {"process": asdict(process), "playbook": asdict(playbook)})
        except ResultsError:
            process.send(signal.SIGKILL)  # without the file the report could not end it
            raise
    return process


def end(folder: RunFolder) -> None:
    """End the process of an attempt, unless another playbook, which still runs, is going to write the last page.

    Raises ResultsError if it cannot be ended.
    """
    path = folder.attempt_dir / STATE_FILE
    known = _known(path)
    if known is None:
        return
    process, playbook = known
    if playbook.alive and playbook != (playbook_process() or Process.of(os.getpid())):
        return
    try:
        # Pages are renamed into their place, so it may end at any moment.
        process.send(signal.SIGTERM)
        if not wait_until(lambda: not process.alive, timeout_seconds=_END_SECONDS):
            process.send(signal.SIGKILL)
            if not wait_until(lambda: not process.alive, timeout_seconds=_END_SECONDS):
                raise ResultsError(f"process {process.pid}, which writes the page, did not end")
        for place in (folder.root, folder.attempt_dir):
            for half in place.glob(f".report.html.{process.pid}.tmp"):
                half.unlink(missing_ok=True)
        path.unlink(missing_ok=True)
    except OSError as error:
        raise ResultsError(
            f"process {process.pid}, which writes the page, cannot be ended: {error.strerror}"
        ) from error


def _known(path: Path) -> tuple[Process, Process] | None:
    """The process and its playbook; None without a file. Raises ResultsError if the file has something else."""
    if not path.exists():
        return None
    document: dict[str, Any] = read_json(path)
    try:
        return Process(**document["process"]), Process(**document["playbook"])
    except (KeyError, TypeError) as error:
        raise ResultsError(f"{path} was not written by a run: {error!r}") from error
