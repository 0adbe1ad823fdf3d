# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The preflight's rows as lines for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..capacity.rows import NO_DATA, OK, OVER, WARNING
from ..results.table import BAD, FAINT, GOOD, PLAIN, WARN, Line, columns, heading, wrapped

_TONES = {OK: GOOD, OVER: BAD, WARNING: WARN, NO_DATA: FAINT}


def preflight_lines(rows: Sequence[Mapping[str, Any]], *, title: str) -> list[Line]:
    """The table: one line a row, its remark beneath it. `rows` are Row.as_dict()s."""
    cells = [("", "needed", "offered", "verdict")]
    cells += [
        (row["name"], row["needed_text"], row["offered_text"], "" if row["verdict"] == "info" else row["verdict"])
        for row in rows
    ]
    texts = columns(cells, align="lrrl")
    lines = [heading(title), Line(texts[0], FAINT)]
    for row, text in zip(rows, texts[1:], strict=True):
        lines.append(Line(text, _TONES.get(row["verdict"], PLAIN)))
        lines += [Line(part, FAINT) for part in wrapped(row["note"], indent=6)]
    return lines


def problem_lines(problems: Sequence[str], warnings: Sequence[str]) -> list[Line]:
    """What stops the run, and what only should be known."""
    lines = []
    for word, tone, texts in (("stop", BAD, problems), ("note", WARN, warnings)):
        for text in texts:
            lines += [Line(part, tone) for part in wrapped(f"{word}: {text}", indent=2, hanging=6)]
    return lines
