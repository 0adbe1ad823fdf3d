"""A small API server over real HTTP: kinds, objects, lists by label, and realistic deletion."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from ansible_collections.kubestress.core.plugins.module_utils.cluster.client import Cluster

from helpers.fake_server import cluster_on, serving, status

ALL_VERBS = ["create", "delete", "deletecollection", "get", "list", "watch"]
#: (apiVersion, plural, kind, namespaced)
KINDS = (
    ("v1", "namespaces", "Namespace", False),
    ("v1", "configmaps", "ConfigMap", True),
    ("v1", "pods", "Pod", True),
    ("v1", "persistentvolumeclaims", "PersistentVolumeClaim", True),
    ("apps/v1", "deployments", "Deployment", True),
    ("apps/v1", "statefulsets", "StatefulSet", True),
    ("batch/v1", "jobs", "Job", True),
    ("rbac.authorization.k8s.io/v1", "clusterroles", "ClusterRole", False),
)


class FakeApi:
    """`objects`: (plural, namespace, name) -> object. `refused`: path -> response instead of the real one.

    `deleted`: (method and path, query, body) of each delete request. An object with finalizers stays.
    """

    def __init__(self, kinds: tuple[tuple[str, str, str, bool], ...] = KINDS) -> None:
        self.kinds = {plural: (version, kind, namespaced) for version, plural, kind, namespaced in kinds}
        self.verbs = {plural: list(ALL_VERBS) for plural in self.kinds}
        self.objects: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.refused: dict[str, web.Response] = {}
        self.deleted: list[tuple[str, dict[str, str], Any]] = []
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.stale: list[str] = []
        self.watched: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue()
        #: Longest complete list of objects without a label; the next page is never returned.
        self.page_size: int | None = None

    @asynccontextmanager
    async def cluster(self, **settings: Any) -> AsyncIterator[Cluster]:
        """Yield a Cluster connected to this server."""
        async with cluster_on(self.handle, **settings) as cluster:
            yield cluster

    @asynccontextmanager
    async def url(self) -> AsyncIterator[str]:
        """Yield the server's URL, for code that opens its own connection."""
        async with serving(self.handle) as url:
            yield url

    def add(self, plural: str, name: str, namespace: str = "", **metadata: Any) -> dict[str, Any]:
        """Add an object."""
        rest = {key: metadata.pop(key) for key in ("spec", "status") if key in metadata}
        own = {"name": name, "uid": f"uid-{plural}-{namespace}-{name}"}
        if namespace:
            own["namespace"] = namespace
        obj = {"metadata": own | metadata, **rest}
        self.objects[plural, namespace, name] = obj
        return obj

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Respond like an API server, as far as these tests need."""
        path, query = request.path, dict(request.query)
        self.asked.append((request.method, path, query))
        if path in self.refused:
            return self.refused[path]
        if path == "/readyz":
            return web.Response(text="ok")
        if path == "/version":
            return web.json_response({"gitVersion": "v1.36.3"})
        if path in ("/api", "/apis"):
            return web.json_response(self._discovery(core=path == "/api"))
        plural, namespace, name = self._parts(path)
        if request.method == "DELETE":
            body = await request.read()
            self.deleted.append((path, query, json.loads(body) if body else None))
            return self._delete(plural, namespace, name, query)
        if name:
            found = self.objects.get((plural, namespace, name))
            return web.json_response(found) if found else status(404, reason="NotFound", message=f"no {name}")
        if "watch" in query:
            return await self._watch(request)
        return web.json_response(self._list(plural, namespace, query))

    def _parts(self, path: str) -> tuple[str, str, str]:
        words = path.strip("/").split("/")
        words = words[2:] if words[0] == "api" else words[3:]
        if words[0] == "namespaces" and len(words) > 2:
            return (words[2], words[1], words[3] if len(words) > 3 else "")
        return (words[0], "", words[1] if len(words) > 1 else "")

    def _discovery(self, *, core: bool) -> dict[str, Any]:
        groups: dict[str, list[dict[str, Any]]] = {}
        for plural, (version, kind, namespaced) in self.kinds.items():
            scope = "Namespaced" if namespaced else "Cluster"
            entry = {"resource": plural, "responseKind": {"kind": kind}, "scope": scope, "verbs": self.verbs[plural]}
            groups.setdefault(version, []).append(entry)
        items: list[dict[str, Any]] = [
            {
                "metadata": {"name": version.rpartition("/")[0]},
                "versions": [{"version": version.rpartition("/")[2], "resources": resources, "freshness": "Current"}],
            }
            for version, resources in groups.items()
            if ("/" not in version) is core
        ]
        if not core:
            items += [
                {
                    "metadata": {"name": each.split("/")[0]},
                    "versions": [{"version": each.split("/")[1], "freshness": "Stale"}],
                }
                for each in self.stale
            ]
        return {"kind": "APIGroupDiscoveryList", "items": items}

    def _selected(self, plural: str, namespace: str, query: dict[str, str]) -> list[dict[str, Any]]:
        return [
            obj
            for (its, where, _name), obj in sorted(self.objects.items())
            if its == plural
            and namespace in ("", where)
            and all(_holds(term, obj["metadata"]) for term in query.get("labelSelector", "").split(",") if term)
        ]

    def _list(self, plural: str, namespace: str, query: dict[str, str]) -> dict[str, Any]:
        items = self._selected(plural, namespace, query)
        metadata = {"resourceVersion": "1"}
        others = "!=" in query.get("labelSelector", "")
        if self.page_size is not None and others and not namespace and len(items) > self.page_size:
            items, metadata["continue"] = items[: self.page_size], "more"
        return {"kind": "PartialObjectMetadataList", "metadata": metadata, "items": items}

    def _delete(self, plural: str, namespace: str, name: str, query: dict[str, str]) -> web.Response:
        going = [self.objects[plural, namespace, name]] if name else list(self._selected(plural, namespace, query))
        for obj in going:
            if obj["metadata"].get("finalizers"):
                obj["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
            else:
                del self.objects[plural, obj["metadata"].get("namespace", ""), obj["metadata"]["name"]]
        return web.json_response({"kind": "Status", "status": "Success"})

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            kind, obj = await self.watched.get()
            obj["metadata"].setdefault("resourceVersion", "2")
            await response.write(json.dumps({"type": kind, "object": obj}).encode() + b"\n")


def _holds(term: str, metadata: dict[str, Any]) -> bool:
    labels = metadata.get("labels") or {}
    if "!=" in term:
        key, value = term.split("!=")
        return labels.get(key) != value
    key, equals, value = term.partition("=")
    return labels.get(key) == value if equals else key in labels
