# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cross-check of a box with the volumes of clusters, and the part `box` of storage.json. No I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

from .box_side import BoxSide
from .cluster_side import ClusterSide
from .model import Box, Dataset, Pool
from .options import DATASETS
from .rows import ORPHAN, UNKNOWN, CheckOptions, Content, Row, Volume
from .sides import Sides


class Comparison(NamedTuple):
    """What a cross-check has found.

    `rows` have the fields of a Finding. `document` is `box` of storage.json. `matched` counts by kind what of the box
    has its counterpart. `datasets`: name of a volume of the cluster -> its dataset, where this box exports that.
    """

    rows: list[Row]
    document: dict[str, Any]
    matched: Counter[str]
    datasets: dict[str, Dataset]


def cross_check(
    box: Box, volumes: Iterable[Volume], contents: Iterable[Content], options: CheckOptions
) -> tuple[list[Row], dict[str, Any]]:
    """The first two of `compare`."""
    return compare(box, volumes, contents, options)[:2]


def compare(box: Box, volumes: Iterable[Volume], contents: Iterable[Content], options: CheckOptions) -> Comparison:
    """What only the box has, and what only the cluster has.

    The box must have been read before the volumes and contents: a dataset is made before its PersistentVolume. What
    has its counterpart is no row.
    """
    sides = Sides(box, volumes, contents, options)
    found = BoxSide(sides)
    rows = [*found.rows(), *ClusterSide(sides).rows()]
    document = {
        "url": box.url,
        "version": box.version,
        "transport": box.transport,
        "pools": pool_rows(box, options),
        "volumes": found.volumes,
        "snapshots": found.snapshots,
        "matched": found.matched.total(),
        "complete": box.complete,
        "cause": box.cause,
    }
    own = (volume for volume in sides.here if volume.cluster == options.cluster)
    datasets = {volume.name: sides.on_dataset[volume.cluster, volume.name] for volume in own}
    return Comparison(rows, document, found.matched, datasets)


def confirmed(first: Iterable[Row], second: Iterable[Row], *, incomplete: str | None = None) -> list[Row]:
    """The rows of a first look, and of its orphans those that a second look at both sides finds too.

    An orphan that is something else now is told as that; one that has its counterpart now, or is gone, is no row any
    more. With `incomplete`, why the second look did not see everything, it is unknown instead.
    """
    again = {(row.kind, row.name): row for row in second}
    found = []
    for row in first:
        now = again.get((row.kind, row.name))
        if row.state != ORPHAN:
            found.append(row)
        elif now is not None:
            same = (now.state, now.reason) == (row.state, row.reason)
            found.append(now._replace(confirmed=same if now.state in (ORPHAN, UNKNOWN) else None))
        elif incomplete:
            evidence = (*row.evidence, f"not seen again: {incomplete}")
            found.append(row._replace(state=UNKNOWN, reason="not_seen_again", evidence=evidence, confirmed=False))
    return found


def pool_rows(box: Box, options: CheckOptions) -> list[dict[str, Any]]:
    """The pools as they stand in storage.json, by name."""
    return [_pool(box, pool, options) for pool in sorted(box.pools, key=lambda pool: pool.name)]


def _pool(box: Box, pool: Pool, options: CheckOptions) -> dict[str, Any]:
    used = _share(pool.allocated_bytes, pool.size_bytes)
    ratio = _overcommit(box, pool)
    level = "ok"
    if used is not None and used >= options.pool_critical_percent:
        level = "critical"
    elif (used is not None and used >= options.pool_warning_percent) or (
        ratio is not None and ratio >= options.overcommit_warning
    ):
        level = "warning"
    return {
        "name": pool.name,
        "status": pool.status,
        "healthy": pool.healthy,
        "size_bytes": pool.size_bytes,
        "allocated_bytes": pool.allocated_bytes,
        "free_bytes": pool.free_bytes,
        "used_percent": used,
        "overcommit_ratio": ratio,
        "level": level,
    }


def _share(part: int | None, whole: int | None) -> float | None:
    return round(100 * part / whole, 1) if part is not None and whole else None


def _overcommit(box: Box, pool: Pool) -> float | None:
    """What the pool's volumes may grow to, as a multiple of what it can hold; None if either is not known.

    What they may grow to are the volsizes and refquotas of all its datasets. What it holds is what its root has used
    and has available: the pool's size counts parity too.
    """
    part = box.parts.get(DATASETS)
    if part is None or not part.complete:
        return None
    root = box.datasets.get(pool.name)
    capacity = pool.size_bytes
    if root is not None and root.used_bytes is not None and root.available_bytes is not None:
        capacity = root.used_bytes + root.available_bytes
    if not capacity:
        return None
    promised = sum(one.quota_bytes or 0 for one in box.datasets.values() if one.pool == pool.name)
    return round(promised / capacity, 2)
