# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prometheus' text format: samples and labels, and percentiles of histograms with cumulative buckets. No I/O."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping

#: A name with its labels, as in the text: b'requests_total{verb="GET"}'.
Series = bytes
#: Seconds -> number of calls that took at most that long.
Buckets = dict[float, float]
_LABEL = re.compile(rb'(\w+)="((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r'\\([\\"n])')


def samples(body: bytes, *names: str, known: dict[Series, Series] | None = None) -> dict[Series, float]:
    """The samples of the metrics `names` (for a histogram, name_bucket). Of a repeated series the last one counts.

    Values that are not numbers, NaN included, are left out. Timestamps are ignored. `known`: the series of earlier
    answers, which this call adds to. Answers that share it also share the text of their series, most of their memory.
    """
    shared = {} if known is None else known
    text = body if body.startswith((b"#", b"\n")) else b"\n" + body
    found: dict[Series, float] = {}
    for name in names:
        for line in _lines(text, name.encode()):
            # A label's value may hold a space or a brace, the rest of the line may not.
            end = line.rfind(b"}") + 1 or line.find(b" ")
            rest = line[end:].split(None, 1)
            try:
                value = float(rest[0])
            except (IndexError, ValueError):
                continue
            if not math.isnan(value):
                series = line[:end]
                found[shared.setdefault(series, series)] = value
    return found


class Selection:
    """Of a text that comes in pieces, only the samples of some metrics are kept.

    An API server's metrics are megabytes, of a large cluster tens of them, and most are never looked at.
    """

    def __init__(self, *names: str) -> None:
        self._names = [name.encode() for name in names]
        self._kept: list[bytes] = []
        #: The end of what has come, from its last line break on.
        self._rest = b"\n"

    def add(self, piece: bytes) -> None:
        """The next piece of the text, which may begin and end anywhere."""
        text = self._rest + piece
        end = text.rfind(b"\n")
        self._keep(text[:end])
        self._rest = text[end:]

    def text(self) -> bytes:
        """What was kept of the whole text, in the same format; the samples of each metric in their order."""
        self._keep(self._rest)
        self._rest = b"\n"
        return b"\n".join([b"", *self._kept, b""])

    def _keep(self, lines: bytes) -> None:
        for name in self._names:
            self._kept.extend(_lines(lines, name))


def labels_of(series: Series) -> dict[str, str]:
    """The labels of a series, their values without escapes."""
    return {name.decode(): _unescaped(value) for name, value in _LABEL.findall(series)}


def is_of(series: Series, name: str) -> bool:
    """Whether the series is of the metric `name`."""
    return series.partition(b"{")[0] == name.encode()


def add_to(buckets: Buckets, le: str, value: float) -> None:
    """Add `value` calls to the bucket with the label `le`."""
    bound = math.inf if le == "+Inf" else float(le)
    buckets[bound] = buckets.get(bound, 0.0) + value


def count(buckets: Buckets) -> int:
    """Number of calls in all buckets."""
    return int(max(buckets.values(), default=0))


def bucket_of(buckets: Buckets, percent: float) -> tuple[float, float | None] | None:
    """The bounds in seconds of the percentile's bucket; the upper is None if it is the last one."""
    bounds, rank = sorted(buckets), max(buckets.values(), default=0.0) * percent / 100
    if not rank:
        return None
    place = next(n for n, bound in enumerate(bounds) if buckets[bound] >= rank)
    low = bounds[place - 1] if place else 0.0
    return low, None if math.isinf(bounds[place]) else bounds[place]


def quantile(buckets: Buckets, percent: float) -> float | None:
    """Seconds, estimated as Prometheus' histogram_quantile does: as if calls were evenly spread in a bucket.

    A percentile above the last bound is that bound, so it took at least that long. None without calls.
    """
    found = bucket_of(buckets, percent)
    if found is None:
        return None
    low, high = found
    if high is None:
        return low
    before = buckets.get(low, 0.0)
    rank = max(buckets.values()) * percent / 100
    return low + (high - low) * (rank - before) / (buckets[high] - before)


def rounded(seconds: float | None) -> float | None:
    """Seconds rounded to a tenth of a millisecond, which is more precise than any bucket."""
    return None if seconds is None else round(seconds, 4)


def grouped(counted: Mapping[Series, float], by: Iterable[str]) -> dict[tuple[str, ...], Buckets]:
    """The histograms in `counted` by the values of the labels `by`, without empty ones."""
    names = tuple(by)
    found: dict[tuple[str, ...], Buckets] = {}
    # Of one histogram's series only `le` differs, and reading labels is what takes the time.
    known: dict[bytes, Buckets] = {}
    for series, value in counted.items():
        head, there, rest = series.partition(b'le="')
        le, _quote, tail = rest.partition(b'"')
        if not there:
            continue
        if head + tail not in known:
            labels = labels_of(head + tail)
            known[head + tail] = found.setdefault(tuple(labels.get(name, "") for name in names), {})
        add_to(known[head + tail], le.decode(), value)
    return {key: buckets for key, buckets in found.items() if count(buckets)}


def _lines(text: bytes, name: bytes) -> Iterator[bytes]:
    wanted = b"\n" + name
    at = text.find(wanted)
    while at >= 0:
        end = text.find(b"\n", at + 1)
        line = text[at + 1 : end if end >= 0 else len(text)]
        if line[len(name) : len(name) + 1] in (b"{", b" "):
            yield line
        at = text.find(wanted, end) if end >= 0 else -1


def _unescaped(value: bytes) -> str:
    text = value.decode("utf-8", "replace")
    return _ESCAPED.sub(lambda match: "\n" if match[1] == "n" else match[1], text) if "\\" in text else text
