# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sums by namespace, class and driver, and claims with too many snapshots. No I/O."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from .document import Total, Usage
from .findings import CLAIM, DATASET, ORPHAN, SNAPSHOT, ZFS_SNAPSHOT, Finding
from .inventory import Inventory, Snapshot
from .rules import Record, Rules, records_of
from .second_look import key_of
from .selection import Selection

_KEYS = ("namespace", "storage_class", "driver")
#: Where what is only on a storage box belongs.
_NOWHERE = (None, None, None)
#: Of a claim, beside its state: it has more snapshots than anybody needs.
MANY_SNAPSHOTS = "many_snapshots"


def totals(
    inventory: Inventory,
    selection: Selection,
    claims: Mapping[str, Record],
    findings: Iterable[Finding],
    usage: Iterable[Usage],
) -> dict[str, dict[str | None, Total]]:
    """Total by namespace, class and driver of the claims; orphans of all kinds count where they belong."""
    found: dict[str, dict[str | None, Total]] = {key: defaultdict(Total) for key in _KEYS}
    for claim in claims.values():
        for key, value in zip(_KEYS, selection.described(claim), strict=True):
            total = found[key][value]
            total.claims += 1
            total.capacity_bytes += claim.bytes or 0
    for finding in findings:
        if finding.state != ORPHAN:
            continue
        on_box = finding.kind in (DATASET, ZFS_SNAPSHOT)
        record = None if on_box else records_of(inventory, finding.kind).get(key_of(finding))
        if on_box or record is not None:
            for key, value in zip(_KEYS, selection.described(record) if record else _NOWHERE, strict=True):
                total = found[key][value]
                total.orphans += 1
                total.orphan_bytes += finding.bytes or 0
    # What several claims share would be counted once for each of them, and what two sources tell twice.
    told = [row for row in usage if row.used_bytes is not None and not row.shared]
    once = {(row.namespace, row.name): row for row in sorted(told, key=lambda row: row.source, reverse=True)}
    for row in once.values():
        if row.used_bytes is not None:
            for key, value in zip(_KEYS, (row.namespace, row.storage_class, row.driver), strict=True):
                total = found[key][value]
                total.used_bytes = (total.used_bytes or 0) + row.used_bytes
    return found


def with_many_snapshots(rules: Rules, inventory: Inventory, selection: Selection, limit: float) -> list[Finding]:
    """A finding for each claim of which there are more snapshots than the threshold allows."""
    made_of = Counter(
        f"{snapshot.namespace}/{snapshot.source}"
        for snapshot in selection.records(SNAPSHOT).values()
        if isinstance(snapshot, Snapshot) and snapshot.source
    )
    found = []
    for key, number in made_of.items():
        claim = inventory.claims.get(key)
        if number > limit and claim is not None:
            found.append(
                Finding(
                    kind=CLAIM,
                    namespace=claim.namespace,
                    name=claim.name,
                    state=MANY_SNAPSHOTS,
                    reason="snapshots_per_volume",
                    age_seconds=rules.age(claim.created),
                    bytes=claim.bytes,
                    evidence=(f"{number:,} snapshots; the threshold is {limit:,g}",),
                )
            )
    return found
