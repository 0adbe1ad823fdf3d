# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written beside the lines of a timeline: phases, first failures, pressure on nodes, restarts. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .evidence import Document, Evidence, roles_of
from .merge_server import observed_span
from .times import epoch_seconds

PHASE, FAILURE, PRESSURE, RESTART = "phase", "failure", "pressure", "restart"
#: Marks of one kind; beyond it the others are counted in a mark of their own.
MAX_MARKS = 20


def phases_of(evidence: Evidence, *, origin: float) -> list[dict[str, Any]]:
    """`role`, `start_s` and `end_s` of each role's work, in the order of time."""
    phases = [
        {"role": phase["role"], "start_s": round(start, 1), "end_s": round(start + phase["seconds"], 1)}
        for batch in evidence.batches
        for phase in batch.get("phases") or ()
        for start in [_work_began(batch, origin) + (phase.get("start_seconds") or 0.0)]
    ]
    return sorted(phases, key=lambda phase: phase["start_s"])


def _work_began(batch: Document, origin: float) -> float:
    """What its phases count from; of older measurements only when it connected is known, a little before."""
    began = batch.get("began") or batch["started"]
    return (epoch_seconds(began) or origin) - origin


def marks_of(evidence: Evidence, *, origin: float) -> list[dict[str, Any]]:
    """`t` in seconds, `text` and `kind` of each, in the order of time; at most MAX_MARKS of a kind."""
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
    """The first failure of each reason and kind: the others are in failures.jsonl."""
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
    """Where each time of pressure begins and ends, if that lies on the axis; each once."""
    told: set[tuple[float, str]] = set()
    for one in evidence.observations:
        for node in (one.get("nodes") or {}).get("nodes") or ():
            for period in node.get("conditions") or ():
                state = "NotReady" if period["type"] == "Ready" else period["type"]
                for end, word in (("from", "begins"), ("to", "ends")):
                    at = _seconds(period.get(end), origin)
                    if at is not None and at >= 0:
                        told.add((at, f"{node['name']}: {state} {word}"))
    yield from told


def _restarts(evidence: Evidence, origin: float) -> Iterator[tuple[float, str]]:
    """Processes of an API server that started while somebody observed; with several servers that is one of them."""
    span = observed_span(evidence.observations)
    started = {
        str(instance["started"])
        for one in evidence.observations
        for instance in (one.get("api_server") or {}).get("instances") or ()
    }
    for text in started:
        at = epoch_seconds(text)
        if span is not None and at is not None and span[0] < at <= span[1]:
            yield at - origin, "an API server started anew"
