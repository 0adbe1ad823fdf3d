"""Real claims, volumes and snapshots in all states, made in one namespace of a real API server."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from helpers.collection import CHECKOUT
from helpers.waiting import until

CLAIM, VOLUME, SNAPSHOT, CONTENT = (
    "PersistentVolumeClaim",
    "PersistentVolume",
    "VolumeSnapshot",
    "VolumeSnapshotContent",
)
DRIVER = "csi.test.example.com"
CRDS = sorted((CHECKOUT / "roles" / "local_cluster" / "files" / "crds").glob("*.json"))
SNAPSHOTS = "snapshot.storage.k8s.io/v1"
LABEL = "kubestress.test/storage"
ORDINARY = {"storageClassName": "", "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}


@dataclass
class Place:
    """Makes objects in one namespace; `name` begins the names of those that lie in none."""

    kubectl: Any
    name: str
    made: list[tuple[str, str]] = field(default_factory=list)

    def create(self, api_version: str, kind: str, name: str, *, status: Any = None, **rest: Any) -> dict[str, Any]:
        """An object, in the namespace if its kind has one; `status` is patched afterwards."""
        metadata = {"name": name, "labels": {LABEL: self.name}, **rest.pop("metadata", {})}
        document = {"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest}
        found: dict[str, Any] = self.kubectl("create", "-n", self.name, "-f", "-", stdin=json.dumps(document))
        if status is not None:
            patch = json.dumps({"status": status})
            words = ("patch", kind, name, "-n", self.name, "--subresource=status", "--type=merge", "-p", patch)
            self.kubectl(*words)
        return found

    def volume(self, claim: str, *, name: str = "", policy: str = "Delete", annotated: bool = True, **rest: Any) -> str:
        """A PersistentVolume that waits for a claim, or for any without one."""
        full = f"{self.name}-{name or claim}"
        metadata = {"annotations": {"pv.kubernetes.io/provisioned-by": DRIVER}} if annotated else {}
        reference = {"apiVersion": "v1", "kind": CLAIM, "namespace": self.name, "name": claim}
        spec = {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "csi": {"driver": DRIVER, "volumeHandle": full},
            "persistentVolumeReclaimPolicy": policy,
            "storageClassName": "",
            **({"claimRef": reference} if claim else {}),
        }
        self.create("v1", VOLUME, full, metadata=metadata, spec=spec | rest)
        return full

    def bound(self, *names: str, **metadata: Any) -> None:
        """Claims with a volume each; the controller binds them."""
        for name in names:
            volume = self.volume(name)
            self.create("v1", CLAIM, name, metadata=metadata, spec={**ORDINARY, "volumeName": volume})
        for name in names:
            self.until(CLAIM, name, "Bound")

    def phase(self, kind: str, name: str) -> str:
        """Its phase; "" if it is gone."""
        found = self.kubectl("get", kind, "-n", self.name, f"--field-selector=metadata.name={name}")["items"]
        return found[0].get("status", {}).get("phase", "") if found else ""

    def until(self, kind: str, name: str, phase: str) -> None:
        """Wait for the controller."""
        until(lambda: self.phase(kind, name) == phase)

    def pod(self, name: str, *volumes: dict[str, Any], node: str | None = None, phase: str = "") -> None:
        """A pod that nobody schedules."""
        spec: dict[str, Any] = {
            "schedulerName": "nobody",
            "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "c", "image": "none"}],
            "volumes": list(volumes),
        }
        spec |= {"nodeName": node} if node else {}
        self.create("v1", "Pod", name, spec=spec, status={"phase": phase} if phase else None)

    def maker(self, api_version: str, kind: str, name: str, claim: str, **spec: Any) -> None:
        """Something with a pod template that names a claim."""
        labels = {"app": name}
        template = {
            "metadata": {"labels": labels},
            "spec": {
                "schedulerName": "nobody",
                "restartPolicy": "Never" if kind == "CronJob" else "Always",
                "containers": [{"name": "c", "image": "none"}],
                "volumes": [of_claim(claim)] if claim else [],
            },
        }
        if kind == "CronJob":
            spec["jobTemplate"] = {"spec": {"template": template}}
        else:
            spec |= {"template": template, "selector": {"matchLabels": labels}}
        self.create(api_version, kind, name, spec=spec)


def of_claim(name: str) -> dict[str, Any]:
    """A pod's volume that names a claim."""
    return {"name": "data", "persistentVolumeClaim": {"claimName": name}}


def claims_of_every_state(place: Place) -> dict[tuple[str, str], str]:
    """Claims in all states, and what is to be found of them; None for what is in order."""
    place.bound("left", "used", "ended", "by-cron", "by-zero", "data-db-0", "attached", "lookalike-x", "late")
    config = place.create("v1", "ConfigMap", "owner")
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": config["metadata"]["uid"]}
    place.bound("owned", ownerReferences=[owner])
    place.bound("source", finalizers=["snapshot.storage.kubernetes.io/pvc-as-source-protection"])
    place.bound("going", finalizers=["example.com/hold"])
    place.kubectl("delete", CLAIM, "going", "-n", place.name, "--wait=false")
    place.pod("runs", of_claim("used"))
    place.pod("is-over", of_claim("ended"), phase="Succeeded")
    place.maker("batch/v1", "CronJob", "yearly", "by-cron", schedule="0 0 1 1 *")
    place.maker("apps/v1", "Deployment", "zero", "by-zero", replicas=0)
    template = {"metadata": {"name": "data"}, "spec": ORDINARY}
    place.maker("apps/v1", "StatefulSet", "db", "", replicas=0, serviceName="db", volumeClaimTemplates=[template])
    source = {"persistentVolumeName": f"{place.name}-attached"}
    spec = {"attacher": DRIVER, "nodeName": "some-node", "source": source}
    place.create("storage.k8s.io/v1", "VolumeAttachment", f"{place.name}-a", spec=spec)
    ephemeral = {"name": "x", "ephemeral": {"volumeClaimTemplate": {"spec": ORDINARY}}}
    # The one claim is made for its pod; the other was there before, and its pod may not use it.
    place.volume("p-x")
    place.pod("p", ephemeral)
    place.pod("lookalike", ephemeral)
    place.until(CLAIM, "p-x", "Bound")
    place.create("v1", CLAIM, "pending", spec={**ORDINARY, "resources": {"requests": {"storage": "9Ti"}}})
    return {
        (CLAIM, "left"): "orphan",
        (CLAIM, "late"): "orphan",
        (CLAIM, "lookalike-x"): "orphan",
        (CLAIM, "ended"): "completed_only",
        (CLAIM, "by-zero"): "scaled_to_zero",
        (CLAIM, "data-db-0"): "retained",
        (CLAIM, "attached"): "attached",
        (CLAIM, "going"): "terminating",
        (CLAIM, "pending"): "pending",
    }


def volumes_of_every_state(place: Place) -> dict[tuple[str, str], str]:
    """Volumes, and what is to be found of them."""
    # The controller deletes folders below /tmp only.
    undeletable = {"csi": None, "hostPath": {"path": "/nowhere"}}
    released: dict[str, tuple[str, dict[str, Any]]] = {
        "stuck": ("Delete", {}),
        "kept": ("Retain", {}),
        "no-plugin": ("Delete", undeletable | {"annotated": False}),
    }
    for name, (policy, options) in released.items():
        full = place.volume(name, policy=policy, **options)
        place.create("v1", CLAIM, name, spec={**ORDINARY, "volumeName": full})
        place.until(CLAIM, name, "Bound")
        place.kubectl("delete", CLAIM, name, "-n", place.name)
    place.volume("", name="spare", storageClassName="of-nobody")
    place.until(VOLUME, f"{place.name}-stuck", "Released")
    place.until(VOLUME, f"{place.name}-kept", "Released")
    place.until(VOLUME, f"{place.name}-no-plugin", "Failed")
    place.until(VOLUME, f"{place.name}-spare", "Available")
    return {
        (VOLUME, "stuck"): "orphan",
        (VOLUME, "kept"): "retained",
        (VOLUME, "no-plugin"): "failed",
        (VOLUME, "spare"): "available",
    }


def snapshots_of_every_state(place: Place) -> dict[tuple[str, str], str]:
    """Snapshots and contents, and what is to be found of them."""

    def snapshot(name: str, content: str, **status: Any) -> dict[str, Any]:
        """One that is ready, unless it says otherwise."""
        whole = {"boundVolumeSnapshotContentName": f"{place.name}-{content}", "readyToUse": True} | status
        spec = {"source": {"persistentVolumeClaimName": "left"}}
        return place.create(SNAPSHOTS, SNAPSHOT, name, spec=spec, status=whole)

    def content(name: str, of: str, uid: str | None, policy: str = "Delete") -> None:
        reference = {"namespace": place.name, "name": of, **({"uid": uid} if uid else {})}
        spec = {
            "deletionPolicy": policy,
            "driver": DRIVER,
            "source": {"snapshotHandle": "handle"},
            "volumeSnapshotRef": reference,
        }
        status = {"readyToUse": True, "restoreSize": 2**30, "snapshotHandle": "handle"}
        place.create(SNAPSHOTS, CONTENT, f"{place.name}-{name}", spec=spec, status=status)

    for name in ("whole", "taken"):
        content(name, name, snapshot(name, name)["metadata"]["uid"])
    snapshot("without", "nothing")
    snapshot("anothers", "taken")
    made = snapshot("broken", "broken", readyToUse=False, error={"message": "no <b>space</b>\nleft"})
    content("broken", "broken", made["metadata"]["uid"])
    content("left-over", "gone", "11111111-1111-4111-8111-111111111111")
    content("kept", "gone", "11111111-1111-4111-8111-111111111111", "Retain")
    content("prepared", "later", None)
    return {
        (SNAPSHOT, "without"): "orphan",
        (SNAPSHOT, "anothers"): "orphan",
        (SNAPSHOT, "broken"): "error",
        (CONTENT, "left-over"): "orphan",
        (CONTENT, "kept"): "retained",
        (CONTENT, "prepared"): "pre_provisioned",
    }
