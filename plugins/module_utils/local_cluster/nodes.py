# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulated nodes, in the wanted number and size. kwok makes them Ready and keeps them so."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .api import Api
from .simulated import NODE_ANNOTATION, NODE_ANNOTATION_VALUE, REAL_NODE_MONITOR_SECONDS

PATH = "/api/v1/nodes"
LABEL = "kubestress.core/node"
LABEL_VALUE = "simulated"
# On simulated nodes next to a real one: pods without a toleration run on the real node.
TAINT = {"key": "kubestress.core/simulated", "value": "true", "effect": "NoSchedule"}
# Kubernetes' names for the output of `uname -m`.
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class NodeSize:
    """The capacity of one node: Kubernetes quantities, and pods."""

    cpu: str
    memory: str
    pods: int

    @property
    def resources(self) -> dict[str, str]:
        """As in a Node's capacity."""
        return {"cpu": self.cpu, "memory": self.memory, "pods": str(self.pods), "ephemeral-storage": "1Ti"}


@dataclass(frozen=True)
class NodeChanges:
    """Names of nodes to create, resize or delete, and of those whose taint changes."""

    create: tuple[str, ...] = ()
    resize: tuple[str, ...] = ()
    delete: tuple[str, ...] = ()
    taint: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.create or self.resize or self.delete or self.taint)


def node_name(number: int) -> str:
    """The name of node number 1, 2, …; sorts by number up to the largest allowed cluster."""
    return f"simulated-{number:04d}"


def existing_nodes(api: Api) -> list[dict[str, Any]]:
    """The existing simulated nodes."""
    return api.get(f"{PATH}?labelSelector={LABEL}%3D{LABEL_VALUE}")["items"]


def compare(existing: list[dict[str, Any]], *, count: int, size: NodeSize, tainted: bool = False) -> NodeChanges:
    """What has to change for exactly `count` nodes of this size, with or without our taint."""
    wanted = [node_name(number) for number in range(1, count + 1)]
    capacity = {node["metadata"]["name"]: node.get("status", {}).get("capacity", {}) for node in existing}
    return NodeChanges(
        create=tuple(name for name in wanted if name not in capacity),
        resize=tuple(name for name in wanted if name in capacity and not _fits(capacity[name], size)),
        delete=tuple(sorted(set(capacity) - set(wanted))),
        taint=tuple(
            node["metadata"]["name"]
            for node in existing
            if node["metadata"]["name"] in wanted and _is_tainted(node) != tainted
        ),
    )


def apply(api: Api, changes: NodeChanges, *, size: NodeSize, tainted: bool = False) -> None:
    """Make the changes. The controller manager removes the pods of deleted nodes."""
    for name in changes.create:
        api.post(PATH, node_object(int(name.rpartition("-")[2]), size, tainted=tainted))
    for name in changes.resize:
        api.merge_patch(
            f"{PATH}/{name}/status", {"status": {"capacity": size.resources, "allocatable": size.resources}}
        )
    for name in changes.taint:
        # The patch replaces the list, and Kubernetes' own taints of a node that is not ready have to stay.
        others = [item for item in api.get(f"{PATH}/{name}")["spec"].get("taints", []) if item["key"] != TAINT["key"]]
        api.merge_patch(f"{PATH}/{name}", {"spec": {"taints": [*others, *([TAINT] if tainted else [])]}})
    for name in changes.delete:
        api.delete(f"{PATH}/{name}")


def node_object(number: int, size: NodeSize, *, tainted: bool = False) -> dict[str, Any]:
    """A Node as a kubelet registers it; the Stage `node-initialize` adds the rest of its status."""
    name = node_name(number)
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": {NODE_ANNOTATION: NODE_ANNOTATION_VALUE, "node.alpha.kubernetes.io/ttl": "0"},
            "labels": {
                LABEL: LABEL_VALUE,
                "type": "kwok",
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": ARCHITECTURES.get(platform.machine(), platform.machine()),
                "node-role.kubernetes.io/worker": "",
            },
        },
        "spec": {"taints": [TAINT]} if tainted else {},
        "status": {
            "capacity": size.resources,
            "allocatable": size.resources,
            "addresses": [
                {"type": "InternalIP", "address": _address(number)},
                {"type": "Hostname", "address": name},
            ],
        },
    }


def not_ready(existing: list[dict[str, Any]]) -> list[str]:
    """The names of nodes that are not Ready or still have the not-ready taint."""
    return [node["metadata"]["name"] for node in existing if not _is_ready(node)]


def is_settled(node: dict[str, Any], *, now: float) -> bool:
    """Whether a real node is Ready and stays free of the not-ready taint. `now`: seconds since 1970.

    The controller manager takes that taint away, or still sets it for what it saw earlier, when it next looks at its
    nodes. So the node has to have been Ready for longer than that.
    """
    conditions = node.get("status", {}).get("conditions", [])
    since = max((_seconds(one["lastTransitionTime"]) for one in conditions if one["type"] == "Ready"), default=now)
    # The time is cut to whole seconds.
    return _is_ready(node) and now - since > 2 * REAL_NODE_MONITOR_SECONDS + 1


def _seconds(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()


def _address(number: int) -> str:
    """A unique address per node, where nothing listens."""
    return f"10.245.{number // 256}.{number % 256}"


def _is_ready(node: dict[str, Any]) -> bool:
    conditions = {item["type"]: item["status"] for item in node.get("status", {}).get("conditions", [])}
    taints = {item["key"] for item in node["spec"].get("taints", [])}
    return conditions.get("Ready") == "True" and "node.kubernetes.io/not-ready" not in taints


def _is_tainted(node: dict[str, Any]) -> bool:
    return any(item["key"] == TAINT["key"] for item in node["spec"].get("taints", []))


def _fits(capacity: dict[str, str], size: NodeSize) -> bool:
    return all(capacity.get(name) == value for name, value in size.resources.items())
