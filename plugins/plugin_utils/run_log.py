# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The log file of a run: the lines shown on screen, with time and level."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible_collections.kubestress.core.plugins.module_utils.results.verdict import failure_line

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


def cannot_log(log: RunLog, error: OSError) -> str:
    """The warning for a log that cannot be written any more."""
    return f"cannot write to the log {log.path} (run_log_file) any more: {error.strerror or error}"


@dataclass(frozen=True, kw_only=True)
class RunLog:
    """A log file. `least` is the lowest of LEVELS that is written."""

    path: Path
    least: str

    @classmethod
    def of_play(cls, task_vars: Mapping[str, Any]) -> RunLog | None:
        """The log of the current run, from the facts that the role run sets; None without a run, or without files."""
        run, settings = task_vars.get("kubestress_run"), task_vars.get("kubestress_settings")
        if not isinstance(run, Mapping) or not isinstance(settings, Mapping) or not run["log_file"]:
            return None
        return cls(path=Path(run["log_file"]), least=settings["run_log_level"])

    def add_failures(self, result: Mapping[str, Any]) -> None:
        """Add what went wrong in a module, by its result, as errors. Raises OSError."""
        rows = result.get("first_failures") or ()
        lines = [" ".join(failure_line(row).split()) for row in rows]
        more = (result.get("failures") or {}).get("total", 0) - len(lines)
        if lines and more > 0:
            lines.append(f"and {more:,} more failures, all in failures.jsonl")
        if result.get("failed"):
            lines += str(result.get("msg") or "failed, without a message").splitlines()
        if lines:
            self.add("ERROR", lines)

    def add(self, level: str, lines: Iterable[str]) -> None:
        """Add lines with time and level unless the level is too low. Creates the folder. Raises OSError."""
        if LEVELS.index(level) < LEVELS.index(self.least):
            return
        path = self.path.expanduser()
        path.parent.mkdir(parents=True, exist_ok=True)
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        with path.open("a", encoding="utf-8") as file:
            file.writelines(f"{now} {level} {line}\n" for line in lines)
