# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of pods and Jobs: durations, the slowest, and failures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .formats import count, counted, figure, seconds, stamps, things, words
from .model import BAD, FAINT, GOOD, NO_DATA, PLAIN, WARN, Cell, Column, Section, Table, at, columns
from .volume_tables import volume_stages

#: The stages of a pod's start, in order.
_STAGES = {
    "scheduled": "created to scheduled",
    "initialized": "to initialized",
    "started": "to all containers started",
    "ready": "to ready",
    "total": "total",
    "watched": "total, by the client's clock",
}
_GROUPS = {"stateless": "stateless", "stateful": "StatefulSet", "job": "Job", "other": "other"}
#: Of a request to a Service.
_REQUEST_PHASES = {
    "name_lookup": "name looked up",
    "connect": "connected",
    "first_byte": "first byte of the answer",
    "total": "whole answer",
}
_PERCENTILES = ("p50_s", "p90_s", "p95_s", "p99_s", "max_s")
#: Sort key of a pod that never started: longer than all others. HTML and JSON have no infinity.
_LONGEST = 1e99
_MAX_NAMESPACES = 200
#: Of the folded table of all; a row has about 200 bytes.
_MAX_ALL_NAMESPACES = 2_000
_MAX_FAILED_PODS = 200


def pods_section(summary: Mapping[str, Any]) -> Section:
    """How long pods took to start and Jobs to complete, and restarts of StatefulSets."""
    if not summary.get("objects") and not at(summary, "pods", "startup"):
        lead = "No data: no batch left measurements."
        return Section(id="pods", title="Pods and Jobs", tables=[], lead=lead, tone=FAINT)
    tables = [_startup(summary), _jobs(summary)]
    if summary.get("namespaces"):
        tables.append(_all_namespaces(summary["namespaces"]))
    if any(at(summary, "statefulsets", key) is not None for key in ("pods_killed", "restarts", "oom_kills")):
        tables.append(_sets(summary))
    if summary.get("volumes"):
        tables.append(volume_stages(summary["volumes"]))
    if summary.get("connectivity"):
        tables.append(_services(summary["connectivity"]))
    return Section(id="pods", title="Pods and Jobs", tables=tables)


def _startup(summary: Mapping[str, Any]) -> Table:
    found = at(summary, "pods", "startup") or {}
    groups = [*(group for group in _GROUPS if group in found), *(group for group in found if group not in _GROUPS)]
    rows = [
        [
            words(_GROUPS.get(group, group)),
            words(_STAGES.get(stage, stage)),
            figure(one.get("count")),
            *(figure(one.get(name), seconds if stage == "watched" else stamps) for name in _PERCENTILES),
        ]
        for group in groups
        for stage, one in sorted(found[group].items(), key=lambda item: _stage_order(item[0]))
        if one
    ]
    return Table(
        id="startup",
        title="Pod start-up by stage",
        columns=columns("Pods", "Stage", "#Measured", "#p50", "#p90", "#p95", "#p99", "#Max"),
        rows=rows,
        note="From the pods' timestamps, which are whole seconds. Only the last stage uses the client's clock.",
        empty="No data: no pod start was observed.",
    )


def _stage_order(stage: str) -> int:
    return list(_STAGES).index(stage) if stage in _STAGES else len(_STAGES)


def _jobs(summary: Mapping[str, Any]) -> Table:
    jobs = summary.get("jobs") or {}
    rows = [
        ("Jobs complete", figure(jobs.get("complete"))),
        ("Jobs failed", figure(jobs.get("failed"), tone=BAD if jobs.get("failed") else PLAIN)),
        ("Failed pods that were replaced", figure(jobs.get("pods_retried"))),
        ("Peak of active pods", figure(jobs.get("peak_active_pods"))),
        ("Ceiling of active pods", figure(jobs.get("ceiling_active_pods"))),
    ]
    names = {"p50_s": "p50", "p90_s": "p90", "p95_s": "p95", "p99_s": "p99", "max_s": "max"}
    duration = jobs.get("duration") or {}
    rows += [(f"Duration, {name}", figure(duration.get(key), stamps)) for key, name in names.items()]
    known = [[words(name), cell] for name, cell in rows if cell.text != NO_DATA]
    return Table(
        id="jobs",
        title="Jobs",
        columns=columns("What", "#Figure"),
        rows=known,
        empty="The run had no Jobs, or they were not measured.",
    )


def _sets(summary: Mapping[str, Any]) -> Table:
    sets = summary.get("statefulsets") or {}
    rows = [
        ("Pods killed for memory", figure(sets.get("pods_killed"))),
        ("Container restarts", figure(sets.get("restarts"))),
        ("Out-of-memory kills", figure(sets.get("oom_kills"))),
    ]
    return Table(
        id="sets",
        title="StatefulSets",
        columns=columns("What", "#Figure"),
        rows=[[words(name), cell] for name, cell in rows],
        note="As kubelets report them. StatefulSets that are meant to be killed are not failures.",
    )


def _services(checks: Mapping[str, Any]) -> Table:
    requests, failed = checks.get("requests"), checks.get("failed")
    phases = checks.get("phases") or {}
    rows = [
        [
            words(text),
            figure(row.get("count")),
            *(figure(row.get(name), seconds) for name in ("p50_s", "p90_s", "p99_s")),
        ]
        for name, text in _REQUEST_PHASES.items()
        if (row := phases.get(name))
    ]
    note = (
        f"{count(requests)} requests, {count(failed)} failed. Answers: {counted(checks.get('codes'))}. "
        "Each phase is counted from the beginning of the request. Percentiles are estimated from buckets."
    )
    return Table(
        id="services",
        title="Check of the Services",
        columns=columns("Request", "#Measured", "#p50", "#p90", "#p99"),
        rows=rows,
        note=note if requests is not None else "",
        empty=f"No data: {checks.get('cause') or 'no request was answered'}.",
    )


def failures_section(summary: Mapping[str, Any]) -> Section:
    """Failures by cause, by namespace and by pod."""
    failing = [row for row in summary.get("namespaces") or () if row.get("jobs_failed") or row.get("pods_failed")]
    failing.sort(key=lambda row: (-(row.get("jobs_failed") or 0), -(row.get("pods_failed") or 0)))
    tables = [_causes(summary), _namespaces(failing), _failed_pods(failing)]
    shown = [table for table in tables if table.rows]
    failed_objects = sum(one.get("failed") or 0 for one in (summary.get("objects") or {}).values())
    if not summary.get("objects") and at(summary, "pods", "failed") is None:
        lead, tone = "No data: no batch left measurements.", FAINT
    elif not shown and not failed_objects:
        lead, tone = "Nothing failed.", GOOD
    else:
        pods = at(summary, "pods", "failed")
        jobs = at(summary, "jobs", "failed")
        figures = ((failed_objects, "object"), (jobs, "Job"), (pods, "pod"))
        lead = "Failed: " + (", ".join(things(value, name) for value, name in figures if value) or "nothing in the end")
        lead, tone = lead + ". Every failure is in failures.jsonl.", BAD if failed_objects or jobs else WARN
    return Section(id="failures", title="Failures", tables=shown, lead=lead, tone=tone)


def _causes(summary: Mapping[str, Any]) -> Table:
    sources = (
        ("attempts of requests", at(summary, "rate", "errors") or {}),
        ("failed pods", at(summary, "pods", "causes") or {}),
    )
    rows = [
        [words(what), words(cause), figure(value)]
        for what, causes in sources
        for cause, value in sorted(causes.items(), key=lambda item: -(item[1] or 0))
        if value
    ]
    return Table(id="causes", title="By cause", columns=columns("What", "Cause", "#Count"), rows=rows)


def _namespaces(failing: list[Mapping[str, Any]]) -> Table:
    return Table(
        id="failing",
        title="By namespace",
        columns=_by_namespace(),
        rows=_namespace_rows(failing[:_MAX_NAMESPACES]),
        note=_rest(len(failing), _MAX_NAMESPACES, "namespaces with failures"),
    )


def _all_namespaces(every: list[Mapping[str, Any]]) -> Table:
    return Table(
        id="namespaces",
        title="All namespaces",
        columns=_by_namespace(),
        rows=_namespace_rows(every[:_MAX_ALL_NAMESPACES]),
        note=_rest(len(every), _MAX_ALL_NAMESPACES, "namespaces"),
        folded=True,
    )


def _by_namespace() -> list[Column]:
    return columns("Namespace", "#Jobs complete", "#Jobs failed", "#Pods succeeded", "#Pods failed")


def _namespace_rows(namespaces: list[Mapping[str, Any]]) -> list[list[Cell]]:
    names = ("jobs_complete", "jobs_failed", "pods_succeeded", "pods_failed")
    return [[words(row.get("name"), code=True), *(figure(row.get(name)) for name in names)] for row in namespaces]


def _failed_pods(failing: list[Mapping[str, Any]]) -> Table:
    pods = [(row.get("name"), pod) for row in failing for pod in row.get("failed_pods") or ()]
    return Table(
        id="failed-pods",
        title="Failed pods",
        columns=columns("Namespace", "Pod", "~Reason"),
        rows=[
            [words(namespace, code=True), words(pod.get("name"), code=True), words(pod.get("reason"))]
            for namespace, pod in pods[:_MAX_FAILED_PODS]
        ],
        note=_pods_left_out(failing, min(len(pods), _MAX_FAILED_PODS)),
    )


def _pods_left_out(failing: list[Mapping[str, Any]], shown: int) -> str:
    """Namespaces list only some of their failed pods, but count all of them."""
    total = sum(row.get("pods_failed") or 0 for row in failing)
    return f"{shown:,} of {things(total, 'failed pod')}; all are in failures.jsonl." if total > shown else ""


def _rest(amount: int, limit: int, what: str) -> str:
    return f"The first {limit:,} of {count(amount)} {what}; all are in summary.json." if amount > limit else ""


def worst_section(summary: Mapping[str, Any]) -> Section:
    """The pods that were slowest to start, and those that never started."""
    worst = at(summary, "pods", "worst")
    rows = [
        [
            words(pod.get("name"), code=True),
            words(pod.get("namespace"), code=True),
            words(_GROUPS.get(str(pod.get("group")), pod.get("group"))),
            words(pod.get("node") or "none", code=bool(pod.get("node")), tone=PLAIN if pod.get("node") else WARN),
            _total(pod),
            words(_stages(pod.get("stages"))),
            words(pod.get("cause") or ""),
        ]
        for pod in worst or ()
    ]
    never = sum(1 for pod in worst or () if pod.get("total_s") is None)
    if not worst:
        cause = "no pod start was observed" if worst is not None else "single pods were not measured"
        lead, tone = f"No data: {cause}.", FAINT
    else:
        lead = (
            f"{things(never, 'pod')} listed here never started." if never else "All pods started; these took longest."
        )
        tone = BAD if never else PLAIN
    table = Table(
        id="worst",
        title="Slowest to start",
        columns=columns("Pod", "Namespace", "Group", "Node", "#Total", "~Stages", "~Cause"),
        rows=rows,
    )
    return Section(id="worst-pods", title="Worst pods", tables=[table] if rows else [], lead=lead, tone=tone)


def _total(pod: Mapping[str, Any]) -> Cell:
    """How long the pod took; for one that never started, how long it waited, sorted before all others."""
    if pod.get("total_s") is not None:
        return figure(pod["total_s"], stamps)
    waited = pod.get("waited_s")
    return Cell(text="never" if waited is None else f"never, in {stamps(waited)}", sort=_LONGEST, tone=BAD)


def _stages(stages: Mapping[str, Any] | None) -> str:
    known = [(stage, value) for stage, value in (stages or {}).items() if isinstance(value, int | float)]
    known.sort(key=lambda item: _stage_order(item[0]))
    return ", ".join(f"{stage} {stamps(value)}" for stage, value in known)
