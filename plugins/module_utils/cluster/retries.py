# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How often and for how long one operation is tried. No I/O."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from .errors import TransientError


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """How often and for how long a transient failure is retried.

    `deadline_seconds` covers all attempts and pauses of one operation, but neither the time it waited for our own
    limits nor outages that are sat out.
    The pause before attempt n is random in 0..min(`max_pause_seconds`, `first_pause_seconds` * 2^(n-1)) ("full
    jitter"), or the server's Retry-After plus up to a quarter of it, so that clients that were refused together do not
    return together.
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
class Course:
    """How far one operation is; times are those of the event loop's clock. `sent` is the newest attempt's.

    `sits_out`: it waits for the end of an outage; then its time and its pauses begin anew, at attempt `first_attempt`.
    `answered` is the last failure.
    """

    started: float
    allowed_seconds: float
    sits_out: bool
    deadline: float = field(init=False)
    sent: float = field(init=False)
    began_anew: float = field(init=False)
    attempt: int = 0
    first_attempt: int = 1
    refusals: int = 0
    maybe_done: bool = False
    answered: TransientError | None = None

    def __post_init__(self) -> None:
        self.deadline, self.sent = self.started + self.allowed_seconds, self.started
        self.began_anew = self.started

    def begin_anew(self, at: float) -> None:
        """After the end of an outage: what was tried during it does not count."""
        self.began_anew, self.first_attempt = at, self.attempt
        self.deadline = max(self.deadline, at + self.allowed_seconds)
