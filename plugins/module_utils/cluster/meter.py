# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures a batch from the client's side: every attempt as it ends, and the client itself.

It stands in the way of every request, so what happens per attempt is a logarithm and a few additions, 2 microseconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

from ..measure.client import ClientLoad, PodCounts, Timeline
from ..measure.latency import Attempts, bucket_of
from ..measure.recorder import now_rfc3339
from .client import Traffic

#: Seconds between two looks at the event loop's lag; ten a second cost less than a thousandth of a core.
_LOOK_SECONDS = 0.1


def _cores() -> int:
    """How many cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Meter(Traffic):
    """The Traffic of a Cluster that also keeps latencies, the timeline and the client's own load.

    `pod_counts` may be set once pods are watched; until then their series have nothing. `full_seconds` is for how long
    as many requests were in flight as are allowed: the time in which our own cap may have held the server's load down.
    """

    def __init__(self, *, max_in_flight: int) -> None:
        super().__init__()
        now = time.monotonic()
        self.started = now_rfc3339()
        self.attempts = Attempts()
        self.pod_counts: PodCounts = lambda: None
        self.full_seconds = 0.0
        self._max_in_flight = max_in_flight
        self._full_since = 0.0
        self._timeline = Timeline(now, cpu_seconds=time.process_time, pod_counts=self._pods)
        self._client = ClientLoad(now, cpu_seconds=time.process_time, cores=_cores())

    def _pods(self) -> Mapping[str, int] | None:
        return self.pod_counts()

    def begin(self) -> float:
        """A request goes out."""
        now = super().begin()
        if self.in_flight == self._max_in_flight:
            self._full_since = now
        self._timeline.began(self.in_flight)
        return now

    def end(self, sent: float, failure: str | None = None, measured_as: tuple[str, str] | None = None) -> float:
        """Its answer, or its failure, is in."""
        seconds = super().end(sent, failure)
        now = sent + seconds
        if self.in_flight == self._max_in_flight - 1:
            self.full_seconds += now - self._full_since
        bucket = bucket_of(seconds)
        self._timeline.ended(now, bucket, self.in_flight, failed=failure is not None)
        if measured_as is not None:
            self.attempts.add(measured_as, bucket, seconds, failed=failure is not None)
        return seconds

    def retry(self, cause: str) -> None:
        """The same request will go out again."""
        super().retry(cause)
        self._timeline.retried(time.monotonic())

    @contextlib.asynccontextmanager
    async def beside(self) -> AsyncIterator[None]:
        """Look at the event loop and keep the timeline's pace while the block runs."""
        task = asyncio.create_task(self._look())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _look(self) -> None:
        while True:
            due = time.monotonic() + _LOOK_SECONDS
            await asyncio.sleep(_LOOK_SECONDS)
            now = time.monotonic()
            self._timeline.advance(now)
            self._client.sample(now, lag_seconds=now - due)

    def client(self) -> dict[str, Any]:
        """`client` of the measurements, as of ClientLoad.figures."""
        return self._client.figures(time.monotonic())

    def timeline(self) -> dict[str, Any]:
        """`timeline` of the measurements: started (RFC 3339), bin_seconds, and the series of Timeline.series."""
        series = self._timeline.series(time.monotonic())
        return {"started": self.started, "bin_seconds": self._timeline.bin_seconds, "series": series}
