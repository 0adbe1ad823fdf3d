"""Objects for the storage part: claims, volumes, pods, snapshots and contents that belong together, stored quickly."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp

from bench.plane import Plane

NAMESPACES = 50
DRIVER = "bench.example.com"
CRDS = Path(__file__).resolve().parents[2] / "roles" / "local_cluster" / "files" / "crds"
_SNAPSHOTS = "/apis/snapshot.storage.k8s.io/v1"
_IN_FLIGHT = 64
#: As of a pod that a workload made: enough text for a usual size.
_CONTAINER = {
    "name": "app",
    "image": "registry.example.com/team/app:1.2.3",
    "env": [{"name": f"VARIABLE_{number}", "value": "a value of some length"} for number in range(6)],
    "ports": [{"containerPort": 8080}],
    "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}},
    "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    "livenessProbe": {"httpGet": {"path": "/live", "port": 8080}},
    "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}},
}


class NotStoredError(Exception):
    """The server refused an object; the message is its own."""


def claim(number: int, prefix: str) -> dict[str, Any]:
    """A claim that is bound to the volume of the same number."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": f"data-{number}",
            "namespace": f"{prefix}-{number % NAMESPACES}",
            "labels": {"app": f"app-{number}", "app.kubernetes.io/managed-by": "bench"},
            "annotations": {
                "pv.kubernetes.io/bind-completed": "yes",
                "pv.kubernetes.io/bound-by-controller": "yes",
                "volume.kubernetes.io/storage-provisioner": DRIVER,
            },
        },
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
            "storageClassName": prefix,
            "volumeName": f"{prefix}-{number}",
            "volumeMode": "Filesystem",
        },
    }


def volume(number: int, prefix: str, claim_uid: str) -> dict[str, Any]:
    """The volume of a claim."""
    reference = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "namespace": f"{prefix}-{number % NAMESPACES}",
        "name": f"data-{number}",
        "uid": claim_uid,
    }
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {
            "name": f"{prefix}-{number}",
            "annotations": {"pv.kubernetes.io/provisioned-by": DRIVER},
        },
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "capacity": {"storage": "1Gi"},
            "claimRef": reference,
            "csi": {
                "driver": DRIVER,
                "fsType": "ext4",
                "volumeHandle": f"pvc-{claim_uid}",
                "volumeAttributes": {
                    "node_attach_driver": "nfs",
                    "server": "box.example.com",
                    "share": f"/mnt/tank/k8s/pvc-{claim_uid}",
                },
            },
            "persistentVolumeReclaimPolicy": "Delete",
            "storageClassName": prefix,
            "volumeMode": "Filesystem",
        },
    }


def pod(number: int, prefix: str) -> dict[str, Any]:
    """A pod that names a claim; it waits for a scheduler that is not there."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"app-{number}-7d9c5b6f8d-abcde",
            "namespace": f"{prefix}-{number % NAMESPACES}",
            "labels": {"app": f"app-{number}", "pod-template-hash": "7d9c5b6f8d"},
        },
        "spec": {
            "schedulerName": "nobody",
            "containers": [_CONTAINER],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": f"data-{number}"}}],
        },
    }


def snapshot(number: int, prefix: str) -> dict[str, Any]:
    """A snapshot of a claim."""
    return {
        "apiVersion": "snapshot.storage.k8s.io/v1",
        "kind": "VolumeSnapshot",
        "metadata": {
            "name": f"daily-{number}",
            "namespace": f"{prefix}-{number % NAMESPACES}",
            "labels": {"app": f"app-{number}"},
            "finalizers": ["snapshot.storage.kubernetes.io/volumesnapshot-bound-protection"],
        },
        "spec": {
            "source": {"persistentVolumeClaimName": f"data-{number}"},
            "volumeSnapshotClassName": prefix,
        },
    }


def snapshot_status(number: int, prefix: str) -> dict[str, Any]:
    """Of a snapshot that is ready."""
    return {
        "boundVolumeSnapshotContentName": f"snapcontent-{prefix}-{number}",
        "creationTime": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "readyToUse": True,
        "restoreSize": "1Gi",
    }


def content(number: int, prefix: str, snapshot_uid: str) -> dict[str, Any]:
    """The content of a snapshot."""
    reference = {
        "apiVersion": "snapshot.storage.k8s.io/v1",
        "kind": "VolumeSnapshot",
        "namespace": f"{prefix}-{number % NAMESPACES}",
        "name": f"daily-{number}",
        "uid": snapshot_uid,
    }
    return {
        "apiVersion": "snapshot.storage.k8s.io/v1",
        "kind": "VolumeSnapshotContent",
        "metadata": {"name": f"snapcontent-{prefix}-{number}"},
        "spec": {
            "deletionPolicy": "Delete",
            "driver": DRIVER,
            "source": {"volumeHandle": f"pvc-{number:032x}"},
            "volumeSnapshotClassName": prefix,
            "volumeSnapshotRef": reference,
        },
    }


def content_status(number: int) -> dict[str, Any]:
    """Of a content that is ready."""
    return {
        "creationTime": 1767225600000000000,
        "readyToUse": True,
        "restoreSize": 2**30,
        "snapshotHandle": f"pvc-{number:032x}@snapshot-{number}",
    }


class Filler:
    """Stores objects over one session."""

    def __init__(self, plane: Plane, session: aiohttp.ClientSession, prefix: str) -> None:
        self._plane = plane
        self._session = session
        self._prefix = prefix
        self._slots = asyncio.Semaphore(_IN_FLIGHT)

    async def send(self, method: str, path: str, document: dict[str, Any], *, known: bool = False) -> dict[str, Any]:
        """One request. Raises NotStoredError; what is `known` may be there."""
        body = json.dumps(document, separators=(",", ":")).encode()
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        headers = {"Content-Type": kind}
        async with self._slots, self._session.request(method, path, data=body, headers=headers) as answer:
            text = await answer.read()
            if answer.status >= 300 and not (known and answer.status == 409):
                raise NotStoredError(f"{method} {path}: {answer.status}: {text[:500]!r}")
            stored: dict[str, Any] = json.loads(text)
            return stored

    async def ground(self, *, snapshots: bool) -> None:
        """Namespaces, and where they are missing the kinds of snapshots."""
        for number in range(NAMESPACES):
            metadata = {"name": f"{self._prefix}-{number}"}
            await self.send("POST", "/api/v1/namespaces", {"metadata": metadata}, known=True)
            account = {"metadata": {"name": "default"}}
            await self.send("POST", f"/api/v1/namespaces/{metadata['name']}/serviceaccounts", account, known=True)
        if snapshots:
            for file in sorted(CRDS.glob("*.json")):
                definition = json.loads(file.read_text())
                await self.send(
                    "POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition, known=True
                )
            await self._until_served()

    async def _until_served(self) -> None:
        for kind in ("volumesnapshots", "volumesnapshotcontents"):
            async with asyncio.timeout(30):
                while True:
                    async with self._session.get(f"{_SNAPSHOTS}/{kind}?limit=1") as answer:
                        if answer.status == 200:
                            break
                    await asyncio.sleep(0.2)

    async def claim_and_volume(self, number: int) -> None:
        """A bound pair."""
        namespace = f"{self._prefix}-{number % NAMESPACES}"
        path = f"/api/v1/namespaces/{namespace}/persistentvolumeclaims"
        stored = await self.send("POST", path, claim(number, self._prefix))
        body = volume(number, self._prefix, stored["metadata"]["uid"])
        await self.send("POST", "/api/v1/persistentvolumes", body)
        bound = {"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}}
        await self.send("PATCH", f"{path}/data-{number}/status", {"status": bound})
        name = f"/api/v1/persistentvolumes/{self._prefix}-{number}/status"
        await self.send("PATCH", name, {"status": {"phase": "Bound"}})

    async def pod(self, number: int) -> None:
        """A pod."""
        path = f"/api/v1/namespaces/{self._prefix}-{number % NAMESPACES}/pods"
        await self.send("POST", path, pod(number, self._prefix))

    async def snapshot_and_content(self, number: int) -> None:
        """A snapshot that is ready, with its content."""
        namespace = f"{self._prefix}-{number % NAMESPACES}"
        path = f"{_SNAPSHOTS}/namespaces/{namespace}/volumesnapshots"
        stored = await self.send("POST", path, snapshot(number, self._prefix))
        body = content(number, self._prefix, stored["metadata"]["uid"])
        of_contents = f"{_SNAPSHOTS}/volumesnapshotcontents"
        await self.send("POST", of_contents, body)
        await self.send("PATCH", f"{path}/daily-{number}/status", {"status": snapshot_status(number, self._prefix)})
        name = f"{of_contents}/snapcontent-{self._prefix}-{number}/status"
        await self.send("PATCH", name, {"status": content_status(number)})


def _session(plane: Plane) -> aiohttp.ClientSession:
    context = ssl.create_default_context(cafile=plane.ca_file)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return aiohttp.ClientSession(
        plane.server,
        headers={"Authorization": f"Bearer {plane.token}"},
        connector=aiohttp.TCPConnector(limit=0, ssl=context),
        timeout=aiohttp.ClientTimeout(total=None),
    )


async def _fill(plane: Plane, prefix: str, count: int, kinds: Iterable[str]) -> None:
    async with _session(plane) as session:
        filler = Filler(plane, session, prefix)
        await filler.ground(snapshots="snapshots" in kinds)
        makers = {
            "claims": filler.claim_and_volume,
            "pods": filler.pod,
            "snapshots": filler.snapshot_and_content,
        }
        for kind in kinds:
            # In blocks, so that there are not ten thousand tasks at once.
            for begin in range(0, count, 1000):
                await asyncio.gather(*(makers[kind](number) for number in range(begin, min(begin + 1000, count))))


def fill(plane: Plane, *, prefix: str, count: int, kinds: Iterable[str]) -> None:
    """Store `count` of each: `claims` with their volumes, `pods`, `snapshots` with their contents."""
    asyncio.run(_fill(plane, prefix, count, list(kinds)))
