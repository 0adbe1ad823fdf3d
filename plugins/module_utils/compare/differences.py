# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What else differs between the groups: settings, cluster, nodes, trust in the figures. Lines for people. Pure.

A fix changes something, so a difference is no reason to refuse; but it must be said, since it may be the cause of what
the figures show.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from ..results.times import epoch_seconds
from ..settings.run import is_of_load
from .judging import IMPROVED, REGRESSED, Compared
from .metrics import FAILURES, TIMES
from .ranks import can_be_significant, smallest_p
from .sources import GATHER, RUN, Source

#: Settings of a run's hash that change nothing about its load.
_NAMES_ONLY = frozenset({"namespaces_prefix"})
#: Differences that one line lists.
_LISTED = 8
_MISSING = "none"

Sources = Sequence[Source]


def warnings_of(before: Sources, after: Sources, rows: Sequence[Compared], overall: str) -> list[str]:
    """What readers must know before they believe the verdict, most important first."""
    parts = (
        _kinds(before, after),
        _enough(before, after),
        _differing("settings", before, after, _settings),
        _hashes(before, after),
        _differing("cluster", before, after, _cluster),
        _differing("nodes", before, after, _nodes),
        _covered(before, after),
        _trust(before, after),
        _at_once(before, after),
        _new_failures(rows),
        _survivors(rows, overall),
    )
    return [line for lines in parts for line in lines]


def _kinds(before: Sources, after: Sources) -> Iterator[str]:
    kinds = [{source.kind for source in group} for group in (before, after)]
    if kinds[0] != kinds[1] or len(kinds[0]) > 1:
        told = [" and ".join(sorted(found)) for found in kinds]
        yield f"before is {told[0]}, after is {told[1]}; a run and a must-gather have hardly a figure in common"


def _enough(before: Sources, after: Sources) -> Iterator[str]:
    counts = len(before), len(after)
    if max(counts) < 2:
        yield (
            "one run a side: how much equal runs differ is not known, so tolerances are wider and stand alone; five "
            "runs a side allow a test"
        )
    elif not can_be_significant(*counts):
        yield (
            f"{counts[0]} against {counts[1]} runs: no rank test can be significant (smallest p "
            f"{smallest_p(*counts):.2f}), so beyond spread only means that the ranges lie further apart than either is "
            "wide; five runs a side allow a test"
        )


def _hashes(before: Sources, after: Sources) -> Iterator[str]:
    """Where the settings themselves are not there to be compared."""
    hashes = {source.document.get("settings_hash") for source in (*before, *after) if source.kind == RUN}
    unread = [source.name for source in (*before, *after) if source.kind == RUN and not _settings(source)]
    if unread and len(hashes) > 1:
        yield f"the settings differ, by their hash; in what is not known, because {unread[0]} has no run.json"


def _settings(source: Source) -> Mapping[str, Any]:
    """Those that say what the run does."""
    settings = (source.document.get("run") or {}).get("settings") or {}
    return {name: value for name, value in settings.items() if is_of_load(name) and name not in _NAMES_ONLY}


def _cluster(source: Source) -> Mapping[str, Any]:
    cluster = (source.document.get("run") or {}).get("cluster") or {}
    return {name: cluster[name] for name in ("version", "platform", "openshift") if name in cluster}


def _nodes(source: Source) -> Mapping[str, Any]:
    """How many nodes there are, of what kinds, and how many processes they allow."""
    cluster = (source.document.get("run") or {}).get("cluster") or {}
    nodes = cluster.get("nodes") or {}
    found = {name: nodes[name] for name in ("total", "ready", "allocatable_cores", "allocatable_pods") if name in nodes}
    for name in ("kubeletVersion", "osImage", "kernelVersion", "containerRuntimeVersion", "architecture", "simulated"):
        values = sorted({str(kind.get(name)) for kind in nodes.get("kinds") or ()})
        if values:
            found[name] = ", ".join(values)
    for name in ("pod_pids_limit", "pid_max"):
        limits = sorted({node[name] for node in cluster.get("processes") or () if node.get(name) is not None})
        if limits:
            found[name] = ", ".join(str(limit) for limit in limits)
    return found


def _differing(
    what: str, before: Sources, after: Sources, read: Callable[[Source], Mapping[str, Any]]
) -> Iterator[str]:
    """A line if the groups differ, and one for each group that differs in itself."""
    groups = [[found for source in group if (found := read(source))] for group in (before, after)]
    if not all(groups):
        return
    for name, group in zip(("before", "after"), groups, strict=True):
        uneven = [key for key in _keys(group) if len({_text(one.get(key)) for one in group}) > 1]
        if uneven:
            yield f"{what} differ within {name}: {_listed(uneven)}; its spread is then no chance alone"
    changed = [
        f"{key} {_values(groups[0], key)} → {_values(groups[1], key)}"
        for key in _keys([*groups[0], *groups[1]])
        if _values(groups[0], key) != _values(groups[1], key)
    ]
    if changed:
        yield f"{what} differ: {_listed(changed)}"


def _keys(documents: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(key for document in documents for key in document))


def _values(documents: Sequence[Mapping[str, Any]], key: str) -> str:
    return "/".join(dict.fromkeys(_text(document.get(key)) for document in documents))


def _text(value: Any) -> str:
    return _MISSING if value is None or value == "" else str(value)


def _listed(texts: Sequence[str]) -> str:
    more = len(texts) - _LISTED
    return ", ".join(texts[:_LISTED]) + (f" and {more} more" if more > 0 else "")


def _covered(before: Sources, after: Sources) -> Iterator[str]:
    hours = [
        "/".join(dict.fromkeys(str(len(source.document["hours"])) for source in group if source.kind == GATHER))
        for group in (before, after)
    ]
    if all(hours) and hours[0] != hours[1]:
        yield f"the must-gathers cover {hours[0]} → {hours[1]} hours of the clock, and what they count grows with that"


def _trust(before: Sources, after: Sources) -> Iterator[str]:
    for source in (*before, *after):
        if source.kind == GATHER:
            continue
        if source.document["verdict"] == "aborted":
            reasons = source.document.get("reasons") or ["no reason is known"]
            yield f"{source.name} was aborted, so its figures are of a part: {reasons[0]}"
        statements = (source.document.get("validity") or {}).get("statements") or ()
        poor = [one["text"] for one in statements if one["state"] == "poor"]
        if poor:
            yield f"{source.name}: poor trust in its figures: {poor[0]}"


def _at_once(before: Sources, after: Sources) -> Iterator[str]:
    """Runs that load a cluster at the same time measure each other."""
    spans = [
        (start, end, source.name)
        for source in (*before, *after)
        if source.kind == RUN
        and (start := epoch_seconds(source.document.get("started"))) is not None
        and (end := epoch_seconds(source.document.get("finished"))) is not None
    ]
    spans.sort()
    for (_start, end, name), (start, _end, following) in pairwise(spans):
        if start < end:
            yield f"{name} and {following} ran at the same time, and may have disturbed each other"
            return


def _new_failures(rows: Sequence[Compared]) -> Iterator[str]:
    """Failures that only the runs after have: too few to be sure of, and not to be overlooked."""
    for row in rows:
        if row.metric.better != "lower" or row.metric.weight == TIMES or row.metric.unit:
            continue
        runs = sum(1 for value in row.after if value)
        if runs and not any(row.before) and row.verdict != REGRESSED:
            yield f"only after: {row.figure.what}, in {runs} of {len(row.after)} runs"


def _survivors(rows: Sequence[Compared], overall: str) -> Iterator[str]:
    slower = [row.figure.what for row in rows if row.metric.weight == TIMES and row.verdict == REGRESSED]
    fewer = any(row.metric.weight == FAILURES and row.verdict == IMPROVED for row in rows)
    if overall == IMPROVED and fewer and slower:
        yield (
            f"less failed, and yet larger: {_listed(slower)}; before, only what did not fail was measured, so "
            "these do not decide"
        )
