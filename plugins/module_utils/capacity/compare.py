# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Demand against supply: the rows of the preflight table. Pure arithmetic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from ..plan.demand import Demand, FragmentDemand, PodGroup
from ..plan.pods import PodShape
from ..text import duration_text, text_of
from .limits import ceiling_rows, process_rows, published_rows, quota_rows
from .pools import held_or_over, nearest_pool, sizes_of, slice_rows
from .queues import queue_rows
from .rows import NO_DATA, OVER, UNKNOWN, WARNING, Levers, Row, judged
from .storage import storage_rows
from .supply import Node, Supply, refusal

#: Lines of what cannot be known that the table shows.
_MOST_UNKNOWN = 10

Taking = Mapping[int, list[Node]]


class Placement:
    """Which nodes take which pods. `demand` is the plan's, with DaemonSets' pods on the nodes that take them."""

    def __init__(self, demand: Demand, supply: Supply) -> None:
        self.known = supply.nodes is not None
        self._nodes = nodes = supply.nodes or []
        self._taking = {
            _places(group): [node for node in nodes if not refusal(node, group.shape)] for group in demand.groups
        }
        self._causes: dict[object, Counter[str]] = {}
        for group in demand.groups:
            causes = Counter(cause for node in nodes if (cause := refusal(node, group.shape)))
            self._causes[_places(group)] = causes
        # Where nodes may not be listed, a DaemonSet counts as one pod.
        self.demand = demand.on_nodes(lambda group: len(self.nodes(group)) if self.known else 1)

    def nodes(self, group: PodGroup) -> list[Node]:
        """The nodes that take the pods of a group."""
        return self._taking[_places(group)]

    def all_nodes(self) -> list[Node]:
        """The nodes that take any pod of the plan."""
        found = {node.name: node for nodes in self._taking.values() for node in nodes}
        return list(found.values())

    def why_none(self, group: PodGroup) -> str:
        """Why no node takes the pods of a group."""
        reasons = ", ".join(f"{number} {cause}" for cause, number in self._causes[_places(group)].most_common(5))
        return reasons or "the cluster has no node"

    def nearest(self, group: PodGroup) -> str:
        """The pool of nodes that comes nearest to taking the pods of a group; empty where there is nothing to say."""
        return nearest_pool(self._nodes, group.shape)

    def pools(self) -> list[tuple[list[PodGroup], list[Node]]]:
        """The groups that the same nodes take, with these nodes."""
        pools: dict[frozenset[str], tuple[list[PodGroup], list[Node]]] = {}
        for group in self.demand.groups:
            nodes = self.nodes(group)
            pools.setdefault(frozenset(node.name for node in nodes), ([], nodes))[0].append(group)
        return list(pools.values())


def _places(group: PodGroup) -> str:
    shape = group.shape
    return repr((sorted(shape.node_selector.items()), shape.affinity_terms, shape.tolerations))


def compare(demand: Demand, supply: Supply, *, own_namespaces: set[str]) -> list[Row]:
    """All rows, in the order of the table. `own_namespaces`: what this run made in an earlier attempt."""
    placement = Placement(demand, supply)
    demand, levers = placement.demand, Levers(demand)
    nodes = placement.all_nodes() if placement.known else None
    rows = what_runs(demand, len(nodes) if nodes else None)
    rows += node_rows(placement, supply, levers)
    rows += process_rows(demand, supply, nodes, levers)
    rows += ceiling_rows(demand, levers)
    rows += published_rows(demand, supply, nodes, levers)
    rows += storage_rows(demand, supply.storage, levers, worked_before=bool(own_namespaces or supply.own_pods_in))
    rows += queue_rows(demand, supply.queues, levers)
    rows += quota_rows(demand, supply, own_namespaces=own_namespaces)
    return rows


def what_runs(demand: Demand, nodes: int | None) -> list[Row]:
    """What there is nothing to hold against: how much in all, for how long, and what cannot be known."""
    changed = sum(demand.patched.values())
    estimated = "; ".join(f"{one.role}: {one.estimated}" for one in demand.fragments if one.estimated)
    rows = [
        Row(name="objects to create", needed=sum(demand.objects.values()), note=_kinds(demand.objects)),
        *([Row(name="objects to change", needed=changed, note=_kinds(demand.patched))] if changed else []),
        Row(name="objects with those that controllers add", needed=demand.api_objects, note=estimated),
        Row(name="pods in all", needed=demand.pods_in_all),
    ]
    for fragment in demand.fragments:
        rows += _held_back(fragment, nodes)
    unknown = [(one.role, line) for one in demand.fragments for line in one.unknown]
    for role, line in unknown[:_MOST_UNKNOWN]:
        rows.append(Row(name=f"further pods and objects of {role}", needed=None, verdict=UNKNOWN, note=line))
    return rows


def _kinds(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} {kind}" for kind, number in counts.items() if number)


def _held_back(fragment: FragmentDemand, nodes: int | None) -> list[Row]:
    """The ceiling of a gated or timed fragment, and how long it takes."""
    of = fragment.fragment
    rows = []
    pods = fragment.pods_at_peak
    if of.active or of.pod_phases:
        unheld = f"{fragment.pods_unheld:,} with all members active"
        each = f", {-(-fragment.pods_unheld // nodes):,} a node" if nodes else ""
        rows.append(Row(name=f"pods of {of.role} at once, ceiling", needed=pods, note=unheld + each))
    if fragment.expected.rounds:
        note = f"{fragment.pods_in_all:,} pods, {pods:,} at once; each second of pod start-up adds "
        note += duration_text(fragment.expected.rounds)
        if of.ready_timeout_seconds:
            note += f"; gives up after {duration_text(of.ready_timeout_seconds)}"
        if of.stall_timeout_seconds:
            note += f"; gives up when nothing comes forward for {duration_text(of.stall_timeout_seconds)}"
        seconds = fragment.expected.seconds
        rows.append(Row(name=f"expected length of {of.role}", needed=seconds, unit="seconds", note=note))
    return rows


def node_rows(placement: Placement, supply: Supply, levers: Levers) -> list[Row]:
    """Pod slots, requests of every resource, and whether every pod finds a node."""
    demand = placement.demand
    if not demand.pods_at_peak:
        return []
    if not placement.known:
        cause = supply.unread.get("nodes", "not read")
        return [Row(name="pods at peak", needed=demand.pods_at_peak, verdict=NO_DATA, note=cause)]
    refused: dict[str, list[PodGroup]] = {}
    for group in demand.groups:
        if not placement.nodes(group):
            refused.setdefault(placement.why_none(group), []).append(group)
    rows = [_no_node(groups, cause, placement, levers) for cause, groups in refused.items()]
    pools = [(groups, nodes) for groups, nodes in placement.pools() if nodes]
    # Before the sums, whose cure is fewer pods: that helps no pod which is too large by itself.
    rows += _too_large_rows(placement, levers)
    rows += slice_rows([(group, placement.nodes(group)) for group in demand.groups], levers)
    for groups, nodes in pools:
        of = "" if len(pools) == 1 else f" of {', '.join(sorted({group.role for group in groups}))}"
        rows += _pool_rows(groups, nodes, supply, levers, of=of)
    if all(row.verdict != OVER for row in rows):
        rows += _placement_rows(placement, levers)
    if pools:
        rows.append(_memory_limits(demand, placement.all_nodes()))
    return rows


def _no_node(groups: list[PodGroup], cause: str, placement: Placement, levers: Levers) -> Row:
    """One row for all roles whose pods no node takes for the same cause."""
    roles = list(dict.fromkeys(group.role for group in groups))
    own = " or ".join(dict.fromkeys(lever for role in roles if (lever := levers.of(role, "nodes"))))
    cure = (
        "make nodes ready, or set the pods' node selector and tolerations (run_node_selector, run_tolerations) so that "
        "nodes take them"
    )
    if own:
        cure = f"make such nodes ready, or change {own}"
    # Causes may be many, and a message is cut at its end.
    note = "; ".join(part for part in (placement.nearest(groups[0]), cause) if part)
    name = f"nodes that take the pods of {', '.join(roles)}"
    return Row(name=name, needed=1, offered=0, verdict=OVER, note=note, cure=cure)


def _pool_rows(groups: list[PodGroup], nodes: list[Node], supply: Supply, levers: Levers, *, of: str) -> list[Row]:
    pods = sum(group.at_peak for group in groups)
    slots = sum(max(0, node.pods - node.used_pods) for node in nodes)
    note = supply.used_note
    cure = levers.fewer_namespaces(needed=pods, offered=slots, role=_largest(groups).role if of else "")
    when_over = held_or_over(groups)
    row = Row(name=f"pods at peak{of}", needed=pods, offered=slots, cure=cure, note=note)
    rows = [judged(row, when_over=when_over)]
    for resource in _resources(groups):
        needed = sum(group.at_peak * group.shape.request(resource) for group in groups)
        free = sum(max(0, node.allocatable(resource) - node.used(resource)) for node in nodes)
        unit = {"cpu": "cores", "memory": "bytes"}.get(resource, "")
        name = {"cpu": "CPU"}.get(resource, resource)
        largest = max(groups, key=lambda group: group.at_peak * group.shape.request(resource))
        cure = levers.fewer_namespaces(needed=needed, offered=free, role=largest.role)
        row = Row(name=f"{name} requests at peak{of}", needed=needed, offered=free, unit=unit, cure=cure, note=note)
        rows.append(judged(row, when_over=when_over))
    return rows


def _largest(groups: Iterable[PodGroup]) -> PodGroup:
    return max(groups, key=lambda group: group.at_peak)


def _resources(groups: list[PodGroup]) -> list[str]:
    return ["cpu", "memory", *sorted({name for group in groups for name in group.shape.extended})]


def _too_large_rows(placement: Placement, levers: Levers) -> list[Row]:
    """Pods that need more than any of their nodes has, even an empty one."""
    rows = []
    for group in placement.demand.groups:
        nodes = placement.nodes(group)
        if not group.at_peak or not nodes or not _is_too_large(group, nodes):
            continue
        has_extended = any(
            all(node.allocatable(name) >= amount for name, amount in group.shape.extended.items()) for node in nodes
        )
        note = sizes_of(nodes, group.shape) if has_extended else placement.nearest(group)
        row = _finding_a_node(group, 0, levers)
        rows.append(replace(row, verdict=OVER, note=note))
    return rows


def _is_too_large(group: PodGroup, nodes: Iterable[Node]) -> bool:
    shape = group.shape
    return not any(
        node.pods and all(node.allocatable(name) >= amount for name, amount in _weighed(shape)) for node in nodes
    )


def _weighed(shape: PodShape) -> list[tuple[str, int]]:
    return [(name, shape.request(name)) for name in ("cpu", "memory", *shape.extended)]


def _finding_a_node(group: PodGroup, found: int, levers: Levers) -> Row:
    cure = f"lower {levers.of(group.role, 'requests')} ({_size(group)} a pod) or use larger nodes"
    return Row(name=f"pods of {group.role} that find a node", needed=group.at_peak, offered=found, cure=cure)


def _placement_rows(placement: Placement, levers: Levers) -> list[Row]:
    """Whether each pod finds a node that has room for the whole of it; silent where all do.

    First fit, largest pods first, which a scheduler may beat: so it is a warning. Pods that are too large for any node
    have rows of their own.
    """
    resources = placement.demand.resources
    room = {
        node.name: [node.pods - node.used_pods, *(node.allocatable(name) - node.used(name) for name in resources)]
        for node in placement.all_nodes()
    }
    rows = []
    for group in sorted(placement.demand.groups, key=lambda one: _weight(one, resources), reverse=True):
        nodes = placement.nodes(group)
        if not nodes:
            continue  # it has a row of its own
        sizes = [1, *(group.shape.request(name) for name in resources)]
        left = group.at_peak
        for node in nodes:
            free = room[node.name]
            number = min(left, _fitting(sizes, free), 1 if group.per_node else left)
            left -= number
            free[:] = [have - number * size for have, size in zip(free, sizes, strict=True)]
        if left and not group.slice_pods:  # slices have a row of their own
            rows.append(replace(_finding_a_node(group, group.at_peak - left, levers), verdict=WARNING))
    return rows


def _weight(group: PodGroup, resources: list[str]) -> tuple[int, ...]:
    """What is scarce first: extended resources, then memory, then CPU."""
    return tuple(group.shape.request(name) for name in [*resources[2:], "memory", "cpu"])


def _size(group: PodGroup) -> str:
    shape = group.shape
    parts = [f"{text_of(shape.request('cpu'), 'cores')} cores", text_of(shape.request("memory"), "bytes")]
    return ", ".join(parts + [f"{amount:,} {name}" for name, amount in shape.extended.items()])


def _fitting(sizes: list[int], room: list[int]) -> int:
    """How many pods of `sizes` (slots, then resources) go into `room`."""
    return min(max(0, have) // size for have, size in zip(room, sizes, strict=True) if size)


def _memory_limits(demand: Demand, nodes: list[Node]) -> Row:
    """Limits may be promised twice over; that they are is worth knowing, because then nodes run out of memory."""
    needed, offered = demand.limits("memory"), sum(node.allocatable("memory") for node in nodes)
    cure = "nodes may run out of memory: lower the memory limits, or accept it"
    row = Row(name="memory limits at peak", needed=needed, offered=offered, unit="bytes", cure=cure)
    return judged(row, when_over=WARNING)
