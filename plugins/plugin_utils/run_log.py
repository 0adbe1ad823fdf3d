# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The run's log: what the screen showed, with times, in a file that outlives the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


@dataclass(frozen=True, kw_only=True)
class RunLog:
    """A file to which lines are added. `least` is the least severe of LEVELS that is written."""

    path: Path
    least: str

    @classmethod
    def of_play(cls, task_vars: Mapping[str, Any]) -> RunLog | None:
        """The log of the run that the play is at, by the facts of the role run; None if it is at none."""
        run, settings = task_vars.get("kubestress_run"), task_vars.get("kubestress_settings")
        if not isinstance(run, Mapping) or not isinstance(settings, Mapping):
            return None
        return cls(path=Path(run["log_file"]), least=settings["run_log_level"])

    def add(self, level: str, lines: Iterable[str]) -> None:
        """Add lines with time and level, if the level is written. Raises OSError; the folder is made if need be."""
        if LEVELS.index(level) < LEVELS.index(self.least):
            return
        path = self.path.expanduser()
        path.parent.mkdir(parents=True, exist_ok=True)
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        with path.open("a", encoding="utf-8") as file:
            file.writelines(f"{now} {level} {line}\n" for line in lines)
