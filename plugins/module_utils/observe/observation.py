# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The document that an observer leaves behind, and its file: numbered, named, rewritten whole."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..results.folder import ResultsError, write_json
from .arguments import Intervals

SCHEMA = 1
FOLDER = "observations"
#: Rows of a list that go back to Ansible; everything is in the file.
_RETURNED_ROWS = 10
_LARGE = frozenset({"series", "buckets", "histogram", "startup_histogram", "timeline", "p99_bucket_s"})


class ObservationFile:
    """One file of `results_dir`/observations, numbered in the order in which the observers began."""

    def __init__(self, results_dir: Path, name: str) -> None:
        """Choose the path; nothing but the folder is written. Raises ResultsError."""
        folder = results_dir / FOLDER
        try:
            folder.mkdir(parents=True, exist_ok=True)
            taken = [int(path.name[:3]) for path in folder.glob("[0-9][0-9][0-9]-*.json")]
        except OSError as error:
            raise ResultsError(f"cannot make the folder {folder}: {error.strerror or error}") from error
        self.path = folder / f"{max(taken, default=0) + 1:03d}-{name[:100]}.json"

    def write(self, document: Mapping[str, Any]) -> None:
        """Write the observation as it is now. Raises ResultsError."""
        write_json(self.path, document, compact=True)


def head(*, run_id: str, name: str, started: str, finished: str | None, intervals: Intervals) -> dict[str, Any]:
    """What stands before the parts' keys. Times are RFC 3339; `finished` None means at work, or killed."""
    return {
        "schema": SCHEMA,
        "run_id": run_id,
        "name": name,
        "started": started,
        "finished": finished,
        "interval": {"api_seconds": intervals.api_seconds, "node_seconds": intervals.node_seconds},
    }


def bounded(value: Any) -> Any:
    """An observation without series and histograms, and with the first rows of each list: what Ansible may hold."""
    if isinstance(value, Mapping):
        return {key: bounded(entry) for key, entry in value.items() if key not in _LARGE}
    if isinstance(value, list):
        return [bounded(entry) for entry in value[:_RETURNED_ROWS]]
    return value
