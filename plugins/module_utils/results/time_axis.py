# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""timeline.json: what batches and observers saw over time, on one axis in seconds from the first of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .evidence import SCHEMA, Document, Evidence
from .marks import marks_of, phases_of
from .sketches import largest, total
from .times import apart, epoch_seconds

#: Bins of all batches together; where there would be more, bins are longer.
MAX_BINS = 1200
#: Nodes whose course is kept, those with the highest peaks.
MAX_NODES = 20
_ADDED = frozenset({"requests", "errors", "retries"})
_LIMITS = ("max_threads", "pod_pids_limit")

Series = dict[str, list[Any]]


def build_timeline(evidence: Evidence) -> dict[str, Any]:
    """The document of timeline.json; `load` and `api_server` are None where nobody measured them."""
    started = _first(evidence)
    origin = epoch_seconds(started) or 0.0
    return {
        "schema": SCHEMA,
        "run_id": evidence.run["run_id"],
        "attempt": evidence.run["attempt"],
        "started": started,
        "phases": phases_of(evidence, origin=origin),
        "marks": marks_of(evidence, origin=origin),
        "load": merged_load(evidence.loads, origin=origin),
        "api_server": _api_server(evidence.observations, origin=origin),
        "nodes": _nodes(evidence.observations, origin=origin),
    }


def _first(evidence: Evidence) -> str | None:
    started = [str(one["started"]) for one in (*evidence.batches, *evidence.observations)]
    known = [text for text in started if epoch_seconds(text) is not None]
    return min(known, key=lambda text: epoch_seconds(text) or 0.0, default=evidence.run.get("started"))


# -- load --------------------------------------------------------------------------------------------------------


def merged_load(loads: Sequence[Document], *, origin: float) -> dict[str, Any] | None:
    """`bin_seconds`, and series that are equally long: bin i is from i to i + 1 times `bin_seconds` after `origin`.

    Counts are added, peaks and percentiles are the largest of what falls into a bin (a percentile of a longer bin is
    then an upper bound), None is what nobody measured.
    """
    lines = [one["timeline"] for one in loads if (one.get("timeline") or {}).get("series")]
    if not lines:
        return None
    starts = [max(0.0, (epoch_seconds(line["started"]) or origin) - origin) for line in lines]
    # A bin of a batch that lies on two of the axis goes to the one that has its middle.
    middles = [start + line["bin_seconds"] * (_length(line) - 0.5) for start, line in zip(starts, lines, strict=True)]
    bin_seconds = max(line["bin_seconds"] for line in lines)
    while max(middles) / bin_seconds >= MAX_BINS:
        bin_seconds *= 2
    count = int(max(middles) // bin_seconds) + 1
    series: Series = {name: [None] * count for line in lines for name in line["series"]}
    for start, line in zip(starts, lines, strict=True):
        for name, values in line["series"].items():
            for number, value in enumerate(values):
                at = int((start + (number + 0.5) * line["bin_seconds"]) // bin_seconds)
                series[name][at] = _joined(name, series[name][at], value)
    return {"bin_seconds": bin_seconds, "series": series}


def _length(line: Mapping[str, Any]) -> int:
    return max(len(values) for values in line["series"].values())


def _joined(name: str, one: float | None, other: float | None) -> Any:
    return total((one, other)) if name in _ADDED else largest((one, other))


# -- observers ---------------------------------------------------------------------------------------------------


def _shifted(parts: Iterable[tuple[float, Mapping[str, Any]]], names: Sequence[str]) -> Series:
    """Series one after the other, their own times (`t`) moved by the seconds that each begins later.

    Between two of them a reading without figures is put in, so that nobody draws a line over the gap.
    """
    joined: Series = {"t": [], **{name: [] for name in names}}
    for offset, series in parts:
        times = [round(offset + seconds, 1) for seconds in series["t"]]
        if joined["t"] and times:
            joined["t"].append(round((joined["t"][-1] + times[0]) / 2, 1))
            for name in names:
                joined[name].append(None)
        joined["t"] += times
        for name in names:
            joined[name] += series.get(name) or [None] * len(times)
    return joined


def _names(parts: Iterable[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for one in parts for name, values in one.items() if isinstance(values, list)))


def _api_server(observations: Sequence[Document], *, origin: float) -> Series | None:
    told = [one for one in observations if ((one.get("api_server") or {}).get("series") or {}).get("t")]
    if not told:
        return None
    parts = [(_offset(one, origin), one["api_server"]["series"]) for one in apart(told)]
    return _shifted(parts, [name for name in _names(series for _offset, series in parts) if name != "t"])


def _offset(document: Document, origin: float) -> float:
    return (epoch_seconds(document["started"]) or origin) - origin


def _nodes(observations: Sequence[Document], *, origin: float) -> list[dict[str, Any]]:
    """One entry a node: its series, and the limits that are drawn beside it."""
    told = apart([one for one in observations if (one.get("nodes") or {}).get("series")])
    gathered: dict[str, list[tuple[float, Mapping[str, Any]]]] = {}
    for one in told:
        for series in one["nodes"]["series"]:
            gathered.setdefault(series["node"], []).append((_offset(one, origin), series))
    limits = {row["name"]: row for one in observations for row in (one.get("nodes") or {}).get("nodes") or ()}
    entries = [
        {
            "node": node,
            **_shifted(parts, [name for name in _names(series for _offset, series in parts) if name != "t"]),
            "limits": {name: limits.get(node, {}).get(name) for name in _LIMITS},
        }
        for node, parts in gathered.items()
    ]
    entries.sort(key=lambda entry: -(largest(entry.get("threads") or ()) or 0))
    return entries[:MAX_NODES]
