"""One measured client in its own process: `python -m bench.client` takes a Task as JSON and returns Measured.

In a process of its own, so that processor time and memory are those of the client alone, and every run starts alike.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import resource
import subprocess
import sys
from typing import Any

from bench.plane import Plane, client_environment
from bench.task import Measured, Task

TIMEOUT_SECONDS = 300


class ClientFailedError(Exception):
    """The client did not finish its work; the message is the client's."""


def measure(plane: Plane, *, timeout_seconds: float = TIMEOUT_SECONDS, **task: Any) -> Measured:
    """Run one client in a new process; the other arguments are those of Task. Raises ClientFailedError."""
    whole = Task(server=plane.server, token=plane.token, ca_file=str(plane.ca_file), **task)
    done = subprocess.run(
        [sys.executable, "-m", "bench.client"],
        input=json.dumps(dataclasses.asdict(whole)),
        capture_output=True,
        text=True,
        timeout=timeout_seconds,
        env=client_environment(),
        check=False,
    )
    if done.returncode != 0:
        raise ClientFailedError(f"{whole.client}: {done.stderr.strip()[-2000:]}")
    return Measured(**json.loads(done.stdout))


def main() -> None:
    """Runs in the client's process. Only the selected client is imported, because its memory is measured."""
    task = Task(**json.load(sys.stdin))
    if task.client == "engine":
        from bench.engine import work
    else:
        from bench.reference import work
    result = asyncio.run(work(task))
    result["peak_rss_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps(result))


if __name__ == "__main__":
    main()
