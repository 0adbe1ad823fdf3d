# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks the kubelets of the nodes that build pods run on how many processes those hold, while a batch works.

It never harms the batch: a kubelet that tells nothing is left alone for a while, and where none tells anything, as on
simulated nodes, it gives up after a few.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from ..capacity.supply import is_simulated
from ..cluster.client import Cluster
from ..cluster.errors import ClusterError
from ..cluster.node_proxy import SUMMARY, NodeProxy
from ..measure.kubelet import Unreadable, parse_summary
from ..measure.pods import PodBook
from ..measure.processes import ProcessSampler

#: The part of all requests that this may add, and what it may ask in a second even where the load is that small.
_SHARE = 0.01
_ALWAYS_PER_SECOND = 1.0
#: Seconds that one kubelet may take.
_TIMEOUT_SECONDS = 3.0
#: Nodes that told nothing after which nobody is asked any more, unless another one has told something.
_GIVE_UP_AFTER = 5
#: Rounds for which a kubelet that told nothing is left alone.
_LEFT_ALONE = 12


@dataclass(slots=True)
class _Node:
    """`asked` and `alone_until` are numbers of rounds; `uncounted` are summaries in a row that counted nothing."""

    asked: int = -1
    alone_until: int = -1
    uncounted: int = 0
    looked_up: bool = False
    simulated: bool = False
    told: bool = False


class ProcessSampling:
    """Beside a batch: `run()` until it is cancelled, `figures()` at any time."""

    def __init__(self, cluster: Cluster, pods: PodBook, *, interval_seconds: float) -> None:
        self._cluster = cluster
        self._pods = pods
        self._interval_seconds = interval_seconds
        self._sampler = ProcessSampler(is_build_pod=pods.is_active_job_pod)
        self._nodes: dict[str, _Node] = {}
        self._round = 0
        self._requests_before = 0
        #: Why there are no figures; the first cause that was met.
        self.cause: str | None = None
        #: Requests that were made for it.
        self.requests = 0
        #: What went wrong with the sampling itself, one line each.
        self.warnings: list[str] = []

    @contextlib.asynccontextmanager
    async def beside(self, *, wanted: bool) -> AsyncIterator[asyncio.Task[None] | None]:
        """Sample while the block runs, if it is wanted. A fault in here is a warning, not the block's failure."""
        task = asyncio.create_task(self.run()) if wanted else None
        try:
            yield task
        finally:
            if task is not None:
                task.cancel()
                (fault,) = await asyncio.gather(task, return_exceptions=True)
                if isinstance(fault, Exception):
                    self.warnings.append(f"processes were no longer counted after a fault: {fault!r}")

    def figures(self) -> dict[str, Any]:
        """`processes` of the measurements: what the sampler has, with the cause where it has nothing."""
        found = self._sampler.figures()
        return {"per_build_pod": found if found["samples"] or not self.cause else {**found, "cause": self.cause}}

    async def run(self) -> None:
        """One round after each interval. Ends by itself where no kubelet tells anything."""
        async with NodeProxy(self._cluster, timeout_seconds=_TIMEOUT_SECONDS) as proxy:
            while not self._hopeless():
                await asyncio.sleep(self._interval_seconds)
                self._round += 1
                await asyncio.gather(*(self._ask(proxy, name) for name in self._chosen()))

    def _hopeless(self) -> bool:
        nodes = self._nodes.values()
        silent = sum(node.simulated or node.alone_until >= self._round for node in nodes)
        return silent >= _GIVE_UP_AFTER and not any(node.told for node in nodes)

    def _chosen(self) -> list[str]:
        """The nodes with build pods that are asked in this round: those not asked for the longest time, within budget.

        Until one has told something, one at a time: most clusters that permit nothing do so on every node.
        """
        sent = self._cluster.traffic.requests
        most = max(_ALWAYS_PER_SECOND * self._interval_seconds, _SHARE * (sent - self._requests_before), 1)
        self._requests_before = sent
        if not any(node.told for node in self._nodes.values()):
            most = 1
        here = {name: self._nodes.setdefault(name, _Node()) for name in self._pods.nodes_of_job_pods()}
        ready = [name for name, node in here.items() if not node.simulated and node.alone_until < self._round]
        return sorted(ready, key=lambda name: (here[name].asked, name))[: int(most)]

    async def _ask(self, proxy: NodeProxy, name: str) -> None:
        node = self._nodes[name]
        node.asked = self._round
        if not node.looked_up:
            node.looked_up = True
            node.simulated = await self._is_simulated(name)
        cause = "simulated node: it runs no processes" if node.simulated else await self._sample(proxy, name, node)
        if cause is not None:
            self.cause = self.cause or f"{name}: {cause}"

    async def _is_simulated(self, name: str) -> bool:
        """The API server would look for the kubelet of a simulated node until its time is over."""
        self.requests += 1
        try:
            return is_simulated(await self._cluster.get(f"/api/v1/nodes/{name}", deadline_seconds=_TIMEOUT_SECONDS))
        except ClusterError:
            return False  # reading a Node and asking its kubelet are two permissions; the kubelet's answer decides

    async def _sample(self, proxy: NodeProxy, name: str, node: _Node) -> str | None:
        """Ask once; why it gave nothing, or None."""
        self.requests += 1
        body, cause = await proxy.read(name, SUMMARY)
        try:
            summary = None if body is None else parse_summary(body)
        except Unreadable as error:
            summary, cause = None, f"{SUMMARY}: the answer is {error}"
        if summary is not None and any(pod.processes for pod in summary.pods):
            node.told, node.uncounted = True, 0
            self._sampler.observe(name, summary.pods)
            return None
        # A kubelet takes some seconds until it counts the first pods of a node; any other silence lasts.
        node.uncounted += summary is not None
        if summary is None or node.uncounted >= _LEFT_ALONE:
            node.alone_until, node.uncounted = self._round + _LEFT_ALONE, 0
        return cause or f"{SUMMARY}: no pod has a process_count"
