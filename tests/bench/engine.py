"""The collection's engine as a measured client: the same Batch that the module runs, with the clock at its edges."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ansible_collections.kubestress.core.plugins.module_utils.cluster.client import Traffic
from ansible_collections.kubestress.core.plugins.module_utils.load.batch import Batch, BatchSettings
from ansible_collections.kubestress.core.plugins.module_utils.load.batch_module import failure_reasons
from ansible_collections.kubestress.core.plugins.module_utils.observe.arguments import Intervals

from bench.task import Clock, Task
from bench.workload import compiled

#: Seconds between two readings of the API server's metrics: three times as often as by default, so that a run of some
#: seconds has readings in its middle.
OBSERVED_EVERY_SECONDS = 5.0


class IncompleteError(Exception):
    """The batch did not do all its work."""


async def work(task: Task) -> dict[str, Any]:
    """Run the batch; the fields of Measured but for the memory."""
    with TemporaryDirectory(prefix="kubestress-bench-") as folder:
        return await _worked(task, results_dir=None if task.observe is None else Path(folder))


async def _worked(task: Task, *, results_dir: Path | None) -> dict[str, Any]:
    settings = BatchSettings(
        auth={"host": task.server, "api_key": task.token, "ca_cert": task.ca_file},
        run_id=task.run_id,
        fragments=compiled(task.fragments, run_id=task.run_id),
        namespaces=task.namespaces,
        existing=frozenset(task.namespaces if task.existing else ()),
        parallel=task.namespaces_parallel,
        max_concurrent=task.in_flight,
        wait=task.wait,
        results_dir=results_dir,
        observe=Intervals(api_seconds=OBSERVED_EVERY_SECONDS) if task.observe else None,
    )
    clock = Clock()
    begin = Traffic.begin

    def first_begin(traffic: Traffic) -> float:
        """Start the clock with the first request, whatever it asks for, and get out of the way."""
        clock.start()
        setattr(Traffic, "begin", begin)  # noqa: B010  (mypy takes no assignment to a method)
        return begin(traffic)

    setattr(Traffic, "begin", first_begin)  # noqa: B010
    document = await Batch(settings).run()
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
