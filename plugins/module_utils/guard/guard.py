# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges signs of ill health as they come: counts over a window, states, and the thresholds that they reach. Pure.

Times are seconds of one clock, given by the caller and never less than before. Memory is bounded by the window, however
much happens in it: a count is kept by whole seconds.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..settings.roles.guard import REQUESTS, SIGNS, STOP, WARN, Sign
from .arguments import Thresholds

#: Causes that a message names, and the characters of its example.
_CAUSES = 3
_EXAMPLE = 300
#: Different causes that are counted by themselves; others are counted together.
_MAX_CAUSES = 20
_OTHER = "others"


@dataclass(frozen=True)
class Crossing:
    """A figure that has reached its threshold. `at` is RFC 3339, `cause` says what was seen, "" if nothing tells."""

    sign: Sign
    figure: float
    threshold: float
    window_seconds: float
    at: str
    cause: str

    @property
    def text(self) -> str:
        """One line: what, the figure, the window, the threshold with its variable, and the cause."""
        unit = f" {self.sign.unit}" if self.sign.unit else ""
        when = "at once" if self.sign.state else f"within {self.window_seconds:g} s"
        line = (
            f"{self.sign.what}: {_number(self.figure)}{unit} {when}, at or above the threshold of "
            f"{_number(self.threshold)}{unit} ({self.sign.variable})"
        )
        return f"{line}; {self.cause}" if self.cause else line

    def row(self) -> dict[str, Any]:
        """As the measurements have it."""
        return {
            "sign": self.sign.name,
            "variable": self.sign.variable,
            "figure": self.figure,
            "threshold": self.threshold,
            "unit": self.sign.unit,
            "window_seconds": None if self.sign.state else self.window_seconds,
            "at": self.at,
            "cause": self.cause,
        }


@dataclass
class _Second:
    """What was counted in one second."""

    second: int
    number: float = 0
    causes: Counter[str] = field(default_factory=Counter)


class _Window:
    """Counts of the last seconds. `first` is the first example since there was none."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._parts: deque[_Second] = deque()
        self.number: float = 0
        self.first = ""

    def add(self, now: float, number: float, cause: str, example: str) -> None:
        self.forget(now)
        self.first = self.first or example
        second = math.floor(now)
        if not self._parts or self._parts[-1].second != second:
            self._parts.append(_Second(second))
        part = self._parts[-1]
        part.number += number
        self.number += number
        if cause:
            part.causes[cause if cause in part.causes or len(part.causes) < _MAX_CAUSES else _OTHER] += int(number)

    def forget(self, now: float) -> None:
        """Drop the seconds that have left the window."""
        while self._parts and self._parts[0].second + 1 <= now - self._seconds:
            self.number -= self._parts.popleft().number
        if not self._parts:
            self.first = ""

    def cause(self) -> str:
        """The most frequent causes with their numbers, and the first example."""
        counts = sum((part.causes for part in self._parts), Counter())
        told = ", ".join(f"{cause} {number:,}" for cause, number in counts.most_common(_CAUSES))
        return "; first ".join(part for part in (told, self.first) if part) if told else self.first


class Guard:
    """The signs of one batch. `on_crossing` is called when a figure reaches its threshold, once for each sign.

    `wall_clock` gives the time as people read it (RFC 3339).
    """

    def __init__(
        self, thresholds: Thresholds, *, on_crossing: Callable[[Crossing], None], wall_clock: Callable[[], str]
    ) -> None:
        self._thresholds = thresholds
        self._on_crossing = on_crossing
        self._wall_clock = wall_clock
        self._windows = {
            sign.name: _Window(thresholds.window_seconds) for sign in SIGNS if sign.name in thresholds.of_signs
        }
        self._signs = {sign.name: sign for sign in SIGNS}
        self.crossings: dict[str, Crossing] = {}
        #: The highest figure of each sign, and when it was reached.
        self._peaks: dict[str, tuple[float, str]] = {}
        #: Why a source has no data, by its name.
        self.blind: dict[str, str] = {}

    def watches(self, *names: str) -> bool:
        """Whether one of these signs has a threshold."""
        return any(name in self._windows for name in names)

    def count(self, name: str, now: float, *, number: float = 1, cause: str = "", example: str = "") -> None:
        """Something of this sign has happened so many times, or has lasted so many of its units."""
        window = self._windows.get(name)
        if window is None:
            return
        window.add(now, number, cause, _shortened(example))
        self._judge(name, window.number, window.cause)

    def measure(self, name: str, figure: float, *, cause: str = "") -> None:
        """The figure of this sign as it is now."""
        if name in self._windows:
            self._judge(name, figure, lambda: _shortened(cause))

    def _judge(self, name: str, figure: float, cause: Callable[[], str]) -> None:
        if name not in self._peaks or figure > self._peaks[name][0]:
            self._peaks[name] = (figure, self._wall_clock())
        threshold = self._thresholds.of_signs[name]
        if figure < threshold or name in self.crossings:
            return
        crossing = Crossing(
            self._signs[name], figure, threshold, self._thresholds.window_seconds, self._wall_clock(), cause()
        )
        self.crossings[name] = crossing
        self._on_crossing(crossing)

    @property
    def stopped(self) -> Crossing | None:
        """The first crossing, if it stopped the run."""
        return next(iter(self.crossings.values()), None) if self._thresholds.stops else None

    def document(self) -> dict[str, Any]:
        """`guard` of the measurements.

        Of each sign the `peak` is None where its source has no data, or too little of it; the `cause` is then there or
        in `sources`.
        """
        return {
            "action": STOP if self._thresholds.stops else WARN,
            "window_seconds": self._thresholds.window_seconds,
            "stopped": None if self.stopped is None else self.stopped.row(),
            "signs": [self._row(sign) for sign in SIGNS],
            "sources": {source: self.blind.get(source) for source in dict.fromkeys(sign.source for sign in SIGNS)},
        }

    def _row(self, sign: Sign) -> dict[str, Any]:
        is_counted = sign.source != REQUESTS and sign.name in self._windows and sign.source not in self.blind
        peak, at = self._peaks.get(sign.name, (0 if is_counted else None, None))
        crossing = self.crossings.get(sign.name)
        cause = None if crossing is None else crossing.cause
        if peak is None and sign.least and sign.name in self._windows:
            cause = f"no {self._thresholds.window_seconds:g} s had {sign.least} requests"
        return {
            "name": sign.name,
            "variable": sign.variable,
            "what": sign.what,
            "source": sign.source,
            "unit": sign.unit,
            "threshold": self._thresholds.of_signs.get(sign.name),
            "peak": peak,
            "peak_at": at,
            "crossed": None if crossing is None else crossing.at,
            "cause": cause,
        }


def crossing_lines(document: Mapping[str, Any] | None) -> list[str]:
    """One line for each threshold of a `guard` document that was reached although the run went on."""
    if document is None or document["action"] != WARN:
        return []
    return [
        f"guard: {row['what']}: {_number(row['peak'])}{' ' + row['unit'] if row['unit'] else ''} at the peak, the "
        f"threshold of {row['variable']} is {_number(row['threshold'])}; {row['cause']}"
        for row in document["signs"]
        if row["crossed"]
    ]


def _number(figure: float) -> str:
    return f"{round(figure, 1):,g}" if isinstance(figure, float) else f"{figure:,}"


def _shortened(text: str) -> str:
    """On one line and not too long; what was wrapped by others says at its end what is wrong."""
    text = " ".join(text.split())
    half = _EXAMPLE // 2 - 2
    return text if len(text) <= _EXAMPLE else f"{text[:half]} … {text[-half:]}"
