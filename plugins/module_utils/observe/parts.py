# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of an observation, whether it accompanies a batch or other work."""

from __future__ import annotations

from collections.abc import Callable, Set

from ..cluster.client import Cluster
from ..cluster.scopes import Scopes
from ..measure.pods import PodBook
from .api_server import ApiServerPart
from .arguments import Intervals
from .events import EventPart, Heard
from .network import NetworkPart
from .nodes import NodePart
from .observer import Part


def standard_parts(
    cluster: Cluster,
    pods: PodBook,
    scopes: Scopes,
    *,
    intervals: Intervals,
    started: float,
    namespaces: Callable[[], Set[str]],
    heard: Heard | None = None,
) -> list[Part]:
    """The parts in the order of their keys.

    `scopes`: where events are watched if not in all namespaces. `pods` decides which nodes are read, and `namespaces`,
    called for each event, which events count; `heard` is called with those. `started` is the origin of the series'
    times, by the monotonic clock.
    """
    return [
        ApiServerPart(cluster, interval_seconds=intervals.api_seconds, started=started),
        NodePart(cluster, pods, interval_seconds=intervals.node_seconds, started=started),
        NetworkPart(cluster, interval_seconds=intervals.node_seconds),
        EventPart(
            cluster, scopes, namespaces=namespaces, nodes=pods.nodes_of_pods, wanted=intervals.events, heard=heard
        ),
    ]
