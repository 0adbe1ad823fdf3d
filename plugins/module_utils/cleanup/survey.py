# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the objects of a run on a cluster, and know what could not be listed."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..cluster.client import Cluster
from ..cluster.discovery import Resource, served
from ..cluster.errors import ClusterError, Forbidden, NotFound, name_namespaces
from ..cluster.labels import LABEL_MANAGED_BY, LABEL_RUN_ID, MANAGED_BY, run_selector
from ..cluster.proof import object_of
from .lists import list_metadata

#: Timeout for a list of a kind outside Kubernetes' own groups, because its extension server may be down.
_EXTENSION_GROUP_SECONDS = 10.0
_NAMESPACES = "/api/v1/namespaces"
#: Groups with a second view of the same objects: events, metrics, OpenShift's projects (namespaces) and RBAC roles.
_MIRROR_GROUPS = frozenset(
    {
        "events.k8s.io",
        "metrics.k8s.io",
        "custom.metrics.k8s.io",
        "external.metrics.k8s.io",
        "project.openshift.io",
        "authorization.openshift.io",
    }
)


def group_of(resource: Resource) -> str:
    """Its API group; "v1" for the core group, as in apiVersion."""
    return resource.api_version.partition("/")[0]


def is_mirror(resource: Resource) -> bool:
    """Whether its objects are views of other objects, or mere records."""
    group = group_of(resource)
    return group in _MIRROR_GROUPS or (group, resource.kind) == ("v1", "Event")


@dataclass(frozen=True, slots=True)
class Found:
    """One object. `owned`: it has a controller and goes when that goes."""

    namespace: str
    name: str
    uid: str
    owned: bool


@dataclass
class Survey:
    """The objects of a run.

    `namespaces`: name -> uid; `created`: name -> when, as the API writes it. `inside` these: (namespace, resource) ->
    number of objects; kinds of two groups may have the same name. `outside`: the run's objects elsewhere, cluster-wide
    ones included. `unlisted`: "plural.group" -> why it could not be listed. `lists`: how many lists were read.
    `unread`: those of `unlisted` that are not a matter of rights. `only_in`: the namespaces that were looked into, if
    the run's could not be listed. `terminating`: those of `namespaces` that are being deleted already. `uids` and
    `sets` (StatefulSets by namespace) belong to the objects inside.
    """

    namespaces: dict[str, str] = field(default_factory=dict)
    created: dict[str, str] = field(default_factory=dict)
    inside: Counter[tuple[str, Resource]] = field(default_factory=Counter)
    outside: dict[Resource, list[Found]] = field(default_factory=lambda: defaultdict(list))
    unlisted: dict[str, str] = field(default_factory=dict)
    lists: int = 0
    unread: set[str] = field(default_factory=set)
    only_in: list[str] = field(default_factory=list)
    terminating: set[str] = field(default_factory=set)
    uids: set[str] = field(default_factory=set)
    sets: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    @property
    def is_empty(self) -> bool:
        """Whether the cluster has nothing of the run."""
        return not self.namespaces and not self.outside

    @property
    def counts(self) -> Counter[str]:
        """Objects of the run by kind, its namespaces included."""
        counted: Counter[str] = Counter()
        if self.namespaces:
            counted["Namespace"] = len(self.namespaces)
        for (_namespace, resource), number in self.inside.items():
            counted[resource.kind] += number
        for resource, objects in self.outside.items():
            counted[resource.kind] += len(objects)
        return counted


class Surveyor:
    """Lists metadata only. `fallback_namespaces` are listed one by one where the user may not list all at once."""

    def __init__(self, cluster: Cluster, *, run_id: str, fallback_namespaces: list[str]) -> None:
        self._cluster = cluster
        self._run_id = run_id
        self._fallback_namespaces = fallback_namespaces
        #: group/version -> why its kinds are not known
        self.unavailable: dict[str, str] = {}
        self.resources: list[Resource] = []

    async def survey(self) -> Survey:
        """Everything with the run's labels. Raises ClusterError if the objects of no kind can be listed."""
        if not self.resources:
            catalog = await served(self._cluster)
            self.resources = [
                resource
                for resource in catalog.with_verbs("list", "delete")
                if not is_mirror(resource) and (resource.api_version, resource.kind) != ("v1", "Namespace")
            ]
            self.unavailable = {
                name: why for name, why in catalog.unavailable.items() if name.partition("/")[0] not in _MIRROR_GROUPS
            }
        found = Survey(unlisted=dict(self.unavailable))
        namespaces = await self._namespaces(found)
        found.namespaces = {metadata["name"]: metadata["uid"] for metadata in namespaces}
        found.created = {metadata["name"]: metadata.get("creationTimestamp") or "" for metadata in namespaces}
        found.terminating = {metadata["name"] for metadata in namespaces if metadata.get("deletionTimestamp")}
        await asyncio.gather(*(self._list_into(found, resource) for resource in self.resources))
        if not found.lists and not found.unread:
            self._refuse_blind(found)
        return found

    def _refuse_blind(self, found: Survey) -> None:
        """Raise Forbidden: that nothing was found would say nothing."""
        where = f"in namespaces {', '.join(found.only_in)}" if found.only_in else "on this cluster"
        cause = next((found.unlisted[name] for name in map(plural_name, self.resources) if name in found.unlisted), "")
        raise Forbidden(
            f"no kind of object may be listed {where}, so it is unknown what run {self._run_id} has there: {cause}",
            status=403,
            reason="Forbidden",
        )

    async def keep(self, found: Survey, names: Iterable[str]) -> None:
        """Take these namespaces out of `found.namespaces`; the run's objects in them move to `outside`."""
        kept = {name for name in names if found.namespaces.pop(name, None)}
        keys = [key for key in found.inside if key[0] in kept]

        async def move(namespace: str, resource: Resource) -> None:
            del found.inside[namespace, resource]
            await self._list_one(found, resource, namespace)

        await asyncio.gather(*(move(*key) for key in keys))

    async def _namespaces(self, found: Survey) -> list[Mapping[str, Any]]:
        query = {"labelSelector": run_selector(self._run_id)}
        try:
            return list(await list_metadata(self._cluster, _NAMESPACES, query=query))
        except Forbidden as error:
            if not self._fallback_namespaces:
                raise name_namespaces(error, "namespaces (cleanup_namespaces of the role)") from error
        found.only_in = sorted(self._fallback_namespaces)
        ours = []
        for name in self._fallback_namespaces:
            try:
                document = await self._cluster.get(f"{_NAMESPACES}/{name}", decode=object_of)
                ours.append(document["metadata"])
            except NotFound:
                continue
            except Forbidden as error:
                # Nobody knows whose it is, so it stays; the run's objects in it are removed.
                found.unlisted["namespaces"] = str(error)
        return [metadata for metadata in ours if self._is_ours(metadata)]

    def _is_ours(self, metadata: Mapping[str, Any]) -> bool:
        labels = metadata.get("labels") or {}
        return labels.get(LABEL_RUN_ID) == self._run_id and labels.get(LABEL_MANAGED_BY) == MANAGED_BY

    async def _list_into(self, found: Survey, resource: Resource) -> None:
        """All of a kind; where that is not allowed, those in the namespaces of the run and in the fallback ones."""
        try:
            await self._list_one(found, resource, "")
        except Forbidden as error:
            namespaces = sorted({*found.namespaces, *self._fallback_namespaces}) if resource.namespaced else []
            if not (resource.namespaced and self._fallback_namespaces):
                found.unlisted[plural_name(resource)] = str(error)  # there may be some elsewhere
            await asyncio.gather(*(self._list_one(found, resource, each) for each in namespaces))

    async def _list_one(self, found: Survey, resource: Resource, namespace: str) -> None:
        """One list; with a namespace, all that goes wrong is in `found`. Raises Forbidden without one."""
        query = {"labelSelector": run_selector(self._run_id)}
        try:
            listed = await list_metadata(
                self._cluster, resource.path(namespace), query=query, deadline_seconds=list_deadline(resource)
            )
        except Forbidden as error:
            if not namespace:
                raise
            found.unlisted[plural_name(resource)] = str(error)
        except ClusterError as error:
            found.unlisted[plural_name(resource)] = str(error)
            found.unread.add(plural_name(resource))
        else:
            found.lists += 1
            for metadata in listed:
                self._add(found, resource, metadata)

    def _add(self, found: Survey, resource: Resource, metadata: Mapping[str, Any]) -> None:
        namespace = metadata.get("namespace", "")
        if namespace in found.namespaces:
            found.inside[namespace, resource] += 1
            found.uids.add(metadata["uid"])
            if resource.kind == "StatefulSet":
                found.sets[namespace].add(metadata["name"])
        else:
            owned = any(owner.get("controller") for owner in metadata.get("ownerReferences") or ())
            found.outside[resource].append(Found(namespace, metadata["name"], metadata["uid"], owned))


def plural_name(resource: Resource) -> str:
    """As kubectl writes it: deployments.apps, configmaps."""
    group = resource.api_version.rpartition("/")[0]
    return f"{resource.plural}.{group}" if group else resource.plural


def list_deadline(resource: Resource) -> float | None:
    """Seconds for a list of it; None: as of any request."""
    group = resource.api_version.rpartition("/")[0]
    own = "." not in group or group.endswith(".k8s.io")
    return None if own else _EXTENSION_GROUP_SECONDS
