# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the classes of storage that a plan needs, and the free volumes where no class makes any."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import TypedDict

from ..capacity.storage import SnapshotClass, StorageSupply, VolumeClass, class_of_object, snapshot_class_of_object
from ..cluster.client import Cluster
from ..cluster.decoding import decoder
from ..cluster.errors import NotFound
from ..cluster.inventory import read_each
from ..plan.demand import Demand
from .pages import PageInfo

_CLASSES = "/apis/storage.k8s.io/v1/storageclasses"
_SNAPSHOT_CLASSES = "/apis/snapshot.storage.k8s.io/v1/volumesnapshotclasses"
_VOLUMES = "/api/v1/persistentvolumes"


class ClassMetadata(TypedDict, total=False):
    """Of a class."""

    name: str
    annotations: dict[str, str]
    creationTimestamp: str


class ClassObject(TypedDict, total=False):
    """Of a StorageClass or a VolumeSnapshotClass, for capacity.storage."""

    metadata: ClassMetadata
    provisioner: str
    driver: str
    allowVolumeExpansion: bool
    volumeBindingMode: str


class ClassPage(TypedDict):
    """A page of classes."""

    metadata: PageInfo
    items: list[ClassObject] | None


class VolumeSpec(TypedDict, total=False):
    """Whose a volume is."""

    storageClassName: str
    claimRef: dict[str, object]


class VolumeStatus(TypedDict, total=False):
    """Whether it can be bound."""

    phase: str


class VolumeObject(TypedDict, total=False):
    """Of a PersistentVolume."""

    spec: VolumeSpec
    status: VolumeStatus


class VolumePage(TypedDict):
    """A page of volumes."""

    metadata: PageInfo
    items: list[VolumeObject] | None


@dataclass(frozen=True, kw_only=True)
class StorageWanted:
    """What a plan names: the classes of its claims, None for the default, and whether it makes snapshots."""

    classes: Collection[str | None]
    snapshots: bool

    @classmethod
    def of(cls, demand: Demand) -> StorageWanted | None:
        """From what the plan weighs; None where it has neither claims nor snapshots."""
        if not demand.claims and not demand.snapshots:
            return None
        classes = {group.kind.storage_class for group in demand.claims if group.number}
        return cls(classes=classes, snapshots=bool(demand.snapshots))


async def read_storage(cluster: Cluster, wanted: StorageWanted) -> StorageSupply:
    """Read what is needed. What may not be read stays None, with its cause in `unread`. Raises ClusterError."""
    supply = StorageSupply()
    await asyncio.gather(_classes(cluster, supply), _snapshot_classes(cluster, supply, wanted=wanted.snapshots))
    if supply.classes is None:
        return supply
    found = [supply.classes.get(supply.class_of(named) or "") for named in wanted.classes]
    if not all(one is not None and one.makes_volumes for one in found):
        await _free_volumes(cluster, supply)
    return supply


async def _classes(cluster: Cluster, supply: StorageSupply) -> None:
    found: list[VolumeClass] = []
    unread = await read_each(
        cluster,
        _CLASSES,
        lambda item: found.append(class_of_object(item)),
        decode=decoder(ClassPage),
        begin_again=found.clear,
    )
    if unread:
        supply.unread["classes"] = unread
    else:
        supply.classes = {one.name: one for one in found}


async def _snapshot_classes(cluster: Cluster, supply: StorageSupply, *, wanted: bool) -> None:
    if not wanted:
        return
    found: list[SnapshotClass] = []
    try:
        unread = await read_each(
            cluster,
            _SNAPSHOT_CLASSES,
            lambda item: found.append(snapshot_class_of_object(item)),
            decode=decoder(ClassPage),
            begin_again=found.clear,
        )
    except NotFound:
        unread = "the API server does not serve VolumeSnapshotClasses"
    if unread:
        supply.unread["snapshot classes"] = unread
    else:
        supply.snapshot_classes = {one.name: one for one in found}


async def _free_volumes(cluster: Cluster, supply: StorageSupply) -> None:
    free: Counter[str] = Counter()

    def take(item: VolumeObject) -> None:
        spec = item.get("spec") or {}
        if (item.get("status") or {}).get("phase") == "Available" and not spec.get("claimRef"):
            free[spec.get("storageClassName") or ""] += 1

    unread = await read_each(cluster, _VOLUMES, take, decode=decoder(VolumePage), begin_again=free.clear)
    if unread:
        supply.unread["volumes"] = unread
    else:
        supply.free = free
