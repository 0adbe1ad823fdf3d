# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many of the last requests the API server did not serve, from readings of running totals. Pure.

In an outage nothing is judged, nor afterwards for as long as what was sent in it may still come to its end.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping

#: Causes of failed attempts that speak of the server: it refuses load, fails, or does not answer.
_UNSERVED = frozenset({"429", "500", "502", "503", "504", "connection", "timeout", "etcd", "foreign", "interrupted"})
#: Failures below which a share says nothing.
_LEAST_FAILED = 3


class RequestTrend:
    """Readings of the last `window_seconds`, one a second at most; times are seconds of one clock."""

    def __init__(self, window_seconds: float) -> None:
        self._window_seconds = window_seconds
        #: Time, attempts that had come to their end, and those of them that were not served, by cause.
        self._readings: deque[tuple[float, int, Mapping[str, int]]] = deque()
        #: Nothing from before this time is judged.
        self.since = -math.inf

    def pause(self, until: float) -> None:
        """Forget everything, and judge nothing from before this time."""
        self._readings.clear()
        self.since = max(self.since, until)

    def read(self, now: float, *, ended: int, errors: Mapping[str, int]) -> None:
        """Take in the totals until now: attempts that have ended, and all failures by cause."""
        if now < self.since:
            return
        unserved = {cause: number for cause, number in errors.items() if cause in _UNSERVED}
        self._readings.append((now, ended, unserved))
        # The one before the window is what the window's own are counted from.
        while len(self._readings) > 2 and self._readings[1][0] <= now - self._window_seconds:
            self._readings.popleft()

    def unserved(self, *, least: int) -> tuple[float, str] | None:
        """(percent, the causes) of the window; None while it has fewer than `least` requests."""
        if len(self._readings) < 2:
            return None
        (_since, ended_before, before), (_now, ended, after) = self._readings[0], self._readings[-1]
        if ended - ended_before < least:
            return None
        new = {cause: number - before.get(cause, 0) for cause, number in after.items()}
        failed = sum(new.values())
        if failed < _LEAST_FAILED:
            return 0.0, ""
        causes = ", ".join(f"{cause} {number:,}" for cause, number in sorted(new.items(), key=_frequency) if number)
        return 100 * failed / (ended - ended_before), f"{causes} of {ended - ended_before:,} requests"


def _frequency(entry: tuple[str, int]) -> tuple[int, str]:
    return -entry[1], entry[0]
