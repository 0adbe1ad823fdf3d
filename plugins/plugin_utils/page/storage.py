# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""storage.html: what a scan of the storage found, of the same parts as the report of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .formats import count, date, length, size, things
from .model import BAD, FAINT, GOOD, NO_DATA, PLAIN, WARN, Figure
from .render import frame, template
from .storage_tables import LEVELS, sections_of

Document = Mapping[str, Any]
#: Bars of each kind; the tables have all.
_MAX_BARS = 15


@dataclass(frozen=True, kw_only=True)
class Bar:
    """How full something is; `share` is percent of the bar's width."""

    title: str
    text: str
    share: float
    tone: str


def render_storage(
    document: Document, *, problems: Mapping[str, str], incomplete: Mapping[str, str], unmeasured: str
) -> str:
    """The whole page, from the document of storage.json. Nothing in it can become markup or script.

    `problems` has a line on what is wrong, by its name; `incomplete` the cause of each part that was not read whole;
    `unmeasured` says why most of the claims without a figure have none.
    """
    worst = _worst(document)
    context = {
        **frame(),
        "subtitle": _subtitle(document),
        "verdict": {BAD: "failed", WARN: "attention"}.get(worst, "attention" if problems else "passed"),
        "answer": _answer(document, incomplete),
        "sentence": _sentence(document, problems, incomplete),
        "reasons": [text for name, text in problems.items() if name != "incomplete"],
        "incomplete": incomplete,
        "notes": list(document["warnings"]),
        "figures": _figures(document),
        "full": _full(document),
        "unmeasured": unmeasured,
        "ticks": _ticks(document),
        "pools": _pools(document),
        "sections": sections_of(document),
        "data": {"begin": 0, "end": 1, "phases": [], "marks": [], "plots": []},
    }
    return template("storage.html.j2").render(context) + "\n"


def _subtitle(document: Document) -> list[str]:
    version = document["cluster"]["version"]
    parts = [
        f"Kubernetes {version}" if version else "",
        date(document["started"]),
        f"took {length(document['seconds'])}",
    ]
    return [part for part in parts if part]


def _orphans(document: Document) -> int:
    return sum(document["summary"]["orphans"].values())


def _pools_of(document: Document) -> Sequence[Document]:
    return document["box"]["pools"] if document["box"] else ()


def _tone(pool: Document) -> str:
    return BAD if pool["healthy"] is False else LEVELS[pool["level"]]


def _worst(document: Document) -> str:
    """The tone of the fullest claim or pool."""
    tones = {LEVELS[row["level"]] for row in document["usage"]} | {_tone(pool) for pool in _pools_of(document)}
    return BAD if BAD in tones else WARN if WARN in tones else PLAIN


def _answer(document: Document, incomplete: Mapping[str, str]) -> str:
    found = _orphans(document)
    full = document["summary"]["over_threshold"]
    parts = [things(found, "orphan")] if found else []
    parts += [f"{full:,} over a threshold"] if full else []
    sick = sum(1 for pool in _pools_of(document) if _tone(pool) != PLAIN)
    parts += [f"{things(sick, 'pool')} in trouble"] if sick else []
    if parts:
        return ", ".join(parts)
    return "Nothing found, but not all was read" if incomplete else "Nothing left over"


def _sentence(document: Document, problems: Mapping[str, str], incomplete: Mapping[str, str]) -> str:
    if not _orphans(document):
        if incomplete:
            return "Of what could not be read, nobody knows whether it is needed."
        return "" if problems else "Everything is in use or kept on purpose, and nothing is nearly full."
    unsure = sum(1 for one in document["findings"] if one["state"] == "orphan" and not one["confirmed"])
    if unsure:
        return f"Not confirmed by a second look: {count(unsure)} of {things(_orphans(document), 'orphan')}."
    return "A second look confirmed each orphan. Read its evidence before you delete it."


def _figures(document: Document) -> list[Figure]:
    summary, found = document["summary"], _orphans(document)
    critical = len({(row["namespace"], row["name"]) for row in document["usage"] if row["level"] == "critical"})
    full = summary["over_threshold"]
    measured = {(row["namespace"], row["name"]) for row in document["usage"] if row["used_bytes"] is not None}
    unknown = sum(1 for one in document["findings"] if one["state"] == "unknown")
    figures = [
        Figure(
            name="Orphans",
            value=count(found),
            detail=f"{size(summary['orphan_bytes'])} as far as known" if found else "",
            tone=WARN if found else GOOD if document["complete"] else PLAIN,
        ),
        Figure(
            name="Unknown",
            value=count(unknown),
            detail="might be orphans; not all was read" if unknown else "",
            tone=WARN if unknown else PLAIN,
        ),
        Figure(
            name="Over a threshold",
            value=count(full),
            detail=_over(document, critical) if full else "",
            tone=BAD if critical else WARN if full else PLAIN,
        ),
        Figure(
            name="Used",
            value=size(summary["used_bytes"]),
            detail=f"by {things(len(measured), 'claim')} with figures" if measured else "",
            tone=FAINT if summary["used_bytes"] is None else PLAIN,
        ),
        _amount(document, "claims", size(summary["capacity_bytes"])),
        _amount(document, "volumes", things(summary["attachments"], "attachment")),
        _amount(document, "snapshots", things(summary["contents"], "content")),
        _parts(document),
    ]
    if document["box"]:
        figures.append(_box(document["box"]))
    return figures


def _amount(document: Document, name: str, detail: str) -> Figure:
    """How many there are; of what was not read whole, at least so many, or nobody knows."""
    found, part = document["summary"][name], document["parts"].get(name)
    title = name.capitalize()
    if part is None:
        return Figure(name=title, value=NO_DATA, detail="not asked for", tone=FAINT)
    if part["complete"]:
        return Figure(name=title, value=count(found), detail=detail)
    if found:
        return Figure(name=title, value=f"{count(found)} or more", detail="not all was read", tone=WARN)
    return Figure(name=title, value=NO_DATA, detail="could not be read", tone=FAINT)


def _over(document: Document, critical: int) -> str:
    """What is over which threshold."""
    full = {(row["namespace"], row["name"]) for row in document["usage"] if row["level"] != "ok"}
    states = [one["state"] for one in document["findings"]]
    told = [f"{things(len(full), 'claim')} nearly full, {count(critical)} critical"] if full else []
    told += [things(states.count("old"), "old snapshot")] if "old" in states else []
    told += [f"{things(states.count('many_snapshots'), 'claim')} with many"] if "many_snapshots" in states else []
    return "; ".join(told)


def _parts(document: Document) -> Figure:
    parts = document["parts"]
    whole = sum(1 for part in parts.values() if part["complete"])
    tone = GOOD if whole == len(parts) else BAD
    return Figure(name="Parts read", value=f"{count(whole)} of {count(len(parts))}", tone=tone)


def _box(box: Document) -> Figure:
    sick = sum(1 for pool in box["pools"] if pool["healthy"] is False)
    detail = f"{count(sick)} not healthy" if sick else "all healthy" if box["pools"] else NO_DATA
    return Figure(name="Pools", value=count(len(box["pools"])), detail=detail, tone=BAD if sick else PLAIN)


# -- how full, as bars -----------------------------------------------------------------------------------------------


def _full(document: Document) -> list[Bar]:
    """The fullest claims, each by the source that says it is fullest."""
    bars: dict[tuple[str, str], Bar] = {}
    for row in document["usage"]:
        if row["used_percent"] is None or len(bars) >= _MAX_BARS:
            continue
        text = f"{row['used_percent']:.1f} % of {size(row['capacity_bytes'])}" + (", shared" if row["shared"] else "")
        found = _bar(f"{row['namespace']}/{row['name']}", text, row["used_percent"], LEVELS[row["level"]])
        bars.setdefault((row["namespace"], row["name"]), found)
    return list(bars.values())


def _ticks(document: Document) -> list[float]:
    """Where the thresholds of claims lie on a bar, in percent of its width."""
    thresholds = document["options"].get("thresholds")
    found = thresholds if isinstance(thresholds, Mapping) else {}
    wanted = (found.get(name) for name in ("volume_warning", "volume_critical"))
    return [value for value in wanted if isinstance(value, int | float)]


def _pools(document: Document) -> list[Bar]:
    bars = []
    for pool in _pools_of(document)[:_MAX_BARS]:
        known = pool["used_percent"]
        text = (
            NO_DATA
            if known is None
            else f"{known:.1f} % of {size(pool['size_bytes'])}, {size(pool['free_bytes'])} free"
        )
        text += f"; {pool['status']}" if pool["status"] else ""
        bars.append(_bar(pool["name"], text, known or 0.0, _tone(pool)))
    return bars


def _bar(title: str, text: str, percent: float, tone: str) -> Bar:
    return Bar(title=title, text=text, share=round(min(max(percent, 0.0), 100.0), 2), tone=tone)
