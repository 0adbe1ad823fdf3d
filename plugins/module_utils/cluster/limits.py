# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many requests at once and how many a second: one small object per limit, composed by `Limits`."""

from __future__ import annotations

import asyncio
import time
from types import TracebackType


class InFlight:
    """At most `maximum` holders at once. `waited_seconds` sums up for how long each of them waited for his place."""

    def __init__(self, maximum: int) -> None:
        if maximum < 1:
            raise ValueError(f"at least one request must be allowed in flight, not {maximum}")
        self.maximum = maximum
        self.waited_seconds = 0.0
        self._free = asyncio.Semaphore(maximum)

    async def acquire(self) -> None:
        """Wait for a place."""
        if not self._free.locked():
            await self._free.acquire()
            return
        began = time.monotonic()
        try:
            await self._free.acquire()
        finally:
            self.waited_seconds += time.monotonic() - began

    def release(self) -> None:
        """Give the place back."""
        self._free.release()


class Rate:
    """At most `per_second` starts a second on average, and `burst` of them at once after a quiet time.

    The generic cell rate algorithm (ITU-T I.371, annex A): one number, no timer, no queue of our own.
    `waited_seconds` sums up the pauses of all starts.
    """

    def __init__(self, *, per_second: float, burst: int) -> None:
        if per_second <= 0 or burst < 1:
            raise ValueError(f"a rate needs per_second > 0 and burst >= 1, not {per_second} and {burst}")
        self._interval_seconds = 1.0 / per_second
        self._tolerance_seconds = (burst - 1) * self._interval_seconds
        self._next_start = 0.0
        self.waited_seconds = 0.0

    async def wait(self) -> None:
        """Return when the next start is allowed. Starts are handed out in the order of the calls."""
        now = time.monotonic()
        allowed_from = max(self._next_start, now)
        self._next_start = allowed_from + self._interval_seconds
        pause = allowed_from - self._tolerance_seconds - now
        if pause > 0:
            try:
                await asyncio.sleep(pause)
            finally:
                self.waited_seconds += time.monotonic() - now


class Limits:
    """What every request has to pass: `async with limits: send()`.

    The place in flight is taken first and held while the rate says wait, so that the moment of sending is what the
    rate is measured on. The place is given back however the request ends.
    """

    def __init__(self, *, max_in_flight: int = 50, per_second: float = 0.0, burst: int = 0) -> None:
        self.in_flight = InFlight(max_in_flight)
        self.rate = Rate(per_second=per_second, burst=burst or max(1, round(per_second))) if per_second else None

    def waited_seconds(self) -> dict[str, float]:
        """By limit, summed over all requests: with 50 that wait for a second it is 50."""
        rate = self.rate.waited_seconds if self.rate is not None else 0.0
        return {"in_flight": round(self.in_flight.waited_seconds, 3), "rate": round(rate, 3)}

    async def __aenter__(self) -> None:
        await self.in_flight.acquire()
        if self.rate is not None:
            try:
                await self.rate.wait()
            except BaseException:
                self.in_flight.release()
                raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.in_flight.release()
