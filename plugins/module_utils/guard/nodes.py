# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes that are gone, not Ready or under pressure, from one watch of all nodes.

The watch begins where the load does, without a list: what was so before is not the load's doing, and the list of a
large cluster is tens of megabytes. A kubelet writes its Node every five minutes unless something changes, so a thousand
nodes are three events a second. Only nodes that are not well are remembered.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from ..cluster.client import Cluster
from ..cluster.discovery import Resource
from ..cluster.watch import Event, ListWatch

_NODES = Resource("v1", "Node", "nodes", False, frozenset({"list", "watch"}))
_PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure")
_GONE = "deleted"


class NodeHealth:
    """`lost` and `pressed`: name -> why, of the nodes that are gone or not Ready, and under pressure."""

    def __init__(self) -> None:
        self.lost: dict[str, str] = {}
        self.pressed: dict[str, str] = {}

    @property
    def is_well(self) -> bool:
        """Whether no node is remembered."""
        return not self.lost and not self.pressed

    def take(self, change: str, node: Mapping[str, Any]) -> bool:
        """Take in an event (`change`: ADDED, MODIFIED, DELETED). Returns whether something is other than before."""
        name = node["metadata"]["name"]
        lost, pressed = (_GONE, "") if change == "DELETED" else _state_of(node)
        before = self.lost.get(name, ""), self.pressed.get(name, "")
        for known, state in ((self.lost, lost), (self.pressed, pressed)):
            if state:
                known[name] = state
            else:
                known.pop(name, None)
        return before != (lost, pressed)


def _state_of(node: Mapping[str, Any]) -> tuple[str, str]:
    """Why a node is lost, and under which pressure it is; empty where it is not."""
    lost, pressures = "", []
    for entry in (node.get("status") or {}).get("conditions") or ():
        kind, status = entry.get("type"), entry.get("status")
        if kind == "Ready" and status != "True":
            lost = ": ".join(part for part in (f"Ready is {status}", entry.get("reason"), entry.get("message")) if part)
        elif kind in _PRESSURES and status == "True":
            pressures.append(str(kind))
    return lost, ", ".join(pressures)


async def node_events(cluster: Cluster) -> AsyncIterator[Event]:
    """The changes of all nodes from now on; endless. Raises a PermanentError where nodes may not be watched."""
    watch = ListWatch(cluster, _NODES)
    version = await watch.now()
    async for event in watch.events(version=version):
        if event.type != "SYNCED":
            yield event
