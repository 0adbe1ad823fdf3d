# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a run's page again and again, in a process of its own, until the playbook is gone."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ansible_collections.kubestress.core.plugins.module_utils.machine.process import Process
from ansible_collections.kubestress.core.plugins.module_utils.results.evidence import (
    Evidence,
    batch_files,
    read_evidence,
)
from ansible_collections.kubestress.core.plugins.module_utils.results.folder import ResultsError, RunFolder
from ansible_collections.kubestress.core.plugins.module_utils.results.summary import build_summary
from ansible_collections.kubestress.core.plugins.module_utils.results.timeline import build_timeline
from ansible_collections.kubestress.core.plugins.plugin_utils.page.live import Live
from ansible_collections.kubestress.core.plugins.plugin_utils.page.render import render_page
from ansible_collections.kubestress.core.plugins.plugin_utils.run_log import RunLog

from .process import STATE_FILE

PAGE = "report.html"
#: Seconds between two writings; while a run begins, when a wrong one is best stopped, less.
_PAUSE_SECONDS = 10.0
_FIRST_PAUSE_SECONDS = 2.0
_FIRST_SECONDS = 20.0
#: Of one core: a page that takes long to make is written less often.
_MOST_SHARE = 0.01
#: Seconds between two looks whether the playbook still runs.
_LOOK_SECONDS = 1.0
#: Seconds after the playbook's end for what it started to write its own end: a batch ends within seconds, and writes
#: its measurements every ten seconds until then.
_LAST_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What the page is about: the attempt, the playbook whose run it is, and the command for its report."""

    folder: RunFolder
    playbook: Process
    report_command: str

    @property
    def otherwise(self) -> str:
        """What to do if the run ended without a report."""
        return f"Its report is made by: {self.report_command}"


def main(text: str) -> None:
    """The process's work; `text` is the JSON that live.process.begin gives it."""
    arguments = json.loads(text)
    # The load, and everything else on this machine, goes first.
    os.nice(19)
    subject = Subject(
        folder=RunFolder.of_attempt(arguments["attempt_dir"]),
        playbook=Process(**arguments["playbook"]),
        report_command=arguments["report_command"],
    )
    Writer(subject, RunLog(path=Path(arguments["log_file"]), least=arguments["log_level"])).run()


class Writer:
    """`sleep` waits for some seconds; tests have their own."""

    def __init__(self, subject: Subject, log: RunLog, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._subject, self._log, self._sleep = subject, log, sleep
        self._began = time.monotonic()
        self._told: set[str] = set()

    def run(self) -> None:
        """Write pages until the playbook is gone, and then how the run was left. The playbook's report ends it too."""
        pause = _FIRST_PAUSE_SECONDS
        while self._subject.folder.attempt_dir.is_dir():
            used = time.process_time()
            self._try(lambda every=pause: self.write(every))  # type: ignore[misc]
            pause = self._pause(time.process_time() - used)
            if self._is_over_within(pause):
                self._await_ends()
                self._try(self.write_last)
                (self._subject.folder.attempt_dir / STATE_FILE).unlink(missing_ok=True)
                return

    def write(self, every_seconds: float) -> None:
        """Write the page as of now. Raises ResultsError."""
        evidence = read_evidence(self._subject.folder)
        text = render_page(
            summary=build_summary(evidence, running=True),
            timeline=build_timeline(evidence),
            run=evidence.run,
            live=Live(
                written=datetime.now(UTC).isoformat(timespec="seconds"),
                every_seconds=every_seconds,
                what="run",
                otherwise=self._subject.otherwise,
            ),
            at_work=_is_at_work(evidence),
        )
        self._subject.folder.write_report(PAGE, text)

    def write_last(self) -> None:
        """Write how the run was left, with the verdict that follows from its files. Raises ResultsError."""
        evidence = read_evidence(self._subject.folder)
        text = render_page(
            summary=build_summary(evidence),
            timeline=build_timeline(evidence),
            run=evidence.run,
            note="The playbook ended before it made its report, and this page shows what was on disk then. "
            f"{self._subject.otherwise}",
        )
        self._subject.folder.write_report(PAGE, text)

    def _try(self, write: Callable[[], None]) -> None:
        """Write; on an error, put it into the run's log, each one once, and go on: the next time may be better."""
        try:
            write()
        except ResultsError as error:
            self._tell(str(error))
        except Exception as error:  # a fault of the page must not end what would show the verdict
            self._tell(f"the page could not be made: {error!r}")

    def _tell(self, problem: str) -> None:
        if problem not in self._told:
            self._told.add(problem)
            self._log.add("WARNING", [f"report_live: {' '.join(problem.split())}"])

    def _pause(self, used_seconds: float) -> float:
        is_young = time.monotonic() - self._began < _FIRST_SECONDS
        return max(_FIRST_PAUSE_SECONDS if is_young else _PAUSE_SECONDS, used_seconds / _MOST_SHARE)

    def _is_over_within(self, seconds: float) -> bool:
        """Wait, and say whether the playbook was gone meanwhile."""
        until = time.monotonic() + seconds
        while self._subject.playbook.alive:
            left = until - time.monotonic()
            if left <= 0:
                return False
            self._sleep(min(_LOOK_SECONDS, left))
        return True

    def _await_ends(self) -> None:
        """Until no batch is at work any more, or all have written nothing for a while: they were killed as well."""
        folder = self._subject.folder
        while True:
            try:
                evidence = read_evidence(folder)
            except ResultsError:
                return
            if not _is_at_work(evidence) or time.time() - _last_written(folder) > _LAST_SECONDS:
                return
            self._sleep(_LOOK_SECONDS)


def _is_at_work(evidence: Evidence) -> bool:
    return any(not batch.get("finished") for batch in evidence.batches)


def _last_written(folder: RunFolder) -> float:
    return max((path.stat().st_mtime for path in batch_files(folder.attempt_dir)), default=0.0)
