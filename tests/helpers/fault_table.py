"""The fault suite's rows as tables: for the terminal, and in Markdown."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

#: Under this name a test records its row.
ROW = "fault"
#: What the user reads where all was well.
NOTHING = "nothing: all was done"
_BEGIN, _END = "<!-- rows: written by `make faults` -->", "<!-- end of rows -->"
_COUNTS = ("asked", "stored", "lost", "twice", "strangers")
_WIDTH = 112
#: What differs from run to run, and what the page has instead.
_VARIES = (
    (re.compile(r"https?://127\.0\.0\.1:\d+"), "https://api.example:6443"),
    (re.compile(r"\bt-[0-9a-f]{8}\b"), "RUN_ID"),
    (re.compile(r"\bt-[0-9a-f]{6}-"), "demo-"),
    (re.compile(r"/\S*/(?=kubestress-results|batches)"), ""),
    (re.compile(r" ×\d+"), ""),
    (re.compile(r"\d+(\.\d+)? s\b"), "… s"),
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z"), "…"),
    (re.compile(r"\b\d+ tries\b"), "… tries"),
    (re.compile(r"\b([cdj])-\d+\b"), r"\1-…"),
    (re.compile(r"\bdemo-\d\b"), "demo-…"),
)
#: The page has that much of what the user reads.
_MAX_READ = 330

Row = Mapping[str, Any]


def table(rows: Sequence[Row], *, without_defence: bool = False) -> Iterator[str]:
    """Yield the lines for a terminal. Under each row: what the user reads, or what went wrong without the defence."""
    widest = max(len(_title(row)) for row in rows)
    head = "  ".join([f"{'fault':{widest}}", "times", *_COUNTS, f"{'s':>5}", "verdict"])
    yield head
    for row in rows:
        counts = "  ".join(f"{row[name]:>{len(name)}}" for name in _COUNTS)
        yield f"{_title(row):{widest}}  {row['injected']:>5}  {counts}  {row['seconds']:5.1f}  {row['verdict']}"
        below = [f"injected: {row['injects']}", f"defence: {row['defence']}"]
        if without_defence:
            below += [f"without it: {text}" for text in row["complaints"]] or ["without it: NOTHING WENT WRONG"]
        else:
            below += [f"read: {row['reads'] or NOTHING}"]
            below += [f"WRONG: {text}" for text in row["complaints"]]
        for text in below:
            yield from textwrap.wrap(text, _WIDTH, initial_indent="    ", subsequent_indent="      ")
    lost, twice, strangers = (sum(row[name] for row in rows) for name in ("lost", "twice", "strangers"))
    seconds = sum(row["seconds"] for row in rows)
    yield f"{len(rows)} rows in {seconds:.0f} s: {lost} lost, {twice} made twice, {strangers} of strangers touched"


def markdown(rows: Sequence[Row], *, measured: bool) -> str:
    """Return the table in Markdown; `measured`: with the times and seconds of this run."""
    columns = [
        "fault",
        "injected",
        *(["times"] if measured else []),
        "what the user reads",
        "what withstands it",
        *_COUNTS,
        "verdict",
    ]
    columns += ["s"] if measured else []
    lines = [_line(columns), _line(["---"] * len(columns))]
    for row in rows:
        cells = [_title(row), row["injects"], *([row["injected"]] if measured else [])]
        reads = row["reads"] or NOTHING
        cells += [
            reads if measured else steady(reads),
            row["defence"],
            *(row[name] for name in _COUNTS),
            row["verdict"],
        ]
        cells += [f"{row['seconds']:.1f}"] if measured else []
        lines.append(_line(cells))
    return "\n".join(lines) + "\n"


def page_with(page: str, rows: str) -> str:
    """Return the page with these rows between its two marks."""
    before, rest = page.split(_BEGIN)
    _old, after = rest.split(_END)
    return f"{before}{_BEGIN}\n\n{rows}\n{_END}{after}"


def steady(text: str) -> str:
    """Return the text without what differs from run to run, shortened."""
    for pattern, instead in _VARIES:
        text = pattern.sub(instead, text)
    return text if len(text) <= _MAX_READ else text[: text.rindex(" ", 0, _MAX_READ)] + " …"


def _title(row: Row) -> str:
    return f"{row['point']} {row['name']}".strip()


def _line(cells: Sequence[Any]) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
