# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure a batch from the client's side: the latency of every attempt, a timeline, and the client's own load.

Every request passes through here, so an attempt costs only a logarithm and a few additions: 2 microseconds.
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
from .traffic import Traffic

#: Seconds between samples of the event loop's lag; ten per second take less than a thousandth of a core.
_SAMPLE_SECONDS = 0.1


class Meter(Traffic):
    """Traffic that also keeps latencies, the timeline and the client's own load.

    `pod_counts` may be set once pods are watched; until then their series are empty. `full_seconds` is for how long the
    maximum number of requests was in flight, which is when our own limit may have reduced the server's load.
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
        """A request is sent."""
        now = super().begin()
        if self.in_flight == self._max_in_flight:
            self._full_since = now
        self._timeline.began(self.in_flight)
        return now

    def end(self, sent: float, failure: str | None = None, measured_as: tuple[str, str] | None = None) -> float:
        """The answer has arrived, or the attempt failed."""
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
        """The request will be retried."""
        super().retry(cause)
        self._timeline.retried(time.monotonic())

    @contextlib.asynccontextmanager
    async def beside(self) -> AsyncIterator[None]:
        """Sample the event loop and advance the timeline while the block runs."""
        task = asyncio.create_task(self._sample())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _sample(self) -> None:
        while True:
            due = time.monotonic() + _SAMPLE_SECONDS
            await asyncio.sleep(_SAMPLE_SECONDS)
            now = time.monotonic()
            self._timeline.advance(now)
            self._client.sample(now, lag_seconds=now - due)

    def recent_p99(self, seconds: float, *, newer_than: float) -> tuple[int, float | None]:
        """As of Timeline.recent_p99."""
        return self._timeline.recent_p99(time.monotonic(), seconds, newer_than=newer_than)

    def client(self) -> dict[str, Any]:
        """`client` of the measurements, as in ClientLoad.figures."""
        return self._client.figures(time.monotonic())

    def timeline(self) -> dict[str, Any]:
        """`timeline` of the measurements: started (RFC 3339), bin_seconds, and the series of Timeline.series."""
        series = self._timeline.series(time.monotonic())
        return {"started": self.started, "bin_seconds": self._timeline.bin_seconds, "series": series}


def _cores() -> int:
    """How many cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
