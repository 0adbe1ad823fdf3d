# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures as text and cells. A figure that was not measured is "no data", never 0."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from ansible_collections.kubestress.core.plugins.module_utils.text import duration_text, text_of

from .model import FAINT, NO_DATA, PLAIN, Cell


def count(value: float | None) -> str:
    """1,234."""
    return NO_DATA if value is None else f"{value:,.0f}"


def milliseconds(value: float | None) -> str:
    """About three digits: "0.8 ms", "12.3 ms", "915 ms", "1.53 s", "5 min 3 s"."""
    if value is None:
        return NO_DATA
    if value < 1000:
        return "0 ms" if value == 0 else f"{value:.1f} ms" if value < 99.95 else f"{value:.0f} ms"
    return f"{value / 1000:.2f} s" if value < 60_000 else duration_text(value / 1000)


def seconds(value: float | None) -> str:
    """Like milliseconds(), from a value in seconds."""
    return milliseconds(None if value is None else value * 1000)


def stamps(value: float | None) -> str:
    """A duration between two whole-second timestamps, read from a histogram: 0.997 is "1 s"."""
    if value is None:
        return NO_DATA
    # Percentiles are within 1 % of a measured value, and the measured values were whole seconds.
    near = round(value)
    return f"{near:,} s" if abs(value - near) <= 0.0101 * near else f"{number(round(value, 1))} s"


def length(value: float | None) -> str:
    """A duration, formatted as in the end-of-run table: "41.2 s", "5 min 3 s"."""
    return NO_DATA if value is None else duration_text(value)


def size(value: float | None) -> str:
    """Bytes: "928 MiB"."""
    return NO_DATA if value is None else text_of(value, "bytes")


def number(value: float | None) -> str:
    """A number that may have decimals: "4.8", "0.25", "1,234"."""
    if value is None:
        return NO_DATA
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:,.2f}".rstrip("0").rstrip(".")


def percent(value: float | None) -> str:
    """A share from 0 to 1: "73 %"."""
    return NO_DATA if value is None else f"{value * 100:.0f} %"


def clock(value: float | None) -> str:
    """Seconds since the start: "0:42", "12:05", "3:20:00"; with a minus if before it."""
    if value is None:
        return NO_DATA
    sign, whole = ("−" if value < 0 else ""), int(abs(value))
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{sign}{hours}:{minutes:02}:{rest:02}" if hours else f"{sign}{minutes}:{rest:02}"


def instant(text: Any) -> datetime | None:
    """An RFC 3339 time; None if the text is not a time."""
    try:
        parsed = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def date(text: Any) -> str:
    """Date and time: "21 November 2026, 05:21:10 UTC"."""
    moment = instant(text)
    if moment is None:
        return NO_DATA
    moment = moment.astimezone(UTC)
    return f"{moment.day} {moment:%B %Y, %H:%M:%S} UTC"


def seconds_from(start: Any, text: Any) -> float | None:
    """Seconds from one RFC 3339 time to another; None if either is missing."""
    first, second = instant(start), instant(text)
    return None if first is None or second is None else (second - first).total_seconds()


def counted(counts: Mapping[str, Any] | None, *, most: int = 20) -> str:
    """Counts by cause: "3 × 429, 1 × timeout", largest first, at most `most` of them; "" if there are none."""
    found = sorted(((value, name) for name, value in (counts or {}).items() if value), reverse=True)
    rest = [f"{len(found) - most:,} more"] if len(found) > most else []
    return ", ".join([f"{value:,} × {name}" for value, name in found[:most]] + rest)


def things(amount: float, one: str, many: str = "") -> str:
    """A count with its noun: "1 node", "3 nodes"."""
    return f"{amount:,.0f} {one if amount == 1 else many or one + 's'}"


def figure(value: float | None, text: Callable[[float | None], str] = count, *, tone: str = PLAIN) -> Cell:
    """The cell of a number, sorted by its value."""
    return Cell(text=text(value), sort=value, tone=FAINT if value is None else tone)


def words(value: Any, *, code: bool = False, tone: str = PLAIN) -> Cell:
    """The cell of a text; None is "no data"."""
    if value is None or value == "":
        return Cell(text=NO_DATA if value is None else "", tone=FAINT)
    return Cell(text=str(value), code=code, tone=tone)


def moment(start: Any, text: Any) -> Cell:
    """The cell of a time relative to the start."""
    value = seconds_from(start, text)
    return Cell(text=clock(value), sort=value, tone=FAINT if value is None else PLAIN)
