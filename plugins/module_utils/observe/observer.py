# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the parts of an observation during a load, and save what they have read regularly."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from ..cluster.errors import ClusterError
from ..measure.recorder import now_rfc3339
from ..results.folder import ResultsError, write_json
from .arguments import Intervals

SCHEMA = 1
FOLDER = "observations"
#: Seconds between writes of the file, so that little is lost if the run is killed.
_WRITE_SECONDS = 10.0
#: Time limit for all parts together before and after the load, so that they cannot hold it up.
_EDGE_SECONDS = 10.0
#: Rows per list in the module's result; the file has everything.
_RETURNED_ROWS = 10
_LARGE = frozenset({"series", "buckets", "histogram", "startup_histogram", "timeline", "p99_bucket_s"})


class ObservationFile:
    """One file of `results_dir`/observations, numbered in the order in which observers started."""

    def __init__(self, results_dir: Path, name: str) -> None:
        """Choose the path and create the folder. Raises ResultsError."""
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
    """The first keys of an observation. Times are RFC 3339; `finished` is None while it runs, or if it was killed."""
    return {
        "schema": SCHEMA,
        "run_id": run_id,
        "name": name,
        "started": started,
        "finished": finished,
        "interval": {"api_seconds": intervals.api_seconds, "node_seconds": intervals.node_seconds},
    }


def bounded(value: Any) -> Any:
    """An observation without series and histograms, and with the first rows of each list, for the module's result."""
    if isinstance(value, Mapping):
        return {key: bounded(entry) for key, entry in value.items() if key not in _LARGE}
    if isinstance(value, list):
        return [bounded(entry) for entry in value[:_RETURNED_ROWS]]
    return value


class Part(Protocol):
    """One source of figures. If it fails, the observation gets a warning; the load never fails.

    The observer calls `begin`, runs `run` until it cancels it, and calls `end`. `document` may be called at any time,
    also before `begin` has finished and after a failure.
    """

    #: What is missing and why, one line each, for the report.
    warnings: list[str]

    async def begin(self) -> None:
        """Read before the load. This delays the load: at most one round of requests with short timeouts."""

    async def run(self) -> None:
        """Read repeatedly until cancelled. May return at once."""

    async def end(self) -> None:
        """Read after the load. Called once, after `run` has ended, even if `begin` failed."""

    def document(self) -> dict[str, Any]:
        """The part's keys of the observation, ready for JSON: {"api_server": {…}}. Fast, no I/O."""


class Observer:
    """One observation. Without a file nothing is read.

    `warnings` are failures of the observer and its parts, one line each; what a part could not read and why is in its
    keys of the document.
    """

    def __init__(
        self,
        parts: Sequence[Part],
        *,
        run_id: str,
        name: str,
        intervals: Intervals,
        file: ObservationFile | None,
    ) -> None:
        self._parts = list(parts) if file is not None else []
        self._run_id = run_id
        self._name = name
        self._intervals = intervals
        self._file = file
        self._started = now_rfc3339()
        self._finished: str | None = None
        self.warnings: list[str] = []

    @contextlib.asynccontextmanager
    async def beside(self) -> AsyncIterator[None]:
        """Read before the block, while it runs, and after it. Failures in here do not affect the block."""
        if self._file is None:
            yield
            return
        await self._for_all("begin", _EDGE_SECONDS)
        self.write()
        tasks = [asyncio.create_task(self._guarded(part, "run")) for part in self._parts]
        tasks.append(asyncio.create_task(self._write_regularly()))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._for_all("end", _EDGE_SECONDS)
            self._finished = now_rfc3339()
            self.write()

    def document(self) -> dict[str, Any]:
        """The observation as it is now."""
        document = head(
            run_id=self._run_id,
            name=self._name,
            started=self._started,
            finished=self._finished,
            intervals=self._intervals,
        )
        for part in self._parts:
            try:
                document.update(part.document())
            except Exception as error:
                self._failed(part, "document", error)
        document["warnings"] = [*self.warnings, *(text for part in self._parts for text in part.warnings)]
        return document

    def write(self) -> None:
        """Write the observation; failure to do so is a warning."""
        if self._file is None:
            return
        try:
            self._file.write(self.document())
        except (ResultsError, TypeError, ValueError) as error:
            self._warn(f"the observation cannot be written: {error}")

    async def _write_regularly(self) -> None:
        while True:
            await asyncio.sleep(_WRITE_SECONDS)
            self.write()

    async def _for_all(self, step: str, seconds: float) -> None:
        await asyncio.gather(*(self._guarded(part, step, seconds=seconds) for part in self._parts))

    async def _guarded(self, part: Part, step: str, *, seconds: float | None = None) -> None:
        """Run one step of one part; its failure becomes a warning."""
        try:
            async with asyncio.timeout(seconds):
                await getattr(part, step)()
        except Exception as error:
            self._failed(part, step, error)

    def _failed(self, part: Part, step: str, error: Exception) -> None:
        if isinstance(error, TimeoutError) and step in ("begin", "end"):
            cause = f"no answer within {_EDGE_SECONDS:g} s"
        else:
            cause = str(error) if isinstance(error, ClusterError) else repr(error)
        self._warn(f"{type(part).__name__}.{step} failed, its figures may be incomplete: {cause}")

    def _warn(self, text: str) -> None:
        # A repeated failure is reported once.
        if text not in self.warnings:
            self.warnings.append(text)
