# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far the API server's clock is from this machine's, out of the Date headers of its answers.

A Date is whole seconds, so one answer tells little: the server's clock was between Date and Date + 1 s at some moment
between sending and receiving. But each answer bounds the difference, and one that is asked for at the right moment
halves what is left, down to the time that a request takes.
"""

from __future__ import annotations

import math
from email.utils import parsedate_to_datetime
from typing import Any

#: Seconds of error below which nobody gains by knowing it better: Kubernetes' own times are whole seconds.
_ENOUGH_SECONDS = 0.02
#: Questions that may follow one another within a second each; after that, and once it is enough, one a minute.
_QUICK = 10
_PAUSE_SECONDS = 60.0


class ClockSkew:
    """The server's clock minus ours. Times given to it are seconds since 1970 by this machine's clock."""

    def __init__(self) -> None:
        self._low = -math.inf
        self._high = math.inf
        self._quick = 0
        self._fastest = math.inf
        self.samples = 0
        #: Times at which an answer did not go with those before, which were then forgotten.
        self.contradictions = 0

    def observe(self, date: str | None, *, sent: float, received: float) -> float | None:
        """Take in one answer. Returns its date in seconds since 1970; None where it has none that can be read."""
        try:
            told = parsedate_to_datetime(date).timestamp() if date else None
        except (TypeError, ValueError):
            told = None
        if told is None:
            return None
        self.samples += 1
        self._fastest = min(self._fastest, received - sent)
        low, high = max(self._low, told - received), min(self._high, told + 1 - sent)
        if low > high:
            # A clock was set, or drifted in a long run, or there are several servers: the newest answer is believed.
            self.contradictions += 1
            low, high = told - received, told + 1 - sent
        self._low, self._high = low, high
        return told

    @property
    def error_seconds(self) -> float:
        """Half of what is still possible."""
        return (self._high - self._low) / 2

    def pause_seconds(self, now: float) -> float:
        """How long to wait before asking again, so that the answer tells the most."""
        if not self.samples:
            return _PAUSE_SECONDS
        if self.error_seconds <= _ENOUGH_SECONDS or self._quick >= _QUICK:
            return _PAUSE_SECONDS
        self._quick += 1
        # If the middle of what is possible is the truth, the server's second turns while it answers.
        ahead = (self._low + self._high) / 2 + self._fastest / 2
        return math.ceil(now + ahead) - ahead - now

    def figures(self) -> dict[str, Any]:
        """`skew` of an observation: `estimate_ms` give or take `error_ms`, None where no answer had a date."""
        if not self.samples:
            return {"estimate_ms": None, "error_ms": None, "samples": 0, "contradictions": 0}
        return {
            "estimate_ms": round((self._low + self._high) * 500, 1),
            "error_ms": round(self.error_seconds * 1000, 1),
            "samples": self.samples,
            "contradictions": self.contradictions,
        }
