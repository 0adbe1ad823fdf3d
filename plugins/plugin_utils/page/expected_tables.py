# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The section that sets what was expected of the builds beside what was seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .formats import count, figure, length, number, seconds, things, words
from .model import FAINT, GOOD, NO_DATA, PLAIN, WARN, Cell, Section, Table, at, columns

_NAMES = {
    "first_pod": "First pod runs",
    "first_busy": "First pod compiles",
    "first_finished": "First pod has finished",
    "all_finished": "All Jobs have ended",
    "first_removed": "First Job is removed by its TTL",
}
#: What may be later without being wrong: of the first pod only its start-up is expected, half of which take longer than
#: the median; and compilation is seen in kubelets' readings, which miss some pods on a busy machine.
_NOT_LATE = frozenset({"first_pod", "first_busy"})
#: Seconds by which something may be late that is seen in whole seconds.
_SLACK_SECONDS = 2.0


def expected_section(summary: Mapping[str, Any]) -> Section:
    """When builds came forward, and the processes of nodes."""
    found = summary.get("expected")
    title = "Expected and seen"
    if not found:
        lead = "No data: no batch had pods whose phases are known, as those of the build jobs are."
        return Section(id="expected", title=title, tables=[], lead=lead, tone=FAINT)
    tables = [_milestones(one, found) for one in found["roles"]]
    late = [row for one in found["roles"] for row in one["milestones"] if _is_late(row)]
    ends = [row for one in found["roles"] for row in one["milestones"] if row["name"] == "all_finished"]
    lead, tone = _lead(ends, bool(late))
    return Section(id="expected", title=title, tables=[*tables, _nodes(found)], lead=lead, tone=tone)


def _is_late(row: Mapping[str, Any]) -> bool:
    seen, latest = row.get("seen_s"), row.get("latest_s")
    if row["name"] in _NOT_LATE or seen is None or latest is None:
        return False
    return bool(seen > latest + _SLACK_SECONDS)


def _lead(ends: list[Mapping[str, Any]], late: bool) -> tuple[str, str]:
    known = [row for row in ends if row.get("seen_s") is not None and row.get("likely_s") is not None]
    if not known:
        cause = next((row["cause"] for row in ends if row.get("cause")), "")
        return "No data on the end of all Jobs" + (f": {cause}." if cause else "."), FAINT
    row = max(known, key=lambda one: one["seen_s"])
    text = f"All Jobs ended after {length(row['seen_s'])}; {length(row['likely_s'])} were expected."
    if late:
        text += " Something came later than the phases' longest lengths allow: pods waited, or their nodes were slow."
    return text, WARN if late else GOOD


def _milestones(role: Mapping[str, Any], found: Mapping[str, Any]) -> Table:
    rows = [
        [
            words(_NAMES.get(row["name"], row["name"])),
            figure(row.get("likely_s"), length),
            _between(row),
            figure(row.get("seen_s"), length, tone=WARN if _is_late(row) else PLAIN),
            _difference(row),
            Cell(text="" if row.get("documented_s") is None else length(row["documented_s"])),
            words(row.get("cause") or ""),
        ]
        for row in role["milestones"]
    ]
    startup = found.get("startup_p50_s")
    rounds = things(role["rounds"], "round")
    note = (
        f"Seconds from the first stored Job. Expected are the lengths of the phases, and the median start-up of a pod "
        f"in this run, {seconds(startup)}, once in each of {rounds}; between: if all pods drew their shortest or "
        "longest lengths. What else a round costs, such as the Job controller's time, is not expected, so it is in the "
        "difference. Old documents: the timeline of the scripts that this collection replaces, at a time scale of 1."
    )
    return Table(
        id=f"expected-{role['role']}",
        title=f"Timeline of {role['role']}: {count(role['pods'])} pods, {count(role['pods_at_once'])} at once",
        columns=columns("What", "#Expected", "#Between", "#Seen", "#Difference", "#Old documents", "~Remark"),
        rows=rows,
        note=note,
    )


def _between(row: Mapping[str, Any]) -> Cell:
    earliest, latest = row.get("earliest_s"), row.get("latest_s")
    if earliest is None or latest is None:
        return words(None)
    if earliest == latest:
        return words("")
    return Cell(text=f"{length(earliest)} – {length(latest)}", sort=earliest)


def _difference(row: Mapping[str, Any]) -> Cell:
    seen, likely = row.get("seen_s"), row.get("likely_s")
    if seen is None or likely is None:
        return words(None)
    off = seen - likely
    return Cell(text=f"{'+' if off >= 0 else '−'}{length(abs(off))}", sort=off)


def _nodes(found: Mapping[str, Any]) -> Table:
    rows = [
        [
            words(row["name"], code=True),
            figure(row["build_pods_peak"]),
            figure(row["likely"]),
            figure(row["most"]),
            figure(row.get("rise")),
            figure(row.get("threads_low")),
            figure(row.get("threads_peak")),
            figure(row.get("max_threads")),
        ]
        for row in found.get("nodes") or ()
    ]
    per_pod = max((one["processes_busy"] or 0 for one in found["roles"]), default=0)
    mean = at(found["roles"][0], "processes_mean")
    note = (
        f"A build pod holds {count(per_pod)} processes while it compiles, {number(mean)} on average over its life. "
        "Expected are those of the build pods that the kubelet counted at once; the rise is the peak of all threads of "
        "the node less the lowest reading, so it includes what the container runtime starts for each pod."
    )
    return Table(
        id="expected-nodes",
        title="Processes of nodes",
        columns=columns(
            "Node",
            "#Build pods at once",
            "#Expected on average",
            "#Expected at most",
            "#Seen: rise",
            "#Lowest reading",
            "#Peak",
            "#Limit",
        ),
        rows=rows,
        note=note,
        empty=f"No data: {found.get('nodes_cause') or NO_DATA}.",
    )
