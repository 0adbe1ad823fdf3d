# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects that storage needs in the cluster: definitions, permissions, the driver, and the default classes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..machine.sync import wait_until
from . import nodes
from .api import Api
from .errors import NotReadyError
from .pki import STORAGE_CLIENT

DRIVER_NAME = "hostpath.kubestress.core"
CLASS_NAME = "hostpath"
MEMORY_CLASS_NAME = "hostpath-memory"
# A kubelet sets it on its node; without it the attach and detach controller leaves a node's volumes to its kubelet.
ATTACHED_BY_CONTROLLER = "volumes.kubernetes.io/controller-managed-attach-detach"
CSI_NODES = "/apis/storage.k8s.io/v1/csinodes"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
#: Annotation of a class, for the preflight: volumes are folders, so there are no block devices.
VOLUME_MODES = "kubestress.core/volume-modes"
_SNAPSHOTS = "snapshot.storage.k8s.io"
_RBAC = "rbac.authorization.k8s.io"
_READ = ["get", "list", "watch"]
_WRITE = ["create", "update", "patch", "delete"]


def definitions(folder: Path) -> list[dict[str, Any]]:
    """The CustomResourceDefinitions of snapshots, of the folder `crds`."""
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]


def storage_objects(*, mounted: bool) -> list[tuple[str, dict[str, Any]]]:
    """Everything but the definitions, each with the path of its collection, in the order in which it is needed.

    :param mounted: whether volumes are mounted, so that they can be in memory.
    """
    storage = "/apis/storage.k8s.io/v1"
    rbac = f"/apis/{_RBAC}/v1"
    return [
        (f"{rbac}/clusterroles", _object(f"{_RBAC}/v1", "ClusterRole", STORAGE_CLIENT, rules=rules())),
        (
            f"{rbac}/clusterrolebindings",
            _object(
                f"{_RBAC}/v1",
                "ClusterRoleBinding",
                STORAGE_CLIENT,
                roleRef={"apiGroup": _RBAC, "kind": "ClusterRole", "name": STORAGE_CLIENT},
                subjects=[{"apiGroup": _RBAC, "kind": "User", "name": STORAGE_CLIENT}],
            ),
        ),
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
    return _object("storage.k8s.io/v1", "CSIDriver", DRIVER_NAME, spec=spec)


def storage_class(name: str, *, default: bool) -> dict[str, Any]:
    """A class of our driver: bound at once, deleted with the claim, expandable."""
    made = _object(
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
    made = _object(f"{_SNAPSHOTS}/v1", "VolumeSnapshotClass", CLASS_NAME, driver=DRIVER_NAME, deletionPolicy="Delete")
    made["metadata"]["annotations"] = {"snapshot.storage.kubernetes.io/is-default-class": "true"}
    return made


def missing(api: Api, folder: Path, *, mounted: bool) -> list[tuple[str, dict[str, Any]]]:
    """What `install` would create, each with the path of its collection."""
    wanted = [*((DEFINITIONS, one) for one in definitions(folder)), *storage_objects(mounted=mounted)]
    return [(path, one) for path, one in wanted if api.get(f"{path}/{one['metadata']['name']}") is None]


def install(api: Api, folder: Path, *, mounted: bool, timeout_seconds: float) -> list[str]:
    """Create what is missing, and return it in words. What exists is left as it is.

    :raises NotReadyError: if the server does not serve the definitions in time.
    """
    wanted = missing(api, folder, mounted=mounted)
    names = [one["metadata"]["name"] for path, one in wanted if path == DEFINITIONS]
    for path, one in wanted:
        if path == DEFINITIONS:
            api.post(path, one)
    _wait_served(api, names, timeout_seconds=timeout_seconds)
    for path, one in wanted:
        if path != DEFINITIONS:
            api.post(path, one)
    return describe(wanted)


def describe(wanted: Sequence[tuple[str, dict[str, Any]]]) -> list[str]:
    """What is created, in words."""
    return [f"create {one['kind']} {one['metadata']['name']}" for _path, one in wanted]


def _wait_served(api: Api, names: Sequence[str], *, timeout_seconds: float) -> None:
    waiting: list[str] = []

    def established() -> bool:
        waiting[:] = [name for name in names if not _is_established(api.get(f"{DEFINITIONS}/{name}"))]
        return not waiting

    if not wait_until(established, timeout_seconds=timeout_seconds):
        raise NotReadyError(f"not served within {timeout_seconds:g} s: {', '.join(waiting)}")


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
    made = _object("storage.k8s.io/v1", "CSINode", name, spec={"drivers": [driver]})
    made["metadata"]["ownerReferences"] = [{"apiVersion": "v1", "kind": "Node", "name": name, "uid": uid}]
    return made


def is_registered(api: Api, node: str) -> bool:
    """Whether the kubelet of a node knows the driver."""
    found = api.get(f"{CSI_NODES}/{node}")
    drivers = (found or {}).get("spec", {}).get("drivers") or []
    return any(one["name"] == DRIVER_NAME for one in drivers)


def _is_established(definition: dict[str, Any] | None) -> bool:
    conditions = (definition or {}).get("status", {}).get("conditions") or []
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)


def _object(api_version: str, kind: str, name: str, **content: Any) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **content}
