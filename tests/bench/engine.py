"""The collection's engine as a measured client: the same Batch that the module runs, with a clock around it."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ansible_collections.kubestress.core.plugins.module_utils.cluster.client import Traffic
from ansible_collections.kubestress.core.plugins.module_utils.guard.arguments import Thresholds
from ansible_collections.kubestress.core.plugins.module_utils.load.batch import run_batch
from ansible_collections.kubestress.core.plugins.module_utils.load.batch_module import failure_reasons
from ansible_collections.kubestress.core.plugins.module_utils.load.opened import BatchSettings
from ansible_collections.kubestress.core.plugins.module_utils.observe.arguments import Intervals

from bench.task import Clock, Task
from bench.workload import compiled

#: Seconds between two readings of the API server's metrics: three times as often as by default, so that a run of a few
#: seconds has readings in between.
OBSERVED_EVERY_SECONDS = 5.0


class IncompleteError(Exception):
    """The batch did not finish its work."""


async def work(task: Task) -> dict[str, Any]:
    """Run the batch; returns the fields of Measured except the memory."""
    with TemporaryDirectory(prefix="kubestress-bench-") as folder:
        return await _worked(task, results_dir=None if task.observe is None else Path(folder))


async def _worked(task: Task, *, results_dir: Path | None) -> dict[str, Any]:
    settings = BatchSettings(
        auth={"host": task.server, "api_key": task.token, "ca_cert": task.ca_file},
        run_id=task.run_id,
        namespaces=task.namespaces,
        existing=frozenset(task.namespaces if task.existing else ()),
        parallel=task.namespaces_parallel,
        max_concurrent=task.in_flight,
        wait=task.wait,
        results_dir=results_dir,
        observe=Intervals(api_seconds=OBSERVED_EVERY_SECONDS) if task.observe else None,
        # As in every run.
        guard=Thresholds(),
    )
    clock = Clock()
    begin = Traffic.begin

    def first_begin(traffic: Traffic) -> float:
        """Start the clock with the first request, then restore the original method."""
        clock.start()
        setattr(Traffic, "begin", begin)  # noqa: B010  (mypy allows no assignment to a method)
        return begin(traffic)

    setattr(Traffic, "begin", first_begin)  # noqa: B010
    document = await run_batch(settings, compiled(task.fragments, run_id=task.run_id))
    seconds, cpu_seconds = clock.seconds(), clock.cpu_seconds()
    reasons = failure_reasons(document)
    if reasons:
        raise IncompleteError("; ".join(reasons))
    return {
        "objects": sum(row["created"] for row in document["objects"].values()),
        "seconds": seconds,
        "sending_seconds": document["rate"]["sending_seconds"],
        "cpu_seconds": cpu_seconds,
    }
