# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names what holds back a deletion: the object and its finalizers, or the API that does not answer."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ..cluster.client import Cluster
from ..cluster.discovery import Resource
from ..cluster.errors import ClusterError, NotFound
from ..cluster.watch import METADATA_ONLY

_API_SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"
#: Conditions of a Namespace that stays: its content is told by _remaining, these two by their message.
_BROKEN = ("NamespaceDeletionContentFailure", "NamespaceDeletionGroupVersionParsingFailure")
#: "configmaps. has 1 resource instances, widgets.example.com has 2 resource instances"
_REMAINING = re.compile(r"([\w.-]+) has \d+ resource instances")
#: "… unable to retrieve the complete list of server APIs: example.com/v1: stale GroupVersion discovery: …"
_GROUP_VERSION = re.compile(r"\b([a-z0-9][a-z0-9.-]*/v\d\w*)\b")
#: Namespaces whose content is looked at one by one; what holds a hundred is mostly the same thing a hundred times.
_LOOKED_AT = 20
#: Objects named in one namespace.
_NAMED = 5


@dataclass(frozen=True)
class Blocker:
    """What holds a deletion back. `namespace` "" for cluster-wide kinds. `holds`: namespaces that wait for it."""

    kind: str
    namespace: str
    name: str
    cause: str
    finalizers: list[str] = field(default_factory=list)
    holds: int = 1

    def __str__(self) -> str:
        place = f"{self.namespace}/{self.name}" if self.namespace else self.name
        more = f" (and {self.holds - 1} more namespaces wait for it)" if self.holds > 1 else ""
        return f"{self.kind} {place}: {self.cause}{more}"

    def row(self) -> dict[str, Any]:
        """As it is returned."""
        return asdict(self)


async def blockers_of(
    cluster: Cluster, left: Mapping[Resource, Mapping[tuple[str, str], str]], resources: Iterable[Resource]
) -> list[Blocker]:
    """One or more for each object in `left` (up to _LOOKED_AT namespaces are looked into). Raises no ClusterError."""
    namespaces = [name for resource, keys in left.items() if resource.kind == "Namespace" for _none, name in keys]
    objects = [(resource, key) for resource, keys in left.items() if resource.kind != "Namespace" for key in keys]
    found: list[Blocker] = []
    held = await asyncio.gather(*(_object(cluster, resource, *key) for resource, key in objects[:_LOOKED_AT]))
    found += [blocker for blocker in held if blocker is not None]
    documents = await asyncio.gather(*(_read(cluster, f"/api/v1/namespaces/{name}") for name in namespaces))
    stuck = [document for document in documents if document is not None]
    found += await _missing_apis(cluster, stuck)
    by_plural = {_plural_name(resource): resource for resource in resources if resource.namespaced}
    inside = await asyncio.gather(*(_inside(cluster, document, by_plural) for document in stuck[:_LOOKED_AT]))
    found += [blocker for blockers in inside for blocker in blockers]
    named = {blocker.namespace or blocker.name for blocker in found}
    if not any(blocker.kind == "APIService" for blocker in found):
        found += [_unexplained(document) for document in stuck if document["metadata"]["name"] not in named]
    return found


async def _read(cluster: Cluster, path: str) -> dict[str, Any] | None:
    """The object; None if it has gone by now."""
    try:
        document: dict[str, Any] = await cluster.get(path)
    except NotFound:
        return None
    except ClusterError as error:
        return {"metadata": {"name": path.rpartition("/")[2]}, "status": {}, "error": str(error)}
    return document


async def _object(cluster: Cluster, resource: Resource, namespace: str, name: str) -> Blocker | None:
    document = await _read(cluster, resource.path(namespace, name))
    return None if document is None else _held(resource.kind, document["metadata"], namespace=namespace)


def _held(kind: str, metadata: Mapping[str, Any], *, namespace: str) -> Blocker:
    finalizers = list(metadata.get("finalizers") or ())
    if finalizers:
        cause = f"held by finalizer {', '.join(finalizers)}"
    elif metadata.get("deletionTimestamp"):
        cause = f"still ends, asked to at {metadata['deletionTimestamp']}"
    else:
        owners = [owner for owner in metadata.get("ownerReferences") or () if owner.get("controller")]
        cause = f"owned by {owners[0]['kind']} {owners[0]['name']}" if owners else "not deleted yet"
    return Blocker(kind, namespace, metadata["name"], cause, finalizers)


def _conditions(document: Mapping[str, Any]) -> dict[str, str]:
    """Type -> message of the conditions that are True."""
    entries = (document.get("status") or {}).get("conditions") or ()
    return {entry["type"]: entry.get("message") or "" for entry in entries if entry["status"] == "True"}


async def _missing_apis(cluster: Cluster, stuck: list[dict[str, Any]]) -> list[Blocker]:
    messages = [_conditions(document).get("NamespaceDeletionDiscoveryFailure") for document in stuck]
    messages = [message for message in messages if message]
    if not messages:
        return []
    try:
        services = (await cluster.get(_API_SERVICES))["items"]
    except ClusterError:
        # Not everybody may read APIServices; the namespace's own message names the group all the same.
        names = {_group_version(message) for message in messages}
        return [Blocker("APIService", "", name, str(messages[0]), [], len(messages)) for name in sorted(names)]
    found = []
    for service in services:
        entries = (service.get("status") or {}).get("conditions") or ()
        available: Mapping[str, str] = next((entry for entry in entries if entry["type"] == "Available"), {})
        if available.get("status") != "True":
            told = available.get("message") or available.get("reason") or "its state is unknown"
            cause = f"is unavailable, so no namespace can be deleted: {told}"
            found.append(Blocker("APIService", "", service["metadata"]["name"], cause, [], len(messages)))
    return found or [Blocker("APIService", "", _group_version(str(messages[0])), str(messages[0]), [], len(messages))]


def _group_version(message: str | None) -> str:
    """The name of the APIService of a message: v1.example.com from example.com/v1."""
    match = _GROUP_VERSION.search(message or "")
    if match is None:
        return "unknown"
    group, version = match[1].split("/")
    return f"{version}.{group}"


async def _inside(cluster: Cluster, document: dict[str, Any], by_plural: Mapping[str, Resource]) -> list[Blocker]:
    """What a namespace's conditions name as remaining, and what they say went wrong."""
    name = document["metadata"]["name"]
    conditions = _conditions(document)
    found = [Blocker("Namespace", "", name, conditions[kind]) for kind in _BROKEN if kind in conditions]
    plurals = _REMAINING.findall(conditions.get("NamespaceContentRemaining", ""))
    for plural in plurals:
        resource = by_plural.get(plural.rstrip("."))
        if resource is None:
            found.append(Blocker("Namespace", "", name, f"holds {plural.rstrip('.')} that the server no longer shows"))
        else:
            found += await _named(cluster, resource, name)
    finalizers = list(document["metadata"].get("finalizers") or ())
    if finalizers:
        found.append(Blocker("Namespace", "", name, f"held by finalizer {', '.join(finalizers)}", finalizers))
    return found


async def _named(cluster: Cluster, resource: Resource, namespace: str) -> list[Blocker]:
    try:
        page = await cluster.get(resource.path(namespace), query={"limit": "100"}, accept=METADATA_ONLY)
    except ClusterError as error:
        return [Blocker("Namespace", "", namespace, f"its {resource.plural} can't be listed: {error}")]
    rows = [_held(resource.kind, item["metadata"], namespace=namespace) for item in page["items"] or ()]
    return sorted(rows, key=lambda blocker: not blocker.finalizers)[:_NAMED]


def _unexplained(document: Mapping[str, Any]) -> Blocker:
    name = document["metadata"]["name"]
    conditions = _conditions(document)
    if document.get("error"):
        return Blocker("Namespace", "", name, str(document["error"]))
    if conditions:
        return Blocker("Namespace", "", name, "; ".join(conditions.values()))
    if not (document.get("status") or {}).get("conditions"):
        return Blocker("Namespace", "", name, "the namespace controller has not looked at it yet")
    return Blocker("Namespace", "", name, "its deletion has not come to an end yet")


def _plural_name(resource: Resource) -> str:
    group = resource.api_version.rpartition("/")[0]
    return f"{resource.plural}.{group}" if group else resource.plural
