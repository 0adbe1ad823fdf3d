# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of a table as markup. Not in the template: of a table of 10,000 rows, it would take ten seconds."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup, escape

from .model import BAD, GOOD, WARN, Cell, Column, Table

#: For those who do not see the colours.
SYMBOLS = {GOOD: "✓", WARN: "!", BAD: "✗"}


def rows_markup(table: Table) -> Markup:
    """All rows, a line for each; every text in them is escaped."""
    # Nothing but what escape() returned, and constants, comes into it.
    return Markup("\n".join(f"<tr>{_row(row, table.columns)}</tr>" for row in table.rows))


def _row(row: Sequence[Cell], columns: Sequence[Column]) -> str:
    first, *rest = [_cell(one, column) for one, column in zip(row, columns, strict=True)]
    return "".join((f"<th scope=row{first}</th>", *(f"<td{one}</td>" for one in rest)))


def _cell(one: Cell, column: Column) -> str:
    """What follows the name of the element, up to its end."""
    tone = one.tone
    text = str(escape(one.text))
    if one.code:
        text = f"<code>{text}</code>"
    if one.link:
        text = f'<a href="{escape(one.link)}">{text}</a>'
    if tone in SYMBOLS:
        text = f'<span class="symbol" aria-hidden="true">{SYMBOLS[tone]}</span> {text}'
    sort = "" if one.sort is None else f' data-v="{one.sort}"'
    if not (column.number or column.long or tone):
        return f"{sort}>{text}"
    return f' class="{"n " if column.number else ""}{"long " if column.long else ""}{tone}"{sort}>{text}'
