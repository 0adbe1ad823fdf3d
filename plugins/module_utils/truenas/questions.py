# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of a box, by version and transport. No I/O.

| version | datasets | snapshots |
|---|---|---|
| before 25.04 | pool.dataset.query | zfs.snapshot.query |
| 25.04 to 25.10 | pool.dataset.query | pool.snapshot.query |
| from 26 on | zfs.resource.query | zfs.resource.snapshot.query |

From 26 on, pool.snapshot.query exists too, but returns no user properties. Limits and offsets are of no use: the box
applies them after it has read everything. `select` drops the nested children that each ancestor repeats.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import quote

from . import shapes
from .model import CSI, Dataset, Snapshot
from .options import JSON_RPC

#: Bytes of paths in one request: the box reads 64 KiB, envelope included.
_MAX_PATHS_BYTES = 32 * 1024
_VERSION = re.compile(r"(\d{2})\.(\d{1,2})")
_OLD_SELECT = ["id", "type", *shapes.DATASET_PROPERTIES, "user_properties"]
_CSI_NAMES = [CSI + name for name in shapes.PROPERTIES]
_POOL_SELECT = ["name", "status", "healthy", "warning", "size", "allocated", "free", "freeing", "fragmentation", "scan"]


@dataclass(frozen=True, kw_only=True)
class Question:
    """One question in both transports. `kind` is what the answer decodes to, `rows` makes our form of it.

    `path` is below /api/v2.0, already encoded; `query` is encoded when it is sent.
    """

    method: str
    params: Sequence[Any] = ()
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    kind: Any
    rows: Callable[[Any], Iterator[Any]]


VERSION = Question(method="system.version", path="/system/version", kind=str, rows=lambda text: iter((text,)))
POOLS = Question(
    method="pool.query",
    params=[[], {"select": _POOL_SELECT}],
    path="/pool",
    kind=list[shapes.PoolRow],
    rows=shapes.pools,
)


def _shares(kind: str, method: str, path: str) -> Question:
    rows = partial(shapes.shares, kind)
    return Question(method=method, params=[[], {}], path=path, kind=list[shapes.ShareRow], rows=rows)


SHARES = (
    _shares("nfs", "sharing.nfs.query", "/sharing/nfs"),
    _shares("smb", "sharing.smb.query", "/sharing/smb"),
    _shares("iscsi_target", "iscsi.target.query", "/iscsi/target"),
    _shares("iscsi_extent", "iscsi.extent.query", "/iscsi/extent"),
)


def release_of(version: str | None) -> tuple[int, int]:
    """(25, 10) of "TrueNAS-SCALE-25.10.1". What has no such number counts as the newest."""
    found = _VERSION.search(version or "")
    return (int(found[1]), int(found[2])) if found else (99, 0)


def datasets(release: tuple[int, int], transport: str, pools: Sequence[str]) -> list[list[Question]]:
    """All datasets of the box, in ways to be tried one after the other; each way is all its questions together."""
    new = [
        Question(
            method="zfs.resource.query",
            params=[
                {
                    "paths": [],
                    "get_children": True,
                    "properties": list(shapes.DATASET_PROPERTIES),
                    "get_user_properties": True,
                }
            ],
            path="",
            kind=list[shapes.NewDataset],
            rows=shapes.new_datasets,
        )
    ]
    old = [
        Question(
            method="pool.dataset.query",
            params=[
                [],
                {"select": _OLD_SELECT, "extra": {"flat": True, "properties": list(shapes.DATASET_PROPERTIES)}},
            ],
            path="",
            kind=list[shapes.OldDataset],
            rows=shapes.old_datasets,
        )
    ]
    if transport == JSON_RPC:
        return [new, old] if release >= (26, 0) else [old, new]
    # A root with its children nested below it has every dataset once; the list has each once per ancestor.
    query = {"extra.properties": json.dumps(shapes.DATASET_PROPERTIES)}
    roots = [
        Question(
            method="",
            path=f"/pool/dataset/id/{quote(pool, safe='')}",
            query=query,
            kind=shapes.OldDataset,
            rows=_one_dataset,
        )
        for pool in pools
    ]
    return [roots]


def _one_dataset(row: shapes.OldDataset) -> Iterator[Dataset]:
    return shapes.old_datasets((row,))


def snapshots(release: tuple[int, int], transport: str, parents: Sequence[str]) -> list[list[Question]]:
    """The snapshots below the parents (of the whole box without parents), in ways to be tried one after the other."""
    roots = outermost(parents)
    if transport != JSON_RPC:
        pools = sorted({root.partition("/")[0] for root in roots})
        paths = ["/pool/snapshot", "/zfs/snapshot"]
        if release < (25, 4):
            paths.reverse()
        extra = {"extra.properties": json.dumps([*shapes.SNAPSHOT_PROPERTIES, *_CSI_NAMES]), "extra.holds": "true"}
        queries = [{"pool": pool, **extra} for pool in pools] if pools else [extra]
        return [[_old_snapshots("", [], path, query, roots) for query in queries] for path in paths]
    new = [
        Question(
            method="zfs.resource.snapshot.query",
            params=[
                {
                    "paths": paths_together,
                    "recursive": True,
                    "properties": list(shapes.SNAPSHOT_PROPERTIES),
                    "get_user_properties": True,
                    "get_holds": True,
                }
            ],
            path="",
            kind=list[shapes.SnapshotRow],
            rows=shapes.snapshots,
        )
        for paths_together in _batches(roots)
    ]
    options = {
        "select": ["name", "properties", "user_properties", "holds"],
        "extra": {"properties": [*shapes.SNAPSHOT_PROPERTIES, *_CSI_NAMES], "holds": True},
    }
    # All datasets below a parent, whose own snapshots are nobody's volume.
    filters = [[["dataset", "^", f"{root}/"]] for root in roots] or [[]]
    middle, old = (
        [_old_snapshots(method, [each, options], "", {}, roots) for each in filters]
        for method in ("pool.snapshot.query", "zfs.snapshot.query")
    )
    if release >= (26, 0):
        return [new, middle]
    return [middle, old] if release >= (25, 4) else [old, middle]


def _old_snapshots(
    method: str, params: Sequence[Any], path: str, query: Mapping[str, str], roots: Sequence[str]
) -> Question:
    def rows(found: Iterable[shapes.SnapshotRow]) -> Iterator[Snapshot]:
        below = tuple(f"{root}/" for root in roots)
        # A pool's name is all that can be filtered by over REST.
        return (one for one in shapes.snapshots(found) if not below or one.dataset.startswith(below))

    return Question(method=method, params=params, path=path, query=query, kind=list[shapes.SnapshotRow], rows=rows)


def outermost(parents: Iterable[str]) -> list[str]:
    """The parents that are below no other: a path inside another is refused in one question."""
    found: list[str] = []
    for parent in sorted(set(parents)):
        if not any(parent.startswith(f"{other}/") for other in found):
            found.append(parent)
    return found


def _batches(paths: Sequence[str]) -> list[list[str]]:
    """The paths in lists that fit into one request each; one empty list for none, which asks for everything."""
    batches: list[list[str]] = [[]]
    size = 0
    for path in paths:
        size += len(path) + 3
        if size > _MAX_PATHS_BYTES:
            batches.append([])
            size = len(path) + 3
        batches[-1].append(path)
    return batches
