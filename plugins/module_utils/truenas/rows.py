# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What both sides of the cross-check are made of: rows of clusters, options, and rows of findings. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

DATASET, ZFS_SNAPSHOT = "Dataset", "ZFSSnapshot"
PERSISTENT_VOLUME, CONTENT = "PersistentVolume", "VolumeSnapshotContent"

#: Nobody needs it, by all the rules.
ORPHAN = "orphan"
#: It might be an orphan, but something that the verdict needs is not known.
UNKNOWN = "unknown"
#: Younger than the age from which something counts as an orphan.
YOUNG = "young"
#: Not this driver's: of another instance, of another tool, or a copy.
FOREIGN = "foreign"
#: Its creation has not been finished.
INCOMPLETE = "incomplete"
#: Datasets made from its snapshots need it.
HELD_BY_CLONES = "held_by_clones"
#: Somebody has put a hold on it.
HELD = "held"
#: An inline volume of a pod, which has no PersistentVolume.
EPHEMERAL = "ephemeral"
#: The driver's own, while a clone or a copy is made or lives.
TEMPORARY = "temporary"


class Volume(NamedTuple):
    """A PersistentVolume of one of the clusters, of any driver.

    `attributes` are the volumeAttributes, `created` seconds since 1970. One that is being deleted (`deleting`) still
    needs its backend, but is no finding.
    """

    cluster: str
    name: str
    uid: str
    driver: str
    volume_handle: str
    attributes: Mapping[str, str]
    created: float | None = None
    bytes: int | None = None
    deleting: bool = False


class Content(NamedTuple):
    """A VolumeSnapshotContent. `handle` is the snapshot's, None while there is none; `volume_handle` its source's."""

    cluster: str
    name: str
    driver: str
    handle: str | None
    volume_handle: str | None = None
    created: float | None = None
    bytes: int | None = None
    deleting: bool = False


class Row(NamedTuple):
    """A finding: the same fields, in the same order, as a Finding of a storage scan."""

    kind: str
    namespace: str | None
    name: str
    state: str
    reason: str
    age_seconds: float | None
    bytes: int | None
    evidence: tuple[str, ...]
    confirmed: bool | None = None


@dataclass(frozen=True, kw_only=True)
class CheckOptions:
    """What a cross-check needs beside the lists.

    `cluster` is the one whose objects are findings; Volumes and Contents of other clusters only keep what is theirs.
    `volumes_cause` and `contents_cause`: why these lists are not complete, in any of the clusters; None if they are.
    `min_age_seconds`: what is younger is no orphan. `now` is seconds since 1970. Pool thresholds are in percent.
    """

    volume_parents: tuple[str, ...]
    now: float
    detached_parents: tuple[str, ...] = ()
    instance_id: str | None = None
    cluster: str = ""
    volumes_cause: str | None = None
    contents_cause: str | None = None
    min_age_seconds: float = 24 * 3600.0
    pool_warning_percent: float = 80.0
    pool_critical_percent: float = 90.0
    overcommit_warning: float = 2.0

    def age(self, created: float | None) -> float | None:
        """Seconds since then; 0 for what is younger than our clock says, None if not known."""
        return None if created is None else max(0.0, self.now - created)
