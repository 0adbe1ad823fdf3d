# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects that storage needs in the cluster: definitions, permissions, the driver, and the default classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import nodes
from .api import Api
from .installing import Wanted, an_object, role_of
from .pki import STORAGE_CLIENT

DRIVER_NAME = "hostpath.kubestress.core"
CLASS_NAME = "hostpath"
MEMORY_CLASS_NAME = "hostpath-memory"
# A kubelet sets it on its node; without it the attach and detach controller leaves a node's volumes to its kubelet.
ATTACHED_BY_CONTROLLER = "volumes.kubernetes.io/controller-managed-attach-detach"
CSI_NODES = "/apis/storage.k8s.io/v1/csinodes"
#: Annotation of a class, for the preflight: volumes are folders, so there are no block devices.
VOLUME_MODES = "kubestress.core/volume-modes"
_SNAPSHOTS = "snapshot.storage.k8s.io"
_READ = ["get", "list", "watch"]
_WRITE = ["create", "update", "patch", "delete"]


def storage_objects(*, mounted: bool) -> list[Wanted]:
    """Everything but the definitions, each with the path of its collection, in the order in which it is needed.

    :param mounted: whether volumes are mounted, so that they can be in memory.
    """
    storage = "/apis/storage.k8s.io/v1"
    return [
        *role_of(STORAGE_CLIENT, rules()),
        (f"{storage}/csidrivers", csi_driver()),
        (f"{storage}/storageclasses", storage_class(CLASS_NAME, default=True)),
        *([(f"{storage}/storageclasses", memory_class())] if mounted else []),
        (f"/apis/{_SNAPSHOTS}/v1/volumesnapshotclasses", snapshot_class()),
    ]


def rules() -> list[dict[str, Any]]:
    """What the controllers may do: the rules that each of their projects publishes, together."""

    def rule(group: str, verbs: Sequence[str], *resources: str) -> dict[str, Any]:
        return {"apiGroups": [group], "resources": list(resources), "verbs": list(verbs)}

    return [
        rule("", _READ, "nodes", "pods"),
        rule("", ["get", "list"], "secrets"),
        rule("", [*_READ, "create", "patch", "delete"], "persistentvolumes"),
        rule("", [*_READ, "update", "patch"], "persistentvolumeclaims"),
        rule("", ["update", "patch"], "persistentvolumeclaims/status"),
        rule("", ["list", "watch", "create", "update", "patch"], "events"),
        rule("storage.k8s.io", _READ, "storageclasses", "csinodes", "volumeattributesclasses"),
        rule("storage.k8s.io", [*_READ, "patch"], "volumeattachments"),
        rule("storage.k8s.io", ["patch"], "volumeattachments/status"),
        rule(_SNAPSHOTS, _READ, "volumesnapshotclasses"),
        rule(_SNAPSHOTS, [*_READ, *_WRITE], "volumesnapshots", "volumesnapshotcontents"),
        rule(_SNAPSHOTS, ["update", "patch"], "volumesnapshots/status", "volumesnapshotcontents/status"),
        rule("apiextensions.k8s.io", _READ, "customresourcedefinitions"),
    ]


def csi_driver() -> dict[str, Any]:
    """How Kubernetes treats the driver's volumes: attached first, and their files owned by a pod's fsGroup."""
    spec = {
        "attachRequired": True,
        "podInfoOnMount": False,
        "fsGroupPolicy": "File",
        "volumeLifecycleModes": ["Persistent"],
    }
    return an_object("storage.k8s.io/v1", "CSIDriver", DRIVER_NAME, spec=spec)


def storage_class(name: str, *, default: bool) -> dict[str, Any]:
    """A class of our driver: bound at once, deleted with the claim, expandable."""
    made = an_object(
        "storage.k8s.io/v1",
        "StorageClass",
        name,
        provisioner=DRIVER_NAME,
        reclaimPolicy="Delete",
        volumeBindingMode="Immediate",
        allowVolumeExpansion=True,
    )
    made["metadata"]["annotations"] = {
        "storageclass.kubernetes.io/is-default-class": str(default).lower(),
        VOLUME_MODES: "Filesystem",
    }
    return made


def memory_class() -> dict[str, Any]:
    """The same with volumes in memory, which can be filled and have figures of their own."""
    return {**storage_class(MEMORY_CLASS_NAME, default=False), "parameters": {"medium": "memory"}}


def snapshot_class() -> dict[str, Any]:
    """The default class of snapshots, which are deleted with their VolumeSnapshot."""
    made = an_object(f"{_SNAPSHOTS}/v1", "VolumeSnapshotClass", CLASS_NAME, driver=DRIVER_NAME, deletionPolicy="Delete")
    made["metadata"]["annotations"] = {"snapshot.storage.kubernetes.io/is-default-class": "true"}
    return made


def register_nodes(api: Api) -> int:
    """Do for each simulated node what a kubelet does, so that volumes can be attached; returns for how many it was new.

    It names the driver in a CSINode, which is deleted with its node, and leaves the attaching to the controller.
    """
    # One that is left of a deleted node of the same name is about to be deleted.
    known = {
        owner["uid"] for one in api.get(CSI_NODES)["items"] for owner in one["metadata"].get("ownerReferences", [])
    }
    unknown = [one["metadata"] for one in nodes.existing_nodes(api) if one["metadata"]["uid"] not in known]
    for metadata in unknown:
        api.merge_patch(
            f"{nodes.PATH}/{metadata['name']}", {"metadata": {"annotations": {ATTACHED_BY_CONTROLLER: "true"}}}
        )
        api.delete(f"{CSI_NODES}/{metadata['name']}")
        api.post(CSI_NODES, csi_node(metadata["name"], metadata["uid"]))
    return len(unknown)


def csi_node(name: str, uid: str) -> dict[str, Any]:
    """The CSINode of a simulated node."""
    driver = {"name": DRIVER_NAME, "nodeID": name, "topologyKeys": []}
    made = an_object("storage.k8s.io/v1", "CSINode", name, spec={"drivers": [driver]})
    made["metadata"]["ownerReferences"] = [{"apiVersion": "v1", "kind": "Node", "name": name, "uid": uid}]
    return made


def is_registered(api: Api, node: str) -> bool:
    """Whether the kubelet of a node knows the driver."""
    found = api.get(f"{CSI_NODES}/{node}")
    drivers = (found or {}).get("spec", {}).get("drivers") or []
    return any(one["name"] == DRIVER_NAME for one in drivers)
