# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan asks of storage: claims with class and size, snapshots with their class, and who mounts what. Pure.

Read from the objects as they will be sent, those included that controllers make of them: the claims of a StatefulSet's
templates and those of generic ephemeral volumes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..readiness.volumes import wanted_size
from ..syntax import whole
from .fragment import Fragment
from .kinds import Made, group_of, made_of

_SNAPSHOT_GROUP = "snapshot.storage.k8s.io"
_LEGACY_CLASS = "volume.beta.kubernetes.io/storage-class"

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ClaimKind:
    """What claims have in common. `storage_class` None is the cluster's default, "" is none: only what is there binds.

    `expanded`: they ask for more than they were made with. `block`: they ask for a device, not for a file system.
    """

    storage_class: str | None
    expanded: bool = False
    block: bool = False


@dataclass(frozen=True, slots=True)
class SnapshotKind:
    """What snapshots have in common. `snapshot_class` None is the default of the driver of `storage_class`.

    `storage_class` is that of the claims they are of; `known` says whether the plan makes these.
    """

    snapshot_class: str | None
    storage_class: str | None
    known: bool


@dataclass
class StorageLoad:
    """Claims and snapshots of one namespace's share of a fragment: number and bytes by what they have in common.

    A claim that is expanded counts with the bytes that it grows by, and not as one more claim.
    """

    claims: dict[ClaimKind, list[int]] = field(default_factory=dict)
    snapshots: dict[SnapshotKind, int] = field(default_factory=dict)

    def add_claim(self, kind: ClaimKind, *, number: int, size_bytes: int) -> None:
        """Count so many claims of one kind, each of this size."""
        known = self.claims.setdefault(kind, [0, 0])
        known[0] += number
        known[1] += number * size_bytes


class ClaimsMade:
    """The claims that a plan makes, by namespace and name: what they ask for, for whoever refers to them."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], tuple[str | None, int]] = {}

    def take(self, load: StorageLoad, obj: Object, made: Made, *, namespace: str, times: int, patches: bool) -> None:
        """Count what an object asks of storage, `times` over. Raises ValueError for what is no quantity."""
        kind = obj["kind"]
        if (group_of(obj["apiVersion"]), kind) == ("", "PersistentVolumeClaim"):
            self._take_claim(load, obj, namespace=namespace, times=times, patches=patches)
        elif (group_of(obj["apiVersion"]), kind) == (_SNAPSHOT_GROUP, "VolumeSnapshot") and not patches:
            self._take_snapshot(load, obj, namespace=namespace, times=times)
        elif not patches:
            for template, number in _templates(obj, made):
                load.add_claim(_kind_of(template), number=number * times, size_bytes=_bytes_of(template))

    def _take_claim(self, load: StorageLoad, obj: Object, *, namespace: str, times: int, patches: bool) -> None:
        key, size_bytes = (namespace, obj["metadata"]["name"]), _bytes_of(obj)
        if not patches:
            self._known[key] = (_class_of(obj), size_bytes)
            load.add_claim(_kind_of(obj), number=times, size_bytes=size_bytes)
            return
        storage_class, before = self._known.get(key, (_class_of(obj), 0))
        if size_bytes > before:
            counted = load.claims.setdefault(ClaimKind(storage_class, expanded=True), [0, 0])
            counted[1] += times * (size_bytes - before)

    def _take_snapshot(self, load: StorageLoad, obj: Object, *, namespace: str, times: int) -> None:
        spec = obj.get("spec") or {}
        source = (spec.get("source") or {}).get("persistentVolumeClaimName")
        found = self._known.get((namespace, source or ""))
        kind = SnapshotKind(spec.get("volumeSnapshotClassName"), found[0] if found else None, found is not None)
        load.snapshots[kind] = load.snapshots.get(kind, 0) + times


def _templates(obj: Object, made: Made) -> Iterator[tuple[Object, int]]:
    """Templates of claims that controllers make for an object, and how many of each there are at once."""
    spec = obj.get("spec") or {}
    if obj["kind"] == "StatefulSet":
        for template in spec.get("volumeClaimTemplates") or ():
            yield template, made.pods_at_once
    # How many pods a DaemonSet has, only the cluster's nodes say.
    for part in made.pods:
        volumes = () if part.per_node else (part.template.get("spec") or {}).get("volumes") or ()
        for volume in volumes:
            template = (volume.get("ephemeral") or {}).get("volumeClaimTemplate")
            if template:
                yield template, part.at_once


def _class_of(claim: Object) -> str | None:
    spec = claim.get("spec") or {}
    legacy = ((claim.get("metadata") or {}).get("annotations") or {}).get(_LEGACY_CLASS)
    found: str | None = spec.get("storageClassName", legacy)
    return found


def _kind_of(claim: Object) -> ClaimKind:
    return ClaimKind(_class_of(claim), block=(claim.get("spec") or {}).get("volumeMode") == "Block")


def _bytes_of(claim: Object) -> int:
    return whole(wanted_size(claim) or 0)


def unmounted(fragments: Iterable[Fragment]) -> set[str]:
    """Roles that make claims which no pod of the plan mounts, as far as their first members tell.

    A role of whose claims some are mounted is not among them. Raises TemplateError.
    """
    made: dict[str, set[str]] = {}
    mounted: set[str] = set()
    for fragment in fragments:
        if not fragment.count or fragment.patch or fragment.once:
            continue
        if ("v1", "PersistentVolumeClaim") not in fragment.kinds and not fragment.makes_pods:
            continue
        for obj in first_member(fragment):
            if (group_of(obj["apiVersion"]), obj["kind"]) == ("", "PersistentVolumeClaim"):
                made.setdefault(fragment.role, set()).add(obj["metadata"]["name"])
            else:
                mounted |= set(_claim_names(obj))
    return {role for role, names in made.items() if not names & mounted}


def mounts_claims(fragments: Iterable[Fragment]) -> bool:
    """Whether pods of a plan have claims, as far as the first members tell. Raises TemplateError."""
    for fragment in fragments:
        if fragment.count and not fragment.patch and not fragment.once and fragment.makes_pods:
            for obj in first_member(fragment):
                if any(_claim_names(obj)) or any(_templates(obj, made_of(obj))):
                    return True
    return False


def first_member(fragment: Fragment) -> Iterator[Object]:
    """The objects of the first member, as they will be sent to the first namespace. Raises TemplateError."""
    values = fragment.values(namespace="namespace-1", namespace_index=1, index=1)
    for step in range(len(fragment.steps)):
        for rendered in fragment.render_step(step, values):
            yield json.loads(rendered.body)


def _claim_names(node: Any) -> Iterator[str]:
    """The claims that an object names, wherever a pod's volumes stand in it."""
    if isinstance(node, Mapping):
        source = node.get("persistentVolumeClaim")
        if isinstance(source, Mapping) and isinstance(source.get("claimName"), str):
            yield source["claimName"]
        for value in node.values():
            yield from _claim_names(value)
    elif isinstance(node, list):
        for value in node:
            yield from _claim_names(value)
