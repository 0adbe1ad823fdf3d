"""Ten thousand real objects of storage, of which two hundred are what nobody needs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from ansible_collections.kubestress.core.plugins.module_utils.cluster.client import Cluster, RetryPolicy

CLAIM, VOLUME = "PersistentVolumeClaim", "PersistentVolume"
SNAPSHOT, CONTENT = "VolumeSnapshot", "VolumeSnapshotContent"
DRIVER = "csi.mixed.example.com"
LABEL = "kubestress.test/mixed"
#: Of what is in order: groups of objects that belong together.
USED, PODS_EACH, BY_CRON, BY_SET, OWNED, SNAPSHOTS = 400, 15, 100, 100, 100, 300
#: Of what only looks left over.
RELEASED, SPARE, KEPT_CONTENTS, PREPARED = 400, 398, 500, 300
#: Of what nobody needs.
LEFT_CLAIMS, STUCK_VOLUMES, LEFT_SNAPSHOTS, LEFT_CONTENTS = 100, 40, 30, 30
_NOBODY = "11111111-1111-4111-8111-111111111111"
_GROUP = "/apis/snapshot.storage.k8s.io/v1"
_AT_ONCE = 24
#: The API server deletes a collection within one request.
_REMOVAL_SECONDS = 240.0
_SIZE = {"storage": "1Gi"}
_POD = {"schedulerName": "nobody", "restartPolicy": "Never", "containers": [{"name": "c", "image": "none"}]}


def _of_claim(name: str) -> list[dict[str, Any]]:
    return [{"name": "data", "persistentVolumeClaim": {"claimName": name}}]


class Mixed:
    """Makes them in one namespace; names of those that lie in none begin with the namespace's.

    `planted`: kind and name of what has to be found. `made`: how many objects there are.
    """

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self.planted: set[tuple[str, str]] = set()
        self.made = 0

    async def make(self) -> None:
        """All of them. Raises ClusterError."""
        owner = await self._post("/api/v1", "configmaps", {"metadata": {"name": "owner"}})
        of_owner = [{"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}]
        of_claims = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": _SIZE}}
        labels = {"app": "db"}
        pods = {"metadata": {"labels": labels}, "spec": {"containers": _POD["containers"]}}
        spec = {
            "replicas": 0,
            "serviceName": "db",
            "selector": {"matchLabels": labels},
            "template": pods,
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": of_claims}],
        }
        await self._post("/apis/apps/v1", "statefulsets", {"metadata": {"name": "db"}, "spec": spec})
        works: list[Awaitable[None]] = [
            *(self._used(f"used-{number}") for number in range(USED)),
            *(self._by_cron(f"cron-{number}") for number in range(BY_CRON)),
            *(self._pair(f"data-db-{number}") for number in range(BY_SET)),
            *(self._pair(f"owned-{number}", ownerReferences=of_owner) for number in range(OWNED)),
            *(self._whole_snapshot(f"daily-{number}") for number in range(SNAPSHOTS)),
            *(self._volume(f"kept-{number}", "gone", _NOBODY, policy="Retain") for number in range(RELEASED)),
            *(self._volume(f"spare-{number}") for number in range(SPARE)),
            *(self._content(f"kept-{number}", "gone", _NOBODY, policy="Retain") for number in range(KEPT_CONTENTS)),
            *(self._content(f"prepared-{number}", "later", None) for number in range(PREPARED)),
            *(self._planted(CLAIM, f"left-{number}", self._pair) for number in range(LEFT_CLAIMS)),
            *(self._planted(VOLUME, f"stuck-{number}", self._stuck) for number in range(STUCK_VOLUMES)),
            *(self._planted(SNAPSHOT, f"without-{number}", self._without) for number in range(LEFT_SNAPSHOTS)),
            *(self._planted(CONTENT, f"left-{number}", self._left_content) for number in range(LEFT_CONTENTS)),
        ]
        await asyncio.gather(*works)

    def is_ours(self, namespace: str | None, name: str) -> bool:
        """Whether an object is one of these."""
        return namespace == self._namespace or name.startswith(f"{self._namespace}-")

    async def _planted(self, kind: str, name: str, make: Callable[[str], Awaitable[None]]) -> None:
        await make(name)
        self.planted.add((kind, name if kind in (CLAIM, SNAPSHOT) else f"{self._namespace}-{name}"))

    # -- what belongs together -----------------------------------------------------------------------------------------

    async def _pair(self, name: str, **metadata: Any) -> None:
        """A claim and its volume; the controller binds them."""
        spec = {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": _SIZE},
            "storageClassName": "",
            "volumeName": f"{self._namespace}-{name}",
        }
        await self._volume(name, name)
        await self._post("/api/v1", "persistentvolumeclaims", {"metadata": {"name": name, **metadata}, "spec": spec})

    async def _used(self, name: str) -> None:
        await self._pair(name)
        for number in range(PODS_EACH):
            spec = {**_POD, "volumes": _of_claim(name)}
            await self._post("/api/v1", "pods", {"metadata": {"name": f"{name}-{number}"}, "spec": spec})

    async def _by_cron(self, name: str) -> None:
        await self._pair(name)
        template = {"spec": {**_POD, "volumes": _of_claim(name)}}
        spec = {"schedule": "0 0 29 2 *", "jobTemplate": {"spec": {"template": template}}}
        await self._post("/apis/batch/v1", "cronjobs", {"metadata": {"name": name}, "spec": spec})

    async def _whole_snapshot(self, name: str) -> None:
        stored = await self._snapshot(name, name)
        await self._content(name, name, stored["metadata"]["uid"])

    # -- what nobody needs --------------------------------------------------------------------------------------------

    async def _stuck(self, name: str) -> None:
        await self._volume(name, "gone", _NOBODY)

    async def _without(self, name: str) -> None:
        await self._snapshot(name, "nothing")

    async def _left_content(self, name: str) -> None:
        await self._content(name, "gone", _NOBODY)

    # -- single objects -----------------------------------------------------------------------------------------------

    async def _volume(self, name: str, claim: str = "", uid: str = "", policy: str = "Delete") -> None:
        full = f"{self._namespace}-{name}"
        reference = {"apiVersion": "v1", "kind": CLAIM, "namespace": self._namespace, "name": claim}
        reference |= {"uid": uid} if uid else {}
        spec = {
            "capacity": _SIZE,
            "accessModes": ["ReadWriteOnce"],
            "csi": {"driver": DRIVER, "volumeHandle": full},
            "persistentVolumeReclaimPolicy": policy,
            # A spare one must not be what a claim of another test is looking for.
            "storageClassName": "" if claim else "of-nobody",
            **({"claimRef": reference} if claim else {}),
        }
        metadata = {"name": full, "annotations": {"pv.kubernetes.io/provisioned-by": DRIVER}}
        await self._post("/api/v1", "persistentvolumes", {"metadata": metadata, "spec": spec}, namespaced=False)

    async def _snapshot(self, name: str, content: str) -> dict[str, Any]:
        spec = {"source": {"persistentVolumeClaimName": "used-0"}}
        stored = await self._post(_GROUP, "volumesnapshots", {"metadata": {"name": name}, "spec": spec}, kind=SNAPSHOT)
        status = {"boundVolumeSnapshotContentName": f"{self._namespace}-{content}", "readyToUse": True}
        await self._status(_GROUP, "volumesnapshots", name, status)
        return stored

    async def _content(self, name: str, snapshot: str, uid: str | None, policy: str = "Delete") -> None:
        reference = {"namespace": self._namespace, "name": snapshot, **({"uid": uid} if uid else {})}
        spec = {
            "deletionPolicy": policy,
            "driver": DRIVER,
            "source": {"snapshotHandle": f"handle-{name}"},
            "volumeSnapshotRef": reference,
        }
        document = {"metadata": {"name": f"{self._namespace}-{name}"}, "spec": spec}
        await self._post(_GROUP, "volumesnapshotcontents", document, kind=CONTENT, namespaced=False)

    # -- requests -----------------------------------------------------------------------------------------------------

    def _path(self, root: str, plural: str, *, namespaced: bool = True) -> str:
        return f"{root}/namespaces/{self._namespace}/{plural}" if namespaced else f"{root}/{plural}"

    async def _post(
        self, root: str, plural: str, document: dict[str, Any], *, kind: str = "", namespaced: bool = True
    ) -> dict[str, Any]:
        document["metadata"].setdefault("labels", {})[LABEL] = self._namespace
        # Only kinds from CustomResourceDefinitions want to be named in the body, too.
        named = {"apiVersion": root.removeprefix("/apis/"), "kind": kind} if kind else {}
        body = json.dumps(named | document).encode()
        async with self._slots:
            reply = await self._cluster.request("POST", self._path(root, plural, namespaced=namespaced), body=body)
        self.made += 1
        stored: dict[str, Any] = json.loads(reply.body)
        return stored

    async def _status(self, root: str, plural: str, name: str, status: dict[str, Any]) -> None:
        path = f"{self._path(root, plural)}/{name}/status"
        body = json.dumps({"status": status}).encode()
        async with self._slots:
            await self._cluster.request("PATCH", path, body=body, content_type="application/merge-patch+json")


async def planted(kubeconfig: str, namespace: str) -> Mixed:
    """Make them; the namespace is there, and so are the kinds of snapshots."""
    retry = RetryPolicy(deadline_seconds=60.0)
    async with await Cluster.open({"kubeconfig": kubeconfig}, retry=retry) as cluster:
        mixed = Mixed(cluster, namespace)
        await mixed.make()
        return mixed


async def remove(kubeconfig: str, namespace: str) -> None:
    """Delete what lies in no namespace; the namespace takes the rest with it."""
    async with await Cluster.open({"kubeconfig": kubeconfig}, request_timeout_seconds=_REMOVAL_SECONDS) as cluster:
        for root, plural in (("/api/v1", "persistentvolumes"), (_GROUP, "volumesnapshotcontents")):
            query = {"labelSelector": f"{LABEL}={namespace}"}
            await cluster.request("DELETE", f"{root}/{plural}", query=query, deadline_seconds=_REMOVAL_SECONDS)
