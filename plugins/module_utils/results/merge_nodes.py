# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What observers read of the nodes, as one row a node. Pure; what no kubelet told stays None."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .merge_server import causes_of
from .sketches import largest, total

Observation = Mapping[str, Any]
#: Nodes that a summary lists, those nearest to their limits first.
MAX_NODES = 50
_PEAKS = (
    "threads_peak", "pod_threads_peak", "pod_processes_peak", "cpu_cores_peak", "memory_bytes_peak", "pods_peak"
)  # fmt: skip
_LIMITS = ("max_threads", "pod_pids_limit")


def merged_nodes(observations: Sequence[Observation]) -> dict[str, Any] | None:
    """Peaks against limits by node, without series; None where nobody observed."""
    told = [one["nodes"] for one in observations if one.get("nodes")]
    if not told:
        return None
    gathered: dict[str, list[Mapping[str, Any]]] = {}
    for one in told:
        for row in one.get("nodes") or ():
            gathered.setdefault(row["name"], []).append(row)
    rows = sorted((_node(rows) for rows in gathered.values()), key=lambda row: (-(_nearness(row) or 0), row["name"]))
    asked = any(one.get("source") == "kubelet" for one in told)
    return {
        "source": "kubelet" if asked else "none",
        "cause": None if asked else causes_of(told),
        "requests": total(one.get("requests") for one in told),
        "seen": len(rows),
        "simulated": sum(row["simulated"] is True for row in rows),
        "unknown": sum(row["simulated"] is None and not row["samples"] for row in rows),
        "silent": sum(row["simulated"] is not True and not row["samples"] for row in rows),
        "nodes": rows[:MAX_NODES],
        "not_asked": largest(one.get("not_asked") for one in told),
    }


def _node(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    samples = total(row.get("samples") for row in rows) or 0
    read = [row["conditions"] for row in rows if row.get("conditions") is not None]
    conditions = [condition for one in read for condition in one]
    return {
        "name": rows[0]["name"],
        "simulated": _last([row.get("simulated") for row in rows]),
        "samples": samples,
        "cause": None if samples else causes_of(rows),
        **{name: _last([row.get(name) for row in rows]) for name in _LIMITS},
        **{name: largest(row.get(name) for row in rows) for name in _PEAKS},
        # Two observers at a time saw the same one. None is a Node that could not be read.
        "conditions": [one for at, one in enumerate(conditions) if one not in conditions[:at]] if read else None,
    }


def _last(values: Sequence[Any]) -> Any:
    return next((value for value in reversed(values) if value is not None), None)


def _nearness(row: Mapping[str, Any]) -> float | None:
    """How much of a limit of the node was used at most, 0 to 1; None where no limit or no peak is known.

    The limit of a pod counts threads. Where only its processes are known, they are the least that it had.
    """
    pairs = (
        (row["threads_peak"], row["max_threads"]),
        (row["pod_threads_peak"] or row["pod_processes_peak"], row["pod_pids_limit"]),
    )
    return max((peak / limit for peak, limit in pairs if peak is not None and limit), default=None)
