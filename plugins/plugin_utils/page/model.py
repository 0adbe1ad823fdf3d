# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the page shows, as plain data: no markup here, no arithmetic in the template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

#: Tone of a figure or a row. The template adds a symbol, because not everybody sees the colours.
GOOD, WARN, BAD, FAINT, PLAIN = "good", "warn", "bad", "faint", ""
NO_DATA = "no data"
#: Counts of objects, by kind, for which what was asked for was done.
DONE = ("created", "patched", "deleted", "unchanged")


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One cell. `sort` is its sort key if that is not the text; cells without data go last.

    `link` is the relative address of another page.
    """

    text: str
    sort: float | None = None
    tone: str = PLAIN
    code: bool = False
    link: str = ""


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column; `number` aligns its cells right, `long` leaves room for sentences."""

    name: str
    number: bool = False
    long: bool = False


@dataclass(frozen=True, kw_only=True)
class Table:
    """A sortable table. Without rows, `empty` says why there are none."""

    id: str
    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    note: str = ""
    empty: str = ""
    #: Collapsed until opened: few people look for it.
    folded: bool = False
    #: Rows shown before "Show all".
    shown: int = 15
    #: Columns whose values can be chosen from; a table with any can be searched as well.
    choices: Sequence[str] = ()

    def without_empty_columns(self) -> Table:
        """The table without columns that are empty in every row."""
        kept = [index for index in range(len(self.columns)) if any(row[index].text for row in self.rows)]
        if not self.rows or len(kept) == len(self.columns):
            return self
        rows = [[row[index] for index in kept] for row in self.rows]
        return replace(self, columns=[self.columns[index] for index in kept], rows=rows)


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A key figure, and below it the detail that it needs to be understood."""

    name: str
    value: str
    detail: str = ""
    tone: str = PLAIN


@dataclass(frozen=True, kw_only=True)
class Head:
    """Verdict, its meaning, the reasons, and how far the figures can be trusted."""

    verdict: str
    sentence: str
    reasons: Sequence[str]
    trust: str
    doubts: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Section:
    """A heading with tables below it; `lead` is the one sentence that most readers look for."""

    id: str
    title: str
    tables: Sequence[Table]
    lead: str = ""
    tone: str = PLAIN


def at(document: Mapping[str, Any] | None, *path: str) -> Any:
    """The value under the path of keys, or None: files of a run that was cut short lack many keys."""
    found: Any = document
    for key in path:
        if not isinstance(found, Mapping):
            return None
        found = found.get(key)
    return found


def columns(*names: str) -> list[Column]:
    """Columns by name; # before the name marks numbers, ~ marks sentences."""
    return [Column(name=name.lstrip("#~"), number=name[0] == "#", long=name[0] == "~") for name in names]
