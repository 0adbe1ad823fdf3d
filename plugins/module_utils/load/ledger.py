# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs that came to their end, on disk: finished Jobs vanish after their TTL, and are neither lost nor made again."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO


@dataclass(frozen=True, slots=True)
class FinishedJob:
    """A Job in Complete or Failed. `succeeded` and `failed` count its pods. `namespace_uid` tells this namespace from
    a later one of the same name, after a cleanup."""

    namespace: str
    namespace_uid: str
    name: str
    complete: bool
    succeeded: int
    failed: int
    cause: str = ""


class Ledger:
    """Append-only, one JSON line a Job; a half-written last line, after a crash, is passed over."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: TextIO | None = None
        self._known: dict[tuple[str, str], FinishedJob] = {}
        if path is not None and path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                try:
                    job = FinishedJob(**json.loads(line))
                except (ValueError, TypeError):
                    continue
                self._known[job.namespace_uid, job.name] = job

    def find(self, namespace_uid: str, name: str) -> FinishedJob | None:
        """The Job as it ended, if it did."""
        return self._known.get((namespace_uid, name))

    def add(self, job: FinishedJob) -> None:
        """Write it down, once."""
        key = (job.namespace_uid, job.name)
        if self._path is None or key in self._known:
            return
        self._known[key] = job
        if self._file is None:
            self._file = self._path.open("a", encoding="utf-8")
        self._file.write(json.dumps(asdict(job)) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
