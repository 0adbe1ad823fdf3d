"""Claims and snapshots as documents for kubectl, and waiting for them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

Kubectl = Callable[..., Any]
SNAPSHOT_GROUP = "snapshot.storage.k8s.io"


def claim(name: str, size: str = "1Gi", **spec: Any) -> dict[str, Any]:
    """A PersistentVolumeClaim of the default class, unless the spec says otherwise."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}, **spec},
    }


def storage_class(name: str, **changes: Any) -> dict[str, Any]:
    """A StorageClass of the local cluster's driver."""
    made = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": name}}
    return {**made, "provisioner": "hostpath.kubestress.core", "allowVolumeExpansion": True, **changes}


def snapshot(name: str, source: str) -> dict[str, Any]:
    """A VolumeSnapshot of a claim."""
    return {
        "apiVersion": f"{SNAPSHOT_GROUP}/v1",
        "kind": "VolumeSnapshot",
        "metadata": {"name": name},
        "spec": {"source": {"persistentVolumeClaimName": source}},
    }


def of_snapshot(name: str) -> dict[str, Any]:
    """The dataSource of a claim that is restored."""
    return {"dataSource": {"apiGroup": SNAPSHOT_GROUP, "kind": "VolumeSnapshot", "name": name}}


def of_claim(name: str) -> dict[str, Any]:
    """The dataSource of a claim that is cloned."""
    return {"dataSource": {"kind": "PersistentVolumeClaim", "name": name}}


def create(kubectl: Kubectl, *documents: dict[str, Any]) -> None:
    """Create what the documents say."""
    text = "\n---\n".join(json.dumps(document) for document in documents)
    kubectl("create", "--filename=-", stdin=text, parse=False)


def wait_for(kubectl: Kubectl, what: str, path: str, value: str) -> None:
    """Wait until a field of an object, such as `pvc/a`, has a value."""
    kubectl("wait", f"--for=jsonpath={{{path}}}={value}", "--timeout=50s", what, parse=False)


def bound(kubectl: Kubectl, name: str) -> str:
    """Wait until a claim is bound; returns the name of its volume, which is its handle too."""
    wait_for(kubectl, f"pvc/{name}", ".status.phase", "Bound")
    volume: str = kubectl("get", "pvc", name)["spec"]["volumeName"]
    return volume


def ready_snapshot(kubectl: Kubectl, name: str) -> str:
    """Wait until a snapshot is ready; returns its handle."""
    wait_for(kubectl, f"volumesnapshot/{name}", ".status.readyToUse", "true")
    content = kubectl("get", "volumesnapshot", name)["status"]["boundVolumeSnapshotContentName"]
    handle: str = kubectl("get", "volumesnapshotcontent", content)["status"]["snapshotHandle"]
    return handle
