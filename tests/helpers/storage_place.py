"""Claims, volumes and snapshots in all states on a real API server, and what is to be found of them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from helpers.waiting import until

CLAIM, VOLUME, SNAPSHOT, CONTENT = (
    "PersistentVolumeClaim",
    "PersistentVolume",
    "VolumeSnapshot",
    "VolumeSnapshotContent",
)
DRIVER = "csi.test.example.com"
SNAPSHOTS = "snapshot.storage.k8s.io/v1"
LABEL = "kubestress.test/storage"
OF_CONTROLLERS = {"kubernetes.io/pvc-protection", "kubernetes.io/pv-protection"}
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

    def attached(self, volume: str) -> None:
        """A volume that is attached to a node."""
        spec = {"attacher": DRIVER, "nodeName": "some-node", "source": {"persistentVolumeName": volume}}
        self.create("storage.k8s.io/v1", "VolumeAttachment", f"{volume}-a", spec=spec)

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

    def maker(
        self, api_version: str, kind: str, name: str, claim: str, of_pods: dict[str, Any] | None = None, **spec: Any
    ) -> None:
        """Something with a pod template that names a claim; `of_pods`: more of its pods' spec."""
        labels = {"app": name}
        template = {
            "metadata": {"labels": labels},
            "spec": {
                "schedulerName": "nobody",
                "restartPolicy": "Never" if kind == "CronJob" else "Always",
                "containers": [{"name": "c", "image": "none"}],
                "volumes": [of_claim(claim)] if claim else [],
                **(of_pods or {}),
            },
        }
        if kind == "CronJob":
            spec["jobTemplate"] = {"spec": {"template": template}}
        else:
            spec |= {"template": template, "selector": {"matchLabels": labels}}
        self.create(api_version, kind, name, spec=spec)


def of_claim(name: str) -> dict[str, Any]:
    return {"name": "data", "persistentVolumeClaim": {"claimName": name}}


def _claims(place: Place) -> dict[tuple[str, str], str]:
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
    place.attached(f"{place.name}-attached")
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


def _claims_of_makers(place: Place) -> dict[tuple[str, str], str]:
    """Claims that only templates name: some will make pods again, some are at rest."""
    at_rest = {
        "by-rs": ("apps/v1", "ReplicaSet", {"replicas": 0}),
        "by-set": ("apps/v1", "StatefulSet", {"replicas": 0, "serviceName": "by-set"}),
        "by-cron-at-rest": ("batch/v1", "CronJob", {"schedule": "0 0 1 1 *", "suspend": True}),
    }
    # Nothing makes pods of them now, and nobody has put them to rest.
    referenced = {
        "by-ds": ("apps/v1", "DaemonSet", {}),
        "by-paused": ("apps/v1", "Deployment", {"replicas": 1, "paused": True}),
    }
    place.bound(*at_rest, *referenced, "by-job", "failed", "failed-and-used")
    for name, (version, kind, spec) in (at_rest | referenced).items():
        selector = {"nodeSelector": {"no": "such-node"}} if kind == "DaemonSet" else {}
        place.maker(version, kind, name, name, selector, **spec)
    job = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "none"}], "volumes": [of_claim("by-job")]}
    place.create("batch/v1", "Job", "by-job", spec={"suspend": True, "template": {"spec": job}})
    for name in ("failed", "failed-and-used"):
        place.pod(f"{name}-pod", of_claim(name), phase="Failed")
    place.pod("waits", of_claim("failed-and-used"))
    return {
        **dict.fromkeys(((CLAIM, name) for name in (*at_rest, "by-job")), "scaled_to_zero"),
        (CLAIM, "failed"): "completed_only",
    }


def _claims_without_volumes(place: Place) -> dict[tuple[str, str], str]:
    late = f"{place.name}-late"
    binding = {"provisioner": DRIVER, "volumeBindingMode": "WaitForFirstConsumer"}
    place.create("storage.k8s.io/v1", "StorageClass", late, **binding)
    place.create("v1", CLAIM, "waiting", spec=ORDINARY | {"storageClassName": late})
    place.create("v1", CLAIM, "wanted", spec=ORDINARY | {"storageClassName": late})
    place.pod("wants", of_claim("wanted"))
    place.bound("lost")
    full = f"{place.name}-lost"
    place.kubectl("delete", VOLUME, full, "--wait=false")
    place.kubectl("patch", VOLUME, full, "--type=merge", "-p", json.dumps({"metadata": {"finalizers": None}}))
    place.until(CLAIM, "lost", "Lost")
    return {(CLAIM, "waiting"): "waiting", (CLAIM, "wanted"): "pending", (CLAIM, "lost"): "lost"}


def claims_of_every_state(place: Place) -> dict[tuple[str, str], str]:
    """Claims in all states, and what is to be found of them; what is in order is left out."""
    return _claims(place) | _claims_of_makers(place) | _claims_without_volumes(place)


def volumes_of_every_state(place: Place) -> dict[tuple[str, str], str]:
    # The controller deletes folders below /tmp only.
    undeletable = {"csi": None, "hostPath": {"path": "/nowhere"}}
    released: dict[str, tuple[str, dict[str, Any]]] = {
        "stuck": ("Delete", {}),
        "kept": ("Retain", {}),
        "no-plugin": ("Delete", undeletable | {"annotated": False}),
        "held": ("Delete", {}),
        "again": ("Delete", {}),
        "going-pv": ("Retain", {}),
    }
    for name, (policy, options) in released.items():
        full = place.volume(name, policy=policy, **options)
        place.create("v1", CLAIM, name, spec={**ORDINARY, "volumeName": full})
        place.until(CLAIM, name, "Bound")
        place.kubectl("delete", CLAIM, name, "-n", place.name)
    place.volume("", name="spare", storageClassName="of-nobody")
    for name in ("stuck", "kept", "held", "again", "going-pv"):
        place.until(VOLUME, f"{place.name}-{name}", "Released")
    place.attached(f"{place.name}-held")
    # Another claim of the same name is not the one that the volume had.
    place.create("v1", CLAIM, "again", spec={**ORDINARY, "volumeName": place.volume("again", name="new")})
    place.until(CLAIM, "again", "Bound")
    place.pod("uses-again", of_claim("again"))
    hold = json.dumps({"metadata": {"finalizers": ["example.com/hold"]}})
    place.kubectl("patch", VOLUME, f"{place.name}-going-pv", "--type=merge", "-p", hold)
    place.kubectl("delete", VOLUME, f"{place.name}-going-pv", "--wait=false")
    place.until(VOLUME, f"{place.name}-no-plugin", "Failed")
    place.until(VOLUME, f"{place.name}-spare", "Available")
    return {
        (VOLUME, "stuck"): "orphan",
        (VOLUME, "again"): "orphan",
        (VOLUME, "held"): "attached",
        (VOLUME, "going-pv"): "terminating",
        (VOLUME, "kept"): "retained",
        (VOLUME, "no-plugin"): "failed",
        (VOLUME, "spare"): "available",
    }


def snapshots_of_every_state(place: Place) -> dict[tuple[str, str], str]:
    def snapshot(name: str, content: str, *, of: str = "left", hold: bool = False, **status: Any) -> dict[str, Any]:
        """One that is ready, unless it says otherwise."""
        whole = {"boundVolumeSnapshotContentName": f"{place.name}-{content}", "readyToUse": True} | status
        spec = {"source": {"persistentVolumeClaimName": of}}
        metadata = {"finalizers": ["example.com/hold"]} if hold else {}
        return place.create(SNAPSHOTS, SNAPSHOT, name, metadata=metadata, spec=spec, status=whole)

    def content(name: str, of: str, uid: str | None, policy: str = "Delete", **status: Any) -> None:
        reference = {"namespace": place.name, "name": of, **({"uid": uid} if uid else {})}
        spec = {
            "deletionPolicy": policy,
            "driver": DRIVER,
            "source": {"snapshotHandle": "handle"},
            "volumeSnapshotRef": reference,
        }
        whole = {"readyToUse": True, "restoreSize": 2**30, "snapshotHandle": "handle"} | status
        place.create(SNAPSHOTS, CONTENT, f"{place.name}-{name}", spec=spec, status=whole)

    uids = {name: snapshot(name, name)["metadata"]["uid"] for name in ("whole", "taken")}
    for name, uid in uids.items():
        content(name, name, uid)
    snapshot("without", "nothing")
    snapshot("anothers", "taken")
    made = snapshot("broken", "broken", readyToUse=False, error={"message": "no <b>space</b>\nleft"})
    content("broken", "broken", made["metadata"]["uid"])
    content("left-over", "gone", "11111111-1111-4111-8111-111111111111")
    content("kept", "gone", "11111111-1111-4111-8111-111111111111", "Retain")
    content("prepared", "later", None)
    for name, of, taken in (("backup", "no-such-claim", None), ("ancient", "left", "2020-01-01T00:00:00Z")):
        made = snapshot(name, name, of=of, creationTime=taken)
        content(name, name, made["metadata"]["uid"])
    made = snapshot("unfinished", "unfinished", readyToUse=False)
    content("unfinished", "unfinished", made["metadata"]["uid"], readyToUse=False)
    # A claim that belongs to an object of a kind that only a CustomResourceDefinition knows, as KubeVirt's do.
    owner = {"apiVersion": SNAPSHOTS, "kind": SNAPSHOT, "name": "whole", "uid": uids["whole"]}
    place.bound("of-a-custom-kind", ownerReferences=[owner])
    made = snapshot("wrong", "wrong")
    content("wrong", "wrong", made["metadata"]["uid"], error={"message": "the box is away"})
    snapshot("going-s", "nothing", hold=True)
    place.kubectl("delete", SNAPSHOT, "going-s", "-n", place.name, "--wait=false")
    return {
        (SNAPSHOT, "backup"): "source_gone",
        (SNAPSHOT, "ancient"): "old",
        (SNAPSHOT, "unfinished"): "not_ready",
        (CONTENT, "unfinished"): "not_ready",
        (CONTENT, "wrong"): "error",
        (SNAPSHOT, "going-s"): "terminating",
        (SNAPSHOT, "without"): "orphan",
        (SNAPSHOT, "anothers"): "orphan",
        (SNAPSHOT, "broken"): "error",
        (CONTENT, "left-over"): "orphan",
        (CONTENT, "kept"): "retained",
        (CONTENT, "prepared"): "pre_provisioned",
    }
