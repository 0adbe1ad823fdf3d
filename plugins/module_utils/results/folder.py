# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The results folder of a run, and how its files are written: a reader never sees half a file.

    RESULTS_DIR/RUN_ID/
        run.json  summary.json  timeline.json  failures.jsonl  report.html  junit.xml  metrics.prom
                                                    copies from the newest attempt
        attempts/1/  attempts/2/ …                  one complete folder per attempt:
            the same, plus  run.log  batches/*.json  observations/*.json

Even the first attempt has its own folder, so a second one never overwrites its results.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import KubestressError

#: Attempt numbers tried before giving up; so many mean a mistake, such as a fixed run id in a cron job.
_MAX_ATTEMPTS = 10_000


class ResultsError(KubestressError):
    """A results file cannot be read or written. The message is one line with path and cause."""


@dataclass(frozen=True, kw_only=True)
class RunFolder:
    """The folder of one attempt of one run. `root` is RESULTS_DIR/RUN_ID, absolute."""

    root: Path
    attempt: int

    @classmethod
    def of_attempt(cls, attempt_dir: str | Path) -> RunFolder:
        """The attempt in `attempt_dir`. Raises ResultsError if the path is not …/attempts/NUMBER."""
        path = Path(attempt_dir)
        if path.parent.name != "attempts" or not path.name.isdecimal():
            raise ResultsError(f"{path} is not the folder of an attempt (…/RUN_ID/attempts/NUMBER)")
        return cls(root=path.parent.parent, attempt=int(path.name))

    @property
    def attempt_dir(self) -> Path:
        """The folder that this attempt writes to."""
        return self.root / "attempts" / str(self.attempt)

    @property
    def batches_dir(self) -> Path:
        """Measurements, one file per batch."""
        return self.attempt_dir / "batches"

    @property
    def observations_dir(self) -> Path:
        """Readings of API server and nodes, one file per observer."""
        return self.attempt_dir / "observations"

    @property
    def failures_file(self) -> Path:
        """Every failure in full, one JSON document per line."""
        return self.attempt_dir / "failures.jsonl"

    @property
    def log_file(self) -> Path:
        """The run's log, unless the setting run_log_file names another."""
        return self.attempt_dir / "run.log"

    def write_run(self, document: dict[str, Any]) -> None:
        """Write run.json for this attempt and at the top of the run. Raises ResultsError."""
        self.write_report("run.json", document)

    def update_run(self, **entries: Any) -> None:
        """Add or replace entries of run.json. Raises ResultsError, also if run.json does not exist yet."""
        self.write_run({**self.read_run(), **entries})

    def read_run(self) -> dict[str, Any]:
        """run.json of this attempt. Raises ResultsError."""
        path = self.attempt_dir / "run.json"
        if not path.exists():
            raise ResultsError(
                f"{self.attempt_dir} has no run.json; the role kubestress.core.run writes it when an attempt begins, "
                "a batch alone does not"
            )
        return read_json(path)

    def write_summary(self, document: dict[str, Any]) -> Path:
        """Write summary.json for this attempt and at the top, and copy failures.jsonl to the top.

        An attempt without a failure gets an empty failures.jsonl. Returns the path to show. Raises ResultsError.
        """
        path = self.write_report("summary.json", document)
        try:
            self.failures_file.touch()
        except OSError as error:
            raise _cannot("write", self.failures_file, error) from error
        if path.parent != self.root:
            return path
        top = self.root / self.failures_file.name
        try:
            temporary = _beside(top)
            shutil.copyfile(self.failures_file, temporary)
            temporary.replace(top)
        except OSError as error:
            raise _cannot("write", top, error) from error
        return path

    def write_report(self, name: str, content: Mapping[str, Any] | str) -> Path:
        """Write a file of this attempt, JSON or text; for the newest attempt, also at the top of the run.

        Returns the path at the top, or in the attempt's folder if there is a newer attempt. Raises ResultsError.
        """
        paths = [self.attempt_dir / name, *([self.root / name] if self.is_newest else [])]
        for path in paths:
            if isinstance(content, str):
                write_text(path, content)
            else:
                write_json(path, content)
        return paths[-1]

    def drop_stale(self, name: str) -> None:
        """Remove a report at the top that the newest attempt did not make: it is from an earlier one.

        Raises ResultsError.
        """
        top = self.root / name
        try:
            if self.is_newest and not (self.attempt_dir / name).exists():
                top.unlink(missing_ok=True)
        except OSError as error:
            raise _cannot("remove", top, error) from error

    @property
    def is_newest(self) -> bool:
        """Whether the run has no later attempt. Raises ResultsError."""
        return self.attempt >= max(attempts_of(self.root), default=self.attempt)


def attempts_of(root: Path) -> list[int]:
    """Attempt numbers of the run in `root`, ascending. Raises ResultsError."""
    folder = root / "attempts"
    try:
        return sorted(int(path.name) for path in folder.iterdir() if path.name.isdecimal()) if folder.exists() else []
    except OSError as error:
        raise _cannot("read", folder, error) from error


def runs_in(results_dir: Path) -> list[str]:
    """Ids of the runs in the folder, newest first. Raises ResultsError."""
    try:
        found = [path for path in results_dir.iterdir() if (path / "attempts").is_dir()]
        return [path.name for path in sorted(found, key=lambda path: (-path.stat().st_mtime, path.name))]
    except OSError as error:
        raise _cannot("read", results_dir, error) from error


def next_attempt(results_dir: str | Path, run_id: str, *, create: bool = True) -> RunFolder:
    """The next attempt of a run: 1 for a new run id, else one more than the last.

    With `create`, its folders are created; two runs that start at once get different numbers. Without, nothing is
    written, as in check mode. `~` in `results_dir` is expanded. Raises ResultsError.
    """
    root = Path(os.path.abspath(Path(results_dir).expanduser())) / run_id
    attempts = root / "attempts"
    try:
        number = max(attempts_of(root), default=0) + 1
        if not create:
            return RunFolder(root=root, attempt=number)
        attempts.mkdir(parents=True, exist_ok=True)
        for candidate in range(number, number + _MAX_ATTEMPTS):
            with contextlib.suppress(FileExistsError):
                (attempts / str(candidate)).mkdir()
                folder = RunFolder(root=root, attempt=candidate)
                folder.batches_dir.mkdir()
                return folder
    except OSError as error:
        raise _cannot("create the results folder", root, error) from error
    raise ResultsError(f"no free attempt number under {attempts}")


def write_json(path: Path, document: Any, *, compact: bool = False) -> None:
    """Write a JSON document; even after a crash, `path` has either its old or its new content.

    `compact` writes one line. Use it while a load runs: indented JSON takes Python ten times as long to produce.
    Raises ResultsError naming path and cause.
    """
    if compact:
        text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    else:
        text = json.dumps(document, indent=2, ensure_ascii=False)
    write_text(path, text + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text file in the same way. Raises ResultsError naming path and cause."""
    temporary = _beside(path)
    try:
        # A lone surrogate is valid in JSON but not in UTF-8. It must not lose us the file.
        with temporary.open("w", encoding="utf-8", errors="replace") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise _cannot("write", path, error) from error


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object. Raises ResultsError if the file is missing, broken or not an object."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _cannot("read", path, error) from error
    except ValueError as error:
        raise ResultsError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(document, dict):
        raise ResultsError(f"{path} is not a JSON object")
    return document


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def _cannot(what: str, path: Path, error: OSError) -> ResultsError:
    return ResultsError(f"cannot {what} {path}: {error.strerror or error}")
