# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole preflight: a compiled plan and a cluster in, rows and reasons to stop out."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ..capacity.compare import Placement, compare
from ..capacity.limits import consent_line
from ..capacity.rows import NO_DATA, OK, OVER, UNKNOWN, WARNING, Row
from ..capacity.supply import Node, Supply
from ..cluster.client import Cluster
from ..cluster.discovery import Discovery, Resource, served
from ..cluster.inventory import is_openshift
from ..cluster.retries import RetryPolicy
from ..cluster.reviews import user_name
from ..errors import ModuleFailed
from ..plan.access import cleanup_access, lists_of, needed_access
from ..plan.arguments import check_namespaces, context_of, fragments_of, namespaces_of
from ..plan.demand import Demand, demand_of
from ..plan.fragment import Fragment, PlanError
from ..plan.names import check_names
from ..results.table import (
    BAD,
    FAINT,
    GOOD,
    MESSAGE,
    PLAIN,
    WARN,
    Line,
    brief,
    columns,
    heading,
    shortened,
    wrapped,
)
from ..settings.roles.preflight import ROLE as PREFLIGHT
from ..settings.setting import SettingError
from ..syntax import SERVICE_ACCOUNT_RULE, is_service_account
from .kinds import resources_of
from .namespaces import OF_MODULES, OF_ROLES, Names, absent_line, sort_out
from .queues import queues_of
from .rbac import Rights, missing_line, rbac_text, user_of_account
from .storage import StorageWanted
from .survey import Survey, Wanted, survey

#: Requests of the module in flight at once; enough to read side by side, and no stress of its own.
_IN_FLIGHT = 20
#: Seconds during which one read is tried again.
_DEADLINE_SECONDS = 30.0
_TONES = {OK: GOOD, OVER: BAD, WARNING: WARN, NO_DATA: FAINT, UNKNOWN: WARN}
#: Rows and lines that are returned and shown; a thousand namespaces may each have an exhausted quota.
_MAX_ROWS = 60
_MAX_LINES = 20

#: What modules take beside a plan.
PREFLIGHT_OPTIONS: dict[str, dict[str, Any]] = {
    "profile": {"type": "str", "default": ""},
    "risk": {"type": "str", "default": ""},
    "accept_over_limit": {"type": "bool", "default": False},
    "accept_risk": {"type": "bool", "default": False},
    "cleans_up": {"type": "bool", "default": False},
    "nodes_sampled": PREFLIGHT["preflight_nodes_sampled"].argument_spec(),
    "read_budget": PREFLIGHT["preflight_read_budget"].argument_spec(),
    "exact_pods": PREFLIGHT["preflight_exact_pods"].argument_spec(),
    "rbac_out": {"type": "path"},
    "rbac_account": {"type": "str", "default": ""},
}


@dataclass(frozen=True, kw_only=True)
class Planned:
    """What is to be judged: compiled fragments for namespaces, given as (index, name); some may exist already.

    `openshift`: the fragments were compiled for it.
    """

    run_id: str
    fragments: Sequence[Fragment]
    namespaces: Sequence[tuple[int, str]]
    existing: Collection[str] = ()
    openshift: bool = False

    @property
    def names_owners(self) -> bool:
        """Whether the plan says which namespaces are its own; one without a fragment for them takes what is there."""
        return any(fragment.makes_namespace for fragment in self.fragments)

    @property
    def makes_namespaces(self) -> bool:
        """Whether the plan may have to make one of its namespaces, or works in those that are there."""
        return self.names_owners and not set(self.existing).issuperset(name for _index, name in self.namespaces)

    @property
    def names(self) -> Names:
        """How messages call the options. Roles give their fragments levers; other playbooks need not."""
        return OF_ROLES if any(fragment.levers for fragment in self.fragments) else OF_MODULES


@dataclass(frozen=True, kw_only=True)
class Question:
    """What the user asked for. `read_budget_seconds` bounds the counting of pods that run already.

    `profile` and `risk` are for messages: a plan with a risk needs `accept_risk`. `cleans_up`: the run deletes its
    namespaces in the end. Up to `exact_pods` pods of the cluster are read one by one. With `rbac_out` the answer has
    the rights that the plan needs, for the ServiceAccount `rbac_account` or for the user of the connection.
    """

    profile: str = ""
    risk: str = ""
    accept_over_limit: bool = False
    accept_risk: bool = False
    cleans_up: bool = False
    check_mode: bool = False
    nodes_sampled: int = PREFLIGHT["preflight_nodes_sampled"].default
    read_budget_seconds: float = PREFLIGHT["preflight_read_budget"].default
    exact_pods: int = PREFLIGHT["preflight_exact_pods"].default
    rbac_out: str | None = None
    rbac_account: str = ""

    @classmethod
    def of(cls, options: Mapping[str, Any], *, check_mode: bool) -> Question:
        """From a module's options. Raises SettingError naming the option, its value, and what is allowed."""
        for name in ("nodes_sampled", "read_budget", "exact_pods"):
            PREFLIGHT[f"preflight_{name}"].check(name, options[name])
        account = options["rbac_account"]
        if account and not is_service_account(account):
            raise SettingError(f"rbac_account: {account!r} is not allowed; {SERVICE_ACCOUNT_RULE}")
        given = {name: value for name, value in options.items() if name != "read_budget"}
        return cls(**given, read_budget_seconds=options["read_budget"], check_mode=check_mode)


@dataclass
class Answer:
    """What was found. `problems` stop the run, `warnings` do not; one line each."""

    rows: list[Row] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    cluster: dict[str, Any] = field(default_factory=dict)
    demand: dict[str, Any] = field(default_factory=dict)
    existing: dict[str, list[str]] = field(default_factory=dict)
    needed_access: list[str] = field(default_factory=list)
    rbac: str | None = None

    def message(self) -> str:
        """Why the run must not start, in a message; `problems` has all of it."""
        if len(self.problems) == 1:
            return f"preflight: {shortened(self.problems[0], MESSAGE)}"
        numbered = [f"({number}) {text}" for number, text in enumerate(self.problems, 1)]
        return f"preflight: {len(self.problems)} reasons not to start: {brief(numbered, rest='see the table above')}"


async def run_module(params: Mapping[str, Any], auth: dict[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """What the module does: compile, connect, read, judge. Raises KubestressError; ModuleFailed with the answer."""
    question = Question.of({name: params[name] for name in PREFLIGHT_OPTIONS}, check_mode=check_mode)
    context, namespaces = context_of(params), namespaces_of(params)
    # Bad input is refused before a server is asked for anything.
    fragments = fragments_of(params, context)
    check_namespaces(fragments, namespaces)
    check_names(fragments, namespaces)
    slots = asyncio.Semaphore(_IN_FLIGHT)
    retry = RetryPolicy(deadline_seconds=_DEADLINE_SECONDS)
    async with await Cluster.open(auth, retry=retry, admission=lambda: slots) as cluster:
        await cluster.version()
        if openshift := await is_openshift(cluster):
            fragments = fragments_of(params, replace(context, openshift=True))
        planned = Planned(
            run_id=params["run_id"],
            fragments=fragments,
            namespaces=namespaces,
            existing=params["existing_namespaces"],
            openshift=openshift,
        )
        answer = await preflight(cluster, Discovery(cluster), planned, question)
    result = result_of(answer, planned, question)
    if answer.problems:
        raise ModuleFailed(answer.message(), result)
    return result


async def preflight(cluster: Cluster, discovery: Discovery, planned: Planned, question: Question) -> Answer:
    """Read the cluster and judge. Raises ClusterError, and PlanError for a template with a broken quantity."""
    resources = await resources_of(discovery, planned.fragments)
    demand = demand_of(planned.fragments, namespaces=planned.namespaces, existing=planned.existing)
    makes = planned.makes_namespaces
    access = needed_access(planned.fragments, resources, cleans_up=question.cleans_up, makes_namespaces=makes)

    def takes_pods(node: Node) -> bool:
        return bool(Placement(demand, Supply(nodes=[node])).all_nodes())

    wanted = Wanted(
        run_id=planned.run_id,
        namespaces=[name for _index, name in planned.namespaces],
        access=access,
        pods=bool(demand.pods_at_peak),
        processes=any(group.processes for group in demand.groups),
        nodes_sampled=question.nodes_sampled,
        budget_seconds=question.read_budget_seconds,
        exact_pods=question.exact_pods,
        makes_namespaces=makes,
        openshift=planned.openshift,
        storage=StorageWanted.of(demand),
        queues=queues_of(demand),
    )
    found = await survey(cluster, wanted, takes_pods=takes_pods)
    answer = judge(planned, question, found)
    answer.needed_access = [str(one) for one in access]
    if question.rbac_out:
        answer.rbac = await _rbac(cluster, planned, question, resources)
    return answer


async def _rbac(cluster: Cluster, planned: Planned, question: Question, resources: Mapping[Any, Resource]) -> str:
    """What the plan needs, as Roles and bindings: to run, and to remove what it made."""
    user = user_of_account(question.rbac_account) if question.rbac_account else await user_name(cluster)
    if not user:
        raise PlanError("rbac_account: none is given, and the API server does not say who we are; name NAMESPACE/NAME")
    makes = planned.makes_namespaces
    cleanup = cleanup_access(planned.fragments, resources, makes_namespaces=makes)
    if makes:
        # A namespace is deleted only if all that is in it could be listed.
        every = (await served(cluster)).with_verbs("list", "delete")
        cleanup += lists_of((each.api_version, each) for each in every if each.namespaced)
    rights = Rights(
        run_id=planned.run_id,
        user=user,
        namespaces=[] if makes else [name for _index, name in planned.namespaces],
        uses={"run": needed_access(planned.fragments, resources, makes_namespaces=makes), "cleanup": cleanup},
    )
    return rbac_text(rights)


def judge(planned: Planned, question: Question, found: Survey) -> Answer:
    """The answer from what was read. Pure."""
    wanted = [name for _index, name in planned.namespaces]
    # A plan that makes no namespaces works in those that are there, no matter who made them.
    listed = planned.existing if planned.names_owners else wanted
    existing = sort_out(found.namespaces, run_id=planned.run_id, wanted=wanted, listed=listed, names=planned.names)
    there = existing.own | existing.allowed
    if "namespaces" in found.supply.unread:
        there |= set(planned.existing).intersection(wanted)  # the user says so, and nobody else does
    demand = demand_of(planned.fragments, namespaces=planned.namespaces, existing=there)
    answer = Answer(rows=compare(demand, found.supply, own_namespaces=set(existing.own)))
    placement = Placement(demand, found.supply)
    answer.cluster = cluster_facts(found)
    answer.demand = demand_facts(placement.demand)
    answer.existing = {"own": sorted(existing.own), "allowed": sorted(existing.allowed)}
    if found.missing:
        answer.problems.append(missing_line(found.missing))
    answer.problems += existing.refusals
    if absent := sorted(found.absent.intersection(planned.existing)):
        answer.problems.append(absent_line(absent, planned.names))
    _judge_limits(question, planned.names, answer)
    if question.risk and not question.accept_risk:
        line = consent_line(
            placement.demand,
            profile=question.profile,
            risk=question.risk,
            nodes=len(placement.all_nodes()) if placement.known else None,
            supply=found.supply,
            option=planned.names.accept_risk,
        )
        # Check mode starts nothing, so it needs no consent; it is where one reads what there is to agree to.
        (answer.warnings if question.check_mode else answer.problems).append(line)
    answer.rows = _bounded_rows(answer.rows)
    answer.problems, answer.warnings = _bounded(answer.problems), _bounded(answer.warnings)
    return answer


def _judge_limits(question: Question, names: Names, answer: Answer) -> None:
    over = [row.line() for row in answer.rows if row.verdict == OVER]
    if question.accept_over_limit:
        answer.warnings += [f"{line} (accepted by {names.accept_over_limit})" for line in over]
    else:
        answer.problems += [f"{line}, or set {names.accept_over_limit}=true" for line in over]
    answer.warnings += [row.line() for row in answer.rows if row.verdict == WARNING]
    answer.warnings += [f"{row.name}: {row.note}" for row in answer.rows if row.verdict == UNKNOWN]


def _bounded(lines: list[str]) -> list[str]:
    more = len(lines) - _MAX_LINES
    return [*lines[:_MAX_LINES], f"and {more:,} more of the same sort"] if more > 0 else lines


def _bounded_rows(rows: list[Row]) -> list[Row]:
    more = len(rows) - _MAX_ROWS
    return [*rows[:_MAX_ROWS], Row(name="further rows, not shown", needed=more)] if more > 0 else rows


# -- as plain data and as lines for people ---------------------------------------------------------------------------


def cluster_facts(found: Survey) -> dict[str, Any]:
    """For run.json: what kind of cluster it was. Nodes that are alike are one entry with a count."""
    supply = found.supply
    facts: dict[str, Any] = {
        "version": found.version.get("gitVersion"),
        "platform": found.version.get("platform"),
        "openshift": found.openshift,
        "namespaces": supply.namespaces,
        "pods_running": supply.pods_running if supply.pods_counted else None,
        "pods_estimated": supply.pods_estimated or None,
        "nodes": None,
        "processes": [asdict(one) for one in supply.processes],
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
    return {
        "namespaces": demand.namespaces,
        "objects": demand.objects,
        "patched": demand.patched,
        "api_objects": demand.api_objects,
        "pods_at_peak": demand.pods_at_peak,
        "pods_in_all": demand.pods_in_all,
        "cpu_requests_milli": demand.requested("cpu"),
        "memory_requests_bytes": demand.requested("memory"),
        "extended_requests": {name: demand.requested(name) for name in demand.resources[2:]},
        "claims": sum(group.number for group in demand.claims),
        "storage_requests_bytes": sum(group.bytes for group in demand.claims),
        "processes_at_peak": sum(group.at_peak * group.processes for group in demand.groups),
        "fragments": [
            {
                "role": one.role,
                "objects": {f"{kind} ({api_version})": number for (api_version, kind), number in one.objects.items()},
                "pods_at_peak": one.pods_at_peak,
                "pods_in_all": one.pods_in_all,
                "pods_unheld": one.pods_unheld,
                "processes_per_pod": one.fragment.processes or None,
                "rounds": one.expected.rounds or None,
                "expected_seconds": round(one.expected.seconds, 1) if one.expected.rounds else None,
                "ready_timeout_seconds": one.fragment.ready_timeout_seconds or None,
                "stall_timeout_seconds": one.fragment.stall_timeout_seconds or None,
                "unknown": list(one.unknown),
                "estimated": one.estimated or None,
            }
            for one in demand.fragments
        ],
    }


def result_of(answer: Answer, planned: Planned, question: Question) -> dict[str, Any]:
    """What modules return: the answer as plain data, and its table as text with a tone for each line."""
    lines = table_of(answer, planned, question)
    return {
        "rows": [row.as_dict() for row in answer.rows],
        "table": [line.text for line in lines],
        "tones": [line.tone for line in lines],
        "problems": answer.problems,
        "cautions": answer.warnings,
        "demand": answer.demand,
        "needed_access": answer.needed_access,
        "cluster": answer.cluster,
        "existing": answer.existing,
        **({"rbac": answer.rbac} if answer.rbac is not None else {}),
    }


def kept_of(answer: Answer) -> dict[str, Any]:
    """What run.json keeps: the entries `cluster` and `preflight`."""
    findings = {
        "rows": [row.as_dict() for row in answer.rows],
        "problems": answer.problems,
        "cautions": answer.warnings,
        "demand": answer.demand,
        "existing": answer.existing,
    }
    return {"cluster": answer.cluster, "preflight": findings}


def table_of(answer: Answer, planned: Planned, question: Question) -> list[Line]:
    """The table, and below it what stops the run and what only should be known."""
    title = title_of(planned.run_id, question.profile, answer.cluster)
    rows = [row.as_dict() for row in answer.rows]
    return [*preflight_lines(rows, title=title), *problem_lines(answer.problems, answer.warnings)]


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
