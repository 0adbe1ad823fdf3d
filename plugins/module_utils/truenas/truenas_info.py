# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module `truenas_info`: check its parameters, read the box, say what it has."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from ..errors import ModuleFailed
from .errors import BoxError
from .matching import pool_rows
from .model import Box, Dataset, Snapshot
from .options import box_options
from .reader import read_box
from .rows import CheckOptions


def run_module(params: Mapping[str, Any]) -> dict[str, Any]:
    """Run the module. Raises ModuleFailed: bad input, no login, or with `strict` an incomplete part."""
    try:
        options = box_options(params)
        box = asyncio.run(read_box(options))
    except BoxError as error:
        raise ModuleFailed(str(error)) from error
    result = _result(box, options.volume_parents + options.detached_parents)
    if params["strict"] and not box.complete:
        raise ModuleFailed(f"{box.url} was not read completely: {box.cause}", result)
    return result


def _result(box: Box, parents: tuple[str, ...]) -> dict[str, Any]:
    below = tuple(f"{parent}/" for parent in parents)
    datasets = [one for one in box.datasets.values() if not below or one.id.startswith(below) or one.id in parents]
    # The pools' thresholds are those of a scan; truenas_info has none of its own.
    plain_options = CheckOptions(volume_parents=(), now=time.time())
    more = {pool.name: pool for pool in box.pools}
    return {
        "changed": False,
        "url": box.url,
        "version": box.version,
        "transport": box.transport,
        "complete": box.complete,
        "cause": box.cause,
        "parts": {name: part._asdict() for name, part in box.parts.items()},
        "pools": [
            {
                **row,
                "warning": more[row["name"]].warning,
                "freeing_bytes": more[row["name"]].freeing_bytes,
                "fragmentation_percent": more[row["name"]].fragmentation_percent,
                "scan": more[row["name"]].scan,
            }
            for row in pool_rows(box, plain_options)
        ],
        "datasets": [_dataset(one) for one in sorted(datasets, key=lambda one: one.id)],
        "snapshots": [_snapshot(box, one) for one in sorted(box.snapshots.values(), key=lambda one: one.id)],
        "shares": [share._asdict() for share in sorted(box.shares, key=lambda share: share[:2])],
    }


def _dataset(one: Dataset) -> dict[str, Any]:
    return {**one._asdict(), "pool": one.pool, "parent": one.parent, "properties": dict(one.properties)}


def _snapshot(box: Box, one: Snapshot) -> dict[str, Any]:
    clones = list(box.clones.get(one.id, ()))
    return {**one._asdict(), "holds": list(one.holds), "clones": clones, "properties": dict(one.properties)}
