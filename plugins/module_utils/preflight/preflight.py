# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole preflight: settings and a cluster in, rows and reasons to stop out."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..capacity.compare import NO_DATA, OK, OVER, WARNING, Row, compare, consent_line, eligible_nodes
from ..capacity.supply import Supply
from ..cluster.client import Cluster, RetryPolicy
from ..plan.access import needed_access
from ..plan.demand import Demand, demand_of
from ..results.table import BAD, FAINT, GOOD, PLAIN, WARN, Line, columns, heading, wrapped
from .namespaces import names_of, sort_out
from .survey import Survey, Wanted, survey

_TONES = {OK: GOOD, OVER: BAD, WARNING: WARN, NO_DATA: FAINT}


def preflight_lines(rows: Sequence[Mapping[str, Any]], *, title: str) -> list[Line]:
    """The table: one line a row, its remark beneath it. `rows` are Row.as_dict()s."""
    cells = [("", "needed", "offered", "verdict")]
    cells += [
        (row["name"], row["needed_text"], row["offered_text"], "" if row["verdict"] == "info" else row["verdict"])
        for row in rows
    ]
    texts = columns(cells, align="lrrl")
    lines = [heading(title), Line(texts[0], FAINT)]
    for row, text in zip(rows, texts[1:], strict=True):
        lines.append(Line(text, _TONES.get(row["verdict"], PLAIN)))
        lines += [Line(part, FAINT) for part in wrapped(row["note"], indent=6)]
    return lines


def problem_lines(problems: Sequence[str], warnings: Sequence[str]) -> list[Line]:
    """What stops the run, and what only should be known."""
    lines = []
    for word, tone, texts in (("stop", BAD, problems), ("note", WARN, warnings)):
        for text in texts:
            lines += [Line(part, tone) for part in wrapped(f"{word}: {text}", indent=2, hanging=6)]
    return lines


#: Requests of the preflight in flight at once; enough to read side by side, and no stress of its own.
_IN_FLIGHT = 20
#: Seconds during which one read is tried again.
_DEADLINE_SECONDS = 30.0
#: Rows and lines that are returned and shown; a thousand namespaces may each have an exhausted quota.
_MAX_ROWS = 60
_MAX_LINES = 20


@dataclass(frozen=True, kw_only=True)
class Question:
    """What the user asked for. `read_budget_seconds` bounds the counting of pods that run already."""

    settings: Mapping[str, Any]
    run_id: str
    profile: str
    accept_over_limit: bool
    accept_risk: bool
    check_mode: bool
    nodes_sampled: int
    read_budget_seconds: float

    def validate(self) -> None:
        """Raises ValueError naming the option, its value, and what is allowed."""
        if not 0 <= self.nodes_sampled <= 1000:
            raise ValueError(f"nodes_sampled={self.nodes_sampled}: give a number from 0 to 1000")
        if not 0 < self.read_budget_seconds <= 600:
            raise ValueError(f"read_budget={self.read_budget_seconds:g}: give seconds, above 0 and up to 600")


@dataclass
class Answer:
    """What was found. `problems` stop the run, `warnings` do not; one line each."""

    rows: list[Row] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    cluster: dict[str, Any] = field(default_factory=dict)
    demand: dict[str, Any] = field(default_factory=dict)
    existing: dict[str, list[str]] = field(default_factory=dict)

    def message(self) -> str:
        """Why the run must not start, as one line."""
        if len(self.problems) == 1:
            return f"preflight: {self.problems[0]}"
        numbered = " ".join(f"({number}) {text}." for number, text in enumerate(self.problems, 1))
        return f"preflight: {len(self.problems)} reasons not to start: {numbered}"


async def preflight(options: dict[str, Any], question: Question) -> Answer:
    """Read the cluster and judge. `options` are the connection's.

    Raises ClusterError, MissingSetting, and ValueError for a setting that holds no quantity.
    """
    settings = question.settings
    # Before anything is asked of a server: bad settings are told without one.
    planned = demand_of(settings)
    wanted = Wanted(
        run_id=question.run_id,
        namespaces=names_of(settings),
        access=needed_access(planned, settings),
        pods=bool(planned.pods_at_peak),
        processes=bool(planned.builds.jobs_all),
        nodes_sampled=question.nodes_sampled,
        budget_seconds=question.read_budget_seconds,
    )
    slots = asyncio.Semaphore(_IN_FLIGHT)
    retry = RetryPolicy(deadline_seconds=_DEADLINE_SECONDS)
    async with await Cluster.open(options, retry=retry, admission=lambda: slots) as cluster:
        found = await survey(cluster, wanted, takes_pods=lambda node: bool(eligible_nodes([node], settings)[0]))
    return judge(question, found)


def judge(question: Question, found: Survey) -> Answer:
    """The answer from what was read. Pure."""
    existing = sort_out(found.namespaces, run_id=question.run_id, settings=question.settings)
    here = len(existing.own | existing.allowed)
    demand = demand_of(question.settings, existing_namespaces=here)
    answer = Answer(rows=compare(demand, found.supply, own_namespaces=set(existing.own)))
    answer.cluster = cluster_facts(found)
    answer.demand = demand_facts(demand)
    answer.existing = {"own": sorted(existing.own), "allowed": sorted(existing.allowed)}
    if found.missing:
        names = ", ".join(str(access) for access in found.missing)
        answer.problems.append(f"missing permissions: {names}: grant them to the user of this connection")
    answer.problems += existing.refusals
    _judge_limits(question, answer)
    _judge_risk(question, demand, found.supply, answer)
    answer.rows = _bounded_rows(answer.rows)
    answer.problems, answer.warnings = _bounded(answer.problems), _bounded(answer.warnings)
    return answer


def _judge_limits(question: Question, answer: Answer) -> None:
    over = [row.line() for row in answer.rows if row.verdict == OVER]
    if question.accept_over_limit:
        answer.warnings += [f"{line} (accepted by preflight_accept_over_limit)" for line in over]
    else:
        answer.problems += [f"{line}, or set preflight_accept_over_limit=true" for line in over]
    answer.warnings += [row.line() for row in answer.rows if row.verdict == WARNING]


def _judge_risk(question: Question, demand: Demand, supply: Supply, answer: Answer) -> None:
    risk = question.settings.get("preflight_risk")
    if not risk or question.accept_risk:
        return
    nodes = len(eligible_nodes(supply.nodes, question.settings)[0]) if supply.nodes else None
    line = consent_line(demand, profile=question.profile, risk=risk, nodes=nodes, processes=supply.processes)
    # Check mode starts nothing, so it needs no consent; it is where one reads what there is to agree to.
    (answer.warnings if question.check_mode else answer.problems).append(line)


def _bounded(lines: list[str]) -> list[str]:
    more = len(lines) - _MAX_LINES
    return [*lines[:_MAX_LINES], f"and {more:,} more of the same sort"] if more > 0 else lines


def _bounded_rows(rows: list[Row]) -> list[Row]:
    more = len(rows) - _MAX_ROWS
    return [*rows[:_MAX_ROWS], Row(name="further rows, not shown", needed=more)] if more > 0 else rows


def cluster_facts(found: Survey) -> dict[str, Any]:
    """For run.json: what kind of cluster it was. Nodes that are alike are one entry with a count."""
    supply = found.supply
    facts: dict[str, Any] = {
        "version": found.version.get("gitVersion"),
        "platform": found.version.get("platform"),
        "openshift": found.openshift,
        "namespaces": supply.namespaces,
        "pods_running": supply.pods_running if supply.pods_counted else None,
        "nodes": None,
        "processes": [vars(one) for one in supply.processes],
        "unread": supply.unread,
    }
    if supply.nodes is not None:
        alike = Counter(
            (*node.software.items(), ("cores", node.cores), ("pods", node.pods), ("simulated", node.simulated))
            for node in supply.nodes
        )
        facts["nodes"] = {
            "total": len(supply.nodes),
            "ready": sum(node.ready for node in supply.nodes),
            "allocatable_cores": sum(node.cpu for node in supply.nodes) / 1000,
            "allocatable_memory_bytes": sum(node.memory for node in supply.nodes),
            "allocatable_pods": sum(node.pods for node in supply.nodes),
            "kinds": [{**dict(kind), "count": number} for kind, number in alike.most_common(50)],
        }
    return facts


def demand_facts(demand: Demand) -> dict[str, Any]:
    """For run.json and for what calls the module: the figures of the table as plain numbers."""
    builds = demand.builds
    return {
        "namespaces": demand.namespaces,
        "objects": demand.objects_in_all(),
        "api_objects": demand.api_objects(),
        "pods_at_peak": demand.pods_at_peak,
        "pods_in_all": demand.pods_in_all,
        "cpu_requests_milli": demand.at_peak("cpu_request"),
        "memory_requests_bytes": demand.at_peak("memory_request"),
        "build_pods_in_all": builds.pods_all,
        "build_pods_ceiling": builds.ceiling_active_pods,
        "build_pods_all_jobs_active": builds.pods_all_jobs_active,
        "build_processes_at_peak": builds.processes_of(builds.ceiling_active_pods),
        "expected_seconds": round(builds.expected_seconds, 1),
        "wait_timeout_seconds": demand.settings.get("build_jobs_wait_timeout") or builds.wait_timeout_seconds,
    }


def result_of(answer: Answer, question: Question) -> dict[str, Any]:
    """What the module returns: the answer as plain data, and its table as text."""
    rows = [row.as_dict() for row in answer.rows]
    title = title_of(question.run_id, question.profile, answer.cluster)
    lines = [*preflight_lines(rows, title=title), *problem_lines(answer.problems, answer.warnings)]
    return {
        "rows": rows,
        "table": [line.text for line in lines],
        "tones": [line.tone for line in lines],
        "problems": answer.problems,
        "cautions": answer.warnings,
        "demand": answer.demand,
        "cluster": answer.cluster,
        "existing": answer.existing,
    }


def title_of(run_id: str, profile: str, cluster: Mapping[str, Any]) -> str:
    """The table's heading."""
    parts = [f"preflight of run {run_id}"]
    if profile:
        parts.append(f"profile {profile}")
    if cluster.get("version"):
        parts.append(f"Kubernetes {cluster['version']}")
    if cluster.get("nodes"):
        number = cluster["nodes"]["total"]
        parts.append(f"{number:,} node{'' if number == 1 else 's'}")
    return ", ".join(parts)
