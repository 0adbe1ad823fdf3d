# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Count the network plug-in's operations during a load, on the first real nodes of the cluster.

The embedded node's plug-in writes a log, which its kubelet serves. Elsewhere the kubelet's own counters are read. Both
go through the API server's node proxy: one request a second at most, and none while the API server cannot be reached.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from ..cluster.client import Cluster
from ..cluster.node_proxy import METRICS, NETWORK_LOG, NodeProxy
from ..measure.network import (
    HOUR,
    KUBELET,
    MINUTE,
    PLUGIN,
    RULES,
    CallCounters,
    Minutes,
    RequestLog,
    added,
    counts_of,
    rows_of,
)
from ..readiness.nodes import is_simulated

#: Nodes that are read.
MAX_NODES = 50
#: Rows in the document, the newest: a day of minutes, and a month of hours.
MAX_MINUTES, MAX_HOURS = 1440, 744
#: Seconds between two readings of a node; with more nodes than that, one node a second.
_EVERY_SECONDS = 15.0
_TIMEOUT_SECONDS = 3.0
_EMBEDDED = ("kubestress.core/node", "real")
_NO_COUNTERS = f"{METRICS}: without kubelet_runtime_operations_total"


@dataclass(slots=True)
class _Node:
    """`embedded`: its plug-in has a log. `cause`: why there are no figures; None as soon as there was a first reading.

    A cause that `lasts` will be the same tomorrow: the node is not asked again.
    """

    name: str
    embedded: bool
    cause: str | None = "not read yet"
    lasts: bool = False
    log: RequestLog = field(default_factory=RequestLog)
    calls: CallCounters = field(default_factory=CallCounters)

    @property
    def source(self) -> str:
        return PLUGIN if self.embedded else KUBELET

    @property
    def minutes(self) -> Minutes:
        return self.log.minutes if self.embedded else self.calls.minutes


class NetworkPart:
    """The Part with `network_operations`."""

    def __init__(self, cluster: Cluster, *, interval_seconds: float) -> None:
        """`interval_seconds`: that of reading nodes; 0 reads nothing."""
        self._cluster = cluster
        self._wanted = interval_seconds > 0
        self._every_seconds = max(_EVERY_SECONDS, interval_seconds)
        self._nodes: list[_Node] = []
        self._cause: str | None = None if self._wanted else "not read: the interval is 0"
        self._seen = self._simulated = self._not_asked = 0
        self._requests = self._unanswered = 0
        self.warnings: list[str] = []

    async def begin(self) -> None:
        """Find the nodes, and read what there was before the load."""
        if not self._wanted:
            return
        async with self._proxy() as proxy:
            found = await proxy.nodes(limit=MAX_NODES)
            self._requests = proxy.requests
            if found.cause is not None:
                self._cause = found.cause
                return
            real = [node for node in found.nodes if not is_simulated(node)]
            self._seen, self._simulated = len(found.nodes), len(found.nodes) - len(real)
            self._not_asked = found.remaining
            key, value = _EMBEDDED
            self._nodes = [
                _Node(node["metadata"]["name"], node["metadata"].get("labels", {}).get(key) == value) for node in real
            ]
            if not real:
                self._cause = "all nodes are simulated: no network plug-in works for their pods"
            await self._read_all(proxy)

    async def run(self) -> None:
        """Read each node regularly, one after the other."""
        asked = [node for node in self._nodes if not node.lasts]
        if not asked:
            return
        pause = max(1.0, self._every_seconds / len(asked))
        async with self._proxy() as proxy:
            while True:
                for node in asked:
                    await asyncio.sleep(pause)
                    if not self._cluster.reachability.is_outage:
                        before = proxy.requests
                        await self._read(proxy, node)
                        self._requests += proxy.requests - before

    async def end(self) -> None:
        """Read all of them once more."""
        if self._nodes and not self._cluster.reachability.given_up:
            async with self._proxy() as proxy:
                await self._read_all(proxy)

    def _proxy(self) -> NodeProxy:
        return NodeProxy(self._cluster, timeout_seconds=_TIMEOUT_SECONDS)

    async def _read_all(self, proxy: NodeProxy) -> None:
        before = proxy.requests
        try:
            await asyncio.gather(*(self._read(proxy, node) for node in self._nodes if not node.lasts))
        finally:
            self._requests += proxy.requests - before

    async def _read(self, proxy: NodeProxy, node: _Node) -> None:
        """Read a node; what was there at the first reading is not counted."""
        if node.embedded:
            body, cause = await proxy.read(node.name, NETWORK_LOG)
            if body is not None:
                node.log.take(body, counts=node.cause is None)
                node.cause = None
                return
            # One of an older release has no such log.
            node.embedded = node.cause is None or not (cause or "").startswith("the kubelet has no")
            if node.embedded:
                self._failed(node, cause)
                return
        body, cause = await proxy.read(node.name, METRICS)
        if body is not None and node.calls.take(body, at=time.time()):
            node.cause = None
        else:
            self._failed(node, cause or _NO_COUNTERS)

    def _failed(self, node: _Node, cause: str | None) -> None:
        """Keep the figures that there are; without any, say why."""
        self._unanswered += 1
        if node.cause is not None:
            node.cause = cause or "no answer"
            node.lasts = node.cause.startswith(("the user may not", "the kubelet refuses", "the kubelet has no"))

    def document(self) -> dict[str, Any]:
        """`network_operations`: counts by who counts, hour and minute; without `sources` the cause is said."""
        read = [node for node in self._nodes if node.cause is None]
        sources = {
            source: added(node.minutes for node in read if node.source == source)
            for source in dict.fromkeys(node.source for node in read)
        }
        causes = dict.fromkeys(f"{node.name}: {node.cause}" for node in self._nodes if node.cause is not None)
        return {
            "network_operations": {
                "sources": {
                    source: {
                        "rule": RULES[source],
                        "nodes": sum(node.source == source for node in read),
                        **counts_of(minutes),
                    }
                    for source, minutes in sources.items()
                },
                "cause": None if read else self._cause or "; ".join(list(causes)[:3]) or "no node was found",
                "nodes": {
                    "seen": self._seen,
                    "simulated": self._simulated,
                    "silent": len(causes),
                    "not_asked": self._not_asked,
                },
                "requests": self._requests,
                "failed_readings": self._unanswered,
                "hours": rows_of(sources, HOUR)[-MAX_HOURS:],
                "minutes": rows_of(sources, MINUTE)[-MAX_MINUTES:],
            }
        }
