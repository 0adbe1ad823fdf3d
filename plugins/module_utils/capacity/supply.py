# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cluster offers, made from the objects that its API server shows. Pure: the caller has read them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..plan.pods import PodShape
from ..readiness.nodes import is_simulated
from ..syntax import cpu_milli, whole
from .queues import QueueSupply
from .storage import StorageSupply

#: Resources that have a field of their own in Node, or that no workload of ours asks for; all others are extended.
_OWN_FIELDS = frozenset({"cpu", "memory", "pods", "ephemeral-storage"})


@dataclass(kw_only=True)
class Node:
    """One node. CPU in thousandths of a core, memory in bytes; `used_*` is what the pods there have requested.

    `extended`: every other resource that pods can request, by name, such as nvidia.com/gpu, in whole units.
    """

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
    extended: Mapping[str, int] = field(default_factory=dict)
    used_extended: Mapping[str, int] = field(default_factory=dict)

    def allocatable(self, resource: str) -> int:
        """How much of a resource the node has for pods."""
        return {"cpu": self.cpu, "memory": self.memory}.get(resource, self.extended.get(resource, 0))

    def used(self, resource: str) -> int:
        """How much of a resource the pods there have requested."""
        own = {"cpu": self.used_cpu, "memory": self.used_memory}
        return own.get(resource, self.used_extended.get(resource, 0))


@dataclass(frozen=True, kw_only=True)
class NodeProcesses:
    """A node's process figures, as its kubelet reports them; None where it does not. `cause`: why there are none."""

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
    """What was read; None is "no data" with its cause in `unread`, under nodes, namespaces, pods, own pods, quotas.

    `pods_running` are unfinished pods without this run's own. On a large cluster they and the nodes' `used_*` are an
    estimate: `pods_estimated` says in a few words how it was made, and is empty where every pod was read.
    """

    nodes: list[Node] | None = None
    pods_counted: bool = False
    pods_running: int = 0
    pods_estimated: str = ""
    namespaces: int | None = None
    quotas: list[Quota] | None = None
    processes: list[NodeProcesses] = field(default_factory=list)
    own_pods_in: set[str] = field(default_factory=set)
    #: Classes and free volumes; None where the plan has no claims.
    storage: StorageSupply | None = None
    #: Queues of Kueue; None where no pod of the plan waits in one.
    queues: QueueSupply | None = None
    unread: dict[str, str] = field(default_factory=dict)

    @property
    def used_note(self) -> str:
        """What to know of the figures of what runs already; empty where every pod was read."""
        if self.pods_counted:
            return self.pods_estimated
        return "what runs there is not counted: " + self.unread.get("pods", "not read")


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
        extended={name: whole(amount) for name, amount in allocatable.items() if name not in _OWN_FIELDS},
    )


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


@dataclass(frozen=True)
class Mismatch:
    """Why a node takes no pod. `text` is the same for all nodes of which it is so; `here` says what this one has."""

    text: str
    here: str


def refusal(node: Node, shape: PodShape) -> str | None:
    """Why a node takes no pod of this shape, whatever it has room for; None if it does."""
    return next((mismatch.text for mismatch in mismatches(node, shape)), None)


def mismatches(node: Node, shape: PodShape) -> Iterator[Mismatch]:
    """Everything for which a node takes no pod of this shape, whatever it has room for."""
    if not node.ready:
        yield Mismatch("not ready", "not ready")
    if node.unschedulable:
        yield Mismatch("cordoned", "cordoned")
    for key, value in shape.node_selector.items():
        if (has := node.labels.get(key)) != value:
            text = f"without the label {key}={value}"
            yield Mismatch(text, text if has is None else f"{key} is {has}, not {value}")
    for taint in node.taints:
        if taint["effect"] != "PreferNoSchedule" and not any(_tolerates(one, taint) for one in shape.tolerations):
            value = f"={taint['value']}" if taint.get("value") else ""
            text = f"tainted {taint['key']}{value}:{taint['effect']}, which the pods do not tolerate"
            yield Mismatch(text, text)
    if shape.affinity_terms and not any(_matches(node, term) for term in shape.affinity_terms):
        text = "not matched by the required node affinity"
        yield Mismatch(text, text)


def room_for(node: Node, shape: PodShape) -> int:
    """How many pods of this shape a node has room for now."""
    room = [node.pods - node.used_pods]
    room += [(node.allocatable(name) - node.used(name)) // amount for name, amount in shape.requests.items() if amount]
    return max(0, min(room))


def _matches(node: Node, term: Mapping[str, Any]) -> bool:
    """Whether a node matches all of a NodeSelectorTerm; an empty term matches nothing."""
    expressions, fields = term.get("matchExpressions") or (), term.get("matchFields") or ()
    if not expressions and not fields:
        return False
    fits = all(_holds(expression, node.labels) for expression in expressions)
    return fits and all(_holds(field_, {"metadata.name": node.name}) for field_ in fields)


def _holds(expression: Mapping[str, Any], values: Mapping[str, str]) -> bool:
    key, operator, wanted = expression["key"], expression["operator"], list(expression.get("values") or ())
    have = values.get(key)
    if operator in ("Gt", "Lt"):
        try:
            number, bound = int(have or ""), int(wanted[0])
        except (ValueError, IndexError):
            return False
        return number > bound if operator == "Gt" else number < bound
    if operator == "In":
        return have in wanted
    if operator == "NotIn":
        return have not in wanted
    return (have is not None) is (operator == "Exists")


def _tolerates(toleration: Mapping[str, Any], taint: Mapping[str, str]) -> bool:
    if toleration.get("effect") and toleration["effect"] != taint["effect"]:
        return False
    if toleration.get("operator", "Equal") == "Exists":
        return not toleration.get("key") or toleration["key"] == taint["key"]
    return toleration.get("key") == taint["key"] and (toleration.get("value") or "") == (taint.get("value") or "")
