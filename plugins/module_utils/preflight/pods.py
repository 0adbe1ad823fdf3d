# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads which pods run already: all of them, or on a large cluster those of some nodes, from which it estimates."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ..capacity.supply import Node, Supply
from ..capacity.usage import Usage, sample_of, use, use_estimate
from ..cluster.client import Cluster
from ..cluster.decoding import decoder
from ..cluster.errors import Forbidden
from ..cluster.inventory import read_each
from ..cluster.labels import LABEL_MANAGED_BY, LABEL_RUN_ID, MANAGED_BY, run_selector
from ..cluster.watch import METADATA_ONLY
from .pages import NamedPage, Pod, PodPage

_PODS = "/api/v1/pods"
#: Finished pods hold neither a slot nor requests.
_UNFINISHED = "status.phase!=Succeeded,status.phase!=Failed"
#: Nodes whose pods are read for an estimate: a few thousand pods, and a sum that is right to some percent.
_SAMPLED_NODES = 50
#: Nodes whose pods are read side by side; each answer is held whole, up to a few MB.
_SIDE_BY_SIDE = 4
#: Answered from the API server's cache, which has an index of pods by node. Without it, a server that does not list
#: from its cache goes through every pod in etcd for each of these requests.
_FROM_CACHE = {"resourceVersion": "0"}


@dataclass(frozen=True, kw_only=True)
class PodsWanted:
    """How to count. More than `exact_pods` in the cluster are estimated; `budget_seconds` bounds either way.

    `takes_pods`: whether a node is one that the run's pods can go to. Only these are estimated.
    """

    run_id: str
    exact_pods: int
    budget_seconds: float
    takes_pods: Callable[[Node], bool]


@dataclass
class Tally:
    """Unfinished pods: how many, and what they request by node. Of the run's own, only the namespaces."""

    run_id: str
    number: int = 0
    used: dict[str, Usage] = field(default_factory=dict)
    own_in: set[str] = field(default_factory=set)

    def take(self, pod: Pod) -> None:
        """One more pod."""
        labels = pod["metadata"].get("labels", {})
        if labels.get(LABEL_RUN_ID) == self.run_id and labels.get(LABEL_MANAGED_BY) == MANAGED_BY:
            # From an earlier attempt: part of what the run needs, not of what stands in its way.
            self.own_in.add(pod["metadata"]["namespace"])
            return
        self.number += 1
        node = pod["spec"].get("nodeName")
        if node:
            self.used.setdefault(node, Usage()).add(pod["spec"])

    def clear(self) -> None:
        """Forget all that was taken."""
        self.number = 0
        self.used.clear()
        self.own_in.clear()


async def count_pods(cluster: Cluster, supply: Supply, wanted: PodsWanted) -> None:
    """Set the supply's pod figures and what its nodes have in use. Its nodes have been read. Raises ClusterError."""
    try:
        there = await _pods_there(cluster)
    except Forbidden as error:
        supply.unread["pods"] = str(error)
        return
    # A server that does not say how many there are is read like a small one; the budget still bounds that.
    if there is not None and there > wanted.exact_pods:
        await _estimate(cluster, supply, wanted, there=there)
    else:
        await _count(cluster, supply, wanted)


async def _pods_there(cluster: Cluster) -> int | None:
    """Pods in the cluster, finished ones included. Only a list without selectors has this number."""
    page = await cluster.get(_PODS, query={"limit": "1"}, decode=decoder(NamedPage))
    number = len(page["items"] or ())
    if not page["metadata"].get("continue"):
        return number
    left = page["metadata"].get("remainingItemCount")
    return None if left is None else number + left


async def _count(cluster: Cluster, supply: Supply, wanted: PodsWanted) -> None:
    tally = Tally(wanted.run_id)
    unread = await read_each(
        cluster,
        _PODS,
        tally.take,
        query={"fieldSelector": _UNFINISHED},
        budget_seconds=wanted.budget_seconds,
        decode=decoder(PodPage),
        begin_again=tally.clear,
    )
    if unread:
        supply.unread["pods"] = unread
    supply.pods_counted = unread is None
    supply.pods_running, supply.own_pods_in = tally.number, tally.own_in
    use(supply.nodes or (), tally.used)


async def _estimate(cluster: Cluster, supply: Supply, wanted: PodsWanted, *, there: int) -> None:
    eligible = [node for node in supply.nodes or () if wanted.takes_pods(node)]
    sample = sample_of(eligible, _SAMPLED_NODES)
    reading = SampleReading(cluster, wanted.run_id)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(wanted.budget_seconds):
            await asyncio.gather(reading.own_pods(), reading.nodes(sample))
    too_late = f"not read in {wanted.budget_seconds:g} s"
    if reading.own_in is None:
        supply.unread["own pods"] = reading.causes.get("own pods", too_late)
    supply.own_pods_in = set(reading.own_in or ())
    supply.pods_running = max(0, there - len(reading.own_in or ()))
    if sample and not reading.used:
        supply.unread["pods"] = reading.causes.get("pods", f"{there:,} pods, of which a sample was {too_late}")
        return
    use_estimate(eligible, reading.used)
    supply.pods_counted = True
    supply.pods_estimated = how_estimated(
        there=there,
        nodes=len(eligible),
        sampled=len(sample),
        read=len(reading.used),
        own_known=reading.own_in is not None,
        budget_seconds=wanted.budget_seconds,
    )


def how_estimated(*, there: int, nodes: int, sampled: int, read: int, own_known: bool, budget_seconds: float) -> str:
    """A few words for the table: `read` of the `sampled` out of `nodes` nodes were read; `there` pods were counted."""
    counted = f"{there:,} pods counted, finished ones included"
    if not own_known:
        counted += ", and those of earlier attempts of this run"
    if not sampled:
        return counted
    missing = f" ({sampled - read:,} more not read in {budget_seconds:g} s)" if read < sampled else ""
    return f"estimated from {read:,} of {nodes:,} nodes{missing}; {counted}"


class SampleReading:
    """What has been read when the budget ends: only whole lists.

    `used` has an entry for each node whose pods were read. `own_in`: the namespaces of the run's own pods, one entry
    for each pod. `causes`: why the server refused one of these lists.
    """

    def __init__(self, cluster: Cluster, run_id: str) -> None:
        self._cluster = cluster
        self._run_id = run_id
        self._decode = decoder(PodPage)
        self._slots = asyncio.Semaphore(_SIDE_BY_SIDE)
        self.used: dict[str, Usage] = {}
        self.own_in: list[str] | None = None
        self.causes: dict[str, str] = {}

    async def nodes(self, sample: Iterable[Node]) -> None:
        """The pods of each of these nodes."""
        await asyncio.gather(*(self._node(node.name) for node in sample))

    async def _node(self, name: str) -> None:
        tally = Tally(self._run_id)
        query = {**_FROM_CACHE, "fieldSelector": f"spec.nodeName={name},{_UNFINISHED}"}
        async with self._slots:
            unread = await read_each(
                self._cluster, _PODS, tally.take, query=query, decode=self._decode, begin_again=tally.clear
            )
        if unread:
            self.causes["pods"] = unread
        else:
            self.used[name] = tally.used.get(name) or Usage()

    async def own_pods(self) -> None:
        """The run's own pods, by label, because they need not be on a sampled node."""
        found: list[str] = []
        unread = await read_each(
            self._cluster,
            _PODS,
            lambda pod: found.append(pod["metadata"]["namespace"]),
            query={**_FROM_CACHE, "fieldSelector": _UNFINISHED, "labelSelector": run_selector(self._run_id)},
            accept=METADATA_ONLY,
            decode=decoder(NamedPage),
            begin_again=found.clear,
        )
        if unread:
            self.causes["own pods"] = unread
        else:
            self.own_in = found
