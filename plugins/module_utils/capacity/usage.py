# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs on the nodes already, and what it takes of them: counted, or estimated from a sample. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ..plan.pods import requests_of
from .supply import Node

T = TypeVar("T")


@dataclass(kw_only=True)
class Usage:
    """What runs on one node: the number of pods, and their requests by resource name as of plan.pods.requests_of."""

    pods: int = 0
    requests: Counter[str] = field(default_factory=Counter)

    def add(self, spec: Mapping[str, Any]) -> None:
        """One more pod with this spec."""
        self.pods += 1
        for name, amount in requests_of(spec).items():
            self.requests[name] += amount


def evenly(items: Sequence[T], number: int) -> list[T]:
    """`number` items, or all where there are fewer, at equal distances in the sequence."""
    number = min(number, len(items))
    return [items[index * len(items) // number] for index in range(number)]


def sample_of(nodes: Iterable[Node], number: int) -> list[Node]:
    """About `number` nodes, evenly chosen; of each kind at least one, so that a few GPU nodes are not missed."""
    kinds = _kinds(nodes)
    total = sum(map(len, kinds))
    return [node for kind in kinds for node in evenly(kind, max(1, number * len(kind) // total))]


def use(nodes: Iterable[Node], counted: Mapping[str, Usage]) -> None:
    """Set what each node has in use; a node without an entry has nothing."""
    for node in nodes:
        usage = counted.get(node.name) or Usage()
        node.used_pods = usage.pods
        node.used_cpu, node.used_memory = usage.requests["cpu"], usage.requests["memory"]
        node.used_extended = {name: usage.requests[name] for name in node.extended}


def use_estimate(nodes: Iterable[Node], counted: Mapping[str, Usage]) -> None:
    """Set what each node has in use where only some were counted: the others in proportion to their size.

    A node is held to be as full as the counted nodes of its kind are together, or as all counted ones if none is of
    its kind.
    """
    nodes = list(nodes)
    use(nodes, counted)
    known = [node for node in nodes if node.name in counted]
    for kind in _kinds(nodes):
        alike = [node for node in kind if node.name in counted] or known
        used, offered = _total(alike, used=True), _total(alike, used=False)
        for node in kind:
            if node.name not in counted:
                _fill(node, used, offered)


def _kinds(nodes: Iterable[Node]) -> list[list[Node]]:
    """The nodes by the extended resources that they offer: what most tells apart who runs on them."""
    kinds: dict[frozenset[str], list[Node]] = {}
    for node in nodes:
        kinds.setdefault(frozenset(name for name, amount in node.extended.items() if amount), []).append(node)
    return list(kinds.values())


def _total(nodes: Iterable[Node], *, used: bool) -> Counter[str]:
    total = Counter[str]()
    for node in nodes:
        if used:
            total.update({"pods": node.used_pods, "cpu": node.used_cpu, "memory": node.used_memory})
            total.update(node.used_extended)
        else:
            total.update({"pods": node.pods, "cpu": node.cpu, "memory": node.memory})
            total.update(node.extended)
    return total


def _fill(node: Node, used: Mapping[str, int], offered: Mapping[str, int]) -> None:
    def share(name: str, size: int) -> int:
        return round(size * used[name] / offered[name]) if offered[name] else 0

    node.used_pods, node.used_cpu = share("pods", node.pods), share("cpu", node.cpu)
    node.used_memory = share("memory", node.memory)
    node.used_extended = {name: share(name, size) for name, size in node.extended.items()}
