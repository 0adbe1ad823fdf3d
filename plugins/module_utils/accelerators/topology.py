# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Topologies: how the chips of a slice are arranged, such as 4x4 or 2x2x4. Pure."""

from __future__ import annotations

import math

from .catalogue import CUBE, TOPOLOGY, Accelerator
from .errors import AcceleratorError


def topology_of(accelerator: Accelerator, text: str) -> str:
    """The topology as nodes carry it. Raises AcceleratorError for one that this type does not come in."""
    wanted = text.strip().lower()
    if not accelerator.topologies:
        if wanted:
            raise AcceleratorError(
                "topology", f"{text!r} is given, but {accelerator.name} has none; name a machine and the nodes"
            )
        return ""
    if not wanted:
        raise AcceleratorError("topology", f"none is given; {accelerator.name} comes in {_listed(accelerator)}")
    if not TOPOLOGY.fullmatch(wanted):
        raise AcceleratorError("topology", f"{text!r} is none; {accelerator.name} comes in {_listed(accelerator)}")
    if wanted in accelerator.topologies or _is_of_cubes(accelerator, wanted):
        return wanted
    raise AcceleratorError(
        "topology", f"{text!r}: {accelerator.name} comes in {_listed(accelerator)}{_guess(accelerator, wanted)}"
    )


def chips_of(topology: str) -> int:
    """How many chips a topology has."""
    return math.prod(int(side) for side in topology.split("x"))


def _is_of_cubes(accelerator: Accelerator, topology: str) -> bool:
    """Whether it is made of whole cubes, shortest side first, and of no more cubes than there can be."""
    sides = [int(side) for side in topology.split("x")]
    if not accelerator.max_cubes or len(sides) != 3:
        return False
    cubes = math.prod(side // CUBE for side in sides)
    return sides == sorted(sides) and all(side % CUBE == 0 for side in sides) and cubes <= accelerator.max_cubes


def _listed(accelerator: Accelerator) -> str:
    cubes = (
        f", and AxBxC of multiples of {CUBE} with A <= B <= C and at most {accelerator.max_cubes} cubes of "
        f"{CUBE}x{CUBE}x{CUBE}"
        if accelerator.max_cubes
        else ""
    )
    return ", ".join(accelerator.topologies) + cubes


def _guess(accelerator: Accelerator, topology: str) -> str:
    """Most often the sides are there in another order."""
    for sides in (topology.split("x"), [*topology.split("x"), "1"]):
        for known in accelerator.topologies:
            if sorted(known.split("x")) == sorted(sides):
                return f"; did you mean {known}?"
        ordered = "x".join(str(side) for side in sorted(int(side) for side in sides))
        if _is_of_cubes(accelerator, ordered):
            return f"; did you mean {ordered}?"
    return ""
