# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prometheus' text format, as far as an answer of many megabytes is read: the families that are asked for. Pure.

A parser of the whole format would make objects of every line, and of those one in four is wanted here. So the text is
searched for the names, and a series stays what it is in the text, name and labels as written, until someone wants its
labels: the same process writes the same series the same way, which is all that a difference of two answers needs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

#: A name with its labels, as the answer writes it: b'requests_total{verb="GET"}'.
Series = bytes
_LABEL = re.compile(rb'(\w+)="((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r'\\([\\"n])')


def samples(body: bytes, *names: str) -> dict[Series, float]:
    """The samples of the metrics `names` (of a histogram, name_bucket), the last one where a series is there twice.

    What is no number, NaN included, is left out: it is no measurement. Timestamps are not read.
    """
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
                found[line[:end]] = value
    return found


def _lines(text: bytes, name: bytes) -> Iterator[bytes]:
    wanted = b"\n" + name
    at = text.find(wanted)
    while at >= 0:
        end = text.find(b"\n", at + 1)
        line = text[at + 1 : end if end >= 0 else len(text)]
        if line[len(name) : len(name) + 1] in (b"{", b" "):
            yield line
        at = text.find(wanted, end) if end >= 0 else -1


def labels_of(series: Series) -> dict[str, str]:
    """The labels of a series, their values without escapes."""
    return {name.decode(): _unescaped(value) for name, value in _LABEL.findall(series)}


def is_of(series: Series, name: str) -> bool:
    """Whether the series is of the metric `name`."""
    return series.partition(b"{")[0] == name.encode()


def _unescaped(value: bytes) -> str:
    text = value.decode("utf-8", "replace")
    return _ESCAPED.sub(lambda match: "\n" if match[1] == "n" else match[1], text) if "\\" in text else text
