# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Node says of itself beside its conditions. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: Labels by which clouds and autoscalers tell which nodes belong together.
POOL_LABELS = (
    "cloud.google.com/gke-nodepool",
    "eks.amazonaws.com/nodegroup",
    "kubernetes.azure.com/agentpool",
    "karpenter.sh/nodepool",
)


def is_simulated(obj: Mapping[str, Any]) -> bool:
    """Whether a Node has KWOK's annotation, or nobody listens on it where its kubelet should."""
    if "kwok.x-k8s.io/node" in obj["metadata"].get("annotations", {}):
        return True
    return not obj.get("status", {}).get("daemonEndpoints", {}).get("kubeletEndpoint", {}).get("Port")
