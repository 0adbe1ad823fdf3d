# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Slices against pools of nodes: whether each finds one of its own, and which pool comes nearest. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from ..plan.demand import PodGroup
from ..plan.pods import PodShape
from ..readiness.nodes import POOL_LABELS
from ..text import text_of
from .rows import OVER, WARNING, Levers, Row, judged
from .supply import Node, mismatches, room_for

#: How many differences between a pool and what pods need are listed.
_MOST_DIFFERENCES = 4
#: How many sizes of nodes are listed.
_MOST_SIZES = 3
_MACHINE = "node.kubernetes.io/instance-type"


def slice_rows(placed: Iterable[tuple[PodGroup, list[Node]]], levers: Levers) -> list[Row]:
    """One row for each group of pods that come in slices. `placed`: groups with the nodes that take their pods.

    A pool takes one slice, and has room for all pods of it at once; those with the most pods choose first.
    """
    rows = []
    taken: set[tuple[str, str]] = set()
    in_slices = [(group, nodes) for group, nodes in placed if group.slice_pods and group.at_peak and nodes]
    for group, nodes in sorted(in_slices, key=lambda one: -one[0].slice_pods):
        room: dict[str, int] = defaultdict(int)
        for node in nodes:
            if group.pool_label in node.labels:
                room[node.labels[group.pool_label]] += room_for(node, group.shape)
        free = [
            pool
            for pool, number in room.items()
            if number >= group.slice_pods and (group.pool_label, pool) not in taken
        ]
        slices = -(-group.at_peak // group.slice_pods)
        taken.update((group.pool_label, pool) for pool in free[:slices])
        row = Row(
            name=f"slices of {group.role} that find a pool",
            needed=slices,
            offered=len(free),
            note=_fullest(group, {pool: number for pool, number in room.items() if pool not in free}),
            cure=f"lower {levers.of(group.role, 'pods')}, or add pools of {group.slice_pods:,} such nodes",
        )
        row = judged(row, when_over=held_or_over([group]))
        rows.append(row if row.cure else Row(name=row.name, needed=slices, offered=len(free), verdict=row.verdict))
    return rows


def held_or_over(groups: Iterable[PodGroup]) -> str:
    """The verdict where there is no room for all pods at once: those in a queue are held back until there is."""
    return WARNING if all(group.queue for group in groups) else OVER


def _fullest(group: PodGroup, room: Mapping[str, int]) -> str:
    """Of pools that take no whole slice, the one with the most room."""
    if not room:
        return f"each slice needs {group.slice_pods:,} nodes with one value of {group.pool_label}"
    pool = max(room, key=lambda name: room[name])
    return f"nearest is pool {pool}, with room for {room[pool]:,} of the {group.slice_pods:,} pods of a slice"


def nearest_pool(nodes: Iterable[Node], shape: PodShape) -> str:
    """Which pool differs least from what pods need, and in what; empty where none has anything of it."""
    pools: dict[str, list[Node]] = defaultdict(list)
    for node in nodes:
        if any(key in node.labels for key in shape.node_selector) or any(map(node.allocatable, shape.extended)):
            pools[_pool_of(node)].append(node)
    ranked = []
    for pool, members in pools.items():
        differences = min((_differences(node, shape) for node in members), key=len)
        has_none = not any(members[0].allocatable(name) for name in shape.extended)
        ranked.append((bool(shape.extended) and has_none, len(differences), -len(members), pool, differences))
    if not ranked:
        return ""
    _has_none, _number, size, pool, differences = min(ranked)
    more = f" and {len(differences) - _MOST_DIFFERENCES} more" if len(differences) > _MOST_DIFFERENCES else ""
    counted = "1 node" if size == -1 else f"{-size:,} nodes"
    return f"nearest is {pool} ({counted}): {', '.join(differences[:_MOST_DIFFERENCES])}{more}"


def sizes_of(nodes: Iterable[Node], shape: PodShape) -> str:
    """How many nodes there are of which machine, with what they have of the resources that pods of this shape ask."""
    sizes: Counter[tuple[str, str]] = Counter()
    names = ["cpu", "memory", *shape.extended]
    for node in sorted(nodes, key=lambda one: (one.cpu, one.memory), reverse=True):
        amounts = ", ".join(_amount(name, node.allocatable(name)) for name in names)
        sizes[node.labels.get(_MACHINE, ""), amounts] += 1
    parts = []
    for (machine, amounts), number in list(sizes.items())[:_MOST_SIZES]:
        counted = "1 node" if number == 1 else f"{number:,} nodes"
        parts.append(f"{counted}{f' of {machine}' if machine else ''} with {amounts}")
    more = f"; and {len(sizes) - _MOST_SIZES} smaller sizes" if len(sizes) > _MOST_SIZES else ""
    return f"there are {'; '.join(parts)}{more}"


def _amount(resource: str, number: int) -> str:
    if resource == "cpu":
        return f"{text_of(number, 'cores')} cores"
    return text_of(number, "bytes") if resource == "memory" else f"{number:,} {resource}"


def _pool_of(node: Node) -> str:
    for label in (*POOL_LABELS, _MACHINE):
        if label in node.labels:
            return f"pool {node.labels[label]}"
    return f"node {node.name}"


def _differences(node: Node, shape: PodShape) -> list[str]:
    found = [mismatch.here for mismatch in mismatches(node, shape)]
    return found + [
        f"{node.allocatable(name):,} {name} on a node, {amount:,} needed"
        for name, amount in shape.extended.items()
        if node.allocatable(name) < amount
    ]
