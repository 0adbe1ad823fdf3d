# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of accelerator jobs: how long they waited and for what, where they ran, how often they were restarted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.kubestress.core.plugins.module_utils.text import clock_time

from .formats import counted, figure, number, seconds, stamps, things, words
from .model import BAD, FAINT, PLAIN, WARN, Cell, Section, Table, columns

#: The stages of a job's wait, and whether their times are from the objects, which have whole seconds.
_STAGES = {
    "reserved": ("quota reserved", False),
    "admitted": ("admitted", False),
    "admitted_own": ("admitted, by own times", True),
    "scheduled": ("all pods on nodes", False),
}
_PERCENTILES = ("p50_s", "p90_s", "p99_s", "max_s")
_BY = {"scheduler": "scheduler", "queue": "queue"}


def accelerator_sections(summary: Mapping[str, Any]) -> list[Section]:
    """Queue wait, placement, restarts and causes of waiting; nothing for a run without accelerator jobs."""
    jobs = summary.get("accelerator_jobs")
    if not jobs:
        return []
    waiting = sum(row["waiting"] or 0 for row in jobs["waits"])
    lead = f"{things(waiting, 'job')} {'waits' if waiting == 1 else 'wait'} for nodes." if waiting else ""
    if waiting and summary.get("finished"):
        lead = f"{things(waiting, 'job')} still waited for nodes when the load ended."
    tables = [_waits(jobs), _jobs(jobs), _causes(jobs), _pools(jobs), _restarts(jobs)]
    tone = BAD if waiting and summary.get("finished") else PLAIN
    return [Section(id="accelerator-jobs", title="Accelerator jobs", tables=tables, lead=lead, tone=tone)]


def _names(row: Mapping[str, Any]) -> list[Cell]:
    return [words(row["role"], code=True), words(row["queue"] or ""), words(row["priority"] or "")]


def _waits(jobs: Mapping[str, Any]) -> Table:
    rows = []
    for wait in jobs["waits"]:
        for stage, row in wait["stages"].items():
            text, is_own = _STAGES.get(stage, (stage, False))
            figures = [figure(row.get(name), stamps if is_own else seconds) for name in _PERCENTILES]
            rows.append([*_names(wait), words(text), figure(row.get("count")), *figures])
    return Table(
        id="job-waits",
        title="Wait by queue and priority",
        columns=columns("Role", "Queue", "Priority", "Until", "#Measured", "#p50", "#p90", "#p99", "#Max"),
        rows=rows,
        note=" ".join(_wait_notes(jobs)),
        empty=f"No data: {jobs['cause'] or 'no wait was observed from its beginning to its end'}.",
    ).without_empty_columns()


def _jobs(jobs: Mapping[str, Any]) -> Table:
    rows = [
        [
            *_names(wait),
            figure(wait["jobs"]),
            figure(wait["waiting"], tone=BAD if wait["waiting"] else PLAIN),
            Cell(text="") if wait["waiting_longest_s"] is None else figure(wait["waiting_longest_s"], seconds),
            *(words(_time_of_day(wait[name])) for name in ("first_admitted", "last_admitted")),
            words(counted(wait["evicted"])),
        ]
        for wait in jobs["waits"]
    ]
    return Table(
        id="jobs-waiting",
        title="Order of the queue, and jobs that still wait",
        columns=columns(
            *("Role", "Queue", "Priority", "#Jobs", "#Still waiting", "#Longest of these"),
            *("First admitted", "Last admitted", "Evicted"),
        ),
        rows=rows,
        note="A job waits until all of its pods have had a node. Admissions are by the Workloads' own times.",
        empty=f"No data: {jobs['cause'] or 'no job was observed'}.",
    ).without_empty_columns()


def _time_of_day(at: str | None) -> str:
    return clock_time(at) if at else ""


def _wait_notes(jobs: Mapping[str, Any]) -> list[str]:
    notes = [
        "Quota and admission count from the creation of the Workload, nodes from that of the job.",
        "By the client's clock, from one event to another, except the Workload's own times.",
    ]
    if jobs["workloads_cause"]:
        notes.append(f"Workloads of Kueue were not watched: {jobs['workloads_cause']}.")
    if jobs["cause"]:
        notes.append(f"Not all was seen: {jobs['cause']}.")
    return notes


def _causes(jobs: Mapping[str, Any]) -> Table:
    rows = [
        [
            words(row["role"], code=True),
            words(_BY.get(row["by"], row["by"])),
            words(row["cause"], code=True),
            figure(row["told"]),
            figure(row["pending"], tone=BAD if row["pending"] else PLAIN),
            figure(row["longest_s"], seconds),
            words(row["example"], tone=FAINT),
        ]
        for row in jobs["unschedulable"]
    ]
    return Table(
        id="unschedulable",
        title="Why they waited",
        columns=columns(
            "Role", "Reported by", "Cause", "#Reported", "#Still pending", "#Longest wait", "~Newest message"
        ),
        rows=rows,
        note="The scheduler counts pods, the queue counts jobs. A pod may have several causes.",
        empty="No cause was reported: every pod found a node at once.",
    )


def _pools(jobs: Mapping[str, Any]) -> Table:
    unknown = "(not known)" if jobs["pools_cause"] else "(no pool)"
    rows = [
        [
            words(row["role"], code=True),
            words(row["pool"] or unknown),
            words(" ".join(part for part in (row["accelerator"] or row["machine"], row["topology"]) if part)),
            figure(row["nodes"]),
            figure(row["nodes_used"]),
            figure(row["pods"], tone=PLAIN if row["pods"] else WARN),
            figure(row["slices"]),
            figure(row["slices_at_once"]),
        ]
        for row in jobs["pools"]
    ]
    labels = sorted({row["label"] for row in jobs["pools"] if row["label"]})
    notes = [
        "Pools whose nodes would take the role's pods are listed without pods too. A slice is a Job with all its pods."
    ]
    if labels:
        notes.append(f"A pool is the nodes with one value of {_joined(labels)}.")
    if jobs["pools_cause"]:
        notes.append(f"Pools are not known: {jobs['pools_cause']}.")
    return Table(
        id="job-pools",
        title="Placement by pool",
        columns=columns(
            "Role", "Pool", "Nodes with", "#Nodes", "#Used", "#Pods", "#Slices", "#Slices at once",
        ),
        rows=rows,
        note=" ".join(notes),
        empty=f"No data: {jobs['pools_cause'] or jobs['cause'] or 'no pod found a node, and no pool would take one'}.",
    ).without_empty_columns()  # fmt: skip


def _joined(labels: Sequence[str]) -> str:
    return " or ".join(labels)


def _restarts(jobs: Mapping[str, Any]) -> Table:
    rows = [
        [
            words(row["role"], code=True),
            figure(row["jobs"]),
            figure(row["restarted"]),
            figure(row["restarts"], number),
            figure(row["failed_pods"]),
            words(counted({_exit(code): times for code, times in row["exit_codes"].items()})),
        ]
        for row in jobs["restarts"]
    ]
    return Table(
        id="job-restarts",
        title="Restarts and exit codes",
        columns=columns("Role", "#Jobs", "#Restarted", "#Restarts", "#Failed pods", "Exit codes"),
        rows=rows,
        note="Restarts are those of whole JobSets. Pods that were deleted while they ran did not fail.",
        empty=f"No data: {jobs['cause'] or 'no job was observed'}.",
    )


def _exit(code: str) -> str:
    return f"exit code {code}" if code.isdigit() else code
