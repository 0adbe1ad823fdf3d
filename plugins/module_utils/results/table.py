# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text tables: lines with a tone, columns and wrapping. The caller turns tones into colours."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import NamedTuple

#: Maximum width of a line; AWX and split terminals show that much.
WIDTH = 100
#: Maximum length of a message.
MESSAGE = 400

PLAIN, HEADING, GOOD, WARN, BAD, FAINT = "plain", "heading", "good", "warn", "bad", "faint"


class Line(NamedTuple):
    """One line of output; `tone` is one of this module's constants."""

    text: str
    tone: str = PLAIN


def heading(text: str) -> Line:
    """The heading of a table, filled to the full width."""
    return Line(shortened(f"── {text} ".ljust(WIDTH, "─"), WIDTH), HEADING)


def columns(rows: Sequence[Sequence[str]], *, align: str, indent: int = 2, gap: int = 2) -> list[str]:
    """Rows of cells as aligned lines; `align` has one letter per column, l or r.

    If a line would be wider than WIDTH, the first column is shortened.
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
    """Text wrapped at words to WIDTH and indented; from the second line on by `hanging` more."""
    return textwrap.wrap(
        text,
        width=WIDTH,
        initial_indent=" " * indent,
        subsequent_indent=" " * (indent + hanging),
        break_on_hyphens=False,
    )


def brief(texts: Sequence[str], *, rest: str, most: int = MESSAGE) -> str:
    """The first texts, as many as go into `most` characters, and how many more there are; `rest` says where they are.

    For messages that Ansible prints, each on one line and more than once.
    """
    shown, length = list[str](), 0
    for text in texts:
        length += len(text)
        if shown and length > most:
            break
        shown.append(shortened(text, most))
    more = len(texts) - len(shown)
    return "; ".join([*shown, *([f"and {more:,} more, {rest}"] if more else [])])


def shortened(text: str, width: int) -> str:
    """Text cut to `width` with an ellipsis."""
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"
