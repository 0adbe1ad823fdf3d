"""An API server that stores names only: `python -m bench.stub FOLDER` serves HTTPS on a free loopback port.

For measuring a client with more objects than a small machine's control plane can take in reasonable time, and where
the server must not be what limits. It speaks real HTTP over real TLS, answers discovery and lists, takes every
object, and tells watchers as much, in as many events of about the size, as Kubernetes does until a Deployment of one
replica is available. FOLDER gets the keys; the first line of output is the port.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import socket
import ssl
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from aiohttp import web
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.pki import Pki

LOOPBACK = "127.0.0.1"
TOKEN = "bench"
#: The version of every list: one that is empty is followed by a watch that has to begin with the first event.
_BEGINNING = "1"
#: Events of a kind that a watch can begin with; enough for the moment between a list and its watch.
_REMEMBERED_EVENTS = 1000
_KINDS: dict[str, dict[str, tuple[str, bool]]] = {
    "v1": {
        "configmaps": ("ConfigMap", True),
        "namespaces": ("Namespace", False),
        "pods": ("Pod", True),
        "secrets": ("Secret", True),
        "serviceaccounts": ("ServiceAccount", True),
    },
    "apps/v1": {"deployments": ("Deployment", True)},
}
_CREATED = "2026-01-01T00:00:00Z"
Object = dict[str, Any]


def fields_of(value: Any) -> Any:
    """The fieldsV1 of what one manager set: every key again, with a prefix. About half of what an event weighs."""
    if isinstance(value, dict):
        return {f"f:{key}": fields_of(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return {f'k:{{"name":"{inner["name"]}"}}': {".": {}, **fields_of(inner)} for inner in value if "name" in inner}
    return {}


def _managed(obj: Object, *parts: tuple[str, str]) -> list[Object]:
    """managedFields: (manager, top-level key) for each part."""
    return [
        {
            "manager": manager,
            "operation": "Update",
            "apiVersion": obj["apiVersion"],
            "time": _CREATED,
            "fieldsType": "FieldsV1",
            "fieldsV1": {f"f:{key}": fields_of(obj.get(key, {}))},
        }
        for manager, key in parts
    ]


def _conditions(kind: str, *pairs: tuple[str, bool]) -> list[Object]:
    return [
        {
            "type": name,
            "status": str(status),
            "lastUpdateTime": _CREATED,
            "lastTransitionTime": _CREATED,
            "reason": f"{kind}{name}",
            "message": f"{kind} {name}: what the controllers of a cluster write here is about as long as this is.",
        }
        for name, status in pairs
    ]


class Cluster:
    """What the server knows: nothing but how many objects there were, their names, and who watches."""

    def __init__(self) -> None:
        self._stored: dict[str, list[Object]] = defaultdict(list)
        self._versions = itertools.count(1000)
        self._watchers: dict[str, list[asyncio.Queue[bytes]]] = defaultdict(list)
        self._recent: dict[str, deque[tuple[int, bytes]]] = defaultdict(lambda: deque(maxlen=_REMEMBERED_EVENTS))

    def watch(self, plural: str, *, since: int) -> asyncio.Queue[bytes]:
        """A queue of lines: what happened after version `since`, and from now on."""
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        for version, line in self._recent[plural]:
            if version > since:
                queue.put_nowait(line)
        self._watchers[plural].append(queue)
        return queue

    def forget(self, plural: str, queue: asyncio.Queue[bytes]) -> None:
        """Nobody reads this queue any more."""
        self._watchers[plural].remove(queue)

    def page(self, plural: str, *, limit: int, begin: int) -> Object:
        """Names and labels of so many objects, from the one number `begin` on, as an API server sends metadata only."""
        items = self._stored[plural]
        end = begin + limit
        token = {"continue": str(end)} if end < len(items) else {}
        return {"kind": "List", "metadata": {"resourceVersion": _BEGINNING, **token}, "items": items[begin:end]}

    def stored(self, plural: str, obj: Object, *, namespace: str | None) -> bytes:
        """Take an object: what is answered. Its watchers, and those of what follows from it, are told."""
        number = next(self._versions)
        metadata = obj["metadata"]
        if namespace is not None:
            metadata["namespace"] = namespace
        metadata["uid"] = f"00000000-0000-4000-8000-{number:012d}"
        metadata["resourceVersion"] = str(number)
        metadata["creationTimestamp"] = _CREATED
        self._stored[plural].append({"metadata": dict(metadata)})
        content = "spec" if "spec" in obj else "data"
        metadata["managedFields"] = _managed(obj, ("kubestress", "metadata"), ("kubestress", content))
        if obj["kind"] == "Namespace":
            obj["status"] = {"phase": "Active"}
        answer = json.dumps(obj, separators=(",", ":")).encode()
        if obj["kind"] == "Namespace":
            self._tell("namespaces", "ADDED", obj)
            account = {"name": "default", "namespace": metadata["name"], "uid": metadata["uid"] + "-sa"}
            self._tell("serviceaccounts", "ADDED", {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account})
        if obj["kind"] == "Deployment":
            for plural, kind, changed in _until_available(obj):
                self._tell(plural, kind, changed)
        return answer

    def _tell(self, plural: str, kind: str, obj: Object) -> None:
        version = next(self._versions)
        metadata = obj["metadata"]
        metadata["resourceVersion"] = str(version)
        if "managedFields" in metadata:
            metadata["managedFields"] = metadata.pop("managedFields")  # the last of the metadata, as Kubernetes has it
        line = json.dumps({"type": kind, "object": obj}, separators=(",", ":")).encode() + b"\n"
        self._recent[plural].append((version, line))
        for queue in self._watchers[plural]:
            queue.put_nowait(line)


def _until_available(deployment: Object) -> Iterator[tuple[str, str, Object]]:
    """The events of a Deployment of one replica and of its pod, in their order: (plural, type, object)."""
    metadata, spec = deployment["metadata"], deployment["spec"]
    deployment["status"] = {}
    yield "deployments", "ADDED", deployment
    metadata["annotations"] = {"deployment.kubernetes.io/revision": "1"}
    deployment["status"] = {"observedGeneration": 1, "conditions": _conditions("Deployment", ("Progressing", True))}
    metadata["generation"] = 1
    yield "deployments", "MODIFIED", deployment
    pod = _pod_of(deployment)
    yield "pods", "ADDED", pod
    deployment["status"] |= {"replicas": 1, "updatedReplicas": 1, "unavailableReplicas": 1}
    deployment["status"]["conditions"] += _conditions("Deployment", ("Available", False))
    metadata["managedFields"] += _managed(deployment, ("kube-controller-manager", "status"))
    yield "deployments", "MODIFIED", deployment
    yield "deployments", "MODIFIED", deployment
    pod["spec"]["nodeName"] = "node-1"
    pod["status"]["conditions"] = _conditions("Pod", ("PodScheduled", True))
    yield "pods", "MODIFIED", pod
    names = ("Initialized", "Ready", "ContainersReady", "PodScheduled")
    pod["status"] |= {
        "phase": "Running",
        "podIP": "10.244.0.1",
        "hostIP": LOOPBACK,
        "startTime": _CREATED,
        "conditions": _conditions("Pod", *((name, True) for name in names)),
        "containerStatuses": [
            {
                "name": container["name"],
                "image": container["image"],
                "imageID": "",
                "ready": True,
                "started": True,
                "restartCount": 0,
                "state": {"running": {"startedAt": _CREATED}},
                "lastState": {},
            }
            for container in spec["template"]["spec"]["containers"]
        ],
    }
    pod["metadata"]["managedFields"] += _managed(pod, ("kwok", "status"))
    yield "pods", "MODIFIED", pod
    yield "pods", "MODIFIED", pod
    deployment["status"] = {
        "observedGeneration": 1,
        "replicas": 1,
        "updatedReplicas": 1,
        "readyReplicas": 1,
        "availableReplicas": 1,
        "conditions": _conditions("Deployment", ("Available", True), ("Progressing", True)),
    }
    yield "deployments", "MODIFIED", deployment


def _pod_of(deployment: Object) -> Object:
    metadata, template = deployment["metadata"], deployment["spec"]["template"]
    owner = f"{metadata['name']}-{metadata['uid'][-9:]}"
    pod: Object = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            **template.get("metadata", {}),
            "name": f"{owner}-abcde",
            "generateName": f"{owner}-",
            "namespace": metadata["namespace"],
            "uid": metadata["uid"] + "-pod",
            "creationTimestamp": _CREATED,
            "ownerReferences": [
                {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": owner, "uid": owner, "controller": True}
            ],
        },
        "spec": dict(template["spec"]),
        "status": {"phase": "Pending", "qosClass": "Burstable"},
    }
    pod["metadata"]["managedFields"] = _managed(
        pod, ("kube-controller-manager", "metadata"), ("kube-controller-manager", "spec")
    )
    return pod


def _json(document: Any, *, status: int = 200) -> web.Response:
    return web.json_response(document, status=status)


def _discovery(api_version: str) -> Callable[[web.Request], Any]:
    resources = [
        {"name": plural, "kind": kind, "namespaced": namespaced, "verbs": ["create", "get", "list", "watch"]}
        for plural, (kind, namespaced) in _KINDS[api_version].items()
    ]

    async def answer(_request: web.Request) -> web.Response:
        return _json({"kind": "APIResourceList", "groupVersion": api_version, "resources": resources})

    return answer


def application() -> web.Application:
    """The server's routes."""
    cluster = Cluster()

    async def version(_request: web.Request) -> web.Response:
        return _json({"major": "1", "minor": "36", "gitVersion": "v1.36.0-stub"})

    async def create(request: web.Request) -> web.Response:
        obj = await request.json()
        body = cluster.stored(request.match_info["plural"], obj, namespace=request.match_info.get("namespace"))
        return web.Response(body=body, status=201, content_type="application/json")

    async def list_or_watch(request: web.Request) -> web.StreamResponse:
        if "watch" not in request.query:
            limit, begin = int(request.query.get("limit", "500")), int(request.query.get("continue", "0"))
            return _json(cluster.page(request.match_info["plural"], limit=limit, begin=begin))
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        queue = cluster.watch(request.match_info["plural"], since=int(request.query["resourceVersion"]))
        await response.prepare(request)
        try:
            while True:
                await response.write(await queue.get())
        except ConnectionResetError:
            return response  # the watcher has gone
        finally:
            cluster.forget(request.match_info["plural"], queue)

    app = web.Application()
    app.router.add_get("/version", version)
    for api_version in _KINDS:
        root = "/api/v1" if api_version == "v1" else f"/apis/{api_version}"
        app.router.add_get(root, _discovery(api_version))
        app.router.add_get(root + "/{plural}", list_or_watch)
        app.router.add_post(root + "/{plural}", create)
        app.router.add_post(root + "/namespaces/{namespace}/{plural}", create)
    app.router.add_get("/{path:.*}", no_such_path)
    return app


async def no_such_path(_request: web.Request) -> web.Response:
    """What an API server answers for a group that it does not serve."""
    return web.Response(text="404 page not found\n", status=404)


async def serve(folder: Path, app: web.Application) -> None:
    """Serve until the process is ended. `folder` gets the keys; the port is printed."""
    pki = Pki(folder)
    pki.create([LOOPBACK])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki.server_certificate, pki.server_key)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    with socket.create_server((LOOPBACK, 0)) as listening:
        await web.SockSite(runner, listening, ssl_context=context).start()
        print(listening.getsockname()[1], flush=True)
        await asyncio.Event().wait()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.stub", description=__doc__)
    parser.add_argument("folder", type=Path)
    asyncio.run(serve(parser.parse_args().folder, application()))


if __name__ == "__main__":
    main()
