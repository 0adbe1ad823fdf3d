# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cluster offers, made from the objects that its API server shows. Pure: whoever calls has read them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..syntax import cpu_and_memory, cpu_milli, whole


@dataclass(kw_only=True)
class Node:
    """One node. CPU in thousandths of a core, memory in bytes; `used_*` is what runs there already."""

    name: str
    ready: bool
    unschedulable: bool
    labels: Mapping[str, str]
    taints: tuple[Mapping[str, str], ...]
    cpu: int
    memory: int
    pods: int
    cores: int
    simulated: bool
    software: Mapping[str, str]
    used_cpu: int = 0
    used_memory: int = 0
    used_pods: int = 0


@dataclass(frozen=True, kw_only=True)
class NodeProcesses:
    """What one node's kubelet says of processes; None where it does not say. `cause` tells why it said nothing."""

    name: str
    pod_pids_limit: int | None = None
    pid_max: int | None = None
    running: int | None = None
    cause: str | None = None


@dataclass(frozen=True, kw_only=True)
class Quota:
    """One ResourceQuota; `hard` and `used` by resource name, as quantities. `scoped`: it counts some pods only."""

    namespace: str
    name: str
    hard: Mapping[str, str]
    used: Mapping[str, str]
    scoped: bool


@dataclass(kw_only=True)
class Supply:
    """What was read; None is "no data" with its cause in `unread`, under the names nodes, pods, quotas."""

    nodes: list[Node] | None = None
    pods_counted: bool = False
    pods_running: int = 0
    namespaces: int | None = None
    quotas: list[Quota] | None = None
    processes: list[NodeProcesses] = field(default_factory=list)
    own_pods_in: set[str] = field(default_factory=set)
    unread: dict[str, str] = field(default_factory=dict)


def node_of(obj: Mapping[str, Any]) -> Node:
    """A Node from its API object."""
    spec, status, metadata = obj.get("spec", {}), obj.get("status", {}), obj["metadata"]
    allocatable = status.get("allocatable", {})
    conditions = {entry["type"]: entry["status"] for entry in status.get("conditions", ())}
    info = status.get("nodeInfo", {})
    names = ("kubeletVersion", "osImage", "kernelVersion", "containerRuntimeVersion", "architecture")
    return Node(
        name=metadata["name"],
        ready=conditions.get("Ready") == "True",
        unschedulable=bool(spec.get("unschedulable")),
        labels=metadata.get("labels", {}),
        taints=tuple(spec.get("taints", ())),
        cpu=cpu_milli(allocatable.get("cpu", 0)),
        memory=whole(allocatable.get("memory", 0)),
        pods=whole(allocatable.get("pods", 0)),
        cores=whole(status.get("capacity", {}).get("cpu", 0)),
        simulated=is_simulated(obj),
        software={name: info.get(name, "") for name in names},
    )


def is_simulated(obj: Mapping[str, Any]) -> bool:
    """Whether a Node has KWOK's annotation, or nobody listens on it where its kubelet should."""
    if "kwok.x-k8s.io/node" in obj["metadata"].get("annotations", {}):
        return True
    return not obj.get("status", {}).get("daemonEndpoints", {}).get("kubeletEndpoint", {}).get("Port")


def pod_requests(spec: Mapping[str, Any]) -> tuple[int, int]:
    """(CPU, memory) that the scheduler sets aside for a pod's spec.

    The containers together with the sidecars (init containers that keep running), or the largest init container with
    the sidecars started before it, whichever is more; plus the runtime's overhead. Pod-level requests go first.
    """
    steady = _sum(container.get("resources", {}).get("requests") for container in spec.get("containers", ()))
    sidecars, highest = (0, 0), (0, 0)
    for container in spec.get("initContainers", ()):
        size = cpu_and_memory(container.get("resources", {}).get("requests"))
        with_sidecars = _plus(sidecars, size)
        if container.get("restartPolicy") == "Always":
            sidecars = with_sidecars
        else:
            highest = (max(highest[0], with_sidecars[0]), max(highest[1], with_sidecars[1]))
    running = _plus(steady, sidecars)
    total = (max(running[0], highest[0]), max(running[1], highest[1]))
    whole_pod = (spec.get("resources") or {}).get("requests") or {}
    cpu, memory = cpu_and_memory(whole_pod)
    total = (cpu if "cpu" in whole_pod else total[0], memory if "memory" in whole_pod else total[1])
    return _plus(total, cpu_and_memory(spec.get("overhead")))


def _plus(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    return one[0] + other[0], one[1] + other[1]


def _sum(many: Iterable[Mapping[str, Any] | None]) -> tuple[int, int]:
    total = (0, 0)
    for requests in many:
        total = _plus(total, cpu_and_memory(requests))
    return total


def quota_of(obj: Mapping[str, Any]) -> Quota:
    """A Quota from its API object."""
    spec, status = obj.get("spec", {}), obj.get("status", {})
    return Quota(
        namespace=obj["metadata"]["namespace"],
        name=obj["metadata"]["name"],
        hard=status.get("hard") or spec.get("hard", {}),
        used=status.get("used", {}),
        scoped=bool(spec.get("scopes") or spec.get("scopeSelector")),
    )


def refusal(node: Node, *, selector: Mapping[str, str], tolerations: Iterable[Mapping[str, Any]]) -> str | None:
    """Why a node takes no pod with this node selector and these tolerations; None if it does."""
    if not node.ready:
        return "not ready"
    if node.unschedulable:
        return "cordoned"
    for key, value in selector.items():
        if node.labels.get(key) != str(value):
            return f"without the label {key}={value} of run_node_selector"
    tolerations = list(tolerations)
    for taint in node.taints:
        if taint["effect"] != "PreferNoSchedule" and not any(_tolerates(one, taint) for one in tolerations):
            value = f"={taint['value']}" if taint.get("value") else ""
            return f"tainted {taint['key']}{value}:{taint['effect']} (not in run_tolerations)"
    return None


def _tolerates(toleration: Mapping[str, Any], taint: Mapping[str, str]) -> bool:
    if toleration.get("effect") and toleration["effect"] != taint["effect"]:
        return False
    if toleration.get("operator", "Equal") == "Exists":
        return not toleration.get("key") or toleration["key"] == taint["key"]
    return toleration.get("key") == taint["key"] and (toleration.get("value") or "") == (taint.get("value") or "")
