# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many requests at once, and how many per second: one small class per limit, combined by `Limits`."""

from __future__ import annotations

import asyncio
from types import TracebackType


class InFlight:
    """At most `maximum` holders at once. `waited_seconds` is the sum of all waits."""

    def __init__(self, maximum: int) -> None:
        if maximum < 1:
            raise ValueError(f"at least one request must be allowed in flight, not {maximum}")
        self.maximum = maximum
        self.waited_seconds = 0.0
        self._free = asyncio.Semaphore(maximum)

    async def acquire(self) -> None:
        """Wait for a free slot."""
        if not self._free.locked():
            await self._free.acquire()
            return
        clock = asyncio.get_running_loop()
        began = clock.time()
        try:
            await self._free.acquire()
        finally:
            self.waited_seconds += clock.time() - began

    def release(self) -> None:
        """Free the slot."""
        self._free.release()


class Rate:
    """At most `per_second` starts per second on average, and up to `burst` at once after a pause.

    The generic cell rate algorithm (ITU-T I.371, annex A): one number, no timer, no queue of our own.
    `waited_seconds` is the sum of all waits.
    """

    def __init__(self, *, per_second: float, burst: int) -> None:
        if per_second <= 0 or burst < 1:
            raise ValueError(f"a rate needs per_second > 0 and burst >= 1, not {per_second} and {burst}")
        self._interval_seconds = 1.0 / per_second
        self._tolerance_seconds = (burst - 1) * self._interval_seconds
        self._next_start = 0.0
        self.waited_seconds = 0.0

    async def wait(self) -> None:
        """Return when the next start is allowed. Callers proceed in the order of their calls."""
        clock = asyncio.get_running_loop()
        now = clock.time()
        allowed_from = max(self._next_start, now)
        self._next_start = allowed_from + self._interval_seconds
        pause = allowed_from - self._tolerance_seconds - now
        if pause > 0:
            try:
                await asyncio.sleep(pause)
            finally:
                self.waited_seconds += clock.time() - now


class Limits:
    """All limits of a request: `async with limits: send()`.

    The slot is taken first and held while waiting for the rate, so that the rate applies to the moment of sending.
    The slot is freed however the request ends.
    """

    def __init__(self, *, max_in_flight: int = 50, per_second: float = 0.0, burst: int = 0) -> None:
        self.in_flight = InFlight(max_in_flight)
        self.rate = Rate(per_second=per_second, burst=burst or max(1, round(per_second))) if per_second else None

    def waited_seconds(self) -> dict[str, float]:
        """Waits by limit, summed over all requests: 50 requests that wait for one second make 50."""
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
