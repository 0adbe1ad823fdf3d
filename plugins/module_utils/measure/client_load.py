# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How busy the load generator itself was: a client without time to spare measures its own queue, not the server's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .latency import LatencySketch

#: Part of one core from which a second counts as busy: Python runs one thread at a time, so 1.0 is all there is.
BUSY_SHARE = 0.9


class ClientLoad:
    """Processor time and the event loop's lag of one process. Times are seconds of one monotonic clock.

    `cpu_seconds()` is the processor time that the process has used, its children left out. `cores` is how many the
    process may run on.
    """

    def __init__(self, now: float, *, cpu_seconds: Callable[[], float], cores: int) -> None:
        self._cpu_seconds = cpu_seconds
        self._cores = cores
        self._began = self._second_began = now
        self._cpu_before = self._cpu_second_began = cpu_seconds()
        self._busy_seconds = 0
        self._lag = LatencySketch()

    def sample(self, now: float, *, lag_seconds: float) -> None:
        """To be called several times a second; `lag_seconds` is how much later than asked for the caller was woken."""
        self._lag.add(max(0.0, lag_seconds))
        seconds = now - self._second_began
        if seconds < 1:
            return
        cpu = self._cpu_seconds()
        if cpu - self._cpu_second_began >= BUSY_SHARE * seconds:
            self._busy_seconds += int(seconds)
        self._second_began, self._cpu_second_began = now, cpu

    def figures(self, now: float) -> dict[str, Any]:
        """cpu_seconds, wall_seconds, cpu_share (of one core), busy_seconds, loop_lag_p99_ms, loop_lag_max_ms, cores."""
        wall = now - self._began
        cpu = self._cpu_seconds() - self._cpu_before
        lag = self._lag.summary_ms()
        return {
            "cpu_seconds": round(cpu, 3),
            "wall_seconds": round(wall, 3),
            "cpu_share": round(cpu / wall, 3) if wall > 0 else None,
            "busy_seconds": self._busy_seconds,
            "loop_lag_p99_ms": lag["p99_ms"],
            "loop_lag_max_ms": lag["max_ms"],
            "cores": self._cores,
        }
