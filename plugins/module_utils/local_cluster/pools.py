# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pools of simulated nodes that are alike: machine, labels, taints and extended resources, as a cloud's have them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .. import syntax
from ..accelerators.catalogue import ARCHITECTURE, INSTANCE_TYPE, NODE_POOL, labels_of, taint_of
from ..accelerators.errors import AcceleratorError
from ..accelerators.shape import JobShape, shape_of
from .node_kinds import TAINT, NodeKind, NodeSize

# Nodes are called NAME-0001, and that is the value of a label.
MAX_NAME = syntax.LABEL_LENGTH - len("-0001")
# What every node may have; all else has the name of a domain before it, or pods cannot ask for it.
_OF_NODES = ("cpu", "memory", "pods", "ephemeral-storage")
# Names of the nodes that are there without pools.
TAKEN = ("simulated", "real")


@dataclass(frozen=True, kw_only=True)
class Pool:
    """`count` nodes that are alike. `resources` take the place of, or add to, what every simulated node has."""

    name: str
    count: int
    labels: Mapping[str, str]
    taints: tuple[Mapping[str, str], ...]
    resources: Mapping[str, str]

    def nodes(self, size: NodeSize, *, beside_real: bool) -> dict[str, NodeKind]:
        """Its nodes by name. `beside_real`: there is a real node, on which pods run that say nothing of nodes."""
        taints = self.taints or ((TAINT,) if beside_real else ())
        kind = NodeKind(resources={**size.resources, **self.resources}, labels=self.labels, taints=taints)
        return {f"{self.name}-{number:04d}": kind for number in range(1, self.count + 1)}


def parse_pools(
    given: Sequence[Mapping[str, Any]], *, catalogue: Mapping[str, Any] | None = None
) -> tuple[tuple[Pool, ...], list[str]]:
    """The pools, and a line for each that cannot be. `catalogue`: the user's own types of accelerators."""
    pools: list[Pool] = []
    problems: list[str] = []
    for number, entry in enumerate(given, 1):
        where = f"node_pools: entry {number}"
        try:
            pools.append(_pool(entry, catalogue, taken=[pool.name for pool in pools]))
        except AcceleratorError as error:
            problems.append(str(error) if error.option in ("node_pools", "catalogue") else f"{where}, {error}")
    return tuple(pools), problems


def _pool(entry: Mapping[str, Any], catalogue: Mapping[str, Any] | None, *, taken: Sequence[str]) -> Pool:
    name = str(entry.get("name") or "")
    if not syntax.is_dns_label(name) or len(name) > MAX_NAME:
        raise _refused(
            f"entry with the name {name!r}; lower-case letters, digits and hyphens, first and last a letter or digit, "
            f"at most {MAX_NAME} characters"
        )
    if name in taken or name in TAKEN:
        raise _refused(f"the name {name} comes twice" if name in taken else f"the name {name} is taken; choose another")
    where = f"pool {name}"
    shape = _shape(entry, catalogue)
    labels = {
        **({INSTANCE_TYPE: shape.machine} if shape.machine else {}),
        **shape.node_selector,
        **({ARCHITECTURE: shape.architecture} if shape.architecture else {}),
        NODE_POOL: name,
        **labels_of(entry.get("labels") or {}, option="node_pools", where=where),
    }
    own = tuple(taint_of(taint, option="node_pools", where=where) for taint in entry.get("taints") or ())
    return Pool(
        name=name,
        count=_count(entry.get("count"), shape, where),
        labels=labels,
        taints=(*shape.taints, *own),
        resources={**shape.limits, **_resources(entry.get("resources") or {}, where)},
    )


def _shape(entry: Mapping[str, Any], catalogue: Mapping[str, Any] | None) -> JobShape:
    """What the catalogue says of its nodes; a pool without a type may have any machine."""
    kind, machine, topology = (str(entry.get(option) or "") for option in ("type", "machine", "topology"))
    if not kind and not topology:
        if not syntax.is_label_value(machine):
            raise AcceleratorError("machine", f"{machine!r} is not allowed; {syntax.LABEL_VALUE_RULE}")
        return JobShape(machine=machine)
    return shape_of(kind, topology=topology, machine=machine, catalogue=catalogue)


def _count(given: Any, shape: JobShape, where: str) -> int:
    """As many nodes as one slice has, where it has several; else any number."""
    if given is None:
        return shape.nodes
    number = int(given)
    if number < 0:
        raise _refused(f"{where} has count {number}; 0 or more are allowed")
    if shape.nodes > 1 and number not in (0, shape.nodes):
        raise _refused(
            f"{where} has count {number}, but a slice of {shape.topology} on {shape.machine} has {shape.nodes} nodes, "
            "and a pool is one slice; make a pool for each"
        )
    return number


def _resources(given: Any, where: str) -> dict[str, str]:
    for name, value in given.items():
        amount = None if isinstance(value, bool | dict | list) else syntax.quantity(value)
        if amount is None or amount < 0:
            raise _refused(f"{where} has {value!r} of {name}; {syntax.QUANTITY_RULE}")
        if "/" in str(name) and syntax.is_label_key(str(name)):
            if amount % 1:
                raise _refused(
                    f"{where} has {value!r} of {name}; of an extended resource only whole pieces are allowed"
                )
        elif name not in _OF_NODES and not str(name).startswith("hugepages-"):
            raise _refused(
                f"{where} has the resource {name!r}; {', '.join(_OF_NODES)}, or an extended resource such as "
                "nvidia.com/gpu is needed"
            )
    return {str(name): str(value) for name, value in given.items()}


def _refused(text: str) -> AcceleratorError:
    return AcceleratorError("node_pools", text)
