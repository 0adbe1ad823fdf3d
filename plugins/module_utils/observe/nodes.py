# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the kubelets of the nodes with the run's pods during a load: in turns and within a budget.

It never harms the load. A kubelet that gives no data is skipped for a while, and if none gives any, no more are read.
Simulated nodes are looked up once. cAdvisor's metrics, the only source of a pod's threads, are megabytes: they are read
from one node every 15 seconds.

Node objects are read every 30 seconds instead of watched. Nothing is lost, because conditions have the time of their
last change; and the first list of a watch would have all Nodes of a large cluster at once, about 10 kB each.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from typing import Any, Protocol

from ..cluster.client import Cluster
from ..cluster.node_proxy import CADVISOR, CONFIGURATION, SUMMARY, NodeProxy
from ..measure.kubelet import Summary, Unreadable, parse_cgroups, parse_configuration, parse_summary
from ..measure.node_load import NodeLoad
from ..measure.processes import ProcessSampler
from ..measure.recorder import now_rfc3339
from ..readiness.nodes import is_simulated

#: Requests per second that are always allowed, however small the load.
_ALWAYS_PER_SECOND = 1.0
#: The share of a round that nodes with pods of Jobs get first.
_JOBS_SHARE = 2 / 3
#: Timeout for one kubelet.
_TIMEOUT_SECONDS = 3.0
#: After so many kubelets without data no more are read, unless one has given data.
_GIVE_UP_AFTER = 5
#: Rounds for which a kubelet without data is skipped.
_SKIPPED_ROUNDS = 12
#: Seconds after which a Node is read again. Pressure lasts longer: kubelets keep it up for minutes.
_NODE_AGAIN_SECONDS = 30.0
#: Seconds between reads of cAdvisor's metrics, over all nodes.
_CGROUPS_SECONDS = 15.0
#: Nodes that are read again at the end, so that the last state of their conditions is known.
_READ_AT_END = 20
#: Nodes with a series, and with a row, in the document: those with the highest peaks.
MAX_SERIES = 20
MAX_ROWS = 200
_SIMULATED = "simulated node: it runs no processes"


class Pods(Protocol):
    """What this needs of a PodBook."""

    def nodes_of_job_pods(self) -> Set[str]:
        """The nodes with pods of active Jobs."""

    def nodes_of_pods(self) -> Set[str]:
        """The nodes with running or pending pods."""

    def is_active_job_pod(self, uid: str) -> bool:
        """Whether this is an unfinished pod of a Job."""


@dataclass(slots=True)
class _Node:
    """`asked` and `skipped_until` are numbers of rounds; `read_at` is in seconds of the monotonic clock.

    `uncounted` is the number of consecutive summaries without figures, `failures` that of consecutive reasons to skip
    it. `refuses`: the Node object may not be read.
    """

    load: NodeLoad
    asked: int = -1
    skipped_until: int = -1
    uncounted: int = 0
    failures: int = 0
    read_at: float = -math.inf
    refuses: bool = False
    configured: bool = False
    cgroups_at: float = -math.inf
    has_cgroups: bool = True

    @property
    def has_data(self) -> bool:
        return self.load.samples > 0

    @property
    def simulated(self) -> bool:
        return bool(self.load.simulated)

    def node_is_due(self, now: float) -> bool:
        return not self.simulated and not self.refuses and now - self.read_at >= _NODE_AGAIN_SECONDS


class NodePart:
    """The Part with `nodes` and `processes`.

    `share` limits its requests, relative to those of `cluster`, and the CPU time for their answers, relative to the
    elapsed time; one request per second is always allowed.
    """

    def __init__(
        self, cluster: Cluster, pods: Pods, *, interval_seconds: float, started: float, share: float = 0.01
    ) -> None:
        """`interval_seconds` 0 reads nothing. `started` is the origin of the series' times, by the monotonic clock."""
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
        #: When a build pod was first seen with more than a few processes.
        self._first_busy: str | None = None
        self._parse_seconds = 0.0
        self._proxies: list[NodeProxy] = []
        self._cause: str | None = None
        self.warnings: list[str] = []

    # -- the part ----------------------------------------------------------------------------------------------------

    async def begin(self) -> None:
        """Nothing to do: before the load there are no pods on any node."""

    async def run(self) -> None:
        """One round after each interval."""
        if not self._interval_seconds:
            self._cause = "not read: the interval is 0"
            return
        async with self._proxy() as proxy:
            while True:
                await asyncio.sleep(self._interval_seconds)
                if self._cluster.reachability.is_outage:
                    continue  # else the kubelets would pass for silent
                self._round += 1
                budget, before = self._budget(), proxy.requests
                if any(node.has_data for node in self._nodes.values()):
                    await asyncio.gather(*(self._read(proxy, name) for name in self._chosen(budget)))
                else:
                    await self._search(proxy, budget)
                await self._read_cgroups(proxy)
                self._overdrawn = max(0, proxy.requests - before - budget)

    async def end(self) -> None:
        """Read the Nodes again, those under pressure first."""
        nodes = [node for node in self._nodes.values() if node.load.conditions.were_read and not node.simulated]
        nodes.sort(key=lambda node: (not node.load.conditions.are_bad, node.read_at))
        if nodes and not self._cluster.reachability.given_up:
            async with self._proxy() as proxy:
                await asyncio.gather(*(self._read_node(proxy, node) for node in nodes[:_READ_AT_END]))

    def _proxy(self) -> NodeProxy:
        self._proxies.append(NodeProxy(self._cluster, timeout_seconds=_TIMEOUT_SECONDS))
        return self._proxies[-1]

    # -- which nodes -------------------------------------------------------------------------------------------------

    async def _search(self, proxy: NodeProxy, budget: float) -> None:
        """One kubelet per round until one gives data: if a cluster forbids access, it usually does so on every node."""
        due, of_jobs = self._due(), self._pods.nodes_of_job_pods()
        before = proxy.requests
        for name in sorted(due, key=lambda name: name not in of_jobs):
            if proxy.requests - before + 1 > budget:
                break
            await self._read(proxy, name)
            if not self._nodes[name].simulated:
                break

    def _chosen(self, budget: float) -> list[str]:
        """The nodes of this round, within the budget, least recently read first."""
        costs, of_jobs = self._due(), self._pods.nodes_of_job_pods()
        first = _within([name for name in costs if name in of_jobs], costs, max(min(budget, 1), budget * _JOBS_SHARE))
        rest = sorted((name for name in costs if name not in first), key=lambda name: name in of_jobs)
        return first + _within(rest, costs, budget - sum(costs[name] for name in first))

    def _due(self) -> dict[str, int]:
        """The nodes with pods of the run that are due, with the number of requests for each."""
        now, give_up = time.monotonic(), self._gives_up()
        for name in self._pods.nodes_of_pods() - self._nodes.keys():
            self._nodes[name] = _Node(NodeLoad(name=name))
        here = {name: self._nodes[name] for name in self._pods.nodes_of_pods()}
        costs = {name: self._cost(node, now=now, give_up=give_up) for name, node in here.items()}
        return {name: costs[name] for name in sorted(here, key=lambda name: (here[name].asked, name)) if costs[name]}

    def _budget(self) -> float:
        """Requests allowed in this round, less those that the last round made in excess."""
        sent = self._cluster.traffic.requests
        budget = max(_ALWAYS_PER_SECOND * self._interval_seconds, self._share * (sent - self._requests_before), 1)
        self._requests_before = sent
        if self._parse_seconds:
            # The summary of a full node has hundreds of kilobytes. With many nodes, parsing them would take CPU time
            # from the load long before the number of requests matters.
            answers = self._share * self._interval_seconds * self._parsed / self._parse_seconds
            budget = max(1, min(budget, answers))
        return budget - self._overdrawn

    def _gives_up(self) -> bool:
        """Whether enough kubelets gave no data, and none gave any, to stop reading."""
        nodes = self._nodes.values()
        silent = sum(node.load.cause is not None and not node.simulated for node in nodes)
        return silent >= _GIVE_UP_AFTER and not any(node.has_data for node in nodes)

    def _cost(self, node: _Node, *, now: float, give_up: bool) -> int:
        """Requests that reading a node takes now; 0 if nothing is due."""
        if node.simulated:
            return 0
        kubelet = 0 if give_up or node.skipped_until >= self._round else 1 + (not node.configured)
        return node.node_is_due(now) + kubelet

    # -- one node ----------------------------------------------------------------------------------------------------

    async def _read(self, proxy: NodeProxy, name: str) -> None:
        node = self._nodes[name]
        node.asked = self._round
        if node.node_is_due(time.monotonic()):
            await self._read_node(proxy, node)
        if node.simulated:
            self._cause = self._cause or f"{name}: {_SIMULATED}"
            return
        if node.skipped_until >= self._round or self._gives_up():
            return
        cause = await self._sample(proxy, name, node)
        if cause is not None:
            self._cause = self._cause or f"{name}: {cause}"
            if not node.has_data:
                node.load.cause = cause
        elif not node.configured:
            await self._configure(proxy, name, node)

    async def _read_node(self, proxy: NodeProxy, node: _Node) -> None:
        """Read conditions, and whether the node is simulated, because requests to its kubelet would time out."""
        node.read_at = time.monotonic()
        document, cause = await proxy.node(node.load.name)
        if document is None:
            # The kubelet's endpoints need another permission, so they may still be readable.
            node.load.conditions_cause = cause
            node.refuses = node.refuses or cause == "the user may not get nodes"
            return
        node.load.simulated, node.load.conditions_cause = is_simulated(document), None
        if node.load.simulated:
            node.load.cause = _SIMULATED
        node.load.conditions.observe(document)

    async def _sample(self, proxy: NodeProxy, name: str, node: _Node) -> str | None:
        """Read the summary once; returns why it gave no data, or None."""
        body, cause = await proxy.read(name, SUMMARY)
        now, began = time.monotonic() - self._started, time.thread_time()
        try:
            summary = None if body is None else parse_summary(body)
        except Unreadable as error:
            summary, cause = None, f"{SUMMARY}: the answer is {error}"
        if summary is not None and node.load.observe(now, summary):
            node.uncounted, node.failures, node.load.cause = 0, 0, None
            node.load.observe_builds(summary, self._sampler.observe(name, summary.pods))
            if self._first_busy is None and self._sampler.samples:
                self._first_busy = now_rfc3339()
            self._parsed += 1
            self._parse_seconds += time.thread_time() - began
            return None
        self._skip(node, summary)
        return cause or f"{SUMMARY}: neither threads nor CPU nor a pod's process_count"

    def _skip(self, node: _Node, summary: Summary | None) -> None:
        # A kubelet needs some seconds until it counts the first pods of a node; other failures last.
        node.uncounted += summary is not None
        if summary is None or node.uncounted >= _SKIPPED_ROUNDS:
            node.failures += 1
            # One that has given data is probably overloaded, just when its figures are interesting: try again soon.
            pause = min(2 ** (node.failures - 1) - 1, _SKIPPED_ROUNDS) if node.has_data else _SKIPPED_ROUNDS
            node.skipped_until, node.uncounted = self._round + pause, 0
        if summary is None and node.has_data:
            node.read_at = min(node.read_at, time.monotonic() - _NODE_AGAIN_SECONDS)  # it may be NotReady by now

    async def _configure(self, proxy: NodeProxy, name: str, node: _Node) -> None:
        """Read the configuration: once per node, whatever the outcome."""
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
        """Read one node's cgroups: one never read before, with the largest pod, or else the least recently read."""
        now, here = time.monotonic(), self._pods.nodes_of_pods()
        nodes = [self._nodes[name] for name in here if name in self._nodes]
        nodes = [node for node in nodes if node.has_data and node.has_cgroups and node.skipped_until < self._round]
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

    # -- the document ------------------------------------------------------------------------------------------------

    def document(self) -> dict[str, Any]:
        """`nodes` and `processes`. If no kubelet gave data, `source` is "none" with the first cause."""
        loads = [node.load for node in self._nodes.values() if node.asked >= 0]
        loads.sort(key=lambda load: load.need, reverse=True)
        with_data = [load for load in loads if load.samples]
        return {
            "nodes": {
                "source": "kubelet" if with_data else "none",
                "cause": None if with_data else self._why_none(),
                "requests": sum(proxy.requests for proxy in self._proxies),
                "nodes": [load.row() for load in loads[:MAX_ROWS]],
                "left_off": max(0, len(loads) - MAX_ROWS),
                "not_asked": len(self._nodes) - len(loads),
                "series": [{"node": load.name, **load.series.to_dict()} for load in with_data[:MAX_SERIES]],
            },
            "processes": {"per_build_pod": self._processes(counted=bool(with_data))},
        }

    def _processes(self, *, counted: bool) -> dict[str, Any]:
        found = self._sampler.figures()
        if found["samples"]:
            return {**found, "first": self._first_busy, "interval_seconds": self._interval_seconds}
        few = "no kubelet reported more than a few processes in a pod of a Job"
        return {**found, "cause": few if counted else self._why_none()}

    def _why_none(self) -> str:
        """Why no kubelet gave data: the first cause."""
        if self._cause is None and not self._round:
            return f"the load ended before the first reading, which is after {self._interval_seconds:g} s"
        return self._cause or "no pod of the run was on a node"


def _within(names: Iterable[str], costs: Mapping[str, int], budget: float) -> list[str]:
    """As many names as fit the budget; the last may exceed it by its second and third request."""
    chosen = []
    for name in names:
        if budget < 1:
            break
        chosen.append(name)
        budget -= costs[name]
    return chosen
