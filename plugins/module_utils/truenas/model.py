# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a box has, in one form for all versions and transports. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from .options import PARTS

#: Beginning of the ZFS user properties that democratic-csi sets.
CSI = "democratic-csi:"
FILESYSTEM, VOLUME = "FILESYSTEM", "VOLUME"


class Pool(NamedTuple):
    """A pool. Sizes in bytes as `zpool list` has them, with parity on RAIDZ; None where the box gives none."""

    name: str
    status: str
    healthy: bool
    warning: bool
    size_bytes: int | None
    allocated_bytes: int | None
    free_bytes: int | None
    freeing_bytes: int | None
    fragmentation_percent: float | None
    scan: str | None


class Dataset(NamedTuple):
    """A dataset or zvol. `quota_bytes` is its refquota or volsize; `created` seconds since 1970.

    `used_bytes` is with snapshots and children, `used_by_dataset_bytes` without. `properties` are its user properties
    that begin with CSI, without that beginning, inherited ones included.
    """

    id: str
    type: str
    used_bytes: int | None
    used_by_dataset_bytes: int | None
    available_bytes: int | None
    quota_bytes: int | None
    created: float | None
    origin: str | None
    mountpoint: str | None
    properties: Mapping[str, str]

    @property
    def pool(self) -> str:
        """Its pool's name."""
        return self.id.partition("/")[0]

    @property
    def parent(self) -> str:
        """The id of the dataset above; "" for a pool's root."""
        return self.id.rpartition("/")[0]

    @property
    def leaf(self) -> str:
        """The last component of its id."""
        return self.id.rpartition("/")[2]


class Snapshot(NamedTuple):
    """A ZFS snapshot. `id` is DATASET@NAME; `properties` as those of Dataset; `holds` are the tags."""

    id: str
    dataset: str
    name: str
    created: float | None
    used_bytes: int | None
    holds: tuple[str, ...]
    properties: Mapping[str, str]


class Share(NamedTuple):
    """What exports a dataset. `kind` is nfs, smb, iscsi_target or iscsi_extent; `path` is None for a target."""

    kind: str
    id: int
    name: str
    path: str | None


class Part(NamedTuple):
    """Whether one part of the box was read completely, and if not, why. `seconds` is None if it was not asked for."""

    complete: bool
    cause: str | None = None
    objects: int = 0
    seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class Box:
    """One reading of a box. `parts` has an entry for each of PARTS; `clones`: snapshot -> datasets made from it.

    Snapshots are those below the configured parents; datasets are all of the box, since a clone may be anywhere.
    """

    url: str
    version: str | None = None
    transport: str | None = None
    pools: tuple[Pool, ...] = ()
    datasets: Mapping[str, Dataset] = field(default_factory=dict)
    snapshots: Mapping[str, Snapshot] = field(default_factory=dict)
    shares: tuple[Share, ...] = ()
    clones: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    parts: Mapping[str, Part] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether every part was read completely."""
        return all(part.complete for part in self.parts.values())

    @property
    def cause(self) -> str | None:
        """Why not; None if complete. A cause that several parts share stands once."""
        causes: dict[str, list[str]] = {}
        for name, part in self.parts.items():
            if not part.complete:
                causes.setdefault(part.cause or "not read", []).append(name)
        return "; ".join(f"{', '.join(names)}: {cause}" for cause, names in causes.items()) or None


def unread(url: str, cause: str) -> Box:
    """A box of which nothing could be read."""
    return Box(url=url, parts={name: Part(complete=False, cause=cause) for name in PARTS})


def clones_of(datasets: Iterable[Dataset]) -> dict[str, tuple[str, ...]]:
    """Snapshot -> ids of the datasets whose origin it is. Origins are not followed, so a circle of them is harmless."""
    found: dict[str, list[str]] = {}
    for dataset in datasets:
        if dataset.origin:
            found.setdefault(dataset.origin, []).append(dataset.id)
    return {snapshot: tuple(ids) for snapshot, ids in found.items()}
