"""What democratic-csi 1.9 does to a box, in its order, and what Kubernetes has of it afterwards.

The names, properties and attributes are those of the driver: volume id, snapshot id, detached snapshots, temporary
snapshots of clones. See docs/truenas.md.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.kubestress.core.plugins.module_utils.truenas.rows import Content, Volume

from helpers.zfs_model import Zfs

CSI = "democratic-csi:"


@dataclass
class Driver:
    """One deployment of the driver in one cluster. `shares` are the box's, which may have several deployments.

    `kind` is nfs, smb or iscsi. `template` makes the volume id of a PersistentVolume's name (idTemplate), `hashed`
    hashes it (idHash).
    """

    zfs: Zfs
    shares: list[dict[str, Any]]
    parent: str = "tank/k8s/v"
    detached: str = "tank/k8s/s"
    kind: str = "nfs"
    cluster: str = ""
    server: str = "192.0.2.10"
    instance: str | None = None
    template: str = "{}"
    hashed: bool = False
    name: str = "org.democratic-csi.nfs"
    volumes: dict[str, Volume] = field(default_factory=dict)
    contents: dict[str, Content] = field(default_factory=dict)

    def _prepare(self) -> None:
        for parent in (self.parent, self.detached):
            if parent not in self.zfs.nodes:
                self.zfs.create(parent)

    def provision(self, uid: str = "", *, source: str = "", finished: bool = True, size: int = 2**30) -> Volume:
        """CreateVolume; `source` is the handle of a volume or a snapshot. Not `finished`: it stops before its end."""
        self._prepare()
        uid = uid or str(uuid.uuid4())
        name = f"pvc-{uid}"
        handle = self.template.format(name)
        if self.hashed:
            handle = hashlib.md5(handle.encode(), usedforsecurity=False).hexdigest()
        path = f"{self.parent}/{handle}"
        own = {f"{CSI}managed_resource": "true", f"{CSI}csi_volume_name": name}
        own[f"{CSI}volume_context_provisioner_driver"] = self._driver
        if self.instance:
            own[f"{CSI}volume_context_provisioner_instance_id"] = self.instance
        if source:
            self._clone(source, handle, path, own)
        else:
            self.zfs.create(path, kind="VOLUME" if self.kind == "iscsi" else "FILESYSTEM", **own)
        self.zfs.nodes[path].quota = size
        attributes = self._share(path, handle)
        if finished:
            self.zfs.nodes[path].own[f"{CSI}provision_success"] = "true"
        volume = Volume(self.cluster, name, uid, self.name, handle, attributes, self.zfs.clock, size)
        if finished:
            self.volumes[name] = volume
        return volume

    @property
    def _driver(self) -> str:
        return f"freenas-api-{self.kind}"

    def _clone(self, source: str, handle: str, path: str, own: dict[str, str]) -> None:
        if "@" in source:
            snapshot = f"{self.parent}/{source}"
        else:
            above = self.detached if "/" in source else self.parent
            snapshot = f"{above}/{source}@volume-source-for-volume-{handle}"
            self.zfs.snapshot(snapshot)
        self.zfs.clone(snapshot, path, **own)

    def _share(self, path: str, handle: str) -> dict[str, str]:
        number = len(self.shares) + 1
        attributes = {"node_attach_driver": self.kind, "provisioner_driver": self._driver}
        if self.instance:
            attributes["provisioner_driver_instance_id"] = self.instance
        if self.kind == "iscsi":
            self.shares.append({"kind": "iscsi.target", "id": number, "name": handle})
            self.shares.append(
                {"kind": "iscsi.extent", "id": number, "name": handle, "disk": f"zvol/{path}", "path": None}
            )
            iqn = f"iqn.2005-10.org.freenas.ctl:{handle}"
            return attributes | {"portal": f"{self.server}:3260", "iqn": iqn, "lun": "0"}
        self.shares.append({"kind": f"sharing.{self.kind}", "id": number, "path": f"/mnt/{path}", "name": handle})
        share = f"/mnt/{path}" if self.kind == "nfs" else handle
        return attributes | {"server": self.server, "share": share}

    def snapshot(self, volume: Volume, uid: str = "", *, detached: bool = False) -> Content:
        """CreateSnapshot, of a volume that exists."""
        self._prepare()
        uid = uid or str(uuid.uuid4())
        name, source = f"snapshot-{uid}", volume.volume_handle
        own = {
            f"{CSI}managed_resource": "true",
            f"{CSI}csi_snapshot_name": name,
            f"{CSI}csi_snapshot_source_volume_id": source,
            f"{CSI}provision_success": "true",
        }
        if detached:
            temporary = f"{self.parent}/{source}@volume-source-for-snapshot-{name}"
            self.zfs.snapshot(temporary)
            self.zfs.create(f"{self.detached}/{source}/{name}", **own)
            self.zfs.destroy_snapshot(temporary, defer=True)
            handle = f"{source}/{name}"
        else:
            self.zfs.snapshot(f"{self.parent}/{source}@{name}", **own)
            handle = f"{source}@{name}"
        content = Content(self.cluster, f"snapcontent-{uid}", self.name, handle, source, self.zfs.clock)
        self.contents[content.name] = content
        return content

    def forget(self, what: Volume | Content) -> None:
        """Remove the object from the cluster, and nothing from the box: how an orphan comes to be."""
        (self.volumes if isinstance(what, Volume) else self.contents).pop(what.name)

    def path_of(self, volume: Volume) -> str:
        """The dataset of a volume."""
        return f"{self.parent}/{volume.volume_handle}"
