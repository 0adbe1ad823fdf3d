# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The resources that the API server has: one kind, or all of them with the groups that are unavailable."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .client import Cluster
from .errors import ClusterError, Invalid, NotFound
from .proof import accepted_by

#: One answer for all groups (Kubernetes 1.26 and newer; v2 since 1.30). Older servers send a plain list of groups,
#: which is recognised by its kind.
_AGGREGATED = (
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,"
    "application/json"
)
#: What a CustomResourceDefinition lets the server do.
_VERBS_OF_CUSTOM_KINDS = frozenset({"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"})
#: Seconds between two questions whether a new kind is served.
_SERVED_POLL_SECONDS = 0.2
#: Timeout for one group: an extension server behind an APIService may never answer.
_GROUP_SECONDS = 5.0


@dataclass(frozen=True)
class Resource:
    """One kind. `plural` is its name in paths; `verbs` are those that the server supports.

    `has_status`: its status is written by itself, through the subresource of that name; only `Discovery` looks for it.
    """

    api_version: str
    kind: str
    plural: str
    namespaced: bool
    verbs: frozenset[str]
    has_status: bool = True

    def path(self, namespace: str | None = None, name: str | None = None) -> str:
        """The path of the collection, or with `name` that of one object. Without a namespace: all namespaces."""
        root = "/api/v1" if self.api_version == "v1" else f"/apis/{self.api_version}"
        scope = f"/namespaces/{namespace}" if namespace and self.namespaced else ""
        return f"{root}{scope}/{self.plural}" + (f"/{name}" if name else "")


class Discovery:
    """Looks up kinds; asks the server once per apiVersion."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._expected: dict[tuple[str, str], Resource] = {}
        self._groups: dict[str, dict[str, Resource]] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def resource(self, api_version: str, kind: str) -> Resource:
        """The resource of a kind. Raises Invalid if the server neither has it nor is expected to have it later."""
        expected = self._expected.get((api_version, kind))
        try:
            kinds = await self._kinds(api_version)
        except Invalid:
            if expected is None:
                raise
            return expected
        if kind not in kinds:
            if expected is not None:
                return expected
            served = ", ".join(sorted(kinds)[:12]) or "nothing"
            raise Invalid(f"the API server has no {kind} in {api_version} (it has {served})", reason="UnknownKind")
        return kinds[kind]

    def expect(self, api_version: str, kind: str, *, plural: str, namespaced: bool) -> None:
        """The server will have this kind: what defines it is among what is going to be sent."""
        resource = Resource(api_version, kind, plural, namespaced, _VERBS_OF_CUSTOM_KINDS)
        self._expected.setdefault((api_version, kind), resource)

    async def is_served(self, api_version: str, kind: str) -> bool:
        """Whether the server has the kind already; known kinds are not asked for again."""
        if (api_version, kind) not in self._expected:
            return True
        try:
            return kind in await self._kinds(api_version)
        except Invalid:
            return False

    async def until_served(self, api_version: str, kind: str, *, timeout_seconds: float) -> None:
        """Return when the server has an expected kind, asking again and again; at once for any other kind.

        A definition that is Established is served a moment later. Raises Invalid after the time.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout_seconds
        while not await self.is_served(api_version, kind):
            self._groups.pop(api_version, None)
            if loop.time() >= until:
                raise Invalid(
                    f"the API server does not serve {kind} in {api_version}, {timeout_seconds:g} s after it was first "
                    "needed; see the CustomResourceDefinition that defines it",
                    reason="UnknownKind",
                )
            await asyncio.sleep(_SERVED_POLL_SECONDS)

    async def _kinds(self, api_version: str) -> dict[str, Resource]:
        async with self._locks.setdefault(api_version, asyncio.Lock()):
            if api_version not in self._groups:
                path = "/api/v1" if api_version == "v1" else f"/apis/{api_version}"
                try:
                    document = await self._cluster.get(path)
                except NotFound as error:
                    # Groups without dots are Kubernetes' own.
                    hint = "; is its CustomResourceDefinition missing?" if "." in api_version.partition("/")[0] else ""
                    raise Invalid(f"the API server does not serve {api_version}{hint}", reason="UnknownKind") from error
                names = {entry["name"] for entry in document["resources"]}
                self._groups[api_version] = {
                    entry["kind"]: Resource(
                        api_version,
                        entry["kind"],
                        entry["name"],
                        entry["namespaced"],
                        frozenset(entry["verbs"]),
                        has_status=f"{entry['name']}/status" in names,
                    )
                    for entry in document["resources"]
                    if "/" not in entry["name"]
                }
            return self._groups[api_version]


@dataclass
class Catalog:
    """`resources`: one per group and plural, in the preferred version. `unavailable`: group/version -> cause."""

    resources: list[Resource] = field(default_factory=list)
    unavailable: dict[str, str] = field(default_factory=dict)

    def with_verbs(self, *verbs: str) -> list[Resource]:
        """The resources that support all of these verbs."""
        return [resource for resource in self.resources if resource.verbs.issuperset(verbs)]


async def preferred_version(cluster: Cluster, group: str) -> str | None:
    """The apiVersion that the API server prefers for a group; None where it has no such group. Raises ClusterError."""
    try:
        document = await cluster.get(f"/apis/{group}")
    except NotFound:
        return None
    return (document.get("preferredVersion") or {}).get("groupVersion") or None


async def served(cluster: Cluster) -> Catalog:
    """All resources of the server. Raises ClusterError only if not even the core group can be read."""
    decode = accepted_by(_is_discovery, "a list of API groups")
    core, groups = await asyncio.gather(
        *(cluster.get(path, decode=decode, accept=_AGGREGATED) for path in ("/api", "/apis"))
    )
    catalog = Catalog()
    seen: set[tuple[str, str]] = set()
    # Each answer by itself: a server, or what stands before it, may aggregate one and not the other.
    found = list(_aggregated(core, catalog)) if _is_aggregated(core) else await _each(cluster, ["v1"], catalog)
    if _is_aggregated(groups):
        found += _aggregated(groups, catalog)
    else:
        found += await _each(cluster, _versions_of(groups), catalog)
    for resource in found:
        group = resource.api_version.rpartition("/")[0]
        if (group, resource.plural) not in seen:
            seen.add((group, resource.plural))
            catalog.resources.append(resource)
    return catalog


def _is_aggregated(document: Any) -> bool:
    return (
        isinstance(document, dict)
        and document.get("kind") == "APIGroupDiscoveryList"
        and isinstance(document.get("items"), list)
    )


def _is_discovery(document: Any) -> bool:
    plain = isinstance(document, dict) and document.get("kind") in ("APIVersions", "APIGroupList")
    return plain or _is_aggregated(document)


def _aggregated(document: dict[str, Any], catalog: Catalog) -> Iterator[Resource]:
    for group in document.get("items") or ():
        name = (group.get("metadata") or {}).get("name") or ""
        for version in group.get("versions") or ():
            api_version = f"{name}/{version['version']}" if name else version["version"]
            if version.get("freshness") == "Stale":
                catalog.unavailable[api_version] = "the extension server behind it does not answer"
                continue
            for entry in version.get("resources") or ():
                kind = (entry.get("responseKind") or {}).get("kind")
                if kind:
                    yield Resource(
                        api_version, kind, entry["resource"], entry["scope"] == "Namespaced", frozenset(entry["verbs"])
                    )


def _versions_of(groups: dict[str, Any]) -> list[str]:
    versions: list[str] = []
    for group in groups.get("groups") or ():
        preferred = (group.get("preferredVersion") or {}).get("groupVersion")
        others = [version["groupVersion"] for version in group.get("versions") or ()]
        versions += [preferred] if preferred else []
        versions += [version for version in others if version != preferred]
    return versions


async def _each(cluster: Cluster, versions: list[str], catalog: Catalog) -> list[Resource]:
    answers = await asyncio.gather(*(_resources_of(cluster, version) for version in versions))
    found: list[Resource] = []
    for version, answer in zip(versions, answers, strict=True):
        if isinstance(answer, str):
            catalog.unavailable[version] = answer
        else:
            found += answer
    return found


async def _resources_of(cluster: Cluster, api_version: str) -> list[Resource] | str:
    path = "/api/v1" if api_version == "v1" else f"/apis/{api_version}"
    try:
        document = await cluster.get(
            path, decode=accepted_by(_has_resources, "a list of kinds"), deadline_seconds=_GROUP_SECONDS
        )
    except ClusterError as error:
        return str(error)
    return [
        Resource(api_version, entry["kind"], entry["name"], entry["namespaced"], frozenset(entry["verbs"]))
        for entry in document["resources"]
        if "/" not in entry["name"]
    ]


def _has_resources(document: Any) -> bool:
    return isinstance(document, dict) and isinstance(document.get("resources"), list)
