"""One watch in its own process, and what it takes: `python -m bench.storage_watcher` takes its options as JSON."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

_SAMPLE_SECONDS = 0.2
_PAGE_BYTES = 4096


def _rss_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_BYTES


async def _watched(options: dict[str, Any], auth: dict[str, Any]) -> dict[str, Any]:
    """Peak memory of each tenth of the events, and processor time from the first judgement on."""
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
        "claims": found["summary"]["claims"],
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
        print(json.dumps(asyncio.run(_watched(given["options"], given["auth"]))))


if __name__ == "__main__":
    main()
