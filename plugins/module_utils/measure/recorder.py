# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Count every outcome, and write every failure to a file at once, so that none is lost."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

#: Failures returned to Ansible and kept in memory; all are in failures.jsonl.
KEPT_FAILURES = 20
#: Reason of what was not sent because something it needs has failed: an effect, whose cause is another failure.
DEPENDENCY_FAILED = "DependencyFailed"
#: Results by which the cluster is another than before.
_CHANGES = ("created", "patched", "deleted")


def now_rfc3339() -> str:
    """The current time, UTC, with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Recorder:
    """`folder` is where failures.jsonl goes; None keeps the first KEPT_FAILURES only."""

    def __init__(self, folder: Path | None) -> None:
        self.by_kind: dict[str, Counter[str]] = defaultdict(Counter)
        self.failures: Counter[str] = Counter()
        self.first_failures: list[dict[str, Any]] = []
        self.done = 0
        self._folder = folder
        self._file: TextIO | None = None

    def outcome(self, *, kind: str, result: str) -> None:
        """Count one operation that did not fail (`created`, `unchanged`, `patched`, `deleted`)."""
        self.done += 1
        self.by_kind[kind][result] += 1

    @property
    def changes(self) -> int:
        """Objects that were created, patched or deleted."""
        return sum(counts[result] for counts in self.by_kind.values() for result in _CHANGES)

    def failed_operation(self, *, kind: str) -> None:
        """Count one operation that failed; its details go to `failure`."""
        self.done += 1
        self.by_kind[kind]["failed"] += 1

    def failure(
        self,
        *,
        operation: str,
        kind: str,
        namespace: str,
        name: str,
        role: str,
        reason: str,
        message: str,
        attempts: int,
    ) -> None:
        """Write down one failure, whole."""
        entry = {
            "time": now_rfc3339(),
            "operation": operation,
            "kind": kind,
            "namespace": namespace,
            "name": name,
            "role": role,
            "reason": reason,
            "message": message,
            "attempts": attempts,
        }
        self.failures[reason] += 1
        # One failed namespace has thousands of effects, which would leave no room for other causes.
        if reason != DEPENDENCY_FAILED and len(self.first_failures) < KEPT_FAILURES:
            self.first_failures.append(entry)
        if self._folder is not None:
            if self._file is None:
                self._file = (self._folder / "failures.jsonl").open("a", encoding="utf-8")
            self._file.write(json.dumps(entry) + "\n")
            self._file.flush()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
