# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What carries a run's labels on a cluster, and what else lies in the run's namespaces."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..cluster.client import Cluster
from ..cluster.discovery import Resource, served
from ..cluster.errors import ClusterError, Forbidden, NotFound
from ..cluster.labels import LABEL_MANAGED_BY, LABEL_RUN_ID, MANAGED_BY, run_selector
from ..cluster.watch import METADATA_ONLY, PAGE_SIZE, list_pages

#: Groups that show the same things again: events twice, OpenShift's projects are the namespaces, its roles RBAC's.
_MIRROR_GROUPS = frozenset({"events.k8s.io", "metrics.k8s.io", "project.openshift.io", "authorization.openshift.io"})
#: Kinds that controllers write about other objects, and that nobody would miss with them.
_BOOKKEEPING = frozenset(
    {("v1", "Event"), ("v1", "Endpoints"), ("discovery.k8s.io", "EndpointSlice"), ("coordination.k8s.io", "Lease")}
)
#: What a controller puts into every namespace: (kind, name).
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


def group_of(resource: Resource) -> str:
    """Its API group; "v1" for the core group, as in apiVersion."""
    return resource.api_version.partition("/")[0]


def is_mirror(resource: Resource) -> bool:
    """Whether its objects are other objects seen again, or are nothing but records."""
    group = group_of(resource)
    return group in _MIRROR_GROUPS or (group, resource.kind) == ("v1", "Event")


def uncounted_names(resource: Resource) -> str:
    """A field selector that leaves out what is in every namespace anyway, so that lists of strangers stay short."""
    names = sorted(name for kind, name in _IN_EVERY_NAMESPACE if kind == resource.kind)
    return ",".join(f"metadata.name!={name}" for name in names) if group_of(resource) == "v1" else ""


def made_by_cluster(resource: Resource, metadata: Mapping[str, Any]) -> bool:
    """Whether a controller of the cluster put it there by itself, as it does into every namespace."""
    group, kind, name = group_of(resource), resource.kind, metadata["name"]
    if (group, kind) in _BOOKKEEPING:
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
    """Whether a PersistentVolumeClaim's name is one that a StatefulSet of these names gives: template-set-ordinal.

    Claims have no owner and get only the set's selector as labels.
    """
    match = re.fullmatch(r"(.+)-\d+", name)
    return match is not None and any(match[1].endswith(f"-{each}") for each in sets)


#: Seconds that the list of a kind outside Kubernetes' own groups may take: its extension server may be down.
_FOREIGN_GROUP_SECONDS = 10.0
_NAMESPACES = "/api/v1/namespaces"


@dataclass(frozen=True, slots=True)
class Found:
    """One object. `owned`: a controller looks after it, so it goes when its owner goes."""

    namespace: str
    name: str
    uid: str
    owned: bool


@dataclass
class Survey:
    """`namespaces` of the run: name -> uid. `inside` these: (namespace, kind) -> objects of the run.

    `kinds_inside`: the resources behind these counts. `outside`: the run's objects elsewhere, cluster-wide ones too.
    `unlisted`: "plural.group" -> why it could not be looked through. `terminating`: those of `namespaces` that are on
    their way out already. `uids` and `sets` (StatefulSets by namespace) are of the objects inside.
    """

    namespaces: dict[str, str] = field(default_factory=dict)
    inside: Counter[tuple[str, str]] = field(default_factory=Counter)
    kinds_inside: dict[str, Resource] = field(default_factory=dict)
    outside: dict[Resource, list[Found]] = field(default_factory=lambda: defaultdict(list))
    unlisted: dict[str, str] = field(default_factory=dict)
    terminating: set[str] = field(default_factory=set)
    uids: set[str] = field(default_factory=set)
    sets: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    @property
    def is_empty(self) -> bool:
        """Nothing of the run is on the cluster."""
        return not self.namespaces and not self.outside

    @property
    def counts(self) -> Counter[str]:
        """Objects of the run by kind, its namespaces included."""
        counted: Counter[str] = Counter()
        if self.namespaces:
            counted["Namespace"] = len(self.namespaces)
        for (_namespace, kind), number in self.inside.items():
            counted[kind] += number
        for resource, objects in self.outside.items():
            counted[resource.kind] += len(objects)
        return counted


class Surveyor:
    """Lists, metadata only. `look_into` are namespaces to fall back to where all at once may not be listed."""

    def __init__(self, cluster: Cluster, *, run_id: str, look_into: list[str]) -> None:
        self._cluster = cluster
        self._run_id = run_id
        self._look_into = look_into
        self._unavailable: dict[str, str] = {}
        self.resources: list[Resource] = []

    async def survey(self) -> Survey:
        """Everything with the run's labels. Raises ClusterError if nothing at all can be read."""
        if not self.resources:
            catalog = await served(self._cluster)
            self.resources = [
                resource
                for resource in catalog.with_verbs("list", "delete")
                if not is_mirror(resource) and (resource.api_version, resource.kind) != ("v1", "Namespace")
            ]
            self._unavailable = catalog.unavailable
        namespaces = await self._namespaces()
        found = Survey(
            namespaces={metadata["name"]: metadata["uid"] for metadata in namespaces},
            terminating={metadata["name"] for metadata in namespaces if metadata.get("deletionTimestamp")},
            unlisted=dict(self._unavailable),
        )
        await asyncio.gather(*(self._take(found, resource) for resource in self.resources))
        return found

    async def strangers(self, found: Survey) -> dict[str, list[str]]:
        """What in the run's namespaces is neither the run's nor the cluster's own: namespace -> "Kind name"."""
        if not found.namespaces.keys() - found.terminating:
            return {}
        kinds = [resource for resource in self.resources if resource.namespaced]
        listed = await asyncio.gather(*(self._unlabelled(found, resource) for resource in kinds))
        candidates = [
            (resource, metadata)
            for resource, items in zip(kinds, listed, strict=True)
            for metadata in items
            if metadata.get("namespace") in found.namespaces
            and metadata["namespace"] not in found.terminating
            and not metadata.get("deletionTimestamp")
        ]
        strangers: dict[str, list[str]] = defaultdict(list)
        for resource, metadata in _without_kin(candidates, found):
            strangers[metadata["namespace"]].append(f"{resource.kind} {metadata['name']}")
        return {name: sorted(rows) for name, rows in sorted(strangers.items())}

    async def spare(self, found: Survey, names: Iterable[str]) -> None:
        """These namespaces stay: they leave `found.namespaces`, and the run's objects in them become `outside` ones."""
        spared = {name for name in names if found.namespaces.pop(name, None)}
        keys = [key for key in found.inside if key[0] in spared]

        async def move(namespace: str, kind: str) -> None:
            del found.inside[namespace, kind]
            resource = found.kinds_inside[kind]
            query = {"labelSelector": run_selector(self._run_id)}
            async for page in list_pages(self._cluster, resource.path(namespace), query=query, accept=METADATA_ONLY):
                for item in page["items"] or ():
                    self._file(found, resource, item["metadata"])

        await asyncio.gather(*(move(*key) for key in keys))

    async def _namespaces(self) -> list[Mapping[str, Any]]:
        query = {"labelSelector": run_selector(self._run_id)}
        try:
            pages = list_pages(self._cluster, _NAMESPACES, query=query, accept=METADATA_ONLY)
            return [item["metadata"] async for page in pages for item in page["items"] or ()]
        except Forbidden:
            if not self._look_into:
                raise
        found = []
        for name in self._look_into:
            with contextlib.suppress(NotFound):
                found.append((await self._cluster.get(f"{_NAMESPACES}/{name}"))["metadata"])
        return [metadata for metadata in found if self._is_ours(metadata)]

    def _is_ours(self, metadata: Mapping[str, Any]) -> bool:
        labels = metadata.get("labels") or {}
        return labels.get(LABEL_RUN_ID) == self._run_id and labels.get(LABEL_MANAGED_BY) == MANAGED_BY

    async def _take(self, found: Survey, resource: Resource) -> None:
        query = {"labelSelector": run_selector(self._run_id)}
        try:
            async for metadata in self._items(resource, query, self._look_into):
                self._file(found, resource, metadata)
        except ClusterError as error:
            found.unlisted[_name_of(resource)] = str(error)

    def _file(self, found: Survey, resource: Resource, metadata: Mapping[str, Any]) -> None:
        namespace = metadata.get("namespace", "")
        if namespace in found.namespaces:
            found.inside[namespace, resource.kind] += 1
            found.kinds_inside[resource.kind] = resource
            found.uids.add(metadata["uid"])
            if resource.kind == "StatefulSet":
                found.sets[namespace].add(metadata["name"])
        else:
            owned = any(owner.get("controller") for owner in metadata.get("ownerReferences") or ())
            found.outside[resource].append(Found(namespace, metadata["name"], metadata["uid"], owned))

    async def _unlabelled(self, found: Survey, resource: Resource) -> list[Mapping[str, Any]]:
        """Metadata of objects without the run's label: at least all of those in the run's namespaces."""
        query = {"labelSelector": f"{LABEL_RUN_ID}!={self._run_id}"}
        if uncounted_names(resource):
            query["fieldSelector"] = uncounted_names(resource)
        try:
            first = await self._cluster.get(
                resource.path(), query={**query, "limit": str(PAGE_SIZE)}, accept=METADATA_ONLY, **_deadline(resource)
            )
            if not first["metadata"].get("continue"):
                return [item["metadata"] for item in first["items"] or ()]
        except Forbidden:
            pass  # perhaps it is allowed in the namespaces themselves
        except ClusterError as error:
            found.unlisted[_name_of(resource)] = str(error)
            return []
        # A big cluster: reading a page of our own namespaces each costs less than everybody's objects.
        return await self._of_each_namespace(found, resource, query)

    async def _of_each_namespace(self, found: Survey, resource: Resource, query: Mapping[str, str]) -> list[Any]:
        async def of(namespace: str) -> list[Any]:
            pages = list_pages(
                self._cluster, resource.path(namespace), query=query, accept=METADATA_ONLY, **_deadline(resource)
            )
            return [item["metadata"] async for page in pages for item in page["items"] or ()]

        try:
            return [item for items in await asyncio.gather(*map(of, found.namespaces)) for item in items]
        except ClusterError as error:
            found.unlisted[_name_of(resource)] = str(error)
            return []

    async def _items(
        self, resource: Resource, query: Mapping[str, str], fallback: list[str]
    ) -> AsyncIterator[Mapping[str, Any]]:
        arguments: dict[str, Any] = {"query": query, "accept": METADATA_ONLY, **_deadline(resource)}
        try:
            async for page in list_pages(self._cluster, resource.path(), **arguments):
                for item in page["items"] or ():
                    yield item["metadata"]
        except Forbidden:
            if not (fallback and resource.namespaced):
                raise
            for namespace in fallback:
                async for page in list_pages(self._cluster, resource.path(namespace), **arguments):
                    for item in page["items"] or ():
                        yield item["metadata"]


def _without_kin(
    candidates: list[tuple[Resource, Mapping[str, Any]]], found: Survey
) -> list[tuple[Resource, Mapping[str, Any]]]:
    """Those that neither a controller of the cluster made by itself nor an object of the run owns, however remotely."""
    kin, left = set(found.uids), candidates
    while True:
        rest = []
        for resource, metadata in left:
            owners = metadata.get("ownerReferences") or ()
            if made_by_cluster(resource, metadata) or any(owner["uid"] in kin for owner in owners):
                kin.add(metadata["uid"])
            elif resource.kind != "PersistentVolumeClaim" or not claimed_by_set(
                metadata["name"], found.sets.get(metadata["namespace"], ())
            ):
                rest.append((resource, metadata))
        if len(rest) == len(left):
            return rest
        left = rest


def _name_of(resource: Resource) -> str:
    """As kubectl writes it: deployments.apps, configmaps."""
    group = resource.api_version.rpartition("/")[0]
    return f"{resource.plural}.{group}" if group else resource.plural


def _deadline(resource: Resource) -> dict[str, float]:
    group = resource.api_version.rpartition("/")[0]
    own = "." not in group or group.endswith(".k8s.io")
    return {} if own else {"deadline_seconds": _FOREIGN_GROUP_SECONDS}
