# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads all that the comparison needs from one API server, side by side, into the values that capacity works with."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field

from ..capacity.supply import Node, NodeProcesses, Quota, Supply, node_of, quota_of
from ..capacity.usage import evenly
from ..cluster.access import Access, Missing
from ..cluster.client import Cluster
from ..cluster.decoding import decoder
from ..cluster.errors import Forbidden, NotFound
from ..cluster.inventory import KubeletFacts, kubelet_facts, read_each
from ..cluster.proof import object_of
from ..cluster.reviews import missing_access
from ..cluster.scopes import MAX_NAMESPACES
from ..cluster.watch import METADATA_ONLY
from .pages import Named, NamedPage, NodePage, QuotaObject, QuotaPage
from .pods import PodsWanted, count_pods
from .queues import read_queues
from .storage import StorageWanted, read_storage


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What to read: `namespaces` by name, permissions, and whether pods and kubelets matter at all.

    `budget_seconds` bounds the reading of pods, `nodes_sampled` the number of kubelets that are asked. In a cluster of
    more than `exact_pods` pods, what runs is estimated from the pods of some nodes. A run that does not make its
    namespaces may have rights in these alone. `openshift`: what was found when the plan was compiled.
    `storage` None: the plan has no claims. `queues`: those of Kueue that its jobs name.
    """

    run_id: str
    namespaces: Collection[str]
    access: Collection[Access]
    pods: bool
    processes: bool
    nodes_sampled: int
    budget_seconds: float
    exact_pods: int = 20_000
    makes_namespaces: bool = True
    openshift: bool = False
    storage: StorageWanted | None = None
    queues: Collection[str] = ()


@dataclass
class Survey:
    """What was read.

    `namespaces` are objects of the wanted names, with metadata only; `absent` are those of the names that do not exist.
    `missing`: permissions.
    """

    version: dict[str, str]
    openshift: bool = False
    supply: Supply = field(default_factory=Supply)
    namespaces: list[Named] = field(default_factory=list)
    absent: set[str] = field(default_factory=set)
    missing: list[Missing] = field(default_factory=list)


async def survey(cluster: Cluster, wanted: Wanted, *, takes_pods: Callable[[Node], bool]) -> Survey:
    """Read all of it; `takes_pods`: whether a node can take the run's pods. Only such nodes are sampled.

    What may not be read stays None in the supply, with its cause in `unread`. Raises ClusterError.
    """
    # First and alone: an unreachable server is reported once and quickly, not by ten requests that each give up.
    found = Survey(version=await cluster.version(), openshift=wanted.openshift)
    await asyncio.gather(
        _namespaces(cluster, wanted, found),
        _access(cluster, wanted, found),
        _nodes(cluster, wanted, found, takes_pods),
        _storage(cluster, wanted, found),
        _queues(cluster, wanted, found),
    )
    return found


async def _storage(cluster: Cluster, wanted: Wanted, found: Survey) -> None:
    if wanted.storage is not None:
        found.supply.storage = await read_storage(cluster, wanted.storage)


async def _queues(cluster: Cluster, wanted: Wanted, found: Survey) -> None:
    if wanted.queues:
        found.supply.queues = await read_queues(cluster, wanted.queues, list(wanted.namespaces))


async def _access(cluster: Cluster, wanted: Wanted, found: Survey) -> None:
    within = () if wanted.makes_namespaces else list(wanted.namespaces)
    found.missing = await missing_access(cluster, wanted.access, within=within)


async def _namespaces(cluster: Cluster, wanted: Wanted, found: Survey) -> None:
    names, supply, there = set(wanted.namespaces), found.supply, list[bool]()

    def take(item: Named) -> None:
        there.append(item["metadata"]["name"] in names)
        if there[-1]:
            found.namespaces.append(item)

    def begin_again() -> None:
        there.clear()
        found.namespaces.clear()

    unread = await read_each(
        cluster, "/api/v1/namespaces", take, decode=decoder(NamedPage), accept=METADATA_ONLY, begin_again=begin_again
    )
    if unread:
        supply.unread["namespaces"] = unread
        await asyncio.gather(*(_namespace(cluster, name, found) for name in list(names)[:MAX_NAMESPACES]))
    else:
        supply.namespaces = len(there)
        found.absent = names - {item["metadata"]["name"] for item in found.namespaces}
    # Those that could not be seen may be there.
    there_or_unknown = names - found.absent
    if there_or_unknown:
        await _quotas(cluster, there_or_unknown, supply)
    else:
        supply.quotas = []


async def _namespace(cluster: Cluster, name: str, found: Survey) -> None:
    """One by its name, for a user who may not list them; who may not even do that knows nothing of it."""
    try:
        found.namespaces.append(await cluster.get(f"/api/v1/namespaces/{name}", decode=object_of))
    except NotFound:
        found.absent.add(name)
    except Forbidden:
        pass


async def _quotas(cluster: Cluster, namespaces: set[str], supply: Supply) -> None:
    quotas: list[Quota] = []

    def take(item: QuotaObject) -> None:
        if item["metadata"]["namespace"] in namespaces:
            quotas.append(quota_of(item))

    page = decoder(QuotaPage)
    unread = await read_each(cluster, "/api/v1/resourcequotas", take, decode=page, begin_again=quotas.clear)
    if unread and len(namespaces) <= MAX_NAMESPACES:
        quotas.clear()
        paths = [f"/api/v1/namespaces/{name}/resourcequotas" for name in sorted(namespaces)]
        causes = await asyncio.gather(*(read_each(cluster, path, take, decode=page) for path in paths))
        unread = next(filter(None, causes), None)
    if unread:
        supply.unread["quotas"] = unread
    else:
        supply.quotas = quotas


async def _nodes(cluster: Cluster, wanted: Wanted, found: Survey, takes_pods: Callable[[Node], bool]) -> None:
    supply, nodes = found.supply, list[Node]()
    unread = await read_each(
        cluster,
        "/api/v1/nodes",
        lambda item: nodes.append(node_of(item)),
        decode=decoder(NodePage),
        begin_again=nodes.clear,
    )
    if unread:
        supply.unread["nodes"] = unread
    else:
        supply.nodes = nodes
    steps: list[Awaitable[None]] = []
    if wanted.pods:
        pods = PodsWanted(
            run_id=wanted.run_id,
            exact_pods=wanted.exact_pods,
            budget_seconds=wanted.budget_seconds,
            takes_pods=takes_pods,
        )
        steps.append(count_pods(cluster, supply, pods))
    if wanted.processes and supply.nodes is not None:
        steps.append(_processes(cluster, wanted, supply, [node for node in nodes if takes_pods(node)]))
    await asyncio.gather(*steps)


async def _processes(cluster: Cluster, wanted: Wanted, supply: Supply, nodes: list[Node]) -> None:
    """Ask the kubelets of some nodes, evenly chosen; simulated nodes have no processes and are not asked."""
    real = [node for node in nodes if not node.simulated]
    if not real:
        cause = "simulated nodes run no processes" if nodes else "no node takes the pods"
        supply.processes = [NodeProcesses(name="-", cause=cause)]
        return
    sample = evenly(real, wanted.nodes_sampled)
    facts = await asyncio.gather(*(kubelet_facts(cluster, node.name) for node in sample))
    supply.processes = [_node_processes(one) for one in facts]


def _node_processes(facts: KubeletFacts) -> NodeProcesses:
    rlimit = facts.statistics.get("rlimit", {})
    return NodeProcesses(
        name=facts.node,
        pod_pids_limit=facts.configuration.get("podPidsLimit"),
        pid_max=rlimit.get("maxpid"),
        running=rlimit.get("curproc"),
        cause=facts.cause,
    )
