# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures as people read them: counts, cores, bytes, durations and times of day."""

from __future__ import annotations

import math
from collections.abc import Sequence

_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def text_of(value: float | None, unit: str) -> str:
    """A figure as people read it. `unit` is "" (things), "cores" (value in thousandths), "bytes" or "seconds"."""
    if value is None:
        return "-"
    if unit == "cores":
        return f"{value / 1000:,.2f}".rstrip("0").rstrip(".")
    if unit == "bytes":
        return _bytes_text(value)
    if unit == "seconds":
        return duration_text(value)
    return f"{value:,.0f}"


def _bytes_text(value: float) -> str:
    power = min(int(math.log(value, 1024)), len(_BINARY) - 1) if value >= 1 else 0
    number = value / 1024**power
    return f"{number:,.1f}".removesuffix(".0") + f" {_BINARY[power]}"


def duration_text(seconds: float) -> str:
    """Three digits or so, as people read a duration: "41.2 s", "5 min 3 s", "65 min", "3 h 20 min"."""
    if round(seconds, 1) < 60:
        return (f"{seconds:.2f}" if 0 < seconds < 1 else f"{seconds:.1f}").removesuffix(".0") + " s"
    if seconds < 600:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes} min" + (f" {rest} s" if rest else "")
    if seconds < 7200:
        return f"{round(seconds / 60)} min"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h" + (f" {minutes} min" if minutes else "")


def value_text(value: float | None, unit: str, *, absent: str = "no data") -> str:
    """A value as people read it; `absent`, not 0, if there is none. `unit` is "" (things), "s", "ms" or "%"."""
    if value is None:
        return absent
    if unit == "s":
        return _seconds_text(value)
    if unit == "ms":
        return f"{value:,.0f} ms" if value >= 10 else f"{value:.1f} ms"
    text = f"{value:,.1f}".removesuffix(".0") if value < 1000 else f"{value:,.0f}"
    return f"{text} {unit}".rstrip()


def _seconds_text(value: float) -> str:
    """Like duration_text(), with milliseconds below a tenth of a second."""
    if value and abs(value) < 0.1:
        return f"{value * 1000:,.0f} ms"
    # A percentile of whole seconds that is within 1 % of 1 is 1 s.
    return duration_text(value if value >= 1 else round(value, 2))


def values_text(values: Sequence[float | None], middle: float | None, unit: str, *, absent: str = "no data") -> str:
    """The middle of several runs, with the lowest and the highest; of one run, its value."""
    known = [value for value in values if value is not None]
    text = value_text(middle, unit, absent=absent)
    if len(known) < 2 or min(known) == max(known):
        return text
    low, high = value_text(min(known), unit), value_text(max(known), unit)
    # The unit once, if both have the same.
    number, _space, tail = low.partition(" ")
    low = number if tail and high.partition(" ")[2] == tail else low
    return f"{text} ({low}–{high})"


def clock_time(text: str) -> str:
    """The time of day of an RFC 3339 time in UTC, such as "14:03:27 UTC"."""
    return f"{text[11:19]} UTC"
