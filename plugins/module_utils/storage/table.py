# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a scan of the storage found, as lines of text: problems first, then the largest of each. No I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice

from ..results.table import BAD, FAINT, GOOD, PLAIN, WARN, Line, columns, heading, shortened, wrapped
from ..text import text_of
from .answer import (
    INCOMPLETE,
    NOTHING,
    ORPHAN,
    QUIET,
    Document,
    age_text,
    claim_name,
    count_of,
    counted,
    in_trouble,
    incomplete_parts,
    is_full,
    orphans_of,
    plain,
    pool_text,
    pools_of,
    problems_of,
    things,
    unmeasured,
)

#: Rows of each kind that a screen shows; the files have all.
MAX_ORPHANS = 10
MAX_FULL = 5
MAX_NOTES = 5
MAX_PARTS = 6
MAX_POOLS = 6
#: A name in the table of orphans; its end tells it from its neighbours.
_NAME = 46
_LEVELS = {"ok": PLAIN, "warning": WARN, "critical": BAD}
_CONFIRMED = {True: "yes", False: "no", None: "-"}


def storage_lines(document: Document, *, files: Mapping[str, str] | None = None) -> list[Line]:
    """The whole table. `files` are the paths that were written, by what they are."""
    counts = [count_of(document, noun) for noun in ("claim", "volume", "snapshot")]
    lines = [heading(f"storage: {', '.join(filter(None, counts))}")]
    problems = problems_of(document)
    told = [text for name, text in problems.items() if name != INCOMPLETE]
    # Of what was not read, nobody knows whether anything is left over.
    calm = "none was found, but not all was read" if INCOMPLETE in problems else NOTHING
    lines += _fact("answer", "; ".join(told) or calm, WARN if problems else GOOD)
    lines += _incomplete(document)
    lines += _used(document)
    lines += _orphans(document)
    lines += _full(document)
    lines += _pools(document)
    lines += _rest(document)
    for note in document["warnings"][:MAX_NOTES]:
        lines += _fact("note", plain(note), WARN)
    more = len(document["warnings"]) - MAX_NOTES
    lines += _fact("note", f"and {more:,} more in storage.json", WARN) if more > 0 else []
    return lines + [Line(f"  {what:<10} {where}", FAINT) for what, where in (files or {}).items()]


def _fact(name: str, text: str, tone: str = PLAIN) -> list[Line]:
    first, *rest = wrapped(text, indent=13) or [""]
    return [Line(f"  {name:<10} {first.strip()}", tone), *(Line(part, tone) for part in rest)]


def _incomplete(document: Document) -> list[Line]:
    causes = incomplete_parts(document)
    if not causes:
        return []
    shown = list(causes.items())[:MAX_PARTS]
    lines = [line for name, cause in shown for line in _fact("INCOMPLETE", f"{name}: {cause}", BAD)]
    more = f"and {len(causes) - MAX_PARTS:,} more; " if len(causes) > MAX_PARTS else ""
    return lines + _fact("", f"{more}what depends on that is unknown, never an orphan", BAD)


def _used(document: Document) -> list[Line]:
    summary = document["summary"]
    known = len({(row["namespace"], row["name"]) for row in document["usage"] if row["used_bytes"] is not None})
    if summary["used_bytes"] is None:
        why = unmeasured(document)
        text = f"no data ({why})" if why else "no data"
        if summary["claims"]:
            text += f"; {text_of(summary['capacity_bytes'], 'bytes')} are claimed"
    else:
        used, capacity = (text_of(summary[name], "bytes") for name in ("used_bytes", "capacity_bytes"))
        text = f"{used}, by {things(known, 'claim')} with figures; {capacity} are claimed"
    return _fact("used", text)


def _orphans(document: Document) -> list[Line]:
    number = sum(document["summary"]["orphans"].values())
    shown = list(islice(orphans_of(document), MAX_ORPHANS))
    if not shown:
        return []
    rows: list[tuple[str, ...]] = [("orphans, the largest first", "kind", "reason", "age", "size", "confirmed")]
    rows += [
        (
            _ending(claim_name(one)),
            one["kind"],
            shortened(plain(one["reason"]), 20),
            age_text(one["age_seconds"]),
            text_of(one["bytes"], "bytes"),
            _CONFIRMED[one["confirmed"]],
        )
        for one in shown
    ]
    lines = _table(rows, align="lllrrl", tones=[WARN] * len(shown))
    more = number - len(shown)
    return lines + ([Line(f"  and {more:,} more orphans", FAINT)] if more > 0 else [])


def _ending(name: str) -> str:
    """A long name with its beginning and its end."""
    if len(name) <= _NAME:
        return name
    kept = _NAME // 2
    return f"{name[: _NAME - kept - 1]}…{name[-kept:]}"


def _full(document: Document) -> list[Line]:
    full = [row for row in document["usage"] if is_full(row)]
    if not full:
        return []
    shown = full[:MAX_FULL]
    rows: list[tuple[str, ...]] = [("claims, the fullest first", "used", "of", "left", "source", "level")]
    rows += [
        (
            _ending(claim_name(row)),
            f"{row['used_percent']:.1f} %",
            text_of(row["capacity_bytes"], "bytes"),
            text_of(row["available_bytes"], "bytes"),
            row["source"] + (", shared" if row["shared"] else ""),
            row["level"],
        )
        for row in shown
    ]
    lines = _table(rows, align="lrrrll", tones=[_LEVELS[row["level"]] for row in shown])
    more = len(full) - len(shown)
    return lines + ([Line(f"  and {more:,} more at a threshold", FAINT)] if more > 0 else [])


def _table(rows: Sequence[tuple[str, ...]], *, align: str, tones: Sequence[str]) -> list[Line]:
    first, *texts = columns(rows, align=align)
    return [Line(first, FAINT), *(Line(text, tone) for text, tone in zip(texts, tones, strict=True))]


def _pools(document: Document) -> list[Line]:
    """Those in trouble first."""
    pools = sorted(pools_of(document), key=lambda pool: not in_trouble(pool))
    lines = [line for pool in pools[:MAX_POOLS] for line in _pool(pool)]
    more = len(pools) - MAX_POOLS
    return lines + (_fact("pool", f"and {more:,} more in storage.json", FAINT) if more > 0 else [])


def _pool(pool: Document) -> list[Line]:
    free, size = (text_of(pool[name], "bytes") for name in ("free_bytes", "size_bytes"))
    text = f"{plain(pool['name'])}: {pool_text(pool)}; {free} of {size} free"
    if pool["overcommit_ratio"] is not None:
        text += f", {pool['overcommit_ratio']:.1f} times promised"
    tone = BAD if pool["healthy"] is False else _LEVELS[pool["level"]]
    return _fact("pool", text, tone if in_trouble(pool) else PLAIN)


def _rest(document: Document) -> list[Line]:
    """States that are worth a look, and are no orphans."""
    states: Counter[str] = Counter()
    for of_kind in document["summary"]["states"].values():
        states.update({state: number for state, number in of_kind.items() if state not in (*QUIET, ORPHAN)})
    return _fact("other", f"{counted(states)}; all in storage.json", FAINT) if states else []
