# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How full each claim is, from what kubelets tell. No I/O. What is not known is None, with the cause."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from . import structs
from .document import CRITICAL, OK, WARNING, Usage
from .inventory import Claim, Inventory, short
from .rules import seconds_of

#: A filesystem is not larger than its claim; one that is belongs to more than this claim. Drivers round up.
_LARGER = 1.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What one kubelet says of one claim; what it does not say is None. Bytes, and `time` as it writes it."""

    node: str
    time: str | None
    capacity: int | None
    used: int | None
    available: int | None
    inodes: int | None
    inodes_used: int | None


@dataclass
class Fill:
    """`figures`: claim key -> the newest. `causes`: node -> why its kubelet told nothing."""

    figures: dict[str, Figures] = field(default_factory=dict)
    causes: dict[str, str] = field(default_factory=dict)

    def take(self, node: str, summary: structs.Summary) -> None:
        """The answer of one kubelet. A claim that is mounted on several nodes is told by each: the newest counts."""
        for pod in summary.pods or ():
            for volume in pod.volume or ():
                ref = volume.pvc_ref
                if ref is None:
                    continue
                key, before = f"{ref.namespace}/{ref.name}", self.figures.get(f"{ref.namespace}/{ref.name}")
                if before is None or (seconds_of(volume.time) or 0.0) > (seconds_of(before.time) or 0.0):
                    self.figures[key] = Figures(
                        node=node,
                        time=volume.time if seconds_of(volume.time) is not None else None,
                        capacity=_count(volume.capacity_bytes),
                        used=_count(volume.used_bytes),
                        available=_count(volume.available_bytes),
                        # XFS makes inodes as it needs them and tells 0.
                        inodes=_count(volume.inodes) or None,
                        inodes_used=_count(volume.inodes_used) if volume.inodes else None,
                    )


def _count(value: int | None) -> int | None:
    return value if value is not None and 0 <= value < 2**63 else None


@dataclass(frozen=True, kw_only=True)
class Levels:
    """Percent used from which on a volume is worth a warning, and is critical."""

    warning: float
    critical: float

    def of(self, percent: float | None) -> str:
        """The level; of what is not known, ok."""
        if percent is None or percent < self.warning:
            return OK
        return CRITICAL if percent >= self.critical else WARNING


def percent_of(used: int | None, available: int | None) -> float | None:
    """Percent used, as df has it: of what users can have, without what the filesystem keeps for root."""
    if used is None or available is None or used + available == 0:
        return None
    return round(100 * used / (used + available), 1)


def usage_of(inventory: Inventory, claims: Mapping[str, Claim], fill: Fill, levels: Levels) -> list[Usage]:
    """One row for each of the claims that are bound."""
    on_one = Counter((figures.node, figures.capacity) for figures in fill.figures.values())
    rows = []
    for key, claim in claims.items():
        if claim.phase != "Bound":
            continue
        driver, found = inventory.driver_of(claim), fill.figures.get(key)
        if found is None or found.used is None:
            capacity = found.capacity if found is not None and found.capacity else claim.bytes
            cause = _why(inventory, key, claim, fill, told=found is not None)
            rows.append(_unknown(claim, driver, capacity, inventory.on_node.get(key), cause))
            continue
        percent = percent_of(found.used, found.available)
        rows.append(
            Usage(
                namespace=claim.namespace,
                name=claim.name,
                storage_class=claim.storage_class,
                driver=driver,
                capacity_bytes=found.capacity if found.capacity is not None else claim.bytes,
                used_bytes=found.used,
                available_bytes=found.available,
                used_percent=percent,
                inodes=found.inodes,
                inodes_used=found.inodes_used,
                node=found.node,
                time=found.time,
                shared=_is_shared(claim, found, on_one),
                level=levels.of(percent),
            )
        )
    return rows


def _unknown(claim: Claim, driver: str | None, capacity: int | None, node: str | None, cause: str) -> Usage:
    return Usage(
        namespace=claim.namespace,
        name=claim.name,
        storage_class=claim.storage_class,
        driver=driver,
        capacity_bytes=capacity,
        node=node,
        cause=cause,
    )


def _is_shared(claim: Claim, found: Figures, on_one: Counter[tuple[str, int | None]]) -> bool:
    """Whether the figures are those of a filesystem with more on it than this claim.

    Two claims on a node whose filesystems have the same size lie on the same one, unless that is the size that they
    asked for.
    """
    if found.capacity is None or on_one[found.node, found.capacity] < 2:
        return False
    return claim.bytes is None or found.capacity > _LARGER * claim.bytes


def _why(inventory: Inventory, key: str, claim: Claim, fill: Fill, *, told: bool) -> str:
    """Why there are no figures of a claim."""
    if claim.is_block:
        return "a block volume: only what is on it knows how full it is"
    node = inventory.on_node.get(key)
    if node is None:
        missing = inventory.incomplete("pods")
        return missing[0] if missing else "not mounted: no pod on a node names it"
    if node in fill.causes:
        return f"node {short(node)}: {fill.causes[node]}"
    node = short(node)
    what = "has no used bytes of it" if told else "has no figures of it; it may not be mounted yet"
    return f"node {node}: the kubelet {what}"
