# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which parts a cluster has: those of the simulated tier, or those of the real one around them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..machine.process import Process, command_of, in_own_pid_namespace
from . import host
from .binaries import Binary
from .layout import Layout
from .node_namespaces import NODE
from .parts import Part
from .pki import Pki
from .real import NODE_PARTS, RealTier
from .settings import Settings
from .simulated import simulated_tier
from .upstreams import CONTROL_PLANE


@dataclass(frozen=True)
class Decision:
    """Names of parts: to `start`, to end and start again (`replace`), and `outdated` ones that nobody allowed to end.

    The three never overlap.
    """

    start: tuple[str, ...] = ()
    replace: tuple[str, ...] = ()
    outdated: tuple[str, ...] = ()

    @property
    def nothing_to_do(self) -> bool:
        """Whether everything runs as wanted."""
        return not (self.start or self.replace or self.outdated)


def decide(
    wanted: Mapping[str, str],
    recorded: Mapping[str, str],
    *,
    alive: Collection[str],
    replaceable: Collection[str],
    restart: bool,
) -> Decision:
    """Compare the wanted parts with the running ones.

    :param wanted: fingerprint by part, in starting order.
    :param recorded: the fingerprint that each part was started with.
    :param alive: the parts that run.
    :param replaceable: the parts that may be restarted without asking.
    :param restart: whether the user allows to restart any part.
    """
    start = [name for name in wanted if name not in alive]
    differing = [name for name in wanted if name in alive and recorded.get(name) != wanted[name]]
    if restart and any(name not in replaceable for name in differing):
        # A part whose port changes takes its clients with it: simplest and safest is all of them.
        return Decision(start=tuple(start), replace=tuple(name for name in wanted if name in alive))
    replace = [name for name in differing if name in replaceable]
    outdated = [name for name in differing if name not in replaceable]
    return Decision(tuple(start), tuple(replace), tuple(outdated))


def describe_difference(recorded: Mapping[str, Any], wanted: Mapping[str, Any], outdated: Sequence[str]) -> str:
    """Say in one phrase how the running cluster differs from the wanted one."""
    changed = [
        f"{name} is {_shown(recorded.get(name))}, asked for is {_shown(wanted[name])}"
        for name in wanted
        if recorded.get(name) != wanted[name]
    ]
    if changed:
        return "; ".join(changed)
    return f"{', '.join(outdated)} would be started from other programs or with other flags than before"


def _shown(value: Any) -> str:
    return "unset" if value is None else str(value)


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
