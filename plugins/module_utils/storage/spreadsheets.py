# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""findings.csv and claims.csv: the long lists of a scan, for spreadsheets. No I/O.

A spreadsheet runs what begins with = + - or @, also behind what it takes for a separator of its own, so such text gets
an apostrophe before it (https://owasp.org/www-community/attacks/CSV_Injection).
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Any

from .answer import Document

FINDINGS = ("kind", "namespace", "name", "state", "reason", "age_seconds", "bytes", "confirmed", "evidence")
CLAIMS = (
    "namespace",
    "name",
    "storage_class",
    "driver",
    "capacity_bytes",
    "used_bytes",
    "available_bytes",
    "used_percent",
    "inodes",
    "inodes_used",
    "level",
    "source",
    "shared",
    "node",
    "time",
    "cause",
)
#: A sign that begins a formula, also its wide form, at the beginning of a cell or behind a separator.
_FORMULA = re.compile(r"(^|[,;|\n])([^\S\n]*)([=+\-@＝＋－＠])")
#: Control characters, tabs and carriage returns too, and those that show text in another order, or nothing at all.
_CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


def findings_csv(document: Document) -> str:
    """The whole file: a row for each finding, in their order."""
    return _text(FINDINGS, document["findings"])


def claims_csv(document: Document) -> str:
    """The whole file: a row for each claim and source of its figures, the fullest first."""
    return _text(CLAIMS, map(_claim, document["usage"]))


def _claim(row: Document) -> Document:
    """A row of usage without a level where nothing is known; the document says ok there."""
    return row if row["used_percent"] is not None else {**row, "level": None}


def _text(names: Sequence[str], rows: Iterable[Document]) -> str:
    file = io.StringIO()
    writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([cell(row[name]) for name in names] for row in rows)
    return file.getvalue()


def cell(value: Any) -> Any:
    """A value as a cell: numbers as they are, nothing for what is not known, text that no spreadsheet runs."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return value
    return harmless("; ".join(value) if isinstance(value, list | tuple) else str(value))


def harmless(text: str) -> str:
    """The text with an apostrophe before each sign that would begin a formula, and without control characters."""
    return _FORMULA.sub(r"\1\2'\3", _CONTROLS.sub(" ", text))
