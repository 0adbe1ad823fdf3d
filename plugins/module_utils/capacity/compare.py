# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Demand against supply: the rows of the preflight table. Pure arithmetic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from .demand import Demand
from .processes import process_rows
from .quantities import text_of
from .quotas import quota_rows
from .rows import NO_DATA, OVER, WARNING, Row, fewer_namespaces, judged
from .supply import Node, Supply, refusal

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
