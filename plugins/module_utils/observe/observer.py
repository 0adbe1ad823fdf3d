# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the parts side by side with a load, and keeps what they have read in a file that a killed process leaves."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

from ..cluster.errors import ClusterError
from ..measure.recorder import now_rfc3339
from ..results.folder import ResultsError
from .arguments import Intervals
from .observation import ObservationFile, head
from .part import Part

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
