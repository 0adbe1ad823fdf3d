# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a scan's document says in a few words: its problems, and names and figures as people read them. No I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..results.table import brief
from ..text import text_of
from .document import FORBIDDEN

Document = Mapping[str, Any]

#: What a play may fail on, and what `problems_of` has a text for.
ORPHANS, INCOMPLETE, OVER_THRESHOLD = "orphans", "incomplete", "over_threshold"
PROBLEMS = (ORPHANS, INCOMPLETE, OVER_THRESHOLD)
NOTHING = "nothing is left over, and nothing is nearly full"
ORPHAN = "orphan"
#: States of objects that are as they should be, and have no finding.
QUIET = ("in_use", "referenced", "owned", "ready", "young")
_DAY = 86_400
_NAMED = 3


def problems_of(document: Document) -> dict[str, str]:
    """A line for each of PROBLEMS that the scan has."""
    found = {ORPHANS: _orphans(document), INCOMPLETE: _incomplete(document), OVER_THRESHOLD: _over(document)}
    return {name: text for name, text in found.items() if text}


def message_of(document: Document) -> str:
    """All problems on one line, or that there is none."""
    return "; ".join(problems_of(document).values()) or NOTHING


def _orphans(document: Document) -> str:
    by_kind = {kind: number for kind, number in document["summary"]["orphans"].items() if number}
    if not by_kind:
        return ""
    size = document["summary"]["orphan_bytes"]
    holding = f" of {text_of(size, 'bytes')}" if size else ""
    return f"{things(sum(by_kind.values()), 'orphan')}{holding} ({counted(by_kind)})"


def _incomplete(document: Document) -> str:
    causes = incomplete_parts(document)
    if not causes:
        return ""
    return "incomplete: " + brief([f"{name}: {cause}" for name, cause in causes.items()], rest="all in storage.json")


def incomplete_parts(document: Document) -> dict[str, str]:
    """The parts that were not read to their ends, by name, with the cause; those with the same one in one row.

    So are all that the account may not list, with the API server's words on the first.
    """
    causes = {name: part["cause"] for name, part in document["parts"].items() if not part["complete"]}
    box = document["box"]
    # The box has a part of its own where the scan has read it.
    if box and not box["complete"] and box["cause"] not in causes.values():
        causes["box"] = box["cause"]
    rows: dict[str, list[tuple[str, str]]] = {}
    for name, cause in causes.items():
        told = plain(cause or "no cause is known")
        key = FORBIDDEN if told.startswith(FORBIDDEN) else told
        rows.setdefault(key, []).append((plain(name), told))
    return {
        ", ".join(name for name, _told in row): _cause_of_all([told for _name, told in row]) for row in rows.values()
    }


def _cause_of_all(causes: Sequence[str]) -> str:
    first, *others = causes
    if not others or others[0] == first:
        return first
    what, _colon, words = first.removeprefix(FORBIDDEN).strip().partition(": ")
    return f"{FORBIDDEN} these; of {what}: {words}" if words else f"{FORBIDDEN} these"


def _over(document: Document) -> str:
    """Claims that are nearly full, old snapshots, claims with too many of them, and pools."""
    number = document["summary"]["over_threshold"]
    pools = [one for one in pools_of(document) if in_trouble(one)]
    if not number and not pools:
        return ""
    fullest: dict[str, float] = {}
    for row in filter(is_full, document["usage"]):
        # Of several sources, the fullest comes first.
        fullest.setdefault(claim_name(row), row["used_percent"])
    named = [f"{name} {percent:.0f} %" for name, percent in list(fullest.items())[:_NAMED]]
    old = document["summary"]["states"].get("VolumeSnapshot", {}).get("old", 0)
    named += [things(old, "old snapshot")] if old else []
    many = [claim_name(one) for one in document["findings"] if one["state"] == "many_snapshots"]
    named += [f"many snapshots of {name}" for name in many[:_NAMED]]
    named += [f"pool {plain(one['name'])} {pool_text(one)}" for one in pools[:_NAMED]]
    counts = [f"{number:,} over a threshold"] if number else []
    counts += [f"{things(len(pools), 'pool')} in trouble"] if pools else []
    return " and ".join(counts) + (f" ({', '.join(named)})" if named else "")


def count_of(document: Document, noun: str) -> str:
    """How many "claim"s, "volume"s or "snapshot"s there are, as far as they were read; "" if nobody asked for them."""
    number, part = document["summary"][f"{noun}s"], document["parts"].get(f"{noun}s")
    if part is None:
        return ""
    if part["complete"]:
        return things(number, noun)
    return f"at least {things(number, noun)}" if number else f"{noun}s not known"


def is_full(row: Document) -> bool:
    """Whether a row of usage is at or above a threshold."""
    return row["level"] != "ok" and row["used_percent"] is not None


def unmeasured(document: Document) -> str:
    """Why most of the claims have no figure; "" where all have one, or none was asked for."""
    causes: Counter[str] = Counter()
    for row in document["usage"]:
        if row["used_bytes"] is None and row["cause"]:
            # Each of many nodes has a sentence of its own, which is the same but for its name.
            causes[row["cause"].removeprefix(f"node {row['node']}: ")] += 1
    return plain(causes.most_common(1)[0][0]) if causes else ""


def pools_of(document: Document) -> list[Document]:
    """The pools of the storage box."""
    return list(document["box"]["pools"]) if document["box"] else []


def in_trouble(pool: Document) -> bool:
    """Whether a pool is at a threshold, or the box does not call it healthy."""
    return pool["level"] != "ok" or pool["healthy"] is False


def pool_text(pool: Document) -> str:
    """How full a pool is, and its status if that is not good: "92 %, DEGRADED"."""
    parts = [] if pool["used_percent"] is None else [f"{pool['used_percent']:.0f} %"]
    parts += [plain(pool["status"] or "not healthy")] if pool["healthy"] is False else []
    return ", ".join(parts) or "not known"


def plain(text: str) -> str:
    """The text on one line, without what a terminal would obey or hide."""
    return "".join(one if one.isprintable() else "?" for one in text)


def claim_name(row: Document) -> str:
    """NAMESPACE/NAME, or only the name of what has no namespace."""
    return plain(f"{row['namespace']}/{row['name']}" if row["namespace"] else row["name"])


def age_text(seconds: float | None) -> str:
    """An age as people read it: "40 d", "5 h", "12 min"."""
    if seconds is None:
        return "-"
    if seconds >= 2 * _DAY:
        return f"{seconds / _DAY:,.0f} d"
    return f"{seconds / 3600:.0f} h" if seconds >= 7200 else f"{max(0.0, seconds) / 60:.0f} min"


def counted(counts: Mapping[str, int]) -> str:
    """Counts by name, the largest first: "8 × PersistentVolumeClaim, 4 × Dataset"."""
    most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{number:,} × {plain(name)}" for name, number in most if number)


def things(number: int, noun: str) -> str:
    """A count with its noun: "1 claim", "3 claims"."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def orphans_of(document: Document) -> Iterable[Document]:
    """The findings that are orphans, in their order."""
    return (one for one in document["findings"] if one["state"] == ORPHAN)
