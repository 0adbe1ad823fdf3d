# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulated nodes, in the wanted number and size. kwok makes them Ready and keeps them so."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Any

from .api import Api
from .node_kinds import TAINT, NodeKind, NodeSize
from .simulated import NODE_ANNOTATION, NODE_ANNOTATION_VALUE, REAL_NODE_MONITOR_SECONDS

PATH = "/api/v1/nodes"
LABEL = "kubestress.core/node"
LABEL_VALUE = "simulated"
# What of a node's labels and taints came from its pool.
OWN_KEYS = "kubestress.core/pool-keys"
# Kubernetes' names for the output of `uname -m`.
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class NodeChanges:
    """Names of nodes to create, resize or delete, and of those whose labels or taints change."""

    create: tuple[str, ...] = ()
    resize: tuple[str, ...] = ()
    delete: tuple[str, ...] = ()
    relabel: tuple[str, ...] = ()
    taint: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.create or self.resize or self.delete or self.relabel or self.taint)


def node_name(number: int) -> str:
    """The name of node number 1, 2, …; sorts by number up to the largest allowed cluster."""
    return f"simulated-{number:04d}"


def existing_nodes(api: Api) -> list[dict[str, Any]]:
    """The existing simulated nodes."""
    return api.get(f"{PATH}?labelSelector={LABEL}%3D{LABEL_VALUE}")["items"]


def plain_nodes(number: int, size: NodeSize, *, tainted: bool = False) -> dict[str, NodeKind]:
    """`number` nodes of no pool, with or without our taint, by name."""
    kind = NodeKind(resources=size.resources, taints=(TAINT,) if tainted else ())
    return {node_name(one): kind for one in range(1, number + 1)}


def compare(existing: list[dict[str, Any]], wanted: Mapping[str, NodeKind]) -> NodeChanges:
    """What has to change for exactly the wanted nodes, given by name."""
    there = {node["metadata"]["name"]: node for node in existing}
    both = {name: (there[name], kind) for name, kind in wanted.items() if name in there}
    return NodeChanges(
        create=tuple(name for name in wanted if name not in there),
        resize=tuple(name for name, (node, kind) in both.items() if _resize_patch(node, kind)),
        delete=tuple(sorted(set(there) - set(wanted))),
        relabel=tuple(name for name, (node, kind) in both.items() if _label_patch(node, kind)),
        taint=tuple(name for name, (node, kind) in both.items() if _own_taints(node, kind) != list(kind.taints)),
    )


def apply(api: Api, changes: NodeChanges, wanted: Mapping[str, NodeKind]) -> None:
    """Make the changes. The controller manager removes the pods of deleted nodes."""
    addresses = _free_addresses(api) if changes.create else iter(())
    for name in changes.create:
        api.post(PATH, node_object(name, wanted[name], address=next(addresses)))
    for name in changes.resize:
        capacity = _resize_patch(api.get(f"{PATH}/{name}"), wanted[name])
        api.merge_patch(f"{PATH}/{name}/status", {"status": {"capacity": capacity, "allocatable": capacity}})
    for name in changes.taint:
        # The patch replaces the list, and Kubernetes' own taints of a node that is not ready have to stay.
        node, kind = api.get(f"{PATH}/{name}"), wanted[name]
        ours = {taint["key"] for taint in _own_taints(node, kind)}
        others = [taint for taint in node["spec"].get("taints", []) if taint["key"] not in ours]
        # What it was made with is known from its annotation, which therefore changes last.
        api.merge_patch(f"{PATH}/{name}", {"spec": {"taints": [*others, *kind.taints]}})
    for name in dict.fromkeys((*changes.relabel, *changes.taint)):
        patch = {"labels": _label_patch(api.get(f"{PATH}/{name}"), wanted[name]), "annotations": _own(wanted[name])}
        api.merge_patch(f"{PATH}/{name}", {"metadata": patch})
    for name in changes.delete:
        api.delete(f"{PATH}/{name}")


def node_object(name: str, kind: NodeKind, *, address: str) -> dict[str, Any]:
    """A Node as a kubelet registers it; the Stage `node-initialize` adds the rest of its status."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": {
                NODE_ANNOTATION: NODE_ANNOTATION_VALUE,
                "node.alpha.kubernetes.io/ttl": "0",
                **_own(kind),
            },
            "labels": {**_common_labels(name), **kind.labels},
        },
        "spec": {"taints": [dict(taint) for taint in kind.taints]} if kind.taints else {},
        "status": {
            "capacity": dict(kind.resources),
            "allocatable": dict(kind.resources),
            "addresses": [
                {"type": "InternalIP", "address": address},
                {"type": "Hostname", "address": name},
            ],
        },
    }


def _common_labels(name: str) -> dict[str, str]:
    return {
        LABEL: LABEL_VALUE,
        "type": "kwok",
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": ARCHITECTURES.get(platform.machine(), platform.machine()),
        "node-role.kubernetes.io/worker": "",
    }


def _own(kind: NodeKind) -> dict[str, str]:
    """The annotation with the keys of its pool's labels and taints, so that a later pool takes no others away."""
    return {OWN_KEYS: json.dumps({"labels": sorted(kind.labels), "taints": [taint["key"] for taint in kind.taints]})}


def _own_keys(node: Mapping[str, Any], part: str) -> set[str]:
    """The keys that an earlier call gave a node."""
    given = json.loads(node["metadata"].get("annotations", {}).get(OWN_KEYS) or "{}")
    return set(given.get(part, ()))


def _label_patch(node: Mapping[str, Any], kind: NodeKind) -> dict[str, str | None]:
    """The labels that differ, None for those that go."""
    has = node["metadata"].get("labels", {})
    # A label of its pool may have taken the place of a common one.
    due = {**_common_labels(node["metadata"]["name"]), **kind.labels}
    gone = {key: due.get(key) for key in _own_keys(node, "labels") - set(kind.labels) if key in has}
    changed = {key: value for key, value in kind.labels.items() if has.get(key) != value}
    return {**{key: value for key, value in gone.items() if has.get(key) != value}, **changed}


def _own_taints(node: Mapping[str, Any], kind: NodeKind) -> list[dict[str, str]]:
    """A node's taints that are ours, now or once this is done; without the times that Kubernetes adds."""
    keys = {TAINT["key"], *_own_keys(node, "taints"), *(taint["key"] for taint in kind.taints)}
    return [
        {part: taint[part] for part in ("key", "value", "effect") if taint.get(part)}
        for taint in node["spec"].get("taints", [])
        if taint["key"] in keys
    ]


def _resize_patch(node: Mapping[str, Any], kind: NodeKind) -> dict[str, str | None]:
    """The resources that differ, None for extended ones that go."""
    has = node.get("status", {}).get("capacity", {})
    gone: dict[str, str | None] = {name: None for name in has if "/" in name and name not in kind.resources}
    return gone | {name: value for name, value in kind.resources.items() if has.get(name) != value}


def _free_addresses(api: Api) -> Iterator[str]:
    """Addresses that no simulated node has, where nothing listens."""
    taken = {one["address"] for node in existing_nodes(api) for one in node.get("status", {}).get("addresses", [])}
    return (address for address in map(_address, count(1)) if address not in taken)


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
