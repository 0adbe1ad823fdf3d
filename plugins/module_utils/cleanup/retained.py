# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run's claims and snapshots leave behind: volumes and contents, which carry no label of the run.

Those with the policy Retain are not deleted, and their data may be somebody's last copy: they are named, and left to
their owner. The others their driver deletes, after the claims and snapshots are gone: how many are left is counted.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict

from ..cluster.client import Cluster
from ..cluster.decoding import decoder
from ..cluster.discovery import Resource
from ..cluster.errors import ClusterError
from ..cluster.inventory import read_each
from .lists import list_metadata
from .survey import Survey

_CLAIM, _SNAPSHOT = "PersistentVolumeClaim", "VolumeSnapshot"
_RETAIN = "Retain"
#: Later than every time that the API writes.
_NOW = "~"


class Reference(TypedDict, total=False):
    """To a claim or a snapshot."""

    namespace: str
    name: str
    uid: str


class Spec(TypedDict, total=False):
    """Of a PersistentVolume or a VolumeSnapshotContent."""

    claimRef: Reference
    persistentVolumeReclaimPolicy: str
    volumeSnapshotRef: Reference
    deletionPolicy: str


class Name(TypedDict, total=False):
    """Of any object; name and uid are always there."""

    name: str
    uid: str
    creationTimestamp: str


class Status(TypedDict, total=False):
    """Of a PersistentVolume."""

    phase: str
    lastPhaseTransitionTime: str


class _Always(TypedDict):
    metadata: Name
    spec: Spec


class Backing(_Always, total=False):
    """A PersistentVolume or a VolumeSnapshotContent."""

    status: Status


PageInfo = TypedDict("PageInfo", {"continue": str, "remainingItemCount": int}, total=False)


class BackingPage(TypedDict):
    """A page of them."""

    metadata: PageInfo
    items: list[Backing] | None


@dataclass
class Retained:
    """`rows`: kind, name, and whose it was (`of`, as namespace/name). `unknown`: kind -> why it could not be listed.

    `deleted_by_driver`: kind -> uids of those that do not stay; `reclaiming`: kind -> how many of these were left when
    all of the run was gone.
    """

    rows: list[dict[str, str]] = field(default_factory=list)
    unknown: dict[str, str] = field(default_factory=dict)
    deleted_by_driver: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    reclaiming: dict[str, int] = field(default_factory=dict)

    def words(self, *, named: int) -> str:
        """For the module's message; empty where nothing stays. Of each kind the first `named` names."""
        parts = []
        for kind in dict.fromkeys(row["kind"] for row in self.rows):
            names = [row["name"] for row in self.rows if row["kind"] == kind]
            more = f" and {len(names) - named} more" if len(names) > named else ""
            stay = "stays, because its policy is" if len(names) == 1 else "stay, because their policy is"
            parts.append(f"{len(names)} {kind}{'s'[: len(names) != 1]} {stay} Retain: {', '.join(names[:named])}{more}")
        for kind, number in self.reclaiming.items():
            are = "is" if number == 1 else "are"
            parts.append(f"{number} {kind}{'s'[: number != 1]} {are} not deleted yet, which the driver does on its own")
        parts += [f"whether a {kind} stays is unknown: {cause}" for kind, cause in self.unknown.items()]
        return "; ".join(parts)


async def retained_by(cluster: Cluster, found: Survey, resources: list[Resource]) -> Retained:
    """What stays of the volumes and snapshots of a survey when these are deleted; asks only where it has some."""
    kinds = found.counts
    outside = {each.uid for objects in found.outside.values() for each in objects}
    retained = Retained()

    def take(
        kind: str, reference_name: Literal["claimRef", "volumeSnapshotRef"], policy: str
    ) -> Callable[[Mapping[str, Any]], None]:
        def one(item: Mapping[str, Any]) -> None:
            nowhere: Reference = {}
            reference: Reference = item["spec"].get(reference_name) or nowhere
            if not _is_left(found, outside, item, reference):
                return
            if item["spec"].get(policy) != _RETAIN:
                retained.deleted_by_driver[kind].add(item["metadata"]["uid"])
            else:
                of = f"{reference.get('namespace', '')}/{reference.get('name', '')}"
                retained.rows.append({"kind": kind, "name": item["metadata"]["name"], "of": of})

        return one

    async def read(kind: str, take_one: Callable[[Mapping[str, Any]], None]) -> None:
        resource = next((each for each in resources if each.kind == kind), None)
        if resource is None:
            retained.unknown[kind] = "the API server does not serve it"
            return
        try:
            cause = await read_each(
                cluster,
                resource.path(),
                take_one,
                decode=decoder(BackingPage),
                begin_again=lambda: _forget(retained, kind),
            )
        except ClusterError as error:
            cause = str(error)
        if cause:
            retained.unknown[kind] = cause

    work = []
    # The claims of StatefulSets have no label of the run; where the survey has sets, there may be some.
    if kinds[_CLAIM] or kinds["StatefulSet"]:
        volumes = take("PersistentVolume", "claimRef", "persistentVolumeReclaimPolicy")
        work.append(read("PersistentVolume", volumes))
    if kinds[_SNAPSHOT]:
        contents = take("VolumeSnapshotContent", "volumeSnapshotRef", "deletionPolicy")
        work.append(read("VolumeSnapshotContent", contents))
    await asyncio.gather(*work)
    if not kinds[_CLAIM]:
        retained.unknown.pop("PersistentVolume", None)  # sets without claims are usual, and rights to see volumes rare
    retained.rows.sort(key=lambda row: (row["kind"], row["name"]))
    return retained


def _is_left(found: Survey, outside: set[str], item: Mapping[str, Any], reference: Reference) -> bool:
    """Whether a volume or content is of a claim or snapshot of the survey, and not deleted with it."""
    namespace = reference.get("namespace", "")
    if item["metadata"]["uid"] in outside:
        return False  # made by the run itself
    if namespace in found.namespaces:
        return _last_used(item) >= found.created.get(namespace, "")
    return reference.get("uid") in outside


async def count_reclaiming(cluster: Cluster, retained: Retained, resources: list[Resource]) -> None:
    """Count what the drivers have not deleted yet; what cannot be listed now is not counted."""
    for resource in resources:
        if uids := retained.deleted_by_driver.get(resource.kind):
            try:
                listed = await list_metadata(cluster, resource.path(), query={})
            except ClusterError as error:
                retained.unknown[resource.kind] = str(error)
                continue
            if left := sum(metadata["uid"] in uids for metadata in listed):
                retained.reclaiming[resource.kind] = left


def _last_used(item: Mapping[str, Any]) -> str:
    """Until when it may have been of a namespace that was made later: such a one had only the same name."""
    status = item.get("status") or {}
    if status.get("phase") == "Bound":
        return _NOW
    # A content has no phase. One that was there before the namespace is not of its snapshots, unless somebody made it.
    last = status.get("lastPhaseTransitionTime") if "phase" in status else item["metadata"].get("creationTimestamp")
    return last or _NOW


def _forget(retained: Retained, kind: str) -> None:
    retained.deleted_by_driver.pop(kind, None)
    retained.rows = [row for row in retained.rows if row["kind"] != kind]
