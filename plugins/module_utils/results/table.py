# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plain text for people: lines with a tone, columns, wrapping. Colour is left to whoever shows the lines."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import NamedTuple

#: No line is wider; AWX and split terminals show that much.
WIDTH = 100

PLAIN, HEADING, GOOD, WARN, BAD, FAINT = "plain", "heading", "good", "warn", "bad", "faint"


class Line(NamedTuple):
    """One line of output; `tone` is one of this module's constants."""

    text: str
    tone: str = PLAIN


def heading(text: str) -> Line:
    """A line that begins a table, filled up to the full width."""
    return Line(shortened(f"── {text} ".ljust(WIDTH, "─"), WIDTH), HEADING)


def columns(rows: Sequence[Sequence[str]], *, align: str, indent: int = 2, gap: int = 2) -> list[str]:
    """Rows of cells as lines of aligned columns; `align` has one letter a column, l or r.

    The first column gives way when a line would be wider than WIDTH.
    """
    if not rows:
        return []
    widths = [max(len(row[index]) for row in rows) for index in range(len(align))]
    rest = indent + sum(widths[1:]) + gap * (len(align) - 1)
    widths[0] = min(widths[0], max(8, WIDTH - rest))
    lines = []
    for row in rows:
        cells = [shortened(cell, width) for cell, width in zip(row, widths, strict=True)]
        padded = [
            cell.rjust(width) if side == "r" else cell.ljust(width)
            for cell, width, side in zip(cells, widths, align, strict=True)
        ]
        lines.append((" " * indent + (" " * gap).join(padded)).rstrip())
    return lines


def wrapped(text: str, *, indent: int, hanging: int = 0) -> list[str]:
    """Text broken at words into lines of at most WIDTH, each indented, from the second on by `hanging` more."""
    return textwrap.wrap(
        text,
        width=WIDTH,
        initial_indent=" " * indent,
        subsequent_indent=" " * (indent + hanging),
        break_on_hyphens=False,
    )


def shortened(text: str, width: int) -> str:
    """Cut to `width`, an ellipsis in place of what is missing."""
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"
