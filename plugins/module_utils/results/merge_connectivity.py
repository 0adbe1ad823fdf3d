# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Merges what the checks of the Services measured in several batches. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..measure.exposition import Buckets, add_to, count, quantile, rounded
from ..measure.service_checks import PHASES
from .merge import Batch, merged_counts, total
from .merge_observations import causes_of

_UNTOLD = "no pod of the check has told its times: none has run to its end, or all were on simulated nodes"


def merged_connectivity(batches: Sequence[Batch]) -> dict[str, Any] | None:
    """Requests, codes, and percentiles by phase; None if no batch checked Services.

    A phase that was not measured is None. Without any figures `source` is "none", and `cause` says why.
    """
    parts = [batch["connectivity"] for batch in batches if batch.get("connectivity")]
    if not parts:
        return None
    has_told = any(one["told"] for one in parts)
    return {
        "source": "pods" if has_told else "none",
        "cause": None if has_told else causes_of(parts) or _UNTOLD,
        "pods": total(one["pods"] for one in parts),
        "told": total(one["told"] for one in parts),
        "requests": total(one["requests"] for one in parts),
        "failed": total(one["failed"] for one in parts),
        "codes": merged_counts(one["codes"] for one in parts),
        "phases": {
            phase: _merged_phase([one["phases"][phase] for one in parts if phase in one["phases"]]) for phase in PHASES
        },
    }


def _merged_phase(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Count, percentiles in seconds, and the cumulative buckets they are estimated from."""
    buckets: Buckets = {}
    for row in rows:
        for bound, number in row["buckets"].items():
            add_to(buckets, bound, number)
    if not count(buckets):
        return None
    return {
        "count": count(buckets),
        **{f"p{percent}_s": rounded(quantile(buckets, percent)) for percent in (50, 90, 99)},
        "buckets": {bound: sum(row["buckets"][bound] for row in rows) for bound in rows[0]["buckets"]},
    }
