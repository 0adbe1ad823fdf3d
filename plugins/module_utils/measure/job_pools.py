# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pools of nodes the pods of accelerator jobs ran in, and how many slices each pool had. No I/O."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

#: Pools in the figures, those with the most pods first.
MOST_POOLS = 200


@dataclass(frozen=True, slots=True)
class Pool:
    """What the nodes of a pool have in common. `label` is the label whose value is `name`; both "" for none."""

    label: str = ""
    name: str = ""
    accelerator: str = ""
    machine: str = ""
    topology: str = ""


@dataclass(slots=True)
class _OnNode:
    pods: int = 0
    slices: set[int] = field(default_factory=set)


class PoolBook:
    """Fed with pods that get a node and that end. A slice is a Job: all of its pods.

    Memory grows with the nodes, and with about 60 bytes for each slice.
    """

    def __init__(self) -> None:
        #: Node -> its pool, as far as the nodes could be read; and why they could not.
        self.pool_of: dict[str, Pool] = {}
        self.cause: str | None = "nodes were not read"
        #: Role -> pool -> number of its nodes that would take the role's pods.
        self.fitting: dict[str, Counter[Pool]] = {}
        self._used: dict[str, dict[str, _OnNode]] = defaultdict(lambda: defaultdict(_OnNode))
        self._living: dict[Pool, Counter[int]] = defaultdict(Counter)
        self._peaks: Counter[Pool] = Counter()
        #: Pools of which some pods came to a node before its pool was known.
        self._missed: set[str] = set()

    def unknown_nodes(self) -> set[str]:
        """Nodes that pods ran on and whose pool is not known."""
        return {node for nodes in self._used.values() for node in nodes if node not in self.pool_of}

    def placed(self, role: str, node: str, slice_uid: int) -> Pool | None:
        """A pod has got this node. Returns the pool, to be told of again when the pod ends."""
        used = self._used[role][node]
        used.pods += 1
        used.slices.add(slice_uid)
        pool = self.pool_of.get(node)
        if pool is None:
            self._missed.add(node)
            return None
        living = self._living[pool]
        living[slice_uid] += 1
        self._peaks[pool] = max(self._peaks[pool], len(living))
        return pool

    def ended(self, pool: Pool | None, slice_uid: int) -> None:
        """A pod that `placed` told of has ended or is gone."""
        if pool is None:
            return
        living = self._living[pool]
        living[slice_uid] -= 1
        if not living[slice_uid]:
            del living[slice_uid]

    def rows(self) -> list[dict[str, Any]]:
        """A row for each role and pool: nodes that fit, pods, slices, and the most slices that were there at once.

        Pools without pods are those whose nodes would have taken them.
        """
        unsure = {self.pool_of.get(node) for node in self._missed}
        rows: list[dict[str, Any]] = []
        for role in sorted({*self._used, *self.fitting}):
            pods: Counter[Pool] = Counter()
            slices: dict[Pool, set[int]] = defaultdict(set)
            nodes: dict[Pool, int] = defaultdict(int, self.fitting.get(role, {}))
            used: Counter[Pool] = Counter()
            for node, on_node in self._used.get(role, {}).items():
                pool = self.pool_of.get(node, Pool())
                pods[pool] += on_node.pods
                slices[pool] |= on_node.slices
                used[pool] += 1
            for pool in {*pods, *nodes}:
                at_once = None if pool in unsure or not pool.name else self._peaks[pool]
                rows.append(
                    {
                        "role": role,
                        "label": pool.label,
                        "pool": pool.name,
                        "accelerator": pool.accelerator,
                        "machine": pool.machine,
                        "topology": pool.topology,
                        "nodes": max(nodes[pool], used[pool]),
                        "nodes_used": used[pool],
                        "pods": pods[pool],
                        "slices": len(slices[pool]),
                        "slices_at_once": at_once,
                    }
                )
        rows.sort(key=lambda row: (row["role"], -row["pods"], row["pool"]))
        return rows[:MOST_POOLS]


def accelerator_of(labels: Mapping[str, str]) -> str:
    """The type of accelerator as labels of a node name it; "" for none."""
    return next((labels[name] for name in _TYPES if labels.get(name)), "")


#: Labels of nodes with the type of their accelerator, as of accelerators.catalogue and of the vendors' labellers.
_TYPES = (
    "cloud.google.com/gke-tpu-accelerator",
    "cloud.google.com/gke-accelerator",
    "nvidia.com/gpu.product",
    "amd.com/gpu.product-name",
)
