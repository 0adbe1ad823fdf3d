# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a type, a topology or machine, and a number of slices to what a manifest says. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from .catalogue import ARCHITECTURE, Accelerator, parse_catalogue
from .errors import AcceleratorError
from .topology import chips_of, topology_of

#: Names such as v5p-8, v5litepod-16, tpu-v4-32.
_WITH_SUFFIX = re.compile(r"(?:tpu-)?(v\d+[a-z]*|v5litepod|v5-lite)-([1-9]\d{0,4})")
_OTHER_NAMES = {"v5litepod": "v5e", "v5-lite": "v5e"}
#: Of these types other tools' suffixes count TensorCores, two of a chip.
_TWO_CORES = frozenset({"v4", "v5p"})


@dataclass(frozen=True, kw_only=True)
class JobShape:
    """One slice, and how many of them: what Job, JobSet and node pool have in common.

    `nodes` and `chips` are those of one slice; each node runs one pod, which takes `chips_per_node`. A job without an
    accelerator has no `resource` and no chips.
    """

    type: str = ""
    resource: str = ""
    machine: str = ""
    topology: str = ""
    architecture: str = ""
    chips: int = 0
    chips_per_node: int = 0
    nodes: int = 1
    slices: int = 1
    node_selector: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Mapping[str, str], ...] = ()
    pool_label: str = ""

    @property
    def tolerations(self) -> list[dict[str, str]]:
        """For each taint one that names it whole: a pod must not tolerate what it does not know of."""
        return [{**taint, "operator": "Equal" if taint.get("value") else "Exists"} for taint in self.taints]

    @property
    def limits(self) -> dict[str, str]:
        """The chips of one pod as limits, which are requests at the same time; text, as quantities are."""
        return {self.resource: str(self.chips_per_node)} if self.resource else {}

    def as_dict(self) -> dict[str, Any]:
        """For templates and JSON."""
        return {
            **asdict(self),
            "node_selector": dict(self.node_selector),
            "taints": [dict(taint) for taint in self.taints],
            "tolerations": self.tolerations,
            "limits": self.limits,
            "completions": self.nodes,
            "parallelism": self.nodes,
        }


def shape_of(
    name: str,
    *,
    topology: str = "",
    machine: str = "",
    nodes: int = 0,
    slices: int = 1,
    catalogue: Mapping[str, Any] | None = None,
) -> JobShape:
    """The shape of a job; an empty name is a job of CPUs. `catalogue` are the user's own types.

    `nodes`: of a slice, 0 for what the topology says, or 1. Raises AcceleratorError naming the option.
    """
    for option, number, least in (("nodes", nodes, 0), ("slices", slices, 1)):
        if number < least:
            raise AcceleratorError(option, f"{number} is not allowed; {least} or more")
    if not name.strip():
        parse_catalogue(catalogue)  # what is given must be right, used or not
        for option, value in {"topology": topology, "machine": machine}.items():
            if value:
                raise AcceleratorError(option, f"{value!r} is given without a type; a job of CPUs has none")
        return JobShape(nodes=nodes or 1, slices=slices)
    accelerator = accelerator_of(name, catalogue=catalogue)
    topology = topology_of(accelerator, topology)
    machine = _machine_of(accelerator, machine.strip(), topology)
    each = accelerator.machines[machine]
    if topology:
        chips = chips_of(topology)
        if chips % each:
            raise AcceleratorError(
                "topology",
                f"{topology} has {chips} chips, which nodes of {machine} with {each} each do not make up; "
                f"{_dividing(accelerator, chips)}",
            )
        if nodes and nodes != chips // each:
            raise AcceleratorError(
                "nodes", f"{nodes}, but {topology} on {machine} has {chips // each}: {chips} chips, {each} on a node"
            )
        nodes = chips // each
    nodes = nodes or 1
    return JobShape(
        type=accelerator.name,
        resource=accelerator.resource,
        machine=machine,
        topology=topology,
        architecture=accelerator.architecture,
        chips=nodes * each,
        chips_per_node=each,
        nodes=nodes,
        slices=slices,
        node_selector=_selector(accelerator, machine, topology),
        taints=accelerator.taints,
        # A slice of one node is wherever that node is.
        pool_label=accelerator.pool_label if nodes > 1 else "",
    )


def accelerator_of(name: str, *, catalogue: Mapping[str, Any] | None = None) -> Accelerator:
    """The type of that name. Raises AcceleratorError for one that is unknown, or says two things at once."""
    wanted = name.strip()
    # A name of our own may look like anything, so it goes first.
    known = parse_catalogue(catalogue)
    if wanted in known:
        return known[wanted]
    if found := _WITH_SUFFIX.fullmatch(wanted.lower()):
        generation = _OTHER_NAMES.get(found[1], found[1])
        if generation in known:
            raise AcceleratorError("type", f"{name!r} is ambiguous: {_ambiguity(known[generation], int(found[2]))}")
    labelled = [one for one in known.values() if wanted in one.labels.values()]
    if len(labelled) == 1:
        return labelled[0]
    likely = [one for one in known if wanted.lower() in one] or difflib.get_close_matches(wanted, known, n=3)
    guess = f"; did you mean {' or '.join(likely)}?" if likely else ""
    raise AcceleratorError("type", f"{name!r} is unknown; known are {', '.join(known)}{guess}")


def _ambiguity(accelerator: Accelerator, number: int) -> str:
    def shapes(chips: int) -> str:
        found = next((one for one in accelerator.topologies if chips_of(one) == chips), "")
        return f"topology {found} ({chips} chips)" if found else f"a topology of {chips} chips"

    name = accelerator.name
    if name in _TWO_CORES and number > 1:
        return (
            f"{number} counts cores in some tools and chips in others; name the type {name}, and "
            f"{shapes(number // 2)} or {shapes(number)}"
        )
    return f"other tools count cores or chips by such a number; name the type {name}, and {shapes(number)}"


def _machine_of(accelerator: Accelerator, machine: str, topology: str) -> str:
    """The machine that is named, or the one that can be meant."""
    machines = accelerator.machines
    if machine:
        if machine not in machines:
            raise AcceleratorError("machine", f"{machine!r}: {accelerator.name} comes in {_machines(accelerator)}")
        return machine
    if topology:
        whole = [one for one, chips in machines.items() if chips == chips_of(topology)]
        if whole or accelerator.multi_host:
            return whole[0] if whole else accelerator.multi_host
    if len(machines) == 1:
        return next(iter(machines))
    raise AcceleratorError("machine", f"none is given; {accelerator.name} comes in {_machines(accelerator)}")


def _machines(accelerator: Accelerator) -> str:
    return ", ".join(f"{machine} ({chips})" for machine, chips in accelerator.machines.items())


def _dividing(accelerator: Accelerator, chips: int) -> str:
    fitting = [machine for machine, each in accelerator.machines.items() if chips % each == 0]
    return f"machine {' or '.join(fitting)} does" if fitting else "no machine of this type does"


def _selector(accelerator: Accelerator, machine: str, topology: str) -> dict[str, str]:
    selector = dict(accelerator.labels)
    if topology:
        selector[accelerator.topology_label] = topology
    if accelerator.machine_label:
        selector[accelerator.machine_label] = machine
    if accelerator.architecture != "amd64":
        selector[ARCHITECTURE] = accelerator.architecture
    return selector
