# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The indexes of a cross-check: which dataset a volume is on, which objects name a dataset or a snapshot. No I/O.

A volume is on this box for certain only if the box exports its dataset. A replica has datasets of the same names, and
a second box may have the same parents; neither has the shares.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import cached_property

from .model import Box, Dataset
from .options import DATASETS, POOLS, SHARES, SNAPSHOTS
from .rows import ORPHAN, UNKNOWN, YOUNG, CheckOptions, Content, Row, Volume

#: What democratic-csi writes into the volumeAttributes as provisioner_driver, for its drivers with ZFS on a box.
_DRIVERS = ("freenas-", "truenas-", "zfs-generic-")
_ZVOL_DEVICE = ("/dev/", "zvol/")


class Sides:
    """Box and clusters, side by side; everything is looked up in time that does not grow with their size."""

    def __init__(self, box: Box, volumes: Iterable[Volume], contents: Iterable[Content], options: CheckOptions) -> None:
        self.box = box
        self.options = options
        self.volumes = list(volumes)
        self.contents = list(contents)
        self.volume_parents = frozenset(options.volume_parents)
        self.detached_parents = frozenset(options.detached_parents)
        self.handles = {volume.volume_handle for volume in self.volumes}
        self.content_handles = {content.handle for content in self.contents if content.handle}
        self.volume_of_name = {volume.name: volume for volume in self.volumes}
        named = {volume.cluster for volume in self.volumes} | {content.cluster for content in self.contents}
        self.clusters = sorted(named | {options.cluster})

    @cached_property
    def datasets_of_leaf(self) -> dict[str, list[Dataset]]:
        """Last component of an id -> the datasets of the whole box that end with it."""
        found: dict[str, list[Dataset]] = {}
        for dataset in self.box.datasets.values():
            found.setdefault(dataset.leaf, []).append(dataset)
        return found

    @cached_property
    def detached_ids(self) -> set[str]:
        """The last two components of all datasets: the handles that detached snapshots could have."""
        return {"/".join(dataset.id.rsplit("/", 2)[-2:]) for dataset in self.box.datasets.values()}

    @cached_property
    def structural(self) -> set[str]:
        """The parents and all datasets above them, which are nobody's volumes."""
        found = set()
        for parent in self.volume_parents | self.detached_parents:
            parts = parent.split("/")
            found |= {"/".join(parts[:count]) for count in range(1, len(parts) + 1)}
        return found

    @cached_property
    def mounted(self) -> dict[str, Dataset]:
        """Mount point -> dataset."""
        found = {f"/mnt/{dataset.id}": dataset for dataset in self.box.datasets.values()}
        return found | {dataset.mountpoint: dataset for dataset in self.box.datasets.values() if dataset.mountpoint}

    @cached_property
    def exported(self) -> set[str]:
        """Ids of the datasets that this box exports by NFS, SMB or iSCSI."""
        found = set()
        for share in self.box.shares:
            path = share.path or ""
            dataset = self.mounted.get(path.rstrip("/"))
            if dataset is not None:
                found.add(dataset.id)
            for prefix in _ZVOL_DEVICE:
                path = path.removeprefix(prefix)
            if path in self.box.datasets:
                found.add(path)
        return found

    @cached_property
    def on_dataset(self) -> dict[tuple[str, str], Dataset]:
        """(cluster, name of a volume) -> its dataset on this box."""
        found = {}
        for volume in self.volumes:
            dataset = self._dataset_of(volume)
            if dataset is not None:
                found[volume.cluster, volume.name] = dataset
        return found

    def _dataset_of(self, volume: Volume) -> Dataset | None:
        if not is_candidate(volume):
            return None
        # Of NFS the share is the dataset's mount point, which says more than the last component of its name.
        if volume.attributes.get("node_attach_driver") == "nfs":
            mounted = self.mounted.get((volume.attributes.get("share") or "").rstrip("/"))
            if mounted is not None:
                return mounted
        same = self.datasets_of_leaf.get(volume.volume_handle, ())
        return next((dataset for dataset in same if dataset.parent in self.volume_parents), next(iter(same), None))

    @cached_property
    def needed_datasets(self) -> set[str]:
        """Ids of the datasets on which some cluster has a volume."""
        return {dataset.id for dataset in self.on_dataset.values()}

    @cached_property
    def here(self) -> list[Volume]:
        """The volumes that are on this box for certain: it exports their datasets."""
        return [
            volume
            for volume in self.volumes
            if (found := self.on_dataset.get((volume.cluster, volume.name))) is not None and found.id in self.exported
        ]

    @cached_property
    def servers(self) -> set[str]:
        """The addresses by which clusters reach this box."""
        return {server for volume in self.here for server in servers_of(volume)}

    @cached_property
    def csi_drivers(self) -> set[tuple[str, str]]:
        """(cluster, driver) of the drivers that are democratic-csi, as their volumes tell."""
        return {(volume.cluster, volume.driver) for volume in self.volumes if is_candidate(volume)}

    @cached_property
    def drivers(self) -> set[tuple[str, str]]:
        """(cluster, driver) of the drivers that work with this box and, as far as volumes tell, with no other."""
        here = {(volume.cluster, volume.driver) for volume in self.here}
        elsewhere = {
            (volume.cluster, volume.driver)
            for volume in self.volumes
            if is_candidate(volume) and not servers_of(volume) <= self.servers
        }
        return here - elsewhere

    @cached_property
    def instances(self) -> set[str | None]:
        """The driver's instance ids that are ours: the option's, else those of datasets on which we have volumes."""
        if self.options.instance_id is not None:
            return {self.options.instance_id}
        return {instance_of(dataset) for dataset in self.on_dataset.values()}

    def unknown_instance(self, maker: Dataset) -> str | None:
        """Why it is not known whether a dataset is of our instance; None if it is."""
        if self.instances:
            return None
        if self.options.volumes_cause:
            return self.options.volumes_cause
        # Of a driver without an id, somebody's snapshots may be all that is left.
        return None if instance_of(maker) is None else "no volume tells the driver's instance_id; give it"

    @cached_property
    def volume_names(self) -> Counter[str]:
        """csi_volume_name -> how many datasets right below a volume parent have it."""
        return Counter(
            dataset.properties["csi_volume_name"]
            for dataset in self.box.datasets.values()
            if dataset.parent in self.volume_parents and "csi_volume_name" in dataset.properties
        )

    @cached_property
    def needed_by_contents(self) -> set[str]:
        """Last components of datasets of whose snapshots some cluster has a content: backups that outlive a volume."""
        return {handle.partition("@")[0] for handle in self.content_handles if "@" in handle}

    @cached_property
    def held_datasets(self) -> set[str]:
        """Ids of the datasets of whose snapshots at least one has a hold."""
        return {snapshot.dataset for snapshot in self.box.snapshots.values() if snapshot.holds}

    @cached_property
    def below(self) -> Counter[str]:
        """Dataset -> how many snapshots and datasets are right below it; they would go with it."""
        found = Counter(snapshot.dataset for snapshot in self.box.snapshots.values())
        found.update(dataset.parent for dataset in self.box.datasets.values())
        return found

    @cached_property
    def matches(self) -> bool:
        """Whether anything at all of the clusters is on this box, below its parents."""
        if any(dataset.parent in self.volume_parents for dataset in self.on_dataset.values()):
            return True
        return any(f"{one.dataset.rpartition('/')[2]}@{one.name}" in self.content_handles for one in self._own_level())

    def _own_level(self) -> Iterable:
        return (
            snapshot
            for snapshot in self.box.snapshots.values()
            if snapshot.dataset.rpartition("/")[0] in self.volume_parents
        )

    def incomplete(self, *parts: str) -> str | None:
        """Why one of these parts of the box is not complete; None if all are."""
        for name in parts:
            part = self.box.parts.get(name)
            if part is None or not part.complete:
                return f"{name} of the box: {(part.cause if part else None) or 'not read'}"
        return None

    @property
    def unknown_datasets(self) -> str | None:
        """Why it is not known of a dataset that it is not there; None if it is."""
        return self.incomplete(DATASETS, POOLS)

    @property
    def unknown_shares(self) -> str | None:
        """Why it is not known what this box exports."""
        return self.incomplete(SHARES)

    @property
    def unknown_snapshots(self) -> str | None:
        """Why it is not known of a snapshot that it is not there."""
        return self.incomplete(SNAPSHOTS)

    def orphan(
        self,
        kind: str,
        name: str,
        reason: str,
        *,
        created: float | None,
        size: int | None,
        evidence: Iterable[str],
        unknown: str | None,
    ) -> Row:
        """The row of something that by the rules nobody needs; `unknown` is what could not be read for that."""
        age = self.options.age(created)
        said = tuple(evidence)
        if unknown:
            return Row(kind, None, name, UNKNOWN, "incomplete_list", age, size, (*said, f"not known: {unknown}"))
        if age is None:
            return Row(kind, None, name, UNKNOWN, "no_age", age, size, (*said, "its age is not known"))
        if age < self.options.min_age_seconds:
            wanted = f"younger than {self.options.min_age_seconds:g} s"
            return Row(kind, None, name, YOUNG, reason, age, size, (*said, wanted))
        return Row(kind, None, name, ORPHAN, reason, age, size, said)

    def state(
        self, kind: str, name: str, state: str, reason: str, *, created: float | None, size: int | None, why: str
    ) -> Row:
        """The row of something that is no orphan, with why."""
        return Row(kind, None, name, state, reason, self.options.age(created), size, (why,))


def is_candidate(volume: Volume) -> bool:
    """Whether it was provisioned by democratic-csi on ZFS of some box."""
    return (volume.attributes.get("provisioner_driver") or "").startswith(_DRIVERS)


def servers_of(volume: Volume) -> set[str]:
    """The box's addresses in its attributes: the NFS or SMB server, or the hosts of the iSCSI portals."""
    attributes = volume.attributes
    portals = f"{attributes.get('portal') or ''},{attributes.get('portals') or ''}".split(",")
    given = [attributes.get("server") or "", *(_host(portal.strip()) for portal in portals)]
    return {server.lower() for server in given if server}


def _host(portal: str) -> str:
    """HOST of HOST:PORT, [IPV6]:PORT or HOST."""
    host, colon, port = portal.rpartition(":")
    if colon and port.isdigit() and (":" not in host or host.endswith("]")):
        return host.strip("[]")
    return portal.strip("[]")


def instance_of(dataset: Dataset) -> str | None:
    """The id of the driver's instance that made it; None if the driver has none."""
    return dataset.properties.get("volume_context_provisioner_instance_id")
