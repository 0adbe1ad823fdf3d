# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every kind that the server serves, and the API groups that it should serve but cannot."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .client import Cluster
from .errors import ClusterError, Invalid, NotFound


@dataclass(frozen=True)
class Resource:
    """One served kind. `plural` is its name in paths; `verbs` are those that the server allows."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool
    verbs: frozenset[str]

    def path(self, namespace: str | None = None, name: str | None = None) -> str:
        """The path of the collection, or with `name` of one object. No namespace: all of them."""
        root = "/api/v1" if self.api_version == "v1" else f"/apis/{self.api_version}"
        scope = f"/namespaces/{namespace}" if namespace and self.namespaced else ""
        return f"{root}{scope}/{self.plural}" + (f"/{name}" if name else "")


class Discovery:
    """Asks the server once per apiVersion."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._groups: dict[str, dict[str, Resource]] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def resource(self, api_version: str, kind: str) -> Resource:
        """The resource of a kind. Raises Invalid naming both if the server does not serve it."""
        kinds = await self._kinds(api_version)
        if kind not in kinds:
            served = ", ".join(sorted(kinds)[:12]) or "nothing"
            raise Invalid(f"the API server has no {kind} in {api_version} (it has {served})", reason="UnknownKind")
        return kinds[kind]

    async def _kinds(self, api_version: str) -> dict[str, Resource]:
        async with self._locks.setdefault(api_version, asyncio.Lock()):
            if api_version not in self._groups:
                path = "/api/v1" if api_version == "v1" else f"/apis/{api_version}"
                try:
                    document = await self._cluster.get(path)
                except NotFound as error:
                    raise Invalid(f"the API server does not serve {api_version}", reason="UnknownKind") from error
                self._groups[api_version] = {
                    entry["kind"]: Resource(
                        api_version, entry["kind"], entry["name"], entry["namespaced"], frozenset(entry["verbs"])
                    )
                    for entry in document["resources"]
                    if "/" not in entry["name"]
                }
            return self._groups[api_version]


#: One answer for all groups (Kubernetes 1.26 and newer; 1.30 made v2 the stable form). Older servers send the plain
#: list of groups, which is recognised by its kind.
_AGGREGATED = (
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,"
    "application/json"
)
#: Seconds for the discovery of one group: behind an APIService may be an extension server that never answers.
_GROUP_SECONDS = 5.0


@dataclass
class Catalog:
    """`resources`: one per group and plural, in the preferred version. `unavailable`: group/version -> why."""

    resources: list[Resource] = field(default_factory=list)
    unavailable: dict[str, str] = field(default_factory=dict)

    def with_verbs(self, *verbs: str) -> list[Resource]:
        """Those that allow all of these verbs."""
        return [resource for resource in self.resources if resource.verbs.issuperset(verbs)]


async def served(cluster: Cluster) -> Catalog:
    """Ask the server. Raises ClusterError only where not even the core group can be read."""
    core, groups = await asyncio.gather(
        cluster.get("/api", accept=_AGGREGATED), cluster.get("/apis", accept=_AGGREGATED)
    )
    catalog = Catalog()
    seen: set[tuple[str, str]] = set()
    if core.get("kind") == "APIGroupDiscoveryList":
        found = list(_aggregated(core, catalog)) + list(_aggregated(groups, catalog))
    else:
        found = await _group_by_group(cluster, groups, catalog)
    for resource in found:
        group = resource.api_version.rpartition("/")[0]
        if (group, resource.plural) not in seen:
            seen.add((group, resource.plural))
            catalog.resources.append(resource)
    return catalog


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


async def _group_by_group(cluster: Cluster, groups: dict[str, Any], catalog: Catalog) -> list[Resource]:
    versions = ["v1"]
    for group in groups.get("groups") or ():
        preferred = (group.get("preferredVersion") or {}).get("groupVersion")
        others = [version["groupVersion"] for version in group.get("versions") or ()]
        versions += [preferred] if preferred else []
        versions += [version for version in others if version != preferred]
    answers = await asyncio.gather(*(_resources_of(cluster, version) for version in versions))
    found = []
    for version, answer in zip(versions, answers, strict=True):
        if isinstance(answer, str):
            catalog.unavailable[version] = answer
        else:
            found += answer
    return found


async def _resources_of(cluster: Cluster, api_version: str) -> list[Resource] | str:
    path = "/api/v1" if api_version == "v1" else f"/apis/{api_version}"
    try:
        document = await cluster.get(path, deadline_seconds=_GROUP_SECONDS)
    except ClusterError as error:
        return str(error)
    return [
        Resource(api_version, entry["kind"], entry["name"], entry["namespaced"], frozenset(entry["verbs"]))
        for entry in document.get("resources") or ()
        if "/" not in entry["name"]
    ]
