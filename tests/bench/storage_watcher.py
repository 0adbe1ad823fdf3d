"""One watch in its own process, and what it takes: `python -m bench.storage_watcher` takes its options as JSON."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
import time
from pathlib import Path
from typing import Any

_SAMPLE_SECONDS = 0.2
_PAGE_BYTES = 4096
_EVENTS = re.compile(r"^kubestress_storage_watch_events (\d+)$", re.MULTILINE)


def _rss_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_BYTES


async def _watched(options: dict[str, Any], auth: dict[str, Any], events: int) -> dict[str, Any]:
    """Samples of the memory, and processor time from the first judgement to the end, once all events were seen."""
    from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
    from ansible_collections.kubestress.core.plugins.module_utils.storage_watch.options import checked_watch
    from ansible_collections.kubestress.core.plugins.module_utils.storage_watch.watching import watch
    from ansible_collections.kubestress.core.plugins.modules.storage_watch import ARGUMENTS

    began: dict[str, float] = {}
    samples: list[tuple[float, int]] = []

    def tell(_first: object) -> None:
        began.update(cpu=time.process_time(), wall=time.monotonic())

    async def sample() -> None:
        while True:
            if began:
                samples.append((time.monotonic() - began["wall"], _rss_bytes()))
                seen = _EVENTS.search((Path(options["dest"]) / "metrics.prom").read_text())
                if seen is not None and int(seen[1]) >= events:
                    os.kill(os.getpid(), signal.SIGTERM)
                    return
            await asyncio.sleep(_SAMPLE_SECONDS)

    checked = ArgumentSpecValidator(ARGUMENTS).validate(options)
    sampling = asyncio.create_task(sample())
    found = await watch(auth, checked_watch(checked.validated_parameters), tell)
    sampling.cancel()
    return {
        "cpu_seconds": time.process_time() - began["cpu"],
        "seconds": time.monotonic() - began["wall"],
        "samples": samples or [(0.0, _rss_bytes())],
        "watch": found["watch"],
        "states": found["summary"]["states"],
    }


def main() -> None:
    """The process's side."""
    from ansible_collections.kubestress.core.plugins.module_utils.machine.interpreter import (
        rare_garbage_collection,
        return_large_blocks,
    )

    return_large_blocks()
    given = json.load(sys.stdin)
    with rare_garbage_collection():
        print(json.dumps(asyncio.run(_watched(given["options"], given["auth"], given["events"]))))


if __name__ == "__main__":
    main()
