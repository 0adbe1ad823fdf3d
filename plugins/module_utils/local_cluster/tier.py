# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which parts a cluster has: those of the simulated tier, or those of the real one around them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from ..machine.process import Process, command_of, in_own_pid_namespace
from . import host
from .binaries import Binary
from .decision import Decision
from .layout import Layout
from .namespaces import NODE
from .parts import Part
from .pki import Pki
from .real import NODE_PARTS, RealTier
from .settings import Settings
from .simulated import simulated_tier
from .upstreams import CONTROL_PLANE

ALL_PARTS = (*NODE_PARTS, *CONTROL_PLANE)
# Wait for a part in the node's namespaces, and end with it.
WAITERS = ("nsenter", "unshare")
NODE_PROGRAMS = ("containerd", "kubelet", "kube-proxy")


def part_names(settings: Settings) -> tuple[str, ...]:
    """The names of the wanted parts."""
    return ALL_PARTS if settings.real_node else CONTROL_PLANE


def wanted_parts(settings: Settings, layout: Layout, pki: Pki, binaries: Mapping[str, Binary]) -> list[Part]:
    """The parts, in the order in which they are started.

    :raises LocalClusterError: if this machine lacks something that a real node needs.
    """
    paths: dict[str, Path] = {name: item.path for name, item in binaries.items()}
    if settings.real_node:
        return RealTier(settings, layout, pki, host.find(), paths).parts()
    return simulated_tier(settings, layout, pki, paths)


def with_the_node(decision: Decision, *, wanted: Iterable[str], alive: Collection[str]) -> Decision:
    """The same decision, unless the namespaces are gone: then whatever still runs is in a network nobody reaches."""
    if NODE not in decision.start:
        return decision
    return Decision(start=decision.start, replace=tuple(name for name in wanted if name in alive))


def strays(everything: Iterable[Process], running: Collection[Process]) -> list[Process]:
    """Those of `everything` that are none of `running` and should not be there.

    What containerd started on the node is not ours to judge, and who waits for a part ends with it.
    """
    return [
        process
        for process in everything
        if process not in running
        and command_of(process.pid) not in WAITERS
        and (not in_own_pid_namespace(process.pid) or command_of(process.pid) in NODE_PROGRAMS)
    ]
