# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the page shows, as plain data: no markup here, and no arithmetic in the template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

#: How a figure or a row is meant. The template adds a symbol, because colour alone tells not everybody.
GOOD, WARN, BAD, FAINT, PLAIN = "good", "warn", "bad", "faint", ""
NO_DATA = "no data"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One cell. `sort` is what its column is sorted by where the text would not do; without data it goes last."""

    text: str
    sort: float | None = None
    tone: str = PLAIN
    code: bool = False


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column; `number` puts its cells to the right, `long` gives sentences the room they need."""

    name: str
    number: bool = False
    long: bool = False


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table that people can sort. Without rows, `empty` says why there are none."""

    id: str
    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    note: str = ""
    empty: str = ""
    #: Shown only when opened: what few people look for.
    folded: bool = False
    #: Rows that are seen before one asks for all of them.
    shown: int = 15

    def without_empty_columns(self) -> Table:
        """The table without columns in which no row says anything: of what did not happen, nobody needs a column."""
        kept = [index for index in range(len(self.columns)) if any(row[index].text for row in self.rows)]
        if not self.rows or len(kept) == len(self.columns):
            return self
        rows = [[row[index] for index in kept] for row in self.rows]
        return replace(self, columns=[self.columns[index] for index in kept], rows=rows)


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A key figure: the number people ask for, and below it what it must be read with."""

    name: str
    value: str
    detail: str = ""
    tone: str = PLAIN


@dataclass(frozen=True, kw_only=True)
class Head:
    """The answer: verdict, what it means, the reasons, and how far the figures can be trusted."""

    verdict: str
    sentence: str
    reasons: Sequence[str]
    trust: str
    doubts: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Section:
    """A heading with tables below it; `lead` is the one sentence that answers what one came for."""

    id: str
    title: str
    tables: Sequence[Table]
    lead: str = ""
    tone: str = PLAIN


def at(document: Mapping[str, Any] | None, *path: str) -> Any:
    """What lies under the path of keys, or None: files of older versions, and of runs cut short, lack much."""
    found: Any = document
    for key in path:
        if not isinstance(found, Mapping):
            return None
        found = found.get(key)
    return found


def columns(*names: str) -> list[Column]:
    """Columns by name; one that begins with # is of numbers, one that begins with ~ of sentences."""
    return [Column(name=name.lstrip("#~"), number=name[0] == "#", long=name[0] == "~") for name in names]
