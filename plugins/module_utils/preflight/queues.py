# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the queues of Kueue that a plan's jobs name."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ..capacity.queues import ClusterQueue, QueueSupply, cluster_queue_of, local_queue_of
from ..cluster.client import Cluster
from ..cluster.discovery import preferred_version
from ..cluster.errors import Forbidden, NotFound
from ..cluster.inventory import read_each
from ..cluster.scopes import MAX_NAMESPACES
from ..plan.demand import Demand

_GROUP = "kueue.x-k8s.io"
#: ClusterQueues that are looked at, at most.
_MOST = 20


def queues_of(demand: Demand) -> frozenset[str]:
    """The queues that a plan's jobs name."""
    return frozenset(group.queue for group in demand.groups if group.queue and group.in_all)


async def read_queues(cluster: Cluster, names: Collection[str], namespaces: Sequence[str]) -> QueueSupply:
    """LocalQueues of these names in these namespaces, and the ClusterQueues behind them. Raises ClusterError."""
    supply = QueueSupply(namespaces=namespaces)
    version = await preferred_version(cluster, _GROUP)
    if version is None:
        supply.unread = "the API server has no kueue.x-k8s.io, so no queue holds the jobs back"
        return supply
    supply.local = {}
    wanted = set(namespaces)

    def take(obj: Mapping[str, Any]) -> None:
        namespace, name = obj["metadata"]["namespace"], obj["metadata"]["name"]
        if namespace in wanted and name in names and supply.local is not None:
            supply.local[namespace, name] = local_queue_of(obj)

    path = f"/apis/{version}/localqueues"
    unread = await read_each(cluster, path, take, begin_again=supply.local.clear)
    if unread and len(wanted) <= MAX_NAMESPACES:
        paths = [f"/apis/{version}/namespaces/{name}/localqueues" for name in sorted(wanted)]
        causes = await asyncio.gather(*(read_each(cluster, path, take) for path in paths))
        unread = next(filter(None, causes), None)
    if unread:
        supply.local, supply.unread = None, unread
        return supply
    behind = sorted({one.cluster_queue for one in supply.local.values() if one.cluster_queue})
    found = await asyncio.gather(*(_cluster_queue(cluster, version, name) for name in behind[:_MOST]))
    supply.cluster = {one.name: one for one in found if one is not None}
    return supply


async def _cluster_queue(cluster: Cluster, version: str, name: str) -> ClusterQueue | None:
    """None for a user who may not read it: what the LocalQueue says has to do then."""
    try:
        return cluster_queue_of(await cluster.get(f"/apis/{version}/clusterqueues/{name}"))
    except NotFound:
        return ClusterQueue(name=name, cause="it does not exist")
    except Forbidden:
        return None
