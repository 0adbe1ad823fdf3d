# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the box to the clusters: datasets without a volume, ZFS snapshots without a content. No I/O.

ZFS children and snapshots inherit user properties, and TrueNAS from 25.10 on calls inherited ones local. So nothing is
the driver's by a property alone: csi_snapshot_name must be the snapshot's own name, csi_volume_name must not be the
parent's, and where several datasets have it, it must explain the dataset's name.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections import Counter
from collections.abc import Iterator

from .errors import plain
from .model import Dataset, Snapshot
from .rows import (
    DATASET,
    EPHEMERAL,
    FOREIGN,
    HELD,
    HELD_BY_CLONES,
    INCOMPLETE,
    TEMPORARY,
    UNKNOWN,
    ZFS_SNAPSHOT,
    Row,
)
from .sides import Sides, instance_of

_FOR_VOLUME, _FOR_SNAPSHOT = "volume-source-for-volume-", "volume-source-for-snapshot-"
#: The kubelet's volumeHandle of an inline ephemeral volume.
_EPHEMERAL = re.compile(r"csi-[0-9a-f]{64}")
#: What the external-snapshotter calls snapshots by default.
_CSI_SNAPSHOT = re.compile(r"snapshot-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_SHOWN_CLONES = 3


class BoxSide:
    """What is only on the box.

    `volumes` and `snapshots` count the driver's own, `matched` by kind what has an object in a cluster.
    """

    def __init__(self, sides: Sides) -> None:
        self._sides = sides
        self._options = sides.options
        self.volumes = self.snapshots = 0
        self.matched: Counter[str] = Counter()
        # A dataset that is held by clones of any of its snapshots.
        self._clones: dict[str, list[str]] = {}
        for snapshot, clones in sides.box.clones.items():
            self._clones.setdefault(snapshot.partition("@")[0], []).extend(clones)
        nothing = "no dataset and no snapshot belongs to any object of the clusters: is this their box?"
        self._nothing = None if sides.matches else nothing

    def rows(self) -> Iterator[Row]:
        """The findings."""
        sides = self._sides
        for dataset in sides.box.datasets.values():
            if dataset.id in sides.structural:
                continue
            if dataset.parent in sides.volume_parents:
                yield from self._volume(dataset)
            elif dataset.parent.rpartition("/")[0] in sides.detached_parents:
                yield from self._detached(dataset)
        for snapshot in sides.box.snapshots.values():
            of = sides.box.datasets.get(snapshot.dataset)
            parent = snapshot.dataset.rpartition("/")[0]
            if parent in sides.volume_parents and snapshot.dataset not in sides.structural:
                yield from self._snapshot(snapshot, of)
            elif parent.rpartition("/")[0] in sides.detached_parents and snapshot.name.startswith(
                (_FOR_VOLUME, _FOR_SNAPSHOT)
            ):
                yield self._temporary(snapshot)

    # --- datasets -----------------------------------------------------------------------------------------------------

    def _volume(self, dataset: Dataset) -> Iterator[Row]:
        sides, name = self._sides, dataset.properties.get("csi_volume_name")
        managed = dataset.properties.get("managed_resource") == "true"
        self.volumes += managed
        if dataset.leaf in sides.handles or dataset.id in sides.needed_datasets:
            self.matched[DATASET] += 1
            return
        parent = sides.box.datasets.get(dataset.parent)
        if _EPHEMERAL.fullmatch(dataset.leaf):
            yield self._no_orphan(dataset, EPHEMERAL, "inline", "its name is that of an inline volume of a pod")
        elif not managed or name is None:
            yield self._no_orphan(dataset, FOREIGN, "not_managed", "democratic-csi has not made it")
        elif parent is not None and parent.properties.get("csi_volume_name") == name:
            yield self._no_orphan(dataset, FOREIGN, "inherited", f"its csi_volume_name is that of {parent.id}")
        elif name in sides.volume_of_name:
            handle = plain(sides.volume_of_name[name].volume_handle)
            why = f"PersistentVolume {plain(name)} is there, with the volumeHandle {handle}"
            yield self._no_orphan(dataset, FOREIGN, "copy", why)
        elif sides.volume_names[name] > 1 and dataset.leaf not in _ids_of(name):
            why = f"{sides.volume_names[name]} datasets have the csi_volume_name {plain(name)}"
            yield self._no_orphan(dataset, FOREIGN, "copy", why)
        else:
            evidence = f"no PersistentVolume {self._of()} has the volumeHandle {dataset.leaf} or the name {plain(name)}"
            # A backup of it may be all that is left of a volume. One without snapshots has none.
            backups = self._options.contents_cause if sides.below[dataset.id] else None
            cause = self._options.volumes_cause or backups or sides.unknown_snapshots
            yield from self._own(dataset, "no_volume", evidence, cause)

    def _detached(self, dataset: Dataset) -> Iterator[Row]:
        handle = "/".join(dataset.id.rsplit("/", 2)[-2:])
        managed = dataset.properties.get("managed_resource") == "true"
        own = managed and dataset.properties.get("csi_snapshot_name") == dataset.leaf
        self.snapshots += own
        if handle in self._sides.content_handles:
            self.matched[DATASET] += 1
        elif not own:
            yield self._no_orphan(dataset, FOREIGN, "not_managed", "it is no detached snapshot of democratic-csi")
        else:
            evidence = f"no VolumeSnapshotContent {self._of()} has the snapshotHandle {handle}"
            # The driver notes its instance on volumes only.
            sources = self._sides.datasets_of_leaf.get(handle.partition("/")[0], ())
            source = next((one for one in sources if one.parent in self._sides.volume_parents), dataset)
            yield from self._own(dataset, "no_content", evidence, self._options.contents_cause, maker=source)

    def _own(
        self, dataset: Dataset, reason: str, evidence: str, cause: str | None, maker: Dataset | None = None
    ) -> Iterator[Row]:
        """The driver's own, without an object: an orphan unless something speaks against it. `maker` has its id."""
        clones, maker = self._clones.get(dataset.id), maker or dataset
        if self._is_foreign(maker):
            why = f"of the driver's instance {plain(instance_of(maker) or 'without an id')}"
            yield self._no_orphan(dataset, FOREIGN, "other_instance", why)
        elif dataset.properties.get("provision_success") != "true":
            yield self._no_orphan(dataset, INCOMPLETE, "no_provision_success", "its creation was not finished")
        elif clones:
            yield self._no_orphan(dataset, HELD_BY_CLONES, "clones", f"its snapshots have the clones {_some(clones)}")
        elif reason == "no_volume" and dataset.leaf in self._sides.needed_by_contents:
            why = f"a VolumeSnapshotContent {self._of()} needs one of its snapshots"
            yield self._no_orphan(dataset, HELD, "contents", why)
        elif dataset.id in self._sides.held_datasets:
            yield self._no_orphan(dataset, HELD, "holds", "one of its snapshots has a hold")
        else:
            below = self._sides.below[dataset.id]
            what = f"{below} snapshots and datasets below it would go with it" if below else "nothing is below it"
            yield self._sides.orphan(
                DATASET,
                dataset.id,
                reason,
                created=dataset.created,
                size=dataset.used_bytes,
                evidence=(evidence, "democratic-csi has made it, and finished it", what),
                unknown=cause or self._sides.unknown_instance(maker) or self._sides.unknown_datasets or self._nothing,
            )

    def _no_orphan(self, dataset: Dataset, state: str, reason: str, why: str) -> Row:
        return self._sides.state(
            DATASET, dataset.id, state, reason, created=dataset.created, size=dataset.used_bytes, why=why
        )

    def _is_foreign(self, dataset: Dataset) -> bool:
        # Without an option and without a single match nothing is known of our instances.
        return bool(self._sides.instances) and instance_of(dataset) not in self._sides.instances

    # --- snapshots ----------------------------------------------------------------------------------------------------

    def _snapshot(self, snapshot: Snapshot, of: Dataset | None) -> Iterator[Row]:
        handle = f"{snapshot.dataset.rpartition('/')[2]}@{snapshot.name}"
        name = snapshot.properties.get("csi_snapshot_name")
        own = snapshot.properties.get("managed_resource") == "true" and name == snapshot.name
        self.snapshots += own
        if handle in self._sides.content_handles:
            self.matched[ZFS_SNAPSHOT] += 1
        elif snapshot.name.startswith((_FOR_VOLUME, _FOR_SNAPSHOT)):
            yield self._temporary(snapshot)
        elif own and of is not None and self._is_foreign(of):
            why = f"its dataset is of the driver's instance {plain(instance_of(of) or 'without an id')}"
            yield self._kept(snapshot, FOREIGN, "other_instance", why)
        elif own:
            evidence = f"no VolumeSnapshotContent {self._of()} has the snapshotHandle {handle}"
            cause = self._options.contents_cause or (self._sides.unknown_instance(of) if of is not None else None)
            yield self._unheld(snapshot, "no_content", evidence, cause)
        elif name is None and _CSI_SNAPSHOT.fullmatch(snapshot.name):
            why = "it has the name of a CSI snapshot, but not the properties of one"
            yield self._kept(snapshot, UNKNOWN, "no_properties", why)
        else:
            yield self._kept(snapshot, FOREIGN, "not_csi", "democratic-csi has not made it")

    def _temporary(self, snapshot: Snapshot) -> Row:
        """A snapshot by which the driver makes a clone or a detached snapshot. It has no properties."""
        box, leaf = self._sides.box, snapshot.dataset.rpartition("/")[2]
        if snapshot.name.startswith(_FOR_VOLUME):
            made = snapshot.name.removeprefix(_FOR_VOLUME)
            targets = [f"{parent}/{made}" for parent in self._sides.volume_parents]
        else:
            made = snapshot.name.removeprefix(_FOR_SNAPSHOT)
            targets = [f"{parent}/{leaf}/{made}" for parent in self._sides.detached_parents]
        for target in targets:
            found = box.datasets.get(target)
            if found is not None and found.properties.get("provision_success") != "true":
                return self._kept(snapshot, TEMPORARY, "in_progress", f"{target} is being made from it")
        if box.clones.get(snapshot.id):
            clones = _some(box.clones[snapshot.id])
            return self._kept(snapshot, TEMPORARY, "clone_lives", f"{clones} was made from it and needs it")
        evidence = f"the driver made it for {plain(made)}, and nothing needs it any more"
        return self._unheld(snapshot, "leftover_temporary", evidence, None)

    def _unheld(self, snapshot: Snapshot, reason: str, evidence: str, cause: str | None) -> Row:
        """An orphan unless a clone or a hold needs it."""
        clones = self._sides.box.clones.get(snapshot.id)
        if clones:
            return self._kept(snapshot, HELD_BY_CLONES, "clones", f"it has the clones {_some(clones)}")
        if snapshot.holds:
            return self._kept(snapshot, HELD, "holds", f"it has the holds {plain(', '.join(snapshot.holds))}")
        return self._sides.orphan(
            ZFS_SNAPSHOT,
            snapshot.id,
            reason,
            created=snapshot.created,
            size=snapshot.used_bytes,
            evidence=(evidence,),
            unknown=cause or self._sides.unknown_datasets or self._sides.unknown_snapshots or self._nothing,
        )

    def _kept(self, snapshot: Snapshot, state: str, reason: str, why: str) -> Row:
        return self._sides.state(
            ZFS_SNAPSHOT, snapshot.id, state, reason, created=snapshot.created, size=snapshot.used_bytes, why=why
        )

    def _of(self) -> str:
        """The clusters that were asked, as part of a sentence."""
        names = [plain(name) for name in self._sides.clusters if name != self._options.cluster]
        return " or ".join(["of the cluster", *(f"of {name}" for name in names)])


def _ids_of(name: str) -> set[str]:
    """The volume ids that the driver makes of a name without a template: itself, or its hash (idHash)."""
    data = name.encode(errors="replace")
    return {name, hashlib.md5(data, usedforsecurity=False).hexdigest(), f"{zlib.crc32(data):x}"}


def _some(names: list[str] | tuple[str, ...]) -> str:
    shown = ", ".join(names[:_SHOWN_CLONES])
    return shown if len(names) <= _SHOWN_CLONES else f"{shown} and {len(names) - _SHOWN_CLONES} more"
