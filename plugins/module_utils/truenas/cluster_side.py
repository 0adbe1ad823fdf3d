# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the cluster to the box: volumes without a dataset, contents without a snapshot. No I/O.

Nothing is missing on a box that it was never on. Where that is, is told by what the box exports: a volume's server, or
a content's driver, must be one by which a volume with an exported dataset is reached. What is elsewhere is no finding.
"""

from __future__ import annotations

from collections.abc import Iterator

from .errors import plain
from .rows import CONTENT, PERSISTENT_VOLUME, Content, Row, Volume
from .sides import Sides, is_candidate, servers_of

_NOWHERE = "no volume of the clusters is on a dataset that this box exports, so that its place cannot be told"


class ClusterSide:
    """What is only in the cluster of the options."""

    def __init__(self, sides: Sides) -> None:
        self._sides = sides
        self._options = sides.options

    def rows(self) -> Iterator[Row]:
        """The findings."""
        own = self._options.cluster
        for volume in self._sides.volumes:
            if volume.cluster == own and not volume.deleting and is_candidate(volume):
                yield from self._volume(volume)
        for content in self._sides.contents:
            if content.cluster == own and not content.deleting and content.handle:
                yield from self._content(content, content.handle)

    def _volume(self, volume: Volume) -> Iterator[Row]:
        sides, options = self._sides, self._options
        if (volume.cluster, volume.name) in sides.on_dataset:
            return
        instance = volume.attributes.get("provisioner_driver_instance_id")
        if options.instance_id is not None and instance not in (None, "", options.instance_id):
            return
        servers = servers_of(volume)
        unknown = sides.unknown_datasets or sides.unknown_shares
        if not unknown and not sides.servers:
            unknown = _NOWHERE
        if not unknown and not (servers and servers <= sides.servers):
            return
        where = plain(volume.attributes.get("share") or volume.volume_handle)
        yield sides.orphan(
            PERSISTENT_VOLUME,
            volume.name,
            "backend_missing",
            created=volume.created,
            size=volume.bytes,
            evidence=(
                f"{sides.box.url} has no dataset for {where}",
                f"its server is {plain(', '.join(sorted(servers)))}",
            ),
            unknown=unknown,
        )

    def _content(self, content: Content, handle: str) -> Iterator[Row]:
        sides = self._sides
        leaf, at, name = handle.partition("@")
        if at:
            if any(f"{parent}/{leaf}@{name}" in sides.box.snapshots for parent in sides.volume_parents):
                return
            unknown = sides.unknown_snapshots or sides.unknown_datasets or sides.unknown_shares
        else:
            if handle in sides.detached_ids:
                return
            unknown = sides.unknown_datasets or sides.unknown_shares
        same = sides.datasets_of_leaf.get(leaf, ()) if at else ()
        if same and not any(dataset.parent in sides.volume_parents for dataset in same):
            # Its volume is on this box, but below a parent that was not named, whose snapshots were not read.
            return
        if (content.cluster, content.driver) not in sides.csi_drivers:
            return
        if not unknown and (content.cluster, content.driver) not in sides.drivers:
            if sides.drivers:
                return
            unknown = _NOWHERE
        yield sides.orphan(
            CONTENT,
            content.name,
            "backend_missing",
            created=content.created,
            size=content.bytes,
            evidence=(f"{sides.box.url} has no snapshot {plain(handle)}",),
            unknown=unknown,
        )
