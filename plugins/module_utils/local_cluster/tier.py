# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which parts a cluster has, and which of them to start, restart or end."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..machine.process import Process, command_of, in_own_pid_namespace
from . import host
from .binaries import Binary
from .controllers import controller_parts
from .layout import Layout
from .node_namespaces import NODE
from .parts import Part
from .pki import Pki
from .population import Population
from .real import NODE_PARTS, RealTier
from .settings import CONTROLLERS_OF_JOBS, Settings
from .simulated import simulated_tier
from .storage import CONTROLLERS, DRIVER, STORAGE_PARTS, storage_parts
from .upstreams import CONTROL_PLANE

ALL_PARTS = (*NODE_PARTS, *CONTROL_PLANE, *STORAGE_PARTS, *CONTROLLERS_OF_JOBS)
# Programs that wait for a part in the node's namespaces, and end with it.
WAITERS = ("nsenter", "unshare")
NODE_PROGRAMS = ("containerd", "kubelet", "kube-proxy", DRIVER)


@dataclass(frozen=True)
class Decision:
    """Names of parts to `start`, to restart (`replace`), and `outdated` ones that may not be restarted.

    The three never overlap.
    """

    start: tuple[str, ...] = ()
    replace: tuple[str, ...] = ()
    outdated: tuple[str, ...] = ()


def decide(
    wanted: Mapping[str, str],
    recorded: Mapping[str, str],
    *,
    alive: Collection[str],
    replaceable: Collection[str],
    restart: bool,
) -> Decision:
    """Compare the wanted parts with the running ones.

    :param wanted: part -> fingerprint, in starting order.
    :param recorded: part -> fingerprint when it was started.
    :param alive: the running parts.
    :param replaceable: the parts that may be restarted without permission.
    :param restart: whether the user permits to restart any part.
    """
    start = [name for name in wanted if name not in alive]
    differing = [name for name in wanted if name in alive and recorded.get(name) != wanted[name]]
    if restart and any(name not in replaceable for name in differing):
        # If a port changes, clients must restart too: restarting all is simplest and safest.
        return Decision(start=tuple(start), replace=tuple(name for name in wanted if name in alive))
    replace = [name for name in differing if name in replaceable]
    outdated = [name for name in differing if name not in replaceable]
    return Decision(tuple(start), tuple(replace), tuple(outdated))


def describe_difference(recorded: Mapping[str, Any], wanted: Mapping[str, Any], outdated: Sequence[str]) -> str:
    """How the running cluster differs from the wanted one, in one phrase."""
    changed = [
        f"{name} is {_shown(recorded.get(name))} instead of {_shown(wanted[name])}"
        for name in wanted
        if recorded.get(name) != wanted[name]
    ]
    if changed:
        return "; ".join(changed)
    return f"{', '.join(outdated)} would be started from other programs or with other flags than before"


def _shown(value: Any) -> str:
    return "unset" if value is None else str(value)


def part_names(settings: Settings) -> tuple[str, ...]:
    """The names of the wanted parts."""
    return (
        *(NODE_PARTS if settings.real_node else ()),
        *CONTROL_PLANE,
        *(STORAGE_PARTS if settings.storage else ()),
        *settings.controllers,
    )


def wanted_parts(settings: Settings, layout: Layout, pki: Pki, binaries: Mapping[str, Binary]) -> list[Part]:
    """The parts, in the order in which they are started.

    :raises LocalClusterError: if this machine lacks something that a real node needs.
    """
    paths: dict[str, Path] = {name: item.path for name, item in binaries.items()}
    if settings.real_node:
        parts = RealTier(settings, layout, pki, host.find(), paths).parts()
    else:
        parts = simulated_tier(settings, layout, pki, paths)
    population = Population(settings, pki)
    parts += controller_parts(settings, layout, pki, paths, prepare=population.prepare_controller)
    if settings.storage:
        parts += storage_parts(settings, layout, pki, paths, prepare=population.prepare_storage)
    return parts


def restarted_with_node(decision: Decision, *, wanted: Iterable[str], alive: Collection[str]) -> Decision:
    """The same decision; but if the node is started, everything is restarted in its new network namespace."""
    if NODE not in decision.start:
        return decision
    return Decision(start=decision.start, replace=tuple(name for name in wanted if name in alive))


def restarted_with_driver(decision: Decision, *, alive: Collection[str]) -> Decision:
    """The same decision; but if the driver is started, its controllers that still run are restarted.

    Some end when they lose it, perhaps only after this look at them, and others wait for it in vain.
    """
    if DRIVER not in decision.start:
        return decision
    others = [name for name in CONTROLLERS if name in alive and name not in decision.replace]
    return Decision(start=decision.start, replace=(*decision.replace, *others), outdated=decision.outdated)


def leftover_processes(everything: Iterable[Process], running: Collection[Process]) -> list[Process]:
    """The processes of `everything` that are not `running` parts and should be ended.

    Not those that containerd started on the node, and not those that wait for a part and end with it.
    """
    return [
        process
        for process in everything
        if process not in running
        and command_of(process.pid) not in WAITERS
        and (not in_own_pid_namespace(process.pid) or command_of(process.pid) in NODE_PROGRAMS)
    ]
