# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks the kubelets of the nodes that the run's pods are on, by turns and within a budget, while a load works.

It never harms the load: a kubelet that tells nothing is left alone for a while, and where none tells anything, none is
asked any more. Simulated nodes are looked up once. cAdvisor's metrics, the only ones with a pod's threads, are
megabytes: one node in turn is asked for them every quarter of a minute.

A Node is read again every half a minute, not watched: its conditions tell themselves when they turned, so nothing is
lost, while the first list of a watch would bring all Nodes of a large cluster at once, some 10 kB each.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from typing import Any, Protocol

from ..capacity.supply import is_simulated
from ..cluster.client import Cluster
from ..cluster.node_proxy import CADVISOR, CONFIGURATION, SUMMARY, NodeProxy
from ..measure.kubelet import Summary, Unreadable, parse_cgroups, parse_configuration, parse_summary
from ..measure.node_load import NodeLoad
from ..measure.processes import ProcessSampler

#: Requests a second that this may make even where the load is that small.
_ALWAYS_PER_SECOND = 1.0
#: The part of a round that goes to nodes with Jobs' pods before any others.
_JOBS_SHARE = 2 / 3
#: Seconds that one kubelet may take.
_TIMEOUT_SECONDS = 3.0
#: Kubelets that told nothing after which none is asked any more, unless another one has told something.
_GIVE_UP_AFTER = 5
#: Rounds for which a kubelet that told nothing is left alone.
_LEFT_ALONE = 12
#: Seconds after which a Node is read again. Pressure lasts longer than that: kubelets hold it for minutes.
_NODE_AGAIN_SECONDS = 30.0
#: Seconds between two questions for cAdvisor's metrics, of all nodes together.
_CGROUPS_SECONDS = 15.0
#: Nodes that are read once more at the end, so that what had ended by then is told as ended.
_READ_AT_END = 20
#: Nodes with a series, and with a row, in the document: those with the highest peaks.
MAX_SERIES = 20
MAX_ROWS = 200
_SIMULATED = "simulated node: it runs no processes"


class Pods(Protocol):
    """What is asked of a pod book."""

    def nodes_of_job_pods(self) -> Set[str]:
        """The nodes that the active Jobs' pods are on."""

    def nodes_of_pods(self) -> Set[str]:
        """The nodes that any living pod is on."""

    def is_active_job_pod(self, uid: str) -> bool:
        """Whether this is a Job's pod that has not come to its end."""


@dataclass(slots=True)
class _Node:
    """`asked` and `alone_until` are numbers of rounds, `read_at` seconds by the monotonic clock.

    `uncounted` are summaries in a row without a figure, `silences` reasons in a row to ask later. `refuses`: the Node
    may not be read.
    """

    load: NodeLoad
    asked: int = -1
    alone_until: int = -1
    uncounted: int = 0
    silences: int = 0
    read_at: float = -math.inf
    refuses: bool = False
    configured: bool = False
    cgroups_at: float = -math.inf
    has_cgroups: bool = True

    @property
    def told(self) -> bool:
        return self.load.samples > 0

    @property
    def simulated(self) -> bool:
        return bool(self.load.simulated)

    def node_is_due(self, now: float) -> bool:
        return not self.simulated and not self.refuses and now - self.read_at >= _NODE_AGAIN_SECONDS


class NodePart:
    """`nodes` and `processes` of an observation; a Part.

    `share` bounds both its requests, as a part of those that `cluster` sends, and the CPU time for their answers, as a
    part of the time; one request a second is always granted.
    """

    def __init__(
        self, cluster: Cluster, pods: Pods, *, interval_seconds: float, started: float, share: float = 0.01
    ) -> None:
        """`interval_seconds` 0 asks nobody. `started` is the origin of the series' times, by the monotonic clock."""
        self._cluster = cluster
        self._pods = pods
        self._interval_seconds = interval_seconds
        self._started = started
        self._share = share
        self._sampler = ProcessSampler(is_build_pod=pods.is_active_job_pod)
        self._nodes: dict[str, _Node] = {}
        self._round = 0
        self._requests_before = cluster.traffic.requests
        self._overdrawn = 0.0
        self._cgroups_at = -math.inf
        self._parsed = 0
        self._parse_seconds = 0.0
        self._proxies: list[NodeProxy] = []
        self._cause: str | None = None
        self.warnings: list[str] = []

    # -- life --------------------------------------------------------------------------------------------------------

    async def begin(self) -> None:
        """Before the load no pod is on any node, so there is nobody to ask."""

    async def run(self) -> None:
        """One round after each interval."""
        if not self._interval_seconds:
            self._cause = "nobody was asked: the interval is 0"
            return
        async with self._proxy() as proxy:
            while True:
                await asyncio.sleep(self._interval_seconds)
                self._round += 1
                budget, before = self._budget(), proxy.requests
                if any(node.told for node in self._nodes.values()):
                    await asyncio.gather(*(self._ask(proxy, name) for name in self._chosen(budget)))
                else:
                    await self._search(proxy, budget)
                await self._read_cgroups(proxy)
                self._overdrawn = max(0, proxy.requests - before - budget)

    async def end(self) -> None:
        """Read the Nodes once more, those under pressure first."""
        nodes = [node for node in self._nodes.values() if node.load.conditions.were_read and not node.simulated]
        nodes.sort(key=lambda node: (not node.load.conditions.are_bad, node.read_at))
        if nodes:
            async with self._proxy() as proxy:
                await asyncio.gather(*(self._read_node(proxy, node) for node in nodes[:_READ_AT_END]))

    def _proxy(self) -> NodeProxy:
        self._proxies.append(NodeProxy(self._cluster, timeout_seconds=_TIMEOUT_SECONDS))
        return self._proxies[-1]

    # -- whom to ask -------------------------------------------------------------------------------------------------

    async def _search(self, proxy: NodeProxy, budget: float) -> None:
        """Until one has told something, one kubelet a round: most clusters that permit nothing do so on every node."""
        due, of_jobs = self._due(), self._pods.nodes_of_job_pods()
        before = proxy.requests
        for name in sorted(due, key=lambda name: name not in of_jobs):
            if proxy.requests - before + 1 > budget:
                break
            await self._ask(proxy, name)
            if not self._nodes[name].simulated:
                break

    def _chosen(self, budget: float) -> list[str]:
        """The nodes of this round, within the budget, those not asked for the longest time first."""
        costs, of_jobs = self._due(), self._pods.nodes_of_job_pods()
        first = _within([name for name in costs if name in of_jobs], costs, max(min(budget, 1), budget * _JOBS_SHARE))
        rest = sorted((name for name in costs if name not in first), key=lambda name: name in of_jobs)
        return first + _within(rest, costs, budget - sum(costs[name] for name in first))

    def _due(self) -> dict[str, int]:
        """The nodes with pods of the run that there is something to ask of, with the requests that it takes."""
        now, silent = time.monotonic(), self._all_are_silent()
        for name in self._pods.nodes_of_pods() - self._nodes.keys():
            self._nodes[name] = _Node(NodeLoad(name=name))
        here = {name: self._nodes[name] for name in self._pods.nodes_of_pods()}
        costs = {name: self._cost(node, now=now, silent=silent) for name, node in here.items()}
        return {name: costs[name] for name in sorted(here, key=lambda name: (here[name].asked, name)) if costs[name]}

    def _budget(self) -> float:
        """Requests that this round may make; what the last one made too many is taken off."""
        sent = self._cluster.traffic.requests
        budget = max(_ALWAYS_PER_SECOND * self._interval_seconds, self._share * (sent - self._requests_before), 1)
        self._requests_before = sent
        if self._parse_seconds:
            # A summary of a node full of pods is hundreds of kilobytes; where nodes are many, reading them would cost
            # the load its CPU long before the requests do.
            answers = self._share * self._interval_seconds * self._parsed / self._parse_seconds
            budget = max(1, min(budget, answers))
        return budget - self._overdrawn

    def _all_are_silent(self) -> bool:
        """Whether so many kubelets told nothing, and none anything, that no more are asked."""
        nodes = self._nodes.values()
        silent = sum(node.load.cause is not None and not node.simulated for node in nodes)
        return silent >= _GIVE_UP_AFTER and not any(node.told for node in nodes)

    def _cost(self, node: _Node, *, now: float, silent: bool) -> int:
        """Requests that asking a node takes now; 0 where there is nothing to ask."""
        if node.simulated:
            return 0
        kubelet = 0 if silent or node.alone_until >= self._round else 1 + (not node.configured)
        return node.node_is_due(now) + kubelet

    # -- one node ----------------------------------------------------------------------------------------------------

    async def _ask(self, proxy: NodeProxy, name: str) -> None:
        node = self._nodes[name]
        node.asked = self._round
        if node.node_is_due(time.monotonic()):
            await self._read_node(proxy, node)
        if node.simulated:
            self._cause = self._cause or f"{name}: {_SIMULATED}"
            return
        if node.alone_until >= self._round or self._all_are_silent():
            return
        cause = await self._sample(proxy, name, node)
        if cause is not None:
            self._cause = self._cause or f"{name}: {cause}"
            if not node.told:
                node.load.cause = cause
        elif not node.configured:
            await self._configure(proxy, name, node)

    async def _read_node(self, proxy: NodeProxy, node: _Node) -> None:
        """Conditions, and whether it is simulated: the API server would look for its kubelet until time is over."""
        node.read_at = time.monotonic()
        document, cause = await proxy.node(node.load.name)
        if document is None:
            # Reading a Node and asking its kubelet are two permissions: the kubelet's answer decides.
            node.load.conditions_cause = cause
            node.refuses = node.refuses or cause == "the user may not get nodes"
            return
        node.load.simulated, node.load.conditions_cause = is_simulated(document), None
        if node.load.simulated:
            node.load.cause = _SIMULATED
        node.load.conditions.observe(document)

    async def _sample(self, proxy: NodeProxy, name: str, node: _Node) -> str | None:
        """Ask once; why it gave nothing, or None."""
        body, cause = await proxy.read(name, SUMMARY)
        now, began = time.monotonic() - self._started, time.thread_time()
        try:
            summary = None if body is None else parse_summary(body)
        except Unreadable as error:
            summary, cause = None, f"{SUMMARY}: the answer is {error}"
        if summary is not None and node.load.observe(now, summary):
            node.uncounted, node.silences, node.load.cause = 0, 0, None
            self._sampler.observe(name, summary.pods)
            self._parsed += 1
            self._parse_seconds += time.thread_time() - began
            return None
        self._leave_alone(node, summary)
        return cause or f"{SUMMARY}: neither threads nor CPU nor a pod's process_count"

    def _leave_alone(self, node: _Node, summary: Summary | None) -> None:
        # A kubelet takes some seconds until it counts the first pods of a node; any other silence lasts.
        node.uncounted += summary is not None
        if summary is None or node.uncounted >= _LEFT_ALONE:
            node.silences += 1
            # One that has told something is slow rather than silent, and is so just when there is something to be seen.
            pause = min(2 ** (node.silences - 1) - 1, _LEFT_ALONE) if node.told else _LEFT_ALONE
            node.alone_until, node.uncounted = self._round + pause, 0
        if summary is None and node.told:
            node.read_at = min(node.read_at, time.monotonic() - _NODE_AGAIN_SECONDS)  # it may be NotReady by now

    async def _configure(self, proxy: NodeProxy, name: str, node: _Node) -> None:
        """Once a node, however it ends."""
        node.configured = True
        body, cause = await proxy.read(name, CONFIGURATION)
        try:
            if body is not None:
                node.load.configure(parse_configuration(body))
        except Unreadable as error:
            cause = f"{CONFIGURATION}: the answer is {error}"
        if cause is not None:
            node.load.limit_cause = cause

    async def _read_cgroups(self, proxy: NodeProxy) -> None:
        """One node's: of those never asked the one with the largest pod, else that of the longest time ago."""
        now, here = time.monotonic(), self._pods.nodes_of_pods()
        nodes = [self._nodes[name] for name in here if name in self._nodes]
        nodes = [node for node in nodes if node.told and node.has_cgroups and node.alone_until < self._round]
        if not nodes or self._overdrawn or now - self._cgroups_at < _CGROUPS_SECONDS:
            return
        node = min(nodes, key=lambda node: (node.cgroups_at, -node.load.peaks.get("pod_processes", 0)))
        self._cgroups_at = node.cgroups_at = now
        body, cause = await proxy.read(node.load.name, CADVISOR)
        try:
            if body is not None:
                node.load.observe_cgroups(parse_cgroups(body))
                return
        except Unreadable as error:
            cause = f"{CADVISOR}: the answer is {error}"
        node.has_cgroups = False
        if "pod_threads" not in node.load.peaks:
            node.load.threads_cause = cause

    # -- what was found ----------------------------------------------------------------------------------------------

    def document(self) -> dict[str, Any]:
        """`nodes` and `processes`. `source` is "none", with the first cause met, where no kubelet told anything."""
        loads = [node.load for node in self._nodes.values() if node.asked >= 0]
        loads.sort(key=lambda load: load.need, reverse=True)
        told = [load for load in loads if load.samples]
        return {
            "nodes": {
                "source": "kubelet" if told else "none",
                "cause": None if told else self._why_none(),
                "requests": sum(proxy.requests for proxy in self._proxies),
                "nodes": [load.row() for load in loads[:MAX_ROWS]],
                "left_off": max(0, len(loads) - MAX_ROWS),
                "not_asked": len(self._nodes) - len(loads),
                "series": [{"node": load.name, **load.series.to_dict()} for load in told[:MAX_SERIES]],
            },
            "processes": {"per_build_pod": self._processes(counted=bool(told))},
        }

    def _processes(self, *, counted: bool) -> dict[str, Any]:
        found = self._sampler.figures()
        if found["samples"]:
            return found
        few = "no kubelet counted more than a few processes in a pod of a Job"
        return {**found, "cause": few if counted else self._why_none()}

    def _why_none(self) -> str:
        """Why no kubelet told anything: the first cause met."""
        if self._cause is None and not self._round:
            return f"the load ended before the first reading, which is after {self._interval_seconds:g} s"
        return self._cause or "no pod of the run was seen on a node"


def _within(names: Iterable[str], costs: Mapping[str, int], budget: float) -> list[str]:
    """As many of the names as the budget pays for; the last one may overdraw it by its second and third request."""
    chosen = []
    for name in names:
        if budget < 1:
            break
        chosen.append(name)
        budget -= costs[name]
    return chosen
