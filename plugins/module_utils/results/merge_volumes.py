# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Merges what several batches measured of their volumes. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..measure.volumes import STAGES
from .merge import Batch, merged_counts, merged_row, total
from .merge_observations import causes_of


def merged_volumes(batches: Sequence[Batch]) -> dict[str, Any] | None:
    """Role -> stage -> count and percentiles in seconds, and what to know of them; None if no batch had volumes.

    `cause` says why nothing was measured at all, `attachments_cause` why no stage `attached`.
    """
    parts = [batch["volumes"] for batch in batches if batch.get("volumes")]
    if not parts:
        return None
    gathered: dict[str, dict[str, list[Mapping[str, Any]]]] = {}
    for one in parts:
        for role, stages in one["stages"].items():
            for stage, row in stages.items():
                gathered.setdefault(role, {}).setdefault(stage, []).append(row)
    refusals = [{"cause": one["attachments_cause"]} for one in parts]
    return {
        "cause": None if gathered else causes_of(parts),
        "stages": {
            role: {stage: merged_row(stages[stage], unit="s") for stage in STAGES if stage in stages}
            for role, stages in gathered.items()
        },
        "unconsumed": total(one["unconsumed"] for one in parts),
        "mounted_by": merged_counts(one["mounted_by"] for one in parts),
        "attachments_cause": causes_of(refusals),
        "clock_backwards": total(one["clock_backwards"] for one in parts),
    }
