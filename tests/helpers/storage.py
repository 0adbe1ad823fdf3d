"""API objects of claims, volumes and snapshots, and an inventory that is read from their JSON."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ansible_collections.kubestress.core.plugins.module_utils.cluster.decoding import decoder
from ansible_collections.kubestress.core.plugins.module_utils.storage.document import Part
from ansible_collections.kubestress.core.plugins.module_utils.storage.inventory import MAKERS, Inventory
from ansible_collections.kubestress.core.plugins.module_utils.storage.reading import LISTS

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
        **metadata: Any,
    ) -> None:
        """A PersistentVolume of a CSI driver. `claim` is namespace/name."""
        namespace, _slash, of_claim = claim.partition("/")
        reference = {"namespace": namespace, "name": of_claim, "uid": claim_uid or None}
        spec = {
            "capacity": {"storage": size},
            "csi": {"driver": driver, "volumeHandle": name},
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
        **metadata: Any,
    ) -> None:
        """A VolumeSnapshotContent. `snapshot` is namespace/name."""
        namespace, _slash, of_snapshot = snapshot.partition("/")
        reference = {"namespace": namespace, "name": of_snapshot, "uid": snapshot_uid or None}
        status = {"readyToUse": ready, "restoreSize": 2**30, "error": {"message": error} if error else None}
        spec = {
            "driver": driver,
            "deletionPolicy": policy,
            "source": {"volumeHandle": "handle"},
            "volumeSnapshotRef": _without_none(reference),
        }
        obj = {"metadata": _metadata(name, **metadata), "spec": spec, "status": _without_none(status)}
        self.lists["contents"].append(obj)

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
