"""API objects of claims, volumes and snapshots, and an inventory that is read from their JSON."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from aiohttp import web
from ansible_collections.kubestress.core.plugins.module_utils.cluster.decoding import decoder
from ansible_collections.kubestress.core.plugins.module_utils.storage.document import Part
from ansible_collections.kubestress.core.plugins.module_utils.storage.inventory import MAKERS, Inventory
from ansible_collections.kubestress.core.plugins.module_utils.storage.reading import LISTS

from helpers.democratic_csi import Driver

HOUR = 3600.0
#: The time at which these objects are looked at.
NOW = datetime(2026, 6, 1, tzinfo=UTC).timestamp()
DRIVER = "csi.example.com"
_LIST_OF = {
    "PersistentVolumeClaim": "claims",
    "PersistentVolume": "volumes",
    "VolumeSnapshot": "snapshots",
    "VolumeSnapshotContent": "contents",
}


def since(*, hours: float) -> str:
    """The time so many hours before NOW, as the API writes it."""
    return datetime.fromtimestamp(NOW - hours * HOUR, UTC).isoformat().replace("+00:00", "Z")


OLD = since(hours=100)


def _metadata(name: str, namespace: str = "", **given: Any) -> dict[str, Any]:
    names = {"created": "creationTimestamp", "deleted": "deletionTimestamp", "owners": "ownerReferences"}
    found = {names.get(key, key): value for key, value in given.items() if value is not None}
    found |= {"namespace": namespace} if namespace else {}
    return {"name": name, "uid": f"uid-{name}", "creationTimestamp": OLD, **found}


def _without_none(given: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in given.items() if value is not None}


class Objects:
    """API objects by the names of their lists, each with what is left out as usual: old, bound, ready."""

    def __init__(self) -> None:
        self.lists: dict[str, list[dict[str, Any]]] = defaultdict(list)

    def claim(
        self,
        name: str,
        *,
        namespace: str = "ns",
        phase: str = "Bound",
        volume: str = "",
        size: str = "1Gi",
        storage_class: str | None = None,
        unused: tuple[str, str] | None = None,
        block: bool = False,
        **metadata: Any,
    ) -> None:
        """A PersistentVolumeClaim."""
        status: dict[str, Any] = {"phase": phase}
        if phase == "Bound":
            status["capacity"] = {"storage": size}
        if unused is not None:
            status["conditions"] = [{"type": "Unused", "status": unused[0], "lastTransitionTime": unused[1]}]
        spec = {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": size}},
            "storageClassName": storage_class,
            "volumeName": volume or None,
            "volumeMode": "Block" if block else "Filesystem",
        }
        obj = {"metadata": _metadata(name, namespace, **metadata), "spec": _without_none(spec), "status": status}
        self.lists["claims"].append(obj)

    def volume(
        self,
        name: str,
        *,
        phase: str = "Bound",
        claim: str = "",
        claim_uid: str = "",
        policy: str = "Delete",
        changed: str | None = OLD,
        message: str | None = None,
        driver: str = DRIVER,
        storage_class: str | None = None,
        size: str = "1Gi",
        handle: str = "",
        attributes: Mapping[str, str] | None = None,
        **metadata: Any,
    ) -> None:
        """A PersistentVolume of a CSI driver. `claim` is namespace/name."""
        namespace, _slash, of_claim = claim.partition("/")
        reference = {"namespace": namespace, "name": of_claim, "uid": claim_uid or None}
        spec = {
            "capacity": {"storage": size},
            "csi": {"driver": driver, "volumeHandle": handle or name, "volumeAttributes": dict(attributes or {})},
            "persistentVolumeReclaimPolicy": policy,
            "claimRef": _without_none(reference) if claim else None,
            "storageClassName": storage_class,
        }
        status = {"phase": phase, "message": message, "lastPhaseTransitionTime": changed}
        obj = {
            "metadata": _metadata(name, **metadata),
            "spec": _without_none(spec),
            "status": _without_none(status),
        }
        self.lists["volumes"].append(obj)

    def storage_class(self, name: str, *, waits: bool = False) -> None:
        """A StorageClass."""
        mode = "WaitForFirstConsumer" if waits else "Immediate"
        self.lists["classes"].append({"metadata": {"name": name}, "provisioner": DRIVER, "volumeBindingMode": mode})

    def attachment(self, volume: str, *, node: str = "node-1") -> None:
        """A VolumeAttachment."""
        spec = {"attacher": DRIVER, "nodeName": node, "source": {"persistentVolumeName": volume}}
        self.lists["attachments"].append({"metadata": {"name": f"csi-{volume}"}, "spec": spec})

    def pod(
        self,
        name: str,
        claim: str = "",
        *,
        namespace: str = "ns",
        phase: str = "Running",
        volumes: list[dict[str, Any]] | None = None,
        node: str | None = "node-1",
    ) -> None:
        """A pod that names a claim, or has the given volumes."""
        named = [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}] if claim else []
        spec = {"volumes": [{"name": "token", "projected": {}}, *named, *(volumes or [])], "nodeName": node}
        obj = {"metadata": _metadata(name, namespace), "spec": _without_none(spec), "status": {"phase": phase}}
        self.lists["pods"].append(obj)

    def maker(
        self,
        list_name: str,
        name: str,
        claim: str,
        *,
        replicas: int | None = None,
        suspend: bool | None = None,
        over: bool = False,
        data_volume: bool = False,
    ) -> None:
        """An object that makes pods whose template names the claim; `over`: a Job that has completed."""
        source = {"dataVolume": {"name": claim}} if data_volume else {"persistentVolumeClaim": {"claimName": claim}}
        template = {"spec": {"volumes": [{"name": "data", **source}]}}
        spec: dict[str, Any] = {"replicas": replicas, "suspend": suspend}
        if list_name == "cron_jobs":
            spec["jobTemplate"] = {"spec": {"template": template}}
        else:
            spec["template"] = template
        conditions = [{"type": "Complete", "status": "True"}] if over else []
        obj = {
            "metadata": _metadata(name, "ns"),
            "spec": _without_none(spec),
            "status": {"conditions": conditions},
        }
        self.lists[list_name].append(obj)

    def stateful_set(self, name: str, templates: list[str], *, replicas: int | None) -> None:
        """A StatefulSet with volumeClaimTemplates."""
        spec = {
            "replicas": replicas,
            "template": {"spec": {}},
            "volumeClaimTemplates": [{"metadata": {"name": template}} for template in templates],
        }
        self.lists["stateful_sets"].append({"metadata": _metadata(name, "ns"), "spec": _without_none(spec)})

    def snapshot(
        self,
        name: str,
        *,
        content: str | None = None,
        source: str = "",
        ready: bool | None = True,
        error: str | None = None,
        taken: str | None = None,
        snapshot_class: str | None = None,
        **metadata: Any,
    ) -> None:
        """A VolumeSnapshot. `source` is a claim's name; without one it was made of its content."""
        named = {"persistentVolumeClaimName": source} if source else {"volumeSnapshotContentName": content or "none"}
        status = {
            "boundVolumeSnapshotContentName": content,
            "readyToUse": ready,
            "restoreSize": "1Gi",
            "creationTime": taken,
            "error": {"message": error} if error else None,
        }
        spec = {"source": named, "volumeSnapshotClassName": snapshot_class}
        obj = {
            "metadata": _metadata(name, "ns", **metadata),
            "spec": _without_none(spec),
            "status": _without_none(status),
        }
        self.lists["snapshots"].append(obj)

    def content(
        self,
        name: str,
        *,
        snapshot: str = "ns/x",
        snapshot_uid: str = "",
        policy: str = "Delete",
        ready: bool | None = True,
        error: str | None = None,
        driver: str = DRIVER,
        handle: str | None = None,
        **metadata: Any,
    ) -> None:
        """A VolumeSnapshotContent. `snapshot` is namespace/name, `handle` that of the storage's snapshot."""
        namespace, _slash, of_snapshot = snapshot.partition("/")
        reference = {"namespace": namespace, "name": of_snapshot, "uid": snapshot_uid or None}
        status = {
            "readyToUse": ready,
            "restoreSize": 2**30,
            "snapshotHandle": handle,
            "error": {"message": error} if error else None,
        }
        spec = {
            "driver": driver,
            "deletionPolicy": policy,
            "source": {"volumeHandle": "handle"},
            "volumeSnapshotRef": _without_none(reference),
        }
        obj = {"metadata": _metadata(name, **metadata), "spec": spec, "status": _without_none(status)}
        self.lists["contents"].append(obj)

    def of_driver(self, driver: Driver) -> None:
        """What the cluster has of a driver: volumes with claims and pods, contents with snapshots."""
        for volume in driver.volumes.values():
            claim = f"c-{volume.name}"
            self.claim(claim, volume=volume.name)
            self.volume(
                volume.name,
                claim=f"ns/{claim}",
                claim_uid=f"uid-{claim}",
                driver=volume.driver,
                handle=volume.volume_handle,
                attributes=volume.attributes,
            )
            self.pod(f"p-{volume.name}", claim)
        for content in driver.contents.values():
            name = content.name.replace("snapcontent", "s")
            self.snapshot(name, content=content.name)
            self.content(
                content.name,
                snapshot=f"ns/{name}",
                snapshot_uid=f"uid-{name}",
                driver=content.driver,
                handle=content.handle,
            )

    def without(self, list_name: str) -> Objects:
        """The same, but that one list is empty."""
        fewer = Objects()
        fewer.lists.update({name: items for name, items in self.lists.items() if name != list_name})
        return fewer

    def has(self, kind: str, name: str) -> bool:
        """Whether there is such an object."""
        return any(obj["metadata"]["name"] == name for obj in self.lists[_LIST_OF[kind]])

    def page(self, list_name: str) -> bytes:
        """All objects of a list as the API server answers."""
        document = {"kind": "List", "apiVersion": "v1", "metadata": {}, "items": self.lists[list_name]}
        return json.dumps(document).encode()

    def inventory(self, incomplete: Mapping[str, str] | None = None) -> Inventory:
        """What a scan makes of them. `incomplete`: list -> why it is not complete."""
        inventory = Inventory()
        names = ["volumes", "claims", "classes", "pods", *MAKERS, "attachments", "snapshots", "contents", "nodes"]
        for name in names:
            listed = LISTS[name]
            page: Any = decoder(listed.page)(self.page(name))
            inventory.parts[name] = Part(objects=len(page.items))
            listed.take(inventory, page.items)
        for name, cause in (incomplete or {}).items():
            inventory.parts[name] = Part(complete=False, cause=cause)
        return inventory


#: What a server answers in the place of a list; it gets the request.
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class StorageServer:
    """An API server over HTTP that has the objects, in pages of `page_size` at most.

    `instead`: list -> what is answered in its place. `asked`: the names of the lists, in the order of their requests,
    and "list/name" for objects by name. `after`: called with each name once its answer is made.
    """

    def __init__(self, objects: Objects, *, page_size: int = 500, groups: Iterable[str] | None = None) -> None:
        self.objects = objects
        self.page_size = page_size
        self.groups = {listed.group for listed in LISTS.values() if listed.group} if groups is None else set(groups)
        self.instead: dict[str, Answer] = {}
        self.asked: list[str] = []
        self.queries: list[dict[str, str]] = []
        self.after: Callable[[str], None] = lambda _name: None
        self._by_path = {(listed.api_version, listed.plural): listed for listed in LISTS.values()}

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Respond like an API server."""
        words = request.path.strip("/").split("/")
        if request.path == "/version":
            return web.json_response({"gitVersion": "v1.36.3"})
        date = {"Date": format_datetime(datetime.fromtimestamp(NOW, UTC), usegmt=True)}
        if request.path == "/apis":
            groups = [{"name": name} for name in sorted(self.groups)]
            return web.json_response({"kind": "APIGroupList", "groups": groups}, headers=date)
        version, rest = ("v1", words[2:]) if words[0] == "api" else ("/".join(words[1:3]), words[3:])
        namespace = ""
        if rest[0] == "namespaces" and len(rest) > 2:
            namespace, rest = rest[1], rest[2:]
        listed = self._by_path[version, rest[0]]
        if len(rest) > 2:  # a kubelet, through the proxy of its node
            listed_name = f"kubelet/{rest[1]}"
        else:
            listed_name = "/".join(filter(None, (listed.name, _name_in(request.query))))
        self.asked.append(listed_name)
        self.queries.append(dict(request.query))
        instead = self.instead.get(listed_name)
        if instead is not None:
            return await instead(request)
        if listed.group and listed.group not in self.groups:
            return web.Response(status=404, text="404 page not found\n")
        found = [obj for obj in self.objects.lists[listed.name] if _is_in(obj, namespace, request.query)]
        answer = web.json_response(self._page(found, request.query))
        self.after(listed_name)
        return answer

    def _page(self, found: list[dict[str, Any]], query: Mapping[str, str]) -> dict[str, Any]:
        begin, size = int(query.get("continue", "0")), min(self.page_size, int(query["limit"]))
        metadata = {"continue": str(begin + size)} if begin + size < len(found) else {}
        return {"kind": "List", "apiVersion": "v1", "metadata": metadata, "items": found[begin : begin + size]}


def _is_in(obj: dict[str, Any], namespace: str, query: Mapping[str, str]) -> bool:
    metadata = obj["metadata"]
    key, _equals, value = query.get("labelSelector", "").partition("=")
    return (
        namespace in ("", metadata.get("namespace"))
        and _name_in(query) in ("", metadata["name"])
        and (not key or metadata.get("labels", {}).get(key) == value)
    )


def _name_in(query: Mapping[str, str]) -> str:
    return query.get("fieldSelector", "").removeprefix("metadata.name=")


def answering(answer: Callable[[], web.StreamResponse]) -> Answer:
    """Always this answer."""

    async def answered(_request: web.Request) -> web.StreamResponse:
        return answer()

    return answered


async def endless(request: web.Request) -> web.StreamResponse:
    """The beginning of a list, and then more of it for as long as anybody listens."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(b'{"kind":"List","metadata":{},"items":[' + b" " * 100_000)
    while True:
        await response.write(b" " * 1_000_000)
