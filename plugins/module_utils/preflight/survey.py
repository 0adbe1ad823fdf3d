# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads all that the comparison needs from one API server, side by side, into the values that capacity works with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from ..capacity.supply import Node, NodeProcesses, Supply, node_of, pod_requests, quota_of
from ..cluster.client import Cluster
from ..cluster.inventory import Access, KubeletFacts, kubelet_facts, missing_access, read_each, serves_group
from ..cluster.labels import LABEL_MANAGED_BY, LABEL_RUN_ID, MANAGED_BY

#: Finished pods hold neither a slot nor requests.
_UNFINISHED = {"fieldSelector": "status.phase!=Succeeded,status.phase!=Failed"}


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What to read: `namespaces` by name, permissions, and whether pods and kubelets matter at all.

    `budget_seconds` bounds the counting of pods, `nodes_sampled` the number of kubelets that are asked.
    """

    run_id: str
    namespaces: Collection[str]
    access: Collection[Access]
    pods: bool
    processes: bool
    nodes_sampled: int
    budget_seconds: float


@dataclass
class Survey:
    """What was read. `namespaces` are the API objects of the wanted names; `missing` what the user may not do."""

    version: dict[str, str]
    openshift: bool = False
    supply: Supply = field(default_factory=Supply)
    namespaces: list[dict[str, Any]] = field(default_factory=list)
    missing: list[Access] = field(default_factory=list)


async def survey(cluster: Cluster, wanted: Wanted, *, takes_pods: Callable[[Node], bool]) -> Survey:
    """Read all of it; `takes_pods` tells which nodes' kubelets are worth asking.

    What may not be read stays None in the supply, with its cause in `unread`. Raises ClusterError.
    """
    # First and alone: an unreachable server is told once and quickly, not by ten requests that each give up.
    found = Survey(version=await cluster.version())
    await asyncio.gather(
        _namespaces(cluster, wanted, found),
        _access(cluster, wanted, found),
        _nodes(cluster, wanted, found, takes_pods),
        _platform(cluster, found),
    )
    return found


async def _access(cluster: Cluster, wanted: Wanted, found: Survey) -> None:
    found.missing = await missing_access(cluster, wanted.access)


async def _platform(cluster: Cluster, found: Survey) -> None:
    # Security context constraints are what makes a pod's spec differ there, so their group is the sign.
    found.openshift = await serves_group(cluster, "security.openshift.io")


async def _namespaces(cluster: Cluster, wanted: Wanted, found: Survey) -> None:
    names, supply, number = set(wanted.namespaces), found.supply, 0

    def take(item: dict[str, Any]) -> None:
        nonlocal number
        number += 1
        if item["metadata"]["name"] in names:
            found.namespaces.append(item)

    unread = await read_each(cluster, "/api/v1/namespaces", take)
    if unread:
        supply.unread["namespaces"] = unread
        return
    supply.namespaces = number
    here = {item["metadata"]["name"] for item in found.namespaces}
    supply.quotas = []
    if here:
        unread = await read_each(cluster, "/api/v1/resourcequotas", lambda item: _take_quota(item, here, supply))
        if unread:
            supply.quotas, supply.unread["quotas"] = None, unread


def _take_quota(item: dict[str, Any], namespaces: set[str], supply: Supply) -> None:
    if item["metadata"]["namespace"] in namespaces and supply.quotas is not None:
        supply.quotas.append(quota_of(item))


async def _nodes(cluster: Cluster, wanted: Wanted, found: Survey, takes_pods: Callable[[Node], bool]) -> None:
    supply, nodes = found.supply, list[Node]()
    unread, used = await asyncio.gather(
        read_each(cluster, "/api/v1/nodes", lambda item: nodes.append(node_of(item))), _used(cluster, wanted, supply)
    )
    if unread:
        supply.unread["nodes"] = unread
        return
    for node in nodes:
        node.used_pods, node.used_cpu, node.used_memory = used.get(node.name, (0, 0, 0))
    supply.nodes = nodes
    if wanted.processes:
        supply.processes = await _processes(cluster, wanted, [node for node in nodes if takes_pods(node)])


async def _used(cluster: Cluster, wanted: Wanted, supply: Supply) -> dict[str, tuple[int, int, int]]:
    """Node -> (pods, CPU, memory) of what runs there, without this run's own pods."""
    used: dict[str, tuple[int, int, int]] = {}
    if wanted.pods:
        unread = await read_each(
            cluster,
            "/api/v1/pods",
            lambda pod: _count(pod, wanted.run_id, supply, used),
            query=_UNFINISHED,
            budget_seconds=wanted.budget_seconds,
        )
        supply.pods_counted = unread is None
        if unread:
            supply.unread["pods"] = unread
    return used


def _count(pod: dict[str, Any], run_id: str, supply: Supply, used: dict[str, tuple[int, int, int]]) -> None:
    labels = pod["metadata"].get("labels", {})
    if labels.get(LABEL_RUN_ID) == run_id and labels.get(LABEL_MANAGED_BY) == MANAGED_BY:
        # From an earlier attempt: part of what the run needs, not of what stands in its way.
        supply.own_pods_in.add(pod["metadata"]["namespace"])
        return
    supply.pods_running += 1
    node = pod["spec"].get("nodeName")
    if node:
        cpu, memory = pod_requests(pod["spec"])
        before = used.get(node, (0, 0, 0))
        used[node] = (before[0] + 1, before[1] + cpu, before[2] + memory)


async def _processes(cluster: Cluster, wanted: Wanted, nodes: list[Node]) -> list[NodeProcesses]:
    """A sample of the nodes, evenly out of their list; simulated ones run nothing and are not asked."""
    real = [node for node in nodes if not node.simulated]
    if not real:
        cause = "simulated nodes run no processes" if nodes else "no node takes the pods"
        return [NodeProcesses(name="-", cause=cause)]
    step = -(-len(real) // wanted.nodes_sampled) if wanted.nodes_sampled else len(real) + 1
    sample = real[::step] if wanted.nodes_sampled else []
    facts = await asyncio.gather(*(kubelet_facts(cluster, node.name) for node in sample))
    return [_node_processes(one) for one in facts]


def _node_processes(facts: KubeletFacts) -> NodeProcesses:
    rlimit = facts.statistics.get("rlimit", {})
    return NodeProcesses(
        name=facts.node,
        pod_pids_limit=facts.configuration.get("podPidsLimit"),
        pid_max=rlimit.get("maxpid"),
        running=rlimit.get("curproc"),
        cause=facts.cause,
    )
