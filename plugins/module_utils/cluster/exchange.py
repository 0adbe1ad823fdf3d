# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What surrounds one request: how it is tried again, what comes back, and what all of them add up to."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """How often and how long a transient failure is tried again.

    `deadline_seconds` bounds one operation, all its attempts and pauses included, but not the time for which our own
    limits held it back. The pause before attempt n is drawn
    from 0..min(`max_pause_seconds`, `first_pause_seconds` * 2^(n-1)) ("full jitter"), or the server's Retry-After plus
    up to a quarter of it, so that clients that were turned away together don't come back together.
    """

    deadline_seconds: float = 120.0
    first_pause_seconds: float = 0.1
    max_pause_seconds: float = 10.0

    def pause_seconds(self, attempt: int, retry_after_seconds: float | None) -> float:
        """Seconds to wait after the failed attempt number `attempt` (from 1)."""
        if retry_after_seconds is not None:
            return retry_after_seconds * (1 + random.random() / 4)
        return random.random() * min(self.max_pause_seconds, self.first_pause_seconds * 2 ** min(attempt - 1, 30))


@dataclass(slots=True)
class Reply:
    """What came back for one operation: HTTP `status`, `body`, tries needed, and seconds.

    `seconds` is the last attempt alone, from sending to the whole answer; `total_seconds` is everything, pauses and
    earlier attempts included. `headers` are looked up without regard to case.
    """

    status: int
    body: bytes
    attempts: int
    seconds: float
    total_seconds: float
    headers: Mapping[str, str]

    @property
    def date(self) -> str | None:
        """The server's clock when it answered, as HTTP's Date header has it: whole seconds."""
        return self.headers.get("Date")

    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)


@dataclass
class Traffic:
    """Counters over everything that one Cluster sent. `peak_in_flight` leaves out watches, which only listen.

    `errors` counts failed attempts by cause, `retries` those of them that were followed by another. Who wants to
    measure more makes a subclass: every attempt passes through here.
    """

    in_flight: int = 0
    peak_in_flight: int = 0
    requests: int = 0
    retries: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)

    def begin(self) -> float:
        """A request goes out. Returns when, in monotonic seconds."""
        self.requests += 1
        self.in_flight += 1
        if self.in_flight > self.peak_in_flight:
            self.peak_in_flight = self.in_flight
        return time.monotonic()

    def end(self, sent: float, failure: str | None = None, measured_as: tuple[str, str] | None = None) -> float:
        """Its answer, or its failure with this cause, is in. Returns the seconds since it was sent.

        `measured_as` is what the sender calls it: a verb and a kind.
        """
        self.in_flight -= 1
        if failure is not None:
            self.errors[failure] += 1
        return time.monotonic() - sent

    def retry(self, cause: str) -> None:
        """A request that failed with this cause will be tried again."""
        self.retries[cause] += 1
