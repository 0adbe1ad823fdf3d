# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the comparison with a storage box adds to the findings and to the claims' usage. No I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from ..truenas.model import FILESYSTEM, Dataset
from ..truenas.rows import ORPHAN, UNKNOWN, YOUNG, Row
from .document import Usage
from .findings import CONTENT, DATASET, SNAPSHOT, ZFS_SNAPSHOT, Finding
from .inventory import Claim, Inventory
from .rules import IN_USE, Judged, Rules, records_of
from .selection import Selection
from .usage import Levels

#: The source of rows of usage that are the box's.
ZFS = "zfs"
_TERMINATING = "terminating"
#: Kinds of which the box has more than its findings.
_ON_BOX = (DATASET, ZFS_SNAPSHOT)


def add_findings(
    judged: Judged,
    rows: Iterable[Row],
    matched: Mapping[str, int],
    *,
    rules: Rules,
    inventory: Inventory,
    selection: Selection,
) -> list[str]:
    """Add the rows of a comparison to what was judged. `matched`: how many of the box's are in use, by kind.

    Returns what to warn of.
    """
    merging, hidden = _Merging(judged, rules, inventory, selection), 0
    for row in rows:
        if row.kind not in _ON_BOX:
            merging.add(row)
        elif selection.takes_box:
            judged.states.setdefault(row.kind, Counter())[row.state] += 1
            if row.state != YOUNG:
                judged.findings.append(Finding(**row._asdict()))
        else:
            hidden += row.state in (ORPHAN, UNKNOWN)
    for kind, number in matched.items():
        if number and selection.takes_box:
            judged.states.setdefault(kind, Counter())[IN_USE] += number
    what = f"{hidden:,} findings of the storage box are left out: they have no namespace, label, class or driver"
    return [what] if hidden else []


class _Merging:
    """Objects of the cluster, of which the rules may have found something already."""

    def __init__(self, judged: Judged, rules: Rules, inventory: Inventory, selection: Selection) -> None:
        self._judged = judged
        self._kinds = frozenset(judged.states)
        self._rules = rules
        self._all = inventory
        self._selection = selection
        self._found = {finding.key: number for number, finding in enumerate(judged.findings)}
        self._snapshots: dict[str, list[str]] = {}
        for key, snapshot in inventory.snapshots.items():
            self._snapshots.setdefault(snapshot.content, []).append(key)

    def add(self, row: Row) -> None:
        """A volume or a content without its backend; with a content goes its VolumeSnapshot."""
        self._add(row, row.name)
        if row.kind != CONTENT or SNAPSHOT not in self._kinds:
            return
        for key in self._snapshots.get(row.name, ()):
            snapshot, content = self._all.snapshots[key], self._all.contents.get(row.name)
            if content is not None and content.snapshot_uid == snapshot.uid:
                self._add(row._replace(kind=SNAPSHOT, namespace=snapshot.namespace, name=snapshot.name), key)

    def _add(self, row: Row, key: str) -> None:
        record = records_of(self._all, row.kind).get(key)
        if record is None or row.state == YOUNG or not self._selection.takes(row.kind, key, record):
            return
        finding = Finding(**row._asdict())
        number = self._found.get(finding.key)
        before = self._judged.findings[number] if number is not None else None
        states = self._judged.states.setdefault(row.kind, Counter())
        if row.kind in self._kinds:
            state = before.state if before is not None else self._rules.verdict(row.kind, record).state
            # What the rules say suffices; only what they do not know is told by the box.
            if state in (ORPHAN, _TERMINATING) or state == row.state == UNKNOWN:
                return
            states[state] -= 1
            said = before.evidence if before is not None else ()
            finding = replace(finding, evidence=(*finding.evidence, f"beside that it is {state}", *said))
        states[finding.state] += 1
        self._judged.states[row.kind] = +states
        if number is None:
            self._judged.findings.append(finding)
        else:
            self._judged.findings[number] = finding


def usage_of_box(
    inventory: Inventory, claims: Mapping[str, Claim], datasets: Mapping[str, Dataset], levels: Levels, *, time: str
) -> list[Usage]:
    """A row for each of the claims that is bound to a volume on one of the box's datasets, mounted or not.

    `datasets` by the names of volumes. Against a dataset's refquota or a zvol's volsize counts what it uses itself,
    without its snapshots; a zvol's blocks count from when they are written until they are trimmed.
    """
    found = []
    for claim in claims.values():
        dataset = datasets.get(claim.volume)
        if dataset is None or claim.phase != "Bound":
            continue
        used, quota = dataset.used_by_dataset_bytes, dataset.quota_bytes or None
        left = max(0, quota - used) if quota is not None and used is not None else None
        if left is not None and dataset.type == FILESYSTEM and dataset.available_bytes is not None:
            left = min(left, dataset.available_bytes)
        percent = round(100 * used / quota, 1) if quota is not None and used is not None else None
        cause = None if quota is not None else "its dataset has no refquota, so that nobody knows how full it may get"
        found.append(
            Usage(
                namespace=claim.namespace,
                name=claim.name,
                storage_class=claim.storage_class,
                driver=inventory.driver_of(claim),
                capacity_bytes=quota if quota is not None else claim.bytes,
                used_bytes=used,
                available_bytes=left,
                used_percent=percent,
                time=time,
                source=ZFS,
                level=levels.of(percent),
                cause=cause if used is not None else "the box does not say what its dataset uses",
            )
        )
    return found
