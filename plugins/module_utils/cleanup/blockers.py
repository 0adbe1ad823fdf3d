# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What blocks a deletion: an object and its finalizers, or an API that does not answer."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ..cluster.client import Cluster
from ..cluster.discovery import Resource
from ..cluster.errors import ClusterError, NotFound
from ..cluster.proof import list_of, object_of
from ..cluster.watch import METADATA_ONLY
from .survey import plural_name

_API_SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"
#: Conditions of a Namespace whose message is the cause.
_FAILURE_CONDITIONS = ("NamespaceDeletionContentFailure", "NamespaceDeletionGroupVersionParsingFailure")
#: "configmaps. has 1 resource instances, widgets.example.com has 2 resource instances"
_REMAINING = re.compile(r"([\w.-]+) has \d+ resource instances")
#: "… unable to retrieve the complete list of server APIs: example.com/v1: stale GroupVersion discovery: …"
_GROUP_VERSION = re.compile(r"\b([a-z0-9][a-z0-9.-]*/v\d\w*)\b")
#: Namespaces and objects that are inspected; what blocks a hundred is usually the same thing a hundred times.
_MAX_INSPECTED = 20
#: Objects reported per namespace.
_MAX_OBJECTS = 5


@dataclass(frozen=True)
class Blocker:
    """What blocks a deletion. `namespace` is "" for cluster-wide kinds. `holds`: number of namespaces it blocks."""

    kind: str
    namespace: str
    name: str
    cause: str
    finalizers: list[str] = field(default_factory=list)
    holds: int = 1

    def __str__(self) -> str:
        place = f"{self.namespace}/{self.name}" if self.namespace else self.name
        more = f" (blocks {self.holds - 1} more namespaces)" if self.holds > 1 else ""
        return f"{self.kind} {place}: {self.cause}{more}"

    def row(self) -> dict[str, Any]:
        """As the module returns it."""
        return asdict(self)


async def blockers_of(
    cluster: Cluster, left: Mapping[Resource, Mapping[tuple[str, str], str]], resources: Iterable[Resource]
) -> list[Blocker]:
    """The blockers of the objects in `left`, of at most _MAX_INSPECTED. Never raises ClusterError."""
    namespaces = [name for resource, keys in left.items() if resource.kind == "Namespace" for _none, name in keys]
    objects = [(resource, key) for resource, keys in left.items() if resource.kind != "Namespace" for key in keys]
    found: list[Blocker] = []
    held = await asyncio.gather(*(_object(cluster, resource, *key) for resource, key in objects[:_MAX_INSPECTED]))
    found += [blocker for blocker in held if blocker is not None]
    documents = await asyncio.gather(*(_read(cluster, f"/api/v1/namespaces/{name}") for name in namespaces))
    stuck = [document for document in documents if document is not None]
    found += await _missing_apis(cluster, stuck)
    by_plural = {plural_name(resource): resource for resource in resources if resource.namespaced}
    inside = await asyncio.gather(*(_inside(cluster, document, by_plural) for document in stuck[:_MAX_INSPECTED]))
    found += [blocker for blockers in inside for blocker in blockers]
    named = {blocker.namespace or blocker.name for blocker in found}
    if not any(blocker.kind == "APIService" for blocker in found):
        found += [_unexplained(document) for document in stuck if document["metadata"]["name"] not in named]
    return found


async def _read(cluster: Cluster, path: str) -> dict[str, Any] | None:
    """The object; None if it is gone by now."""
    try:
        document: dict[str, Any] = await cluster.get(path, decode=object_of)
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
        cause = f"terminating since {metadata['deletionTimestamp']}"
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
        services = (await cluster.get(_API_SERVICES, decode=list_of))["items"] or ()
    except ClusterError:
        # The user may not read APIServices; the namespace's message names the group too.
        names = {_group_version(message) for message in messages}
        return [Blocker("APIService", "", name, str(messages[0]), [], len(messages)) for name in sorted(names)]
    found = []
    for service in services:
        entries = (service.get("status") or {}).get("conditions") or ()
        available: Mapping[str, str] = next((entry for entry in entries if entry["type"] == "Available"), {})
        if available.get("status") != "True":
            state = available.get("message") or available.get("reason") or "its state is unknown"
            cause = f"is unavailable, so no namespace can be deleted: {state}"
            found.append(Blocker("APIService", "", service["metadata"]["name"], cause, [], len(messages)))
    return found or [Blocker("APIService", "", _group_version(str(messages[0])), str(messages[0]), [], len(messages))]


def _group_version(message: str | None) -> str:
    """The name of the APIService in a message: v1.example.com for example.com/v1."""
    match = _GROUP_VERSION.search(message or "")
    if match is None:
        return "unknown"
    group, version = match[1].split("/")
    return f"{version}.{group}"


async def _inside(cluster: Cluster, document: dict[str, Any], by_plural: Mapping[str, Resource]) -> list[Blocker]:
    """Blockers named by the conditions of a namespace: failures, and kinds with objects left."""
    name = document["metadata"]["name"]
    conditions = _conditions(document)
    found = [Blocker("Namespace", "", name, conditions[kind]) for kind in _FAILURE_CONDITIONS if kind in conditions]
    plurals = _REMAINING.findall(conditions.get("NamespaceContentRemaining", ""))
    for plural in plurals:
        resource = by_plural.get(plural.rstrip("."))
        if resource is None:
            found.append(Blocker("Namespace", "", name, f"holds {plural.rstrip('.')} that the server no longer lists"))
        else:
            found += await _remaining(cluster, resource, name)
    finalizers = list(document["metadata"].get("finalizers") or ())
    if finalizers:
        found.append(Blocker("Namespace", "", name, f"held by finalizer {', '.join(finalizers)}", finalizers))
    return found


async def _remaining(cluster: Cluster, resource: Resource, namespace: str) -> list[Blocker]:
    try:
        query = {"limit": "100"}
        path = resource.path(namespace)
        page = await cluster.get(path, decode=list_of, query=query, accept=METADATA_ONLY)
    except ClusterError as error:
        return [Blocker("Namespace", "", namespace, f"its {resource.plural} cannot be listed: {error}")]
    rows = [_held(resource.kind, item["metadata"], namespace=namespace) for item in page["items"] or ()]
    return sorted(rows, key=lambda blocker: not blocker.finalizers)[:_MAX_OBJECTS]


def _unexplained(document: Mapping[str, Any]) -> Blocker:
    name = document["metadata"]["name"]
    conditions = _conditions(document)
    if document.get("error"):
        return Blocker("Namespace", "", name, str(document["error"]))
    if not document["metadata"].get("deletionTimestamp"):
        return Blocker("Namespace", "", name, "it is not being deleted, although the deletion was requested")
    if conditions:
        return Blocker("Namespace", "", name, "; ".join(conditions.values()))
    if not (document.get("status") or {}).get("conditions"):
        return Blocker("Namespace", "", name, "the namespace controller has not processed it yet")
    return Blocker("Namespace", "", name, "its deletion has not finished yet")
