# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the parts side by side with a load, and keeps what they have read in a file that a killed process leaves."""

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


class Part(Protocol):
    """One source of figures. A fault in it is a warning in the observation, never the load's failure.

    The observer calls `begin`, lets `run` work until it cancels it, and calls `end`; `document` is asked at any time,
    also before `begin` is done and after a fault, for what a killed process is to leave behind.
    """

    #: What was left out and why, one line each, as a reader of the report is to see it.
    warnings: list[str]

    async def begin(self) -> None:
        """The reading before the load. It delays the load: one round of requests at most, no long answers awaited."""

    async def run(self) -> None:
        """Read again and again until cancelled. A part that needs nothing in between returns at once."""

    async def end(self) -> None:
        """The reading after the load. Called once, after `run` has ended, also where `begin` failed."""

    def document(self) -> dict[str, Any]:
        """Its keys of the observation, as JSON takes them: {"api_server": {…}}. Quick: no I/O."""


#: Seconds between two writings while the load works, so that a killed run keeps them.
_WRITE_SECONDS = 10.0
#: Seconds that all parts together may take for the reading before or after the load: what hangs must not hold it up.
_EDGE_SECONDS = 10.0


class Observer:
    """One observation. Without a file there is nobody to read it, and nothing is asked.

    `warnings` are the observer's own faults and those of its parts, one line each; what a part could not read and
    why is in its keys of the document.
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
        """Read before the block, while it runs, and after it. Whatever fails in here, the block does not."""
        if self._file is None:
            yield
            return
        await self._all("begin", _EDGE_SECONDS)
        self.write()
        tasks = [asyncio.create_task(self._guarded(part, "run")) for part in self._parts]
        tasks.append(asyncio.create_task(self._keep()))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._all("end", _EDGE_SECONDS)
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
                self._fault(part, "document", error)
        document["warnings"] = [*self.warnings, *(text for part in self._parts for text in part.warnings)]
        return document

    def write(self) -> None:
        """Write the observation; a file that cannot be written is a warning."""
        if self._file is None:
            return
        try:
            self._file.write(self.document())
        except (ResultsError, TypeError, ValueError) as error:
            self._warn(f"the observation is not written: {error}")

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(_WRITE_SECONDS)
            self.write()

    async def _all(self, step: str, seconds: float) -> None:
        await asyncio.gather(*(self._guarded(part, step, seconds=seconds) for part in self._parts))

    async def _guarded(self, part: Part, step: str, *, seconds: float | None = None) -> None:
        """One step of one part; its fault becomes a warning."""
        try:
            async with asyncio.timeout(seconds):
                await getattr(part, step)()
        except Exception as error:
            self._fault(part, step, error)

    def _fault(self, part: Part, step: str, error: Exception) -> None:
        if isinstance(error, TimeoutError) and step in ("begin", "end"):
            cause = f"no answer within {_EDGE_SECONDS:g} s"
        else:
            cause = str(error) if isinstance(error, ClusterError) else repr(error)
        self._warn(f"{type(part).__name__}.{step} failed, and its figures may be incomplete: {cause}")

    def _warn(self, text: str) -> None:
        # What fails every ten seconds is said once.
        if text not in self.warnings:
            self.warnings.append(text)
