# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Demand against supply: the rows of the preflight table. Pure arithmetic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ..plan.demand import Demand, PodGroup
from ..syntax import cpu_milli, whole
from ..text import text_of
from .supply import Node, NodeProcesses, Quota, Supply, refusal

OK, OVER, WARNING, NO_DATA, INFO = "ok", "over", "warning", "no data", "info"


@dataclass(frozen=True, kw_only=True)
class Row:
    """What is needed against what is offered. `unit` as in quantities.text_of; None is "no data" or "no limit".

    `verdict` is ok, over, warning, no data, or info (nothing to compare with). `cure` names settings and values, for
    over and warning; `note` is a short remark.
    """

    name: str
    needed: float | None
    offered: float | None = None
    unit: str = ""
    verdict: str = INFO
    cure: str = ""
    note: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For JSON; with the texts people see."""
        texts = {"needed_text": text_of(self.needed, self.unit), "offered_text": text_of(self.offered, self.unit)}
        return {**asdict(self), **texts}

    def line(self) -> str:
        """The one line of a limit that is passed."""
        note = f" ({self.note})" if self.note else ""
        needed, offered = text_of(self.needed, self.unit), text_of(self.offered, self.unit)
        return f"{self.name}: {needed} needed, {offered} offered{note}: {self.cure}"


def judged(row: Row, *, when_over: str = OVER) -> Row:
    """The row with its verdict from its two figures; over limit it becomes `when_over`, and else loses its cure."""
    if row.offered is None or row.needed is None:
        return Row(**{**asdict(row), "verdict": NO_DATA, "cure": ""})
    if row.needed > row.offered:
        return Row(**{**asdict(row), "verdict": when_over})
    return Row(**{**asdict(row), "verdict": OK, "cure": ""})


def fewer_namespaces(demand: Demand, *, needed: float, offered: float, groups: Iterable[PodGroup] = ()) -> str:
    """The cure of what grows with the number of namespaces: how many would fit, and what else makes it smaller."""
    fitting = int(demand.namespaces * offered / needed) if needed > 0 else demand.namespaces
    largest = sorted(groups, key=lambda group: -group.at_peak)
    parts = []
    if fitting >= 1:
        parts.append(f"namespaces_total={demand.namespaces} is too many, {fitting} would fit")
    else:
        parts.append(f"not even one namespace fits (namespaces_total={demand.namespaces})")
    if largest:
        parts.append("lower " + named(demand, largest[0].levers))
    return ", or ".join(parts)


def named(demand: Demand, settings: Iterable[str]) -> str:
    """Settings with their values, as in: a=1 or b=2."""
    texts = [
        "build_jobs_active_per_namespace=0 (all)"
        if name == "build_jobs_active_per_namespace" and not demand.settings[name]
        else f"{name}={demand.settings[name]}"
        for name in settings
    ]
    return " or ".join(texts)


def process_rows(demand: Demand, supply: Supply, nodes: list[Node] | None) -> list[Row]:
    """Processes in all, on a node, and in a pod; without build jobs, nothing.

    A kernel counts threads against kernel.pid_max, and so does node.rlimit of the kubelet; the build script's
    processes have one thread each.
    """
    builds = demand.builds
    if not builds.jobs_all:
        return []
    at_peak, unheld = builds.ceiling_active_pods, builds.pods_all_jobs_active
    note = f"{builds.processes_of(unheld):,} with all Jobs active"
    rows = [Row(name="build processes at peak", needed=builds.processes_of(at_peak), verdict=INFO, note=note)]
    if nodes:
        rows.append(_on_a_node(demand, supply, len(nodes)))
    rows.append(_in_a_pod(demand, supply))
    return rows


def _on_a_node(demand: Demand, supply: Supply, nodes: int) -> Row:
    builds = demand.builds
    share = builds.processes_of(-(-builds.ceiling_active_pods // nodes))
    unheld = builds.processes_of(-(-builds.pods_all_jobs_active // nodes))
    known = [node for node in supply.processes if node.pid_max is not None]
    if not known:
        note = f"pid_max: {_cause(supply)}; {unheld:,} with all Jobs active"
        return Row(name="build processes on a node", needed=share, verdict=NO_DATA, note=note)
    tightest = min(known, key=_free_processes)
    levers = f"build_jobs_processes={builds.processes}"
    return judged(
        Row(
            name="build processes on a node",
            needed=share,
            offered=_free_processes(tightest),
            note=f"pid_max {tightest.pid_max:,} of {tightest.name}; {unheld:,} with all Jobs active",
            cure=f"lower namespaces_total={demand.namespaces}, "
            f"build_jobs_parallelism={builds.parallelism} or {levers}, or raise kernel.pid_max",
        )
    )


def _free_processes(node: NodeProcesses) -> int:
    return (node.pid_max or 0) - (node.running or 0)


def _in_a_pod(demand: Demand, supply: Supply) -> Row:
    needed = demand.builds.processes
    known = [node for node in supply.processes if node.pod_pids_limit is not None]
    if not known:
        note = f"podPidsLimit: {_cause(supply)}"
        return Row(name="processes in a build pod", needed=needed, verdict=NO_DATA, note=note)
    limits = {node.name: node.pod_pids_limit or 0 for node in known if (node.pod_pids_limit or 0) > 0}
    if not limits:
        # -1 is the kubelet's word for "no limit of its own"; the node's then counts, which has a row.
        return Row(name="processes in a build pod", needed=needed, verdict="ok", note="podPidsLimit not set")
    name = min(limits, key=lambda node: limits[node])
    return judged(
        Row(
            name="processes in a build pod",
            # The pod's sandbox holds one more process (pause), which counts against the same limit.
            needed=needed + 1,
            offered=limits[name],
            note=f"podPidsLimit of {name}; one of them is pause",
            cure=f"lower build_jobs_processes={needed} (60 to 85), or raise podPidsLimit",
        )
    )


def _cause(supply: Supply) -> str:
    causes = {node.cause for node in supply.processes if node.cause}
    return "; ".join(sorted(causes)) or supply.unread.get("processes", "no kubelet to ask")


#: Names of a quota's resources, other than count/…, for what the arithmetic knows. "cpu" and "memory" mean requests.
_REQUESTS = {
    "cpu": "cpu_request",
    "requests.cpu": "cpu_request",
    "limits.cpu": "cpu_limit",
    "memory": "memory_request",
    "requests.memory": "memory_request",
    "limits.memory": "memory_limit",
}
_COUNTS = {
    "configmaps": "ConfigMap",
    "secrets": "Secret",
    "services": "Service",
    "count/configmaps": "ConfigMap",
    "count/secrets": "Secret",
    "count/services": "Service",
    "count/deployments.apps": "Deployment",
    "count/statefulsets.apps": "StatefulSet",
    "count/jobs.batch": "Job",
    "count/replicasets.apps": "ReplicaSet",
}


def quota_rows(demand: Demand, supply: Supply, *, own_namespaces: set[str]) -> list[Row]:
    """One row for each quota's resource that is too small; silent on what suffices.

    Where this run has worked before (its own namespaces, or its pods in them), part of what it needs is already
    counted as used, so what looks exhausted is only a warning.
    """
    if supply.quotas is None:
        cause = supply.unread.get("quotas", "")
        return [Row(name="quotas of existing namespaces", needed=None, verdict=NO_DATA, note=cause)] if cause else []
    worked_in = own_namespaces | supply.own_pods_in
    rows = []
    for quota in supply.quotas:
        rows += _rows_of(quota, demand, worked_here=quota.namespace in worked_in)
    return rows


def _rows_of(quota: Quota, demand: Demand, *, worked_here: bool) -> list[Row]:
    name = f"quota {quota.namespace}/{quota.name}"
    if quota.scoped:
        return [Row(name=name, needed=None, verdict=NO_DATA, note="it counts some pods only (scopes)")]
    rows = []
    for resource in quota.hard:
        needed = _needed(resource, demand)
        if not needed:
            continue
        figure, unit = (cpu_milli, "cores") if resource.endswith("cpu") else (whole, "")
        unit = "bytes" if resource.endswith("memory") else unit
        free = figure(quota.hard[resource]) - figure(quota.used.get(resource, "0"))
        cure = f"raise the quota, free some of it, or take {quota.namespace} out of namespaces_existing"
        row = Row(name=f"{name} {resource}", needed=needed, offered=max(0, free), unit=unit, cure=cure)
        row = judged(row, when_over=WARNING) if worked_here else judged(row)
        if row.cure:
            rows.append(row)
    return rows


def _needed(resource: str, demand: Demand) -> int:
    if resource in _REQUESTS:
        return demand.per_namespace(_REQUESTS[resource])
    if resource == "pods":
        return demand.pods_per_namespace
    if resource == "count/pods":
        # Finished pods count here until they are removed.
        return sum(group.in_all for group in demand.groups)
    kind = _COUNTS.get(resource, "")
    return demand.objects.get(kind, 0) + (demand.followers.get(kind, 0) if kind == "ReplicaSet" else 0)


def consent_line(demand: Demand, *, profile: str, risk: str, nodes: int | None, processes: list[NodeProcesses]) -> str:
    """One line: what the profile is for, pods and processes at once, against pid_max, and what to set."""
    builds = demand.builds
    pods = builds.ceiling_active_pods
    share = f", {builds.processes_of(-(-pods // nodes)):,} on each of {nodes:,} nodes" if nodes else ""
    known = sorted({node.pid_max for node in processes if node.pid_max is not None})
    limit = f"pid_max there is {known[0]:,}" if known else "kernel.pid_max is often 32,768 or 65,536 a node"
    would = f"up to {pods:,} build pods at once with {builds.processes_of(pods):,} processes{share} ({limit})"
    what = f"profile {profile}" if profile else "preflight_risk"
    return f"{what}: {risk.rstrip('. ')}. It would run {would}. Set preflight_accept_risk=true if you want that"


#: Kubernetes SIG Scalability's published thresholds.
MAX_NODES = 5_000
MAX_NAMESPACES = 10_000
MAX_PODS = 150_000
MAX_PODS_PER_NAMESPACE = 3_000
MAX_DEPLOYMENTS_PER_NAMESPACE = 2_000


def max_pods_per_node(cores: int) -> int:
    """The published threshold for one node: min(110, 10 per core)."""
    return min(110, 10 * cores)


def eligible_nodes(nodes: list[Node], settings: Mapping[str, Any]) -> tuple[list[Node], Counter[str]]:
    """The nodes that take this run's pods, and why the others don't: cause -> number."""
    taking, causes = [], Counter[str]()
    for node in nodes:
        cause = refusal(node, selector=settings["run_node_selector"], tolerations=settings["run_tolerations"])
        if cause is None:
            taking.append(node)
        else:
            causes[cause] += 1
    return taking, causes


def compare(demand: Demand, supply: Supply, *, own_namespaces: set[str]) -> list[Row]:
    """All rows, in the order of the table. `own_namespaces`: what this run made in an earlier attempt."""
    nodes, causes = eligible_nodes(supply.nodes, demand.settings) if supply.nodes is not None else (None, Counter())
    rows = what_runs(demand, len(nodes) if nodes else None)
    rows += node_rows(demand, supply, nodes, causes)
    rows += process_rows(demand, supply, nodes)
    rows += published_rows(demand, supply, nodes)
    rows += quota_rows(demand, supply, own_namespaces=own_namespaces)
    return rows


def what_runs(demand: Demand, nodes: int | None) -> list[Row]:
    """What there is nothing to hold against: how much in all, and for how long."""
    builds = demand.builds
    ours = sum(demand.objects_in_all().values())
    rows = [
        Row(name="objects to create", needed=ours, note=_kinds(demand)),
        Row(name="objects with those that controllers add", needed=demand.api_objects()),
        Row(name="pods in all", needed=demand.pods_in_all),
    ]
    if not builds.jobs_all:
        return rows
    active, all_active = builds.ceiling_active_pods, builds.pods_all_jobs_active
    unheld = f"{all_active:,} with all Jobs active"
    rows.append(Row(name="build pods at once, ceiling", needed=active, note=unheld + _each(all_active, nodes)))
    note = f"{builds.pods_all:,} build pods, {active:,} at once; give up after "
    note += text_of(demand.settings.get("build_jobs_wait_timeout") or builds.wait_timeout_seconds, "seconds")
    return [*rows, Row(name="expected length of the builds", needed=builds.expected_seconds, unit="seconds", note=note)]


def _kinds(demand: Demand) -> str:
    return ", ".join(f"{number:,} {kind}" for kind, number in demand.objects_in_all().items() if number)


def _each(pods: int, nodes: int | None) -> str:
    return f", {-(-pods // nodes):,} a node" if nodes else ""


def node_rows(demand: Demand, supply: Supply, nodes: list[Node] | None, causes: Counter[str]) -> list[Row]:
    """Pod slots, requests, and whether every pod finds a node."""
    if not demand.pods_at_peak:
        return []
    if nodes is None:
        cause = supply.unread.get("nodes", "not read")
        return [Row(name="pods at peak", needed=demand.pods_at_peak, verdict=NO_DATA, note=cause)]
    if not nodes:
        return [_no_node(demand, causes)]
    note = "" if supply.pods_counted else "what runs there is not counted: " + supply.unread.get("pods", "not read")
    slots = sum(max(0, node.pods - node.used_pods) for node in nodes)
    rows = [_against(demand, "pods at peak", needed=demand.pods_at_peak, offered=slots, unit="", note=note)]
    for name, attribute, unit in (
        ("CPU requests at peak", "cpu", "cores"),
        ("memory requests at peak", "memory", "bytes"),
    ):
        free = sum(max(0, getattr(node, attribute) - getattr(node, f"used_{attribute}")) for node in nodes)
        needed = demand.at_peak(f"{attribute}_request")
        rows.append(_against(demand, name, needed=needed, offered=free, unit=unit, note=note))
    if all(row.verdict != OVER for row in rows):
        rows += _placement(demand, nodes)
    rows.append(_memory_limits(demand, nodes))
    return rows


def _no_node(demand: Demand, causes: Counter[str]) -> Row:
    reasons = ", ".join(f"{number} {cause}" for cause, number in causes.most_common(5)) or "the cluster has none"
    cure = "make nodes ready, or set run_node_selector and run_tolerations so that nodes take the pods"
    return Row(name="nodes that take the pods", needed=1, offered=0, verdict=OVER, note=reasons, cure=cure)


def _against(demand: Demand, name: str, *, needed: int, offered: int, unit: str, note: str) -> Row:
    cure = fewer_namespaces(demand, needed=needed, offered=offered, groups=demand.groups)
    return judged(Row(name=name, needed=needed, offered=offered, unit=unit, cure=cure, note=note))


def _placement(demand: Demand, nodes: list[Node]) -> list[Row]:
    """Whether each pod finds a node that has room for the whole of it; silent where all do.

    First fit, largest pods first, which a scheduler may beat: so "over" is said only of pods too large for any node
    as it is now, and else it is a warning.
    """
    free = [[node.pods - node.used_pods, node.cpu - node.used_cpu, node.memory - node.used_memory] for node in nodes]
    rows = []
    for group in sorted(demand.groups, key=lambda one: (one.memory_request, one.cpu_request), reverse=True):
        sizes = (1, group.cpu_request, group.memory_request)
        too_large = not any(_fitting(sizes, [node.pods, node.cpu, node.memory]) for node in nodes)
        wanted = left = group.at_peak * demand.namespaces
        for room in free:
            number = min(left, _fitting(sizes, room))
            left -= number
            room[:] = [have - number * size for have, size in zip(room, sizes, strict=True)]
        if left:
            size = f"{text_of(group.cpu_request, 'cores')} cores, {text_of(group.memory_request, 'bytes')}"
            cure = f"lower {group.role}_requests ({size} a pod) or use larger nodes"
            name = f"pods of {group.role} that find a node"
            verdict = OVER if too_large else WARNING
            rows.append(Row(name=name, needed=wanted, offered=wanted - left, verdict=verdict, cure=cure))
    return rows


def _fitting(sizes: tuple[int, int, int], room: list[int]) -> int:
    """How many pods of `sizes` (slots, CPU, memory) go into `room`."""
    return min(max(0, have) // size for have, size in zip(room, sizes, strict=True) if size)


def _memory_limits(demand: Demand, nodes: list[Node]) -> Row:
    """Limits may be promised twice over; that they are is worth knowing, because then nodes run out of memory."""
    needed, offered = demand.at_peak("memory_limit"), sum(node.memory for node in nodes)
    cure = "nodes may run out of memory: lower the *_limits, or accept it"
    row = Row(name="memory limits at peak", needed=needed, offered=offered, unit="bytes", cure=cure)
    return judged(row, when_over=WARNING)


def published_rows(demand: Demand, supply: Supply, nodes: list[Node] | None) -> list[Row]:
    """SIG Scalability's thresholds. Only those that the run comes near (a tenth) or passes get a row."""
    new = demand.namespaces - demand.existing_namespaces
    deployments = demand.objects.get("Deployment", 0)
    pods = demand.pods_at_peak + supply.pods_running
    limits = [
        ("namespaces in the cluster", new + (supply.namespaces or 0), MAX_NAMESPACES, "namespaces_total"),
        ("pods in the cluster", pods, MAX_PODS, "namespaces_total"),
        ("pods in a namespace", demand.pods_per_namespace, MAX_PODS_PER_NAMESPACE, _largest_lever(demand)),
        ("Deployments in a namespace", deployments, MAX_DEPLOYMENTS_PER_NAMESPACE, "deployments_per_namespace"),
    ]
    rows = []
    for name, needed, offered, setting in limits:
        if needed * 10 >= offered:
            cure = f"lower {setting}={demand.settings[setting]}"
            row = Row(name=name, needed=needed, offered=offered, note="published limit", cure=cure)
            rows.append(judged(row))
    if supply.nodes is not None and len(supply.nodes) > MAX_NODES:
        cure = "expect worse latency than the official service levels"
        rows.append(Row(name="nodes", needed=len(supply.nodes), offered=MAX_NODES, verdict=WARNING, cure=cure))
    return rows + (_per_node(demand, nodes) if nodes and demand.pods_at_peak else [])


def _largest_lever(demand: Demand) -> str:
    largest = max(demand.groups, key=lambda group: group.at_peak, default=None)
    return largest.levers[-1] if largest else "namespaces_total"


def _per_node(demand: Demand, nodes: list[Node]) -> list[Row]:
    share = -(-demand.pods_at_peak // len(nodes))
    fullest = max(nodes, key=lambda node: node.used_pods + share - max_pods_per_node(node.cores))
    offered = max_pods_per_node(fullest.cores)
    row = Row(
        name="pods on a node, evenly spread",
        needed=fullest.used_pods + share,
        offered=offered,
        note=f"published limit, {fullest.cores} cores",
        cure="more pods a node than Kubernetes is tested with",
    )
    return [judged(row, when_over=WARNING)]
