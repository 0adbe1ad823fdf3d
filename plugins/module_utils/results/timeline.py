# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""timeline.json: phases, marks and series of batches and observers on one time axis. Pure.

Times are seconds since the first batch or observer started (`origin`, in seconds since 1970).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from .evidence import SCHEMA, Document, Evidence, roles_of
from .merge import largest, total
from .merge_network import network_series
from .merge_observations import apart, observed_span
from .times import epoch_seconds

PHASE, FAILURE, PRESSURE, RESTART = "phase", "failure", "pressure", "restart"
#: Marks of one kind; the rest are counted in one more mark.
MAX_MARKS = 20
#: Bins of all batches together; a longer run gets longer bins.
MAX_BINS = 1200
#: Nodes with series: those with the highest peaks.
MAX_NODES = 20
_ADDED = frozenset({"requests", "errors", "retries"})
_LIMITS = ("max_threads", "pod_pids_limit")

Series = dict[str, list[Any]]


def build_timeline(evidence: Evidence) -> dict[str, Any]:
    """The document of timeline.json; `load` and `api_server` are None if they were not measured."""
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
        "network_operations": network_series(evidence.observations, origin=origin),
    }


def _first(evidence: Evidence) -> str | None:
    started = [str(one["started"]) for one in (*evidence.batches, *evidence.observations)]
    known = [text for text in started if epoch_seconds(text) is not None]
    return min(known, key=lambda text: epoch_seconds(text) or 0.0, default=evidence.run.get("started"))


# -- phases and marks --------------------------------------------------------------------------------------------


def phases_of(evidence: Evidence, *, origin: float) -> list[dict[str, Any]]:
    """`role`, `start_s` and `end_s` of each role's work, in order of time."""
    phases = [
        {"role": phase["role"], "start_s": round(start, 1), "end_s": round(start + phase["seconds"], 1)}
        for batch in evidence.batches
        for phase in batch.get("phases") or ()
        for start in [_work_began(batch, origin) + (phase.get("start_seconds") or 0.0)]
    ]
    return sorted(phases, key=lambda phase: phase["start_s"])


def _work_began(batch: Document, origin: float) -> float:
    """When the batch began to send, which its phases count from; it connects before that."""
    return (epoch_seconds(batch["began"]) or origin) - origin


def marks_of(evidence: Evidence, *, origin: float) -> list[dict[str, Any]]:
    """`t` in seconds, `text` and `kind` of each mark, in order of time; at most MAX_MARKS of a kind."""
    marks: list[dict[str, Any]] = []
    for kind, found in (
        (PHASE, [(phase["start_s"], f"{phase['role']} begins") for phase in phases_of(evidence, origin=origin)]),
        (FAILURE, [*_failures(evidence, origin), *_cut_short(evidence, origin)]),
        (PRESSURE, list(_pressures(evidence, origin))),
        (RESTART, list(_restarts(evidence, origin))),
    ):
        ordered = sorted(found)
        marks += [{"t": round(t, 1), "text": text, "kind": kind} for t, text in ordered[:MAX_MARKS]]
        if len(ordered) > MAX_MARKS:
            text = f"and {len(ordered) - MAX_MARKS:,} more later"
            marks.append({"t": round(ordered[MAX_MARKS][0], 1), "text": text, "kind": kind})
    return sorted(marks, key=lambda mark: mark["t"])


def _seconds(text: Any, origin: float) -> float | None:
    at = epoch_seconds(text)
    return None if at is None else at - origin


def _failures(evidence: Evidence, origin: float) -> Iterator[tuple[float, str]]:
    """The first failure of each reason and kind; the others are in failures.jsonl."""
    seen: set[tuple[Any, ...]] = set()
    for batch in evidence.batches:
        for failure in batch.get("first_failures") or ():
            key = failure.get("kind"), failure.get("operation"), failure.get("reason")
            at = _seconds(failure.get("time"), origin)
            if key in seen or at is None:
                continue
            seen.add(key)
            name = "/".join(str(failure[part]) for part in ("namespace", "name") if failure.get(part))
            reason = failure.get("reason") or "failed"
            yield at, f"first {reason} of a {failure.get('kind')} ({failure.get('operation')}): {name}"


def _cut_short(evidence: Evidence, origin: float) -> Iterator[tuple[float, str]]:
    for batch in evidence.batches:
        at = _seconds(batch.get("finished"), origin)
        if batch.get("aborted") and at is not None:
            yield at, f"{roles_of(batch)}: {batch['aborted']}"


def _pressures(evidence: Evidence, origin: float) -> Iterator[tuple[float, str]]:
    """When pressure on a node begins and ends, without repeats; before the origin there is no mark."""
    marks: set[tuple[float, str]] = set()
    for one in evidence.observations:
        for node in (one.get("nodes") or {}).get("nodes") or ():
            for period in node.get("conditions") or ():
                state = "NotReady" if period["type"] == "Ready" else period["type"]
                for end, word in (("from", "begins"), ("to", "ends")):
                    at = _seconds(period.get(end), origin)
                    if at is not None and at >= 0:
                        marks.add((at, f"{node['name']}: {state} {word}"))
    yield from sorted(marks)


def _restarts(evidence: Evidence, origin: float) -> Iterator[tuple[float, str]]:
    """API server processes that started during the observation; with several servers, one of them restarted."""
    span = observed_span(evidence.observations)
    started = {
        str(instance["started"])
        for one in evidence.observations
        for instance in (one.get("api_server") or {}).get("instances") or ()
    }
    for text in started:
        at = epoch_seconds(text)
        if span is not None and at is not None and span[0] < at <= span[1]:
            yield at - origin, "an API server restarted"


# -- load --------------------------------------------------------------------------------------------------------


def merged_load(loads: Sequence[Document], *, origin: float) -> dict[str, Any] | None:
    """`bin_seconds`, and series of equal length: bin i starts i times `bin_seconds` after `origin`.

    Counts are added. Peaks and percentiles are the largest in the bin, so the percentile of a longer bin is an upper
    bound. None means not measured.
    """
    lines = [one["timeline"] for one in loads if (one.get("timeline") or {}).get("series")]
    if not lines:
        return None
    starts = [max(0.0, (epoch_seconds(line["started"]) or origin) - origin) for line in lines]
    # A batch's bin that overlaps two bins of the axis goes to the one that contains its middle.
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
    """Series joined one after the other, the times (`t`) of each moved by its offset in seconds.

    Between two of them there is a reading without values, so that a plot shows the gap.
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
    observed = [one for one in observations if ((one.get("api_server") or {}).get("series") or {}).get("t")]
    if not observed:
        return None
    parts = [(_offset(one, origin), one["api_server"]["series"]) for one in apart(observed)]
    return _shifted(parts, [name for name in _names(series for _offset, series in parts) if name != "t"])


def _offset(document: Document, origin: float) -> float:
    return (epoch_seconds(document["started"]) or origin) - origin


def _nodes(observations: Sequence[Document], *, origin: float) -> list[dict[str, Any]]:
    """One entry per node: its series, and the limits to draw with them."""
    observed = apart([one for one in observations if (one.get("nodes") or {}).get("series")])
    gathered: dict[str, list[tuple[float, Mapping[str, Any]]]] = {}
    for one in observed:
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
