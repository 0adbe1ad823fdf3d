# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counters of the requests of one Cluster."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Traffic:
    """Counters of all requests of one Cluster. Watches are not counted as in flight.

    `errors` counts failed attempts by cause, `retries` those that were followed by another. A subclass can measure
    more: every attempt passes through here.
    """

    in_flight: int = 0
    peak_in_flight: int = 0
    requests: int = 0
    retries: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)

    def begin(self) -> float:
        """A request is sent. Returns the time, in monotonic seconds."""
        self.requests += 1
        self.in_flight += 1
        if self.in_flight > self.peak_in_flight:
            self.peak_in_flight = self.in_flight
        return time.monotonic()

    def end(self, sent: float, failure: str | None = None, measured_as: tuple[str, str] | None = None) -> float:
        """The answer has arrived, or the attempt failed with this cause. Returns the seconds since it was sent.

        `measured_as` is the verb and kind under which the attempt is counted.
        """
        self.in_flight -= 1
        if failure is not None:
            self.errors[failure] += 1
        return time.monotonic() - sent

    def retry(self, cause: str) -> None:
        """A request that failed with this cause will be retried."""
        self.retries[cause] += 1
