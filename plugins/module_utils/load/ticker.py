# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a batch does by the clock: progress lines, measurements on disk, and no load for a playbook that was killed."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .batch import Batch

#: Seconds between two writings of the measurements while the batch works, so that a killed run keeps them.
_SNAPSHOT_SECONDS = 10.0
#: Seconds between two looks at whether there still is a playbook that wants the load.
_ABANDONED_LOOK_SECONDS = 1.0


async def tick(batch: Batch) -> None:
    """Until it is cancelled."""
    next_snapshot = time.monotonic() + _SNAPSHOT_SECONDS
    while True:
        next_due = min(batch.progress.seconds_to_next, next_snapshot - time.monotonic(), _ABANDONED_LOOK_SECONDS)
        await asyncio.sleep(max(0.0, next_due) + 0.01)
        if batch.progress.is_abandoned():
            batch.abort("the playbook that ran this batch is gone")
        show(batch)
        if time.monotonic() >= next_snapshot:
            batch.worked_seconds = time.monotonic() - batch.began
            batch.write(partial=True)
            next_snapshot = time.monotonic() + _SNAPSHOT_SECONDS


def show(batch: Batch, *, last: bool = False) -> None:
    """Write a line of progress, if one is due or it is the last."""
    jobs, pods = batch.tracker.jobs, batch.tracker.pods
    ended = jobs.complete.total() + jobs.failed.total()
    detail = f"{ended} Jobs ended, {pods.active_job_pods} Job pods active" if batch.settings.requested["Job"] else ""
    batch.progress.show(
        done=batch.recorder.done,
        failed=batch.recorder.failures.total(),
        retries=batch.cluster.traffic.retries.total(),
        unready=batch.standings.unready(),
        detail=detail,
        last=last,
    )
