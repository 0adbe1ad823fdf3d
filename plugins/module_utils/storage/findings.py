# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a scan says of one object: its state, why, and by what evidence. No I/O."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

CLAIM = "PersistentVolumeClaim"
VOLUME = "PersistentVolume"
SNAPSHOT = "VolumeSnapshot"
CONTENT = "VolumeSnapshotContent"
#: Of the storage box: datasets and zvols.
DATASET = "Dataset"
ZFS_SNAPSHOT = "ZFSSnapshot"
KINDS = (CLAIM, VOLUME, SNAPSHOT, CONTENT, DATASET, ZFS_SNAPSHOT)

#: Nobody needs it any more, by all the rules.
ORPHAN = "orphan"
#: It might be an orphan, but something that the verdict needs could not be read.
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One object that is worth a look; fields as in storage.json.

    `kind` is one of KINDS; `namespace` is None for kinds of the whole cluster and of the box. `state` is ORPHAN,
    UNKNOWN or a state of the rules' table such as retained; `reason` is a short stable word to count by. `age_seconds`
    is None where the object's age is unknown, `bytes` where its size is. `evidence` are short sentences.
    `confirmed`: whether a second look came to the same verdict; None if there was none.
    """

    kind: str
    namespace: str | None
    name: str
    state: str
    reason: str
    age_seconds: float | None = None
    bytes: int | None = None
    evidence: tuple[str, ...] = ()
    confirmed: bool | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """(kind, namespace, name); the namespace is "" where there is none."""
        return self.kind, self.namespace or "", self.name


def sort_key(finding: Finding) -> tuple[int, int, int, str, str]:
    """Orphans first, then what is unknown, then the rest; the largest of each first, then by kind and name."""
    rank = 0 if finding.state == ORPHAN else 1 if finding.state == UNKNOWN else 2
    kind = KINDS.index(finding.kind) if finding.kind in KINDS else len(KINDS)
    return rank, -(finding.bytes or 0), kind, finding.namespace or "", finding.name


def most_important_first(findings: Iterable[Finding]) -> list[Finding]:
    """The findings in the order of `sort_key`."""
    return sorted(findings, key=sort_key)
