# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what an attempt left on disk: the measurements of batches and observers, complete, partial or broken.

Also notes in a batch's measurements why it was cut short, where the batch itself no longer could.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .folder import ResultsError, RunFolder, read_json, write_json

SCHEMA = 1
#: In `aborted` of measurements that were written while the batch worked.
STILL_AT_WORK = "still at work when this was written"
#: Keys that every file of measurements has; others may be missing if the writer was killed.
_MUST_HAVE = ("schema", "started")

Document = Mapping[str, Any]


@dataclass(kw_only=True)
class Evidence:
    """Documents in order of their start, and one line for each that is missing or incomplete.

    Lines in `stopped` make the run aborted; lines in `doubts` only limit the trust in its figures.
    `last_written`: RFC 3339, when the newest file was written.
    """

    run: Document
    batches: list[Document] = field(default_factory=list)
    observations: list[Document] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    last_written: str | None = None

    @property
    def loads(self) -> list[Document]:
        """Documents about pods and Jobs: the batches, or, if there are none, the observers that watched pods."""
        return self.batches or [one for one in self.observations if one.get("pods") or one.get("jobs")]


def read_evidence(folder: RunFolder) -> Evidence:
    """Everything of one attempt. Raises ResultsError only for run.json: without it nothing is known."""
    evidence = Evidence(run=folder.read_run())
    batch_paths = batch_files(folder.attempt_dir)
    observation_paths = sorted(folder.observations_dir.glob("*.json"))
    evidence.batches = _read(batch_paths, evidence.stopped)
    for batch in evidence.batches:
        if not batch.get("finished"):
            cause = batch.get("aborted") or STILL_AT_WORK
            why = "the batch did not finish" if cause == STILL_AT_WORK else cause
            evidence.stopped.append(f"{roles_of(batch)}: {why}; its measurements up to then are included")
    # Without batches, an observer that was cut short means that the run was cut short.
    lines = evidence.doubts if batch_paths else evidence.stopped
    evidence.observations = _read(observation_paths, lines)
    lines += [
        f"observation {one.get('name')}: did not finish; its readings up to then are included"
        for one in evidence.observations
        if not one.get("finished")
    ]
    if not batch_paths and not observation_paths:
        evidence.stopped.append(
            f"no batch left measurements in {folder.batches_dir}: the run ended before its first batch"
        )
    evidence.last_written = _newest([*batch_paths, *observation_paths])
    return evidence


def batch_files(results_dir: Path) -> list[Path]:
    """The files of measurements below a batch's results_dir, in the order of the batches."""
    return sorted((results_dir / "batches").glob("*.json"))


def mark_cut_short(results_dir: Path, cause: str, *, except_for: Collection[Path]) -> list[Path]:
    """Put the cause into the measurements of batches that were at work when they last wrote; returns those files.

    `except_for`: files of batches before the one that was cut short. Raises ResultsError.
    """
    marked = []
    for path in batch_files(results_dir):
        if path in except_for:
            continue
        document = read_json(path)
        if not document.get("finished"):
            write_json(path, {**document, "aborted": cause})
            marked.append(path)
    return marked


def _read(paths: list[Path], lines: list[str]) -> list[Document]:
    documents = []
    for path in paths:
        try:
            document = read_json(path)
        except ResultsError as error:
            lines.append(f"measurements are lost: {error}")
            continue
        if any(key not in document for key in _MUST_HAVE) or document["schema"] != SCHEMA:
            lines.append(f"measurements are lost: {path} does not have schema {SCHEMA}")
            continue
        documents.append(document)
    return sorted(documents, key=lambda document: str(document["started"]))


def _newest(paths: list[Path]) -> str | None:
    try:
        seconds = max((path.stat().st_mtime for path in paths), default=None)
    except OSError:
        return None  # a file was removed in the meantime; only the run's end time depends on it
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def roles_of(batch: Document) -> str:
    """The roles of a batch, as text."""
    return ", ".join(batch.get("roles") or ()) or "batch"
