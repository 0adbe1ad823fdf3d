# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look into the namespaces of a run for objects that are not the run's, and know where one could not look."""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..cluster.client import Cluster
from ..cluster.discovery import Resource
from ..cluster.errors import ClusterError, Forbidden
from ..cluster.labels import LABEL_RUN_ID
from .lists import list_metadata, short_list_metadata
from .survey import Survey, Surveyor, group_of, list_deadline, plural_name

Metadata = Mapping[str, Any]
#: Kinds that controllers write about other objects, worthless without these.
_BOOKKEEPING = frozenset(
    {("v1", "Event"), ("v1", "Endpoints"), ("discovery.k8s.io", "EndpointSlice"), ("coordination.k8s.io", "Lease")}
)
#: What controllers create in every namespace: (kind, name).
_IN_EVERY_NAMESPACE = frozenset(
    {
        ("ServiceAccount", "default"),
        ("ServiceAccount", "builder"),  # OpenShift, as is deployer
        ("ServiceAccount", "deployer"),
        ("ConfigMap", "kube-root-ca.crt"),
        ("ConfigMap", "openshift-service-ca.crt"),
        ("ConfigMap", "istio-ca-root-cert"),
    }
)
_NAMES = frozenset(name for _kind, name in _IN_EVERY_NAMESPACE)
_TOKEN_ANNOTATIONS = (
    "kubernetes.io/service-account.name",
    "openshift.io/internal-registry-auth-token.service-account",
)


def uncounted_names(resource: Resource) -> str:
    """A field selector that leaves out what is in every namespace, so that lists of foreign objects stay short."""
    names = sorted(name for kind, name in _IN_EVERY_NAMESPACE if kind == resource.kind)
    return ",".join(f"metadata.name!={name}" for name in names) if group_of(resource) == "v1" else ""


def made_by_cluster(resource: Resource, metadata: Mapping[str, Any]) -> bool:
    """Whether a controller created it unasked, as in every namespace."""
    group, kind, name = group_of(resource), resource.kind, metadata["name"]
    if _is_bookkeeping(resource):
        return True
    if group == "v1" and (kind, name) in _IN_EVERY_NAMESPACE:
        return True
    if group == "v1" and kind == "Secret":
        annotations = metadata.get("annotations") or {}
        return any(annotations.get(key) in _NAMES for key in _TOKEN_ANNOTATIONS)
    if kind == "RoleBinding" and name.startswith("system:"):
        return True  # OpenShift's image-pullers, image-builders and deployers
    # The operator lifecycle manager copies its ClusterServiceVersions into every namespace.
    return "olm.copiedFrom" in (metadata.get("labels") or {})


def claimed_by_set(name: str, sets: Collection[str]) -> bool:
    """Whether a PersistentVolumeClaim has a name that one of these StatefulSets would give it: template-set-ordinal.

    Claims have no owner, and their only labels are those of the set's selector.
    """
    match = re.fullmatch(r"(.+)-\d+", name)
    return match is not None and any(match[1].endswith(f"-{each}") for each in sets)


@dataclass(frozen=True)
class Unseen:
    """A kind, or an API group, of which the objects in a namespace are not known. `missing_right`: for Forbidden."""

    kind: str
    cause: str
    missing_right: str = ""


@dataclass
class Contents:
    """What a look into namespaces found, by namespace: foreign objects as "Kind name", and what could not be seen."""

    foreign: dict[str, list[str]] = field(default_factory=dict)
    unseen: dict[str, list[Unseen]] = field(default_factory=dict)


class Onlooker:
    """Looks into namespaces of the run. `surveyor` has surveyed before, so that it knows the kinds."""

    def __init__(self, cluster: Cluster, surveyor: Surveyor, *, run_id: str) -> None:
        self._cluster = cluster
        self._surveyor = surveyor
        self._run_id = run_id

    async def look(self, found: Survey, names: Collection[str]) -> Contents:
        """Objects there that neither the run nor the cluster created. Never raises ClusterError."""
        names = set(names) - found.terminating
        if not names:
            return Contents()
        kinds = [kind for kind in self._surveyor.resources if kind.namespaced and not _is_bookkeeping(kind)]
        listed = await asyncio.gather(*(self._unlabelled(names, resource) for resource in kinds))
        candidates = [
            (resource, metadata)
            for resource, (items, _unseen) in zip(kinds, listed, strict=True)
            for metadata in items
            if metadata.get("namespace") in names and not metadata.get("deletionTimestamp")
        ]
        foreign: dict[str, list[str]] = defaultdict(list)
        for resource, metadata in _without_owned(candidates, found):
            foreign[metadata["namespace"]].append(f"{resource.kind} {metadata['name']}")
        unseen: dict[str, list[Unseen]] = defaultdict(list)
        for name in names:
            unseen[name] += [Unseen(*group) for group in self._surveyor.unavailable.items()]
        for _items, missing in listed:
            for name, each in missing.items():
                unseen[name].append(each)
        return Contents(
            {name: sorted(rows) for name, rows in sorted(foreign.items())},
            {name: sorted(rows, key=lambda row: row.kind) for name, rows in sorted(unseen.items()) if rows},
        )

    async def _unlabelled(self, names: set[str], resource: Resource) -> tuple[list[Metadata], dict[str, Unseen]]:
        """Metadata of objects without the run's label, at least of those in `names`, and where they are not known."""
        query = {"labelSelector": f"{LABEL_RUN_ID}!={self._run_id}"}
        if uncounted_names(resource):
            query["fieldSelector"] = uncounted_names(resource)
        try:
            first = await short_list_metadata(
                self._cluster, resource.path(), query=query, deadline_seconds=list_deadline(resource)
            )
            if first is not None:
                return list(first), {}
        except Forbidden:
            pass  # it may be allowed in single namespaces
        except ClusterError as error:
            return [], dict.fromkeys(names, Unseen(plural_name(resource), str(error)))
        # A large cluster: listing each of our namespaces is cheaper than listing everything.
        rows = await asyncio.gather(*(self._in_one(name, resource, query) for name in names))
        unseen = {name: row for name, row in zip(names, rows, strict=True) if isinstance(row, Unseen)}
        return [metadata for row in rows if not isinstance(row, Unseen) for metadata in row], unseen

    async def _in_one(self, name: str, resource: Resource, query: Mapping[str, str]) -> list[dict[str, Any]] | Unseen:
        try:
            return await list_metadata(
                self._cluster, resource.path(name), query=query, deadline_seconds=list_deadline(resource)
            )
        except ClusterError as error:
            kind = plural_name(resource)
            return Unseen(kind, str(error), f"list {kind}" if isinstance(error, Forbidden) else "")


def _without_owned(
    candidates: list[tuple[Resource, Mapping[str, Any]]], found: Survey
) -> list[tuple[Resource, Mapping[str, Any]]]:
    """The candidates that no object of the run owns, directly or not, and that no controller created unasked."""
    related, left = set(found.uids), candidates
    while True:
        rest = []
        for resource, metadata in left:
            owners = metadata.get("ownerReferences") or ()
            if made_by_cluster(resource, metadata) or any(owner["uid"] in related for owner in owners):
                related.add(metadata.get("uid", ""))
            elif resource.kind != "PersistentVolumeClaim" or not claimed_by_set(
                metadata["name"], found.sets.get(metadata["namespace"], ())
            ):
                rest.append((resource, metadata))
        if len(rest) == len(left):
            return rest
        left = rest


def _is_bookkeeping(resource: Resource) -> bool:
    return (group_of(resource), resource.kind) in _BOOKKEEPING
