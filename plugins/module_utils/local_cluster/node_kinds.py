# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a simulated node is like: its size, and what a pool gives it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

# On simulated nodes next to a real one: pods without a toleration run on the real node.
TAINT = {"key": "kubestress.core/simulated", "value": "true", "effect": "NoSchedule"}


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


@dataclass(frozen=True, kw_only=True)
class NodeKind:
    """What nodes that are alike have: capacity, and labels and taints beside those that every simulated node has."""

    resources: Mapping[str, str]
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Mapping[str, str], ...] = ()
