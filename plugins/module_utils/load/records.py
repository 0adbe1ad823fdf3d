# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a batch writes: failures, finished Jobs, its measurements, and lines for people."""

from __future__ import annotations

from ..machine.progress import Progress, write_table
from ..measure.recorder import Recorder
from ..plan.fragment import Fragment
from ..results.table import WARN
from .failure_log import FailureLog
from .ledger import Ledger
from .measurements import MeasurementFile
from .opened import BatchSettings


class Records:
    """All of them; what has no path is not written. `total` is the number of objects."""

    def __init__(self, settings: BatchSettings, fragments: list[Fragment], *, total: int) -> None:
        roles = [fragment.role for fragment in fragments]
        self.recorder = Recorder(settings.results_dir)
        self.failures = FailureLog(self.recorder, state=settings.state)
        self.file = MeasurementFile(settings.results_dir, roles) if settings.results_dir else None
        self.ledger = Ledger(settings.ledger)
        self.lines = Progress(settings.progress, total=total, what="objects")
        self._progress = settings.progress

    def say(self, line: str) -> None:
        """Show a warning among the lines of progress, at once."""
        write_table(self._progress, [(line, WARN)])

    def close(self) -> None:
        """Close the files that stay open."""
        self.recorder.close()
        self.ledger.close()
