"""Preflight's reading of a cluster in a process of its own: `python -m bench.looking` takes a Look as JSON.

The process has imported the module with everything that belongs to it, so that its memory is that of the module.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import big_cluster
from bench.plane import Plane, client_environment

TIMEOUT_SECONDS = 300


class LookFailedError(Exception):
    """The survey did not come to its end; the message is its own."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """What is to be read. `exact_pods`: up to this many pods are counted, and more are estimated."""

    server: str
    token: str
    ca_file: str
    exact_pods: int
    budget_seconds: float = 60.0


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What was found, and what it took.

    `used_pods` and the other sums are over all nodes. `seconds` and `cpu_seconds` from the first request to the last
    answer; `peak_rss_bytes` of the process, from its start.
    """

    pods: int
    nodes: int
    used_pods: int
    used_cpu_milli: int
    used_memory_bytes: int
    estimated: str
    unread: dict[str, str]
    seconds: float
    cpu_seconds: float
    peak_rss_bytes: int


def look(plane: Plane, *, pods: int, **wanted: Any) -> Seen:
    """Read the cluster of `pods` pods in a new process; the other arguments are those of Look.

    Raises LookFailedError, also where the figures are not those of the cluster.
    """
    whole = Look(server=plane.server, token=plane.token, ca_file=str(plane.ca_file), **wanted)
    done = subprocess.run(
        [sys.executable, "-m", "bench.looking"],
        input=json.dumps(dataclasses.asdict(whole)),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        env=client_environment(),
        check=False,
    )
    if done.returncode != 0:
        raise LookFailedError(done.stderr.strip()[-2000:])
    seen = Seen(**json.loads(done.stdout))
    requests = (pods * big_cluster.POD_CPU_MILLI, pods * big_cluster.POD_MEMORY_BYTES)
    if (seen.pods, seen.used_pods, seen.used_cpu_milli, seen.used_memory_bytes) != (pods, pods, *requests):
        raise LookFailedError(f"{pods} pods are there, and this was found: {seen}")
    return seen


async def _read(wanted: Look) -> dict[str, Any]:
    from ansible_collections.kubestress.core.plugins.module_utils.cluster.client import Cluster
    from ansible_collections.kubestress.core.plugins.module_utils.preflight.survey import Wanted, survey

    options = {"host": wanted.server, "api_key": wanted.token, "ca_cert": wanted.ca_file}
    asked = Wanted(
        run_id="bench",
        namespaces=["bench-1"],
        access=[],
        pods=True,
        processes=False,
        nodes_sampled=0,
        budget_seconds=wanted.budget_seconds,
        exact_pods=wanted.exact_pods,
    )
    async with await Cluster.open(options) as cluster:
        began, cpu = time.monotonic(), time.process_time()
        supply = (await survey(cluster, asked, takes_pods=lambda _node: True)).supply
        seconds, cpu_seconds = time.monotonic() - began, time.process_time() - cpu
    nodes = supply.nodes or []
    return {
        "pods": supply.pods_running,
        "nodes": len(nodes),
        "used_pods": sum(node.used_pods for node in nodes),
        "used_cpu_milli": sum(node.used_cpu for node in nodes),
        "used_memory_bytes": sum(node.used_memory for node in nodes),
        "estimated": supply.pods_estimated,
        "unread": supply.unread,
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
    }


def _peak_rss_bytes() -> int:
    """The largest resident set of this process. The kernel's rusage would count the parent's before exec, too."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def main() -> None:
    """The process's side."""
    wanted = Look(**json.load(sys.stdin))
    # What Ansible would have loaded into the same process.
    from ansible_collections.kubestress.core.plugins.modules import preflight  # noqa: F401

    print(json.dumps({**asyncio.run(_read(wanted)), "peak_rss_bytes": _peak_rss_bytes()}))


if __name__ == "__main__":
    main()
