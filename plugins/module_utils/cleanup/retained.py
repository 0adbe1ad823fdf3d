# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run's claims and snapshots leave behind: volumes and contents with the policy Retain, which are not deleted.

They carry no label of the run, and their data may be somebody's last copy: they are named, and left to their owner.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict

from ..cluster.client import Cluster
from ..cluster.decoding import decoder
from ..cluster.discovery import Resource
from ..cluster.errors import ClusterError
from ..cluster.inventory import read_each
from .survey import Survey

_CLAIM, _SNAPSHOT = "PersistentVolumeClaim", "VolumeSnapshot"
_RETAIN = "Retain"


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


class Name(TypedDict):
    """Of any object."""

    name: str
    uid: str


class Backing(TypedDict):
    """A PersistentVolume or a VolumeSnapshotContent."""

    metadata: Name
    spec: Spec


PageInfo = TypedDict("PageInfo", {"continue": str, "remainingItemCount": int}, total=False)


class BackingPage(TypedDict):
    """A page of them."""

    metadata: PageInfo
    items: list[Backing] | None


@dataclass
class Retained:
    """`rows`: kind, name, and whose it was (`of`, as namespace/name). `unknown`: kind -> why it could not be listed."""

    rows: list[dict[str, str]] = field(default_factory=list)
    unknown: dict[str, str] = field(default_factory=dict)

    def words(self, *, named: int) -> str:
        """For the module's message; empty where nothing stays. Of each kind the first `named` names."""
        parts = []
        for kind in dict.fromkeys(row["kind"] for row in self.rows):
            names = [row["name"] for row in self.rows if row["kind"] == kind]
            more = f" and {len(names) - named} more" if len(names) > named else ""
            stay = "stays, because its policy is" if len(names) == 1 else "stay, because their policy is"
            parts.append(f"{len(names)} {kind}{'s'[: len(names) != 1]} {stay} Retain: {', '.join(names[:named])}{more}")
        parts += [f"whether a {kind} stays is unknown: {cause}" for kind, cause in self.unknown.items()]
        return "; ".join(parts)


async def retained_by(cluster: Cluster, found: Survey, resources: list[Resource]) -> Retained:
    """What stays of the volumes and snapshots of a survey when these are deleted; asks only where it has some."""
    kinds = found.counts
    outside = {each.uid for objects in found.outside.values() for each in objects}
    retained = Retained()

    def is_theirs(reference: Reference) -> bool:
        return reference.get("namespace") in found.namespaces or reference.get("uid") in outside

    def take(
        kind: str, reference_name: Literal["claimRef", "volumeSnapshotRef"], policy: str
    ) -> Callable[[Mapping[str, Any]], None]:
        def one(item: Mapping[str, Any]) -> None:
            nowhere: Reference = {}
            reference: Reference = item["spec"].get(reference_name) or nowhere
            is_own = item["metadata"]["uid"] in outside  # made by the run, and deleted with it
            if item["spec"].get(policy) == _RETAIN and is_theirs(reference) and not is_own:
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


def _forget(retained: Retained, kind: str) -> None:
    retained.rows = [row for row in retained.rows if row["kind"] != kind]
