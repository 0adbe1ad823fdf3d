# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Demand against limits that are not a node's room: processes, published thresholds, quotas. Pure arithmetic."""

from __future__ import annotations

from ..plan.demand import Demand, PodGroup
from ..syntax import cpu_milli, whole
from .rows import INFO, NO_DATA, WARNING, Levers, Row, judged
from .storage import quota_need
from .supply import Node, NodeProcesses, Quota, Supply

#: Kubernetes SIG Scalability's published thresholds.
MAX_NODES = 5_000
MAX_NAMESPACES = 10_000
MAX_PODS = 150_000
MAX_PODS_PER_NAMESPACE = 3_000
MAX_DEPLOYMENTS_PER_NAMESPACE = 2_000

#: Plurals of a quota's names ("configmaps", "count/deployments.apps") -> kind.
_COUNTED = {
    "configmaps": "ConfigMap",
    "secrets": "Secret",
    "services": "Service",
    "persistentvolumeclaims": "PersistentVolumeClaim",
    "replicationcontrollers": "ReplicationController",
    "deployments.apps": "Deployment",
    "statefulsets.apps": "StatefulSet",
    "daemonsets.apps": "DaemonSet",
    "replicasets.apps": "ReplicaSet",
    "jobs.batch": "Job",
    "cronjobs.batch": "CronJob",
    "volumesnapshots.snapshot.storage.k8s.io": "VolumeSnapshot",
}


def max_pods_per_node(cores: int) -> int:
    """The published threshold for one node: min(110, 10 per core)."""
    return min(110, 10 * cores)


# -- processes -------------------------------------------------------------------------------------------------------


def process_rows(demand: Demand, supply: Supply, nodes: list[Node] | None, levers: Levers) -> list[Row]:
    """Processes in all, on a node, and in a pod; nothing for a plan that declares none.

    A kernel counts threads against kernel.pid_max, and so does node.rlimit of the kubelet; the build script's
    processes have one thread each.
    """
    groups = [group for group in demand.groups if group.processes and group.at_peak]
    if not groups:
        return []
    at_peak, unheld = _processes(groups), _processes_unheld(demand)
    note = f"{unheld:,} with all members active"
    rows = [Row(name="processes at peak", needed=at_peak, verdict=INFO, note=note)]
    if nodes:
        rows.append(_on_a_node(groups, demand, supply, len(nodes), levers))
    fullest = max(groups, key=lambda group: group.processes)
    rows.append(_in_a_pod(fullest, supply, levers))
    return rows


def _processes(groups: list[PodGroup]) -> int:
    return sum(group.at_peak * group.processes for group in groups)


def _processes_unheld(demand: Demand) -> int:
    return sum(fragment.pods_unheld * fragment.fragment.processes for fragment in demand.fragments)


def _on_a_node(groups: list[PodGroup], demand: Demand, supply: Supply, nodes: int, levers: Levers) -> Row:
    share = sum(-(-group.at_peak // nodes) * group.processes for group in groups)
    unheld = sum(-(-one.pods_unheld // nodes) * one.fragment.processes for one in demand.fragments)
    known = [node for node in supply.processes if node.pid_max is not None]
    if not known:
        note = f"pid_max: {_cause(supply)}; {unheld:,} with all members active"
        return Row(name="processes on a node", needed=share, verdict=NO_DATA, note=note)
    tightest = min(known, key=_free_processes)
    role = max(groups, key=lambda group: group.at_peak * group.processes).role
    cure = (
        f"lower {levers.namespaces()} or {levers.of(role, 'pods')} or {levers.of(role, 'processes')}, "
        "or raise kernel.pid_max"
    )
    running = "" if tightest.running is None else f", {tightest.running:,} running"
    note = f"pid_max {tightest.pid_max:,} of {tightest.name}{running}; {unheld:,} with all members active"
    # A node may run more than its pid_max: what ran before the limit was lowered goes on.
    free = max(0, _free_processes(tightest))
    return judged(Row(name="processes on a node", needed=share, offered=free, note=note, cure=cure))


def _free_processes(node: NodeProcesses) -> int:
    return (node.pid_max or 0) - (node.running or 0)


def _in_a_pod(group: PodGroup, supply: Supply, levers: Levers) -> Row:
    name = f"processes in a pod of {group.role}"
    known = [node for node in supply.processes if node.pod_pids_limit is not None]
    if not known:
        return Row(name=name, needed=group.processes, verdict=NO_DATA, note=f"podPidsLimit: {_cause(supply)}")
    limits = {node.name: node.pod_pids_limit or 0 for node in known if (node.pod_pids_limit or 0) > 0}
    if not limits:
        # -1 is the kubelet's word for "no limit of its own"; the node's then counts, which has a row.
        return Row(name=name, needed=group.processes, verdict="ok", note="podPidsLimit not set")
    tightest = min(limits, key=lambda node: limits[node])
    # The pod's sandbox holds one more process (pause), which counts against the same limit.
    return judged(
        Row(
            name=name,
            needed=group.processes + 1,
            offered=limits[tightest],
            note=f"podPidsLimit of {tightest}; one of them is pause",
            cure=f"lower {levers.of(group.role, 'processes')}, or raise podPidsLimit",
        )
    )


def _cause(supply: Supply) -> str:
    causes = {node.cause for node in supply.processes if node.cause}
    return "; ".join(sorted(causes)) or supply.unread.get("processes", "no kubelet to ask")


def consent_line(demand: Demand, *, profile: str, risk: str, nodes: int | None, supply: Supply, option: str) -> str:
    """One line for the person who has to agree: what the load can do, pods and processes at once, what to set."""
    groups = [group for group in demand.groups if group.processes] or list(demand.groups)
    pods, processes = sum(group.at_peak for group in groups), _processes(groups)
    per_node = sum(-(-group.at_peak // nodes) * group.processes for group in groups) if nodes else 0
    share = f", {per_node:,} on each of {nodes:,} nodes" if nodes else ""
    known = sorted({node.pid_max for node in supply.processes if node.pid_max is not None})
    limit = f"pid_max there is {known[0]:,}" if known else "kernel.pid_max is often 32,768 or 65,536 a node"
    roles = " and ".join(sorted({group.role for group in groups}))
    would = f"up to {pods:,} pods of {roles} at once with {processes:,} processes{share} ({limit})"
    what = f"profile {profile}" if profile else "preflight_risk"
    return f"{what}: {risk.rstrip('. ')}. It would run {would}. Set {option} if you want that"


# -- published thresholds --------------------------------------------------------------------------------------------


def ceiling_rows(demand: Demand, levers: Levers) -> list[Row]:
    """Objects of a kind, those that controllers add included, against the ceiling that a fragment sets for the plan."""
    rows = []
    for fragment in demand.fragments:
        for kind, most in fragment.fragment.most.items():
            added = sum(one.followers.get(kind, 0) for one in demand.fragments)
            needed = demand.objects.get(kind, 0) + added
            cure = levers.fewer_namespaces(needed=needed, offered=most, role=fragment.role, figure="objects")
            row = Row(name=f"{kind}s of the run, ceiling", needed=needed, offered=most, cure=cure)
            rows.append(judged(row))
    return rows


def published_rows(demand: Demand, supply: Supply, nodes: list[Node] | None, levers: Levers) -> list[Row]:
    """SIG Scalability's thresholds. Only those that the run comes near (a tenth) or passes get a row."""
    new = demand.namespaces - demand.existing_namespaces
    deployments = demand.objects_in_a_namespace("Deployment")
    most = max(demand.fragments, key=lambda one: one.objects.get(("apps/v1", "Deployment"), 0), default=None)
    limits = [
        ("namespaces in the cluster", new + (supply.namespaces or 0), MAX_NAMESPACES, levers.namespaces()),
        ("pods in the cluster", demand.pods_at_peak + supply.pods_running, MAX_PODS, levers.namespaces()),
        ("pods in a namespace", demand.pods_per_namespace, MAX_PODS_PER_NAMESPACE, levers.most_pods()),
        (
            "Deployments in a namespace",
            deployments,
            MAX_DEPLOYMENTS_PER_NAMESPACE,
            levers.of(most.role, "objects") if most else "",
        ),
    ]
    rows = []
    if supply.namespaces is None and "namespaces" in supply.unread:
        rows.append(Row(name="namespaces there are", needed=None, verdict=NO_DATA, note=supply.unread["namespaces"]))
    for name, needed, offered, lever in limits:
        if needed * 10 >= offered:
            # An estimate's number of pods includes finished ones, which this limit does not mean.
            how = f"; {supply.pods_estimated}" if name == "pods in the cluster" and supply.pods_estimated else ""
            note = "published limit" + how
            row = Row(name=name, needed=needed, offered=offered, note=note, cure=f"lower {lever}")
            rows.append(judged(row))
    if supply.nodes is not None and len(supply.nodes) > MAX_NODES:
        cure = "expect worse latency than the official service levels"
        rows.append(Row(name="nodes", needed=len(supply.nodes), offered=MAX_NODES, verdict=WARNING, cure=cure))
    return rows + (_pods_of_a_node(demand, nodes) if nodes and demand.pods_at_peak else [])


def _pods_of_a_node(demand: Demand, nodes: list[Node]) -> list[Row]:
    share = -(-demand.pods_at_peak // len(nodes))
    fullest = max(nodes, key=lambda node: node.used_pods + share - max_pods_per_node(node.cores))
    row = Row(
        name="pods on a node, evenly spread",
        needed=fullest.used_pods + share,
        offered=max_pods_per_node(fullest.cores),
        note=f"published limit, {fullest.cores} cores",
        cure="more pods a node than Kubernetes is tested with",
    )
    return [judged(row, when_over=WARNING)]


# -- quotas of namespaces that exist ---------------------------------------------------------------------------------


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
        rows += _rows_of(quota, demand, supply, worked_here=quota.namespace in worked_in)
    return rows


def _rows_of(quota: Quota, demand: Demand, supply: Supply, *, worked_here: bool) -> list[Row]:
    name = f"quota {quota.namespace}/{quota.name}"
    if quota.scoped:
        return [Row(name=name, needed=None, verdict=NO_DATA, note="it counts some pods only (scopes)")]
    rows = []
    for resource in quota.hard:
        of_storage = quota_need(resource, demand, supply.storage)
        needed = _needed(resource, demand) if of_storage is None else of_storage
        if not needed:
            continue
        figure, unit = (cpu_milli, "cores") if resource.endswith("cpu") else (whole, "")
        unit = "bytes" if resource.endswith(("memory", "requests.storage")) else unit
        free = figure(quota.hard[resource]) - figure(quota.used.get(resource, "0"))
        cure = f"raise the quota, free some of it, or use another namespace than {quota.namespace}"
        row = Row(name=f"{name} {resource}", needed=needed, offered=max(0, free), unit=unit, cure=cure)
        row = judged(row, when_over=WARNING) if worked_here else judged(row)
        if row.cure:
            rows.append(row)
    return rows


def _needed(resource: str, demand: Demand) -> int:
    """What the fullest namespace needs of a quota's resource; "cpu" and "memory" mean requests."""
    if resource == "pods":
        return demand.pods_per_namespace
    if resource == "count/pods":
        # Finished pods count here until they are removed.
        return -(-demand.pods_in_all // max(1, demand.namespaces))
    if resource.startswith("limits."):
        return demand.limits_in_a_namespace(resource.removeprefix("limits."))
    if resource.removeprefix("count/") in _COUNTED:
        return demand.objects_in_a_namespace(_COUNTED[resource.removeprefix("count/")])
    return demand.requested_in_a_namespace(resource.removeprefix("requests."))
