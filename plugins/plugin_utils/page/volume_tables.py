# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of volumes: how long claims, their pods and snapshots took, stage by stage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .formats import count, figure, seconds, stamps, things, words
from .model import Table, columns

#: The stages of a volume, and whether their times are from the objects, which have whole seconds.
_STAGES = {
    "bound": ("claim: created to bound", False),
    "provisioned": ("claim that waits for a pod: pod scheduled to bound", False),
    "attached": ("attachment: created to attached", False),
    "mounted": ("pod: scheduled to volumes mounted", False),
    "mounted_own": ("pod: the same by its own times", True),
    "cut": ("snapshot: created to the moment that it holds, by its own times", True),
    "ready": ("snapshot: created to ready to use", False),
    "expanded": ("claim: patched to expanded", False),
}
_PERCENTILES = ("p50_s", "p90_s", "p95_s", "p99_s", "max_s")
_TOLD_BY = {
    "condition": "the condition PodReadyToStartContainers",
    "container": "the start of the first container, which comes after pulling its image",
}


def volume_stages(volumes: Mapping[str, Any]) -> Table:
    """How long the volumes took."""
    rows = [
        [
            words(role, code=True),
            words(_STAGES.get(stage, (stage, False))[0]),
            figure(row.get("count")),
            *(
                figure(row.get(name), stamps if _STAGES.get(stage, ("", False))[1] else seconds)
                for name in _PERCENTILES
            ),
        ]
        for role, stages in (volumes.get("stages") or {}).items()
        for stage, row in stages.items()
        if row
    ]
    return Table(
        id="volumes",
        title="Volumes by stage",
        columns=columns("Role", "Stage", "#Measured", "#p50", "#p90", "#p95", "#p99", "#Max"),
        rows=rows,
        note=" ".join(_notes(volumes)),
        empty=f"No data: {volumes.get('cause') or 'nothing of a volume was observed from its beginning'}.",
    )


def _notes(volumes: Mapping[str, Any]) -> list[str]:
    notes = ["By the client's clock, from one event to another, unless the stage says otherwise."]
    told = volumes.get("mounted_by") or {}
    parts = [f"{_TOLD_BY.get(by, by)} ({things(number, 'pod')})" for by, number in told.items()]
    if parts:
        notes.append(f"That volumes are mounted is told by {' and '.join(parts)}.")
    if volumes.get("attachments_cause"):
        notes.append(f"Attachments were not watched: {volumes['attachments_cause']}.")
    if volumes.get("unconsumed"):
        notes.append(f"{count(volumes['unconsumed'])} claims wait for a first consumer, and no pod of the run is one.")
    return notes
