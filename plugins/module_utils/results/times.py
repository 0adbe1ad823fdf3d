# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""RFC 3339 times of documents, as seconds."""

from __future__ import annotations

from datetime import datetime
from typing import Any


def epoch_seconds(text: Any) -> float | None:
    """Seconds since 1970 of an RFC 3339 time; None if the text is not a time."""
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except (ValueError, TypeError):
        return None


def seconds_between(started: str | None, finished: str | None) -> float | None:
    """Seconds between two RFC 3339 times, to the millisecond; None if one is missing or not a time."""
    begin, end = epoch_seconds(started), epoch_seconds(finished)
    # Rounded, because the difference of two large floats turns 60.5 into 60.499….
    return None if begin is None or end is None else round(end - begin, 3)
