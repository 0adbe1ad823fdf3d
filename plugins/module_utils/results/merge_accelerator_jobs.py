# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Merges what several batches saw of their accelerator jobs. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..measure.accelerator_jobs import STAGES
from .merge import Batch, largest, merged_counts, merged_row, total
from .merge_observations import causes_of

Row = Mapping[str, Any]
_GROUP = ("role", "queue", "priority")
_POOL = ("role", "label", "pool", "accelerator", "machine", "topology")
_CAUSE = ("role", "by", "cause")


def merged_accelerator_jobs(batches: Sequence[Batch]) -> dict[str, Any] | None:
    """Waits, pools, restarts and causes of waiting, a list of rows each; None if no batch had accelerator jobs.

    `cause` says why not everything was seen, `workloads_cause` the same of the queue, `pools_cause` of the pools.
    """
    parts = [batch["accelerator_jobs"] for batch in batches if batch.get("accelerator_jobs")]
    if not parts:
        return None
    return {
        "cause": causes_of(parts),
        "workloads_cause": causes_of({"cause": one["workloads_cause"]} for one in parts),
        "pools_cause": causes_of({"cause": one["pools_cause"]} for one in parts),
        "waits": [_wait(key, rows) for key, rows in _alike(parts, "waits", _GROUP)],
        "pools": [_pool(key, rows) for key, rows in _alike(parts, "pools", _POOL)],
        "restarts": [_restarts(key, rows) for key, rows in _alike(parts, "restarts", ("role",))],
        "unschedulable": [_cause(key, rows) for key, rows in _alike(parts, "unschedulable", _CAUSE)],
        "clock_backwards": total(one["clock_backwards"] for one in parts),
    }


def _alike(parts: Iterable[Row], what: str, names: tuple[str, ...]) -> Iterator[tuple[dict[str, Any], list[Row]]]:
    """The rows of all parts that agree in these names, in the order in which they first appear."""
    gathered: dict[tuple[Any, ...], list[Row]] = {}
    for part in parts:
        for row in part[what]:
            gathered.setdefault(tuple(row[name] for name in names), []).append(row)
    for key, rows in gathered.items():
        yield dict(zip(names, key, strict=True)), rows


def _wait(key: dict[str, Any], rows: Sequence[Row]) -> dict[str, Any]:
    stages: dict[str, list[Row]] = {}
    for row in rows:
        for stage, figures in row["stages"].items():
            stages.setdefault(stage, []).append(figures)
    return {
        **key,
        "jobs": total(row["jobs"] for row in rows),
        "waiting": total(row["waiting"] for row in rows),
        "waiting_longest_s": largest(row["waiting_longest_s"] for row in rows),
        # RFC 3339 in UTC sorts as text.
        "first_admitted": min((row["first_admitted"] for row in rows if row["first_admitted"]), default=None),
        "last_admitted": max((row["last_admitted"] for row in rows if row["last_admitted"]), default=None),
        "evicted": merged_counts(row["evicted"] for row in rows),
        "stages": {stage: merged_row(stages[stage], unit="s") for stage in STAGES if stage in stages},
    }


def _pool(key: dict[str, Any], rows: Sequence[Row]) -> dict[str, Any]:
    at_once = [row["slices_at_once"] for row in rows]
    return {
        **key,
        "nodes": largest(row["nodes"] for row in rows),
        "nodes_used": largest(row["nodes_used"] for row in rows),
        "pods": total(row["pods"] for row in rows),
        "slices": total(row["slices"] for row in rows),
        "slices_at_once": None if None in at_once else largest(at_once),
    }


def _restarts(key: dict[str, Any], rows: Sequence[Row]) -> dict[str, Any]:
    counts = {name: total(row[name] for row in rows) for name in ("jobs", "restarted", "restarts", "failed_pods")}
    return {**key, **counts, "exit_codes": merged_counts(row["exit_codes"] for row in rows)}


def _cause(key: dict[str, Any], rows: Sequence[Row]) -> dict[str, Any]:
    return {
        **key,
        "told": total(row["told"] for row in rows),
        "pending": total(row["pending"] for row in rows),
        "longest_s": largest(row["longest_s"] for row in rows),
        "example": rows[-1]["example"],
    }
