"""One client that lists storage, in its own process: `python -m bench.storage_client` takes a Listing as JSON.

`ours` scans as the module does, `bare` fetches the same pages and drops them, `official` is the official Python client,
and `record` keeps the pages in a folder for bench.storage_replay.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import re
import ssl
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.plane import Plane, client_environment

TIMEOUT_SECONDS = 300
PATHS = {
    "claims": "/api/v1/persistentvolumeclaims",
    "volumes": "/api/v1/persistentvolumes",
    "pods": "/api/v1/pods",
    "snapshots": "/apis/snapshot.storage.k8s.io/v1/volumesnapshots",
    "contents": "/apis/snapshot.storage.k8s.io/v1/volumesnapshotcontents",
}
_TOKEN = re.compile(rb'"continue":"([^"]+)"')
#: The metadata of a page come before its items, or behind them where the kind is a CustomResourceDefinition's.
_METADATA_BYTES = 2048


class ListingFailedError(Exception):
    """The client did not come to its end, or did not find what is there; the message is its own."""


@dataclass(frozen=True, kw_only=True)
class Listing:
    """What to do. `folder` is where pages are kept."""

    client: str
    server: str
    token: str
    ca_file: str
    kinds: list[str]
    folder: str = ""


@dataclass(frozen=True, kw_only=True)
class Listed:
    """What it took.

    `seconds` and `cpu_seconds` from the first request to the last answer, `process_seconds` the whole process with its
    start; `peak_rss_bytes` of the process. `objects` is None where they were not counted.
    """

    seconds: float
    cpu_seconds: float
    peak_rss_bytes: int
    objects: int | None
    bytes: int | None
    process_seconds: float = 0.0


def listed(plane: Plane, *, objects: int, **listing: Any) -> Listed:
    """Run one client in a new process. Raises ListingFailedError, also if it found fewer than `objects` objects."""
    whole = Listing(server=plane.server, token=plane.token, ca_file=str(plane.ca_file), **listing)
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "bench.storage_client"],
        input=json.dumps(dataclasses.asdict(whole)),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        env=client_environment(),
        check=False,
    )
    if done.returncode != 0:
        raise ListingFailedError(f"{whole.client}: {done.stderr.strip()[-2000:]}")
    found = Listed(**json.loads(done.stdout), process_seconds=time.monotonic() - began)
    # More may be there: pods of other parts that are still being deleted.
    if found.objects is not None and found.objects < objects:
        raise ListingFailedError(f"{whole.client} found {found.objects} of {objects} objects")
    return found


class _Clock:
    def __init__(self) -> None:
        self._wall, self._cpu = time.monotonic(), time.process_time()

    def passed(self) -> dict[str, float]:
        return {"seconds": time.monotonic() - self._wall, "cpu_seconds": time.process_time() - self._cpu}


async def _ours(listing: Listing) -> dict[str, Any]:
    from ansible_collections.kubestress.core.plugins.module_utils.cluster.transport import import_aiohttp
    from ansible_collections.kubestress.core.plugins.module_utils.machine.interpreter import (
        rare_garbage_collection,
        return_large_blocks,
    )
    from ansible_collections.kubestress.core.plugins.module_utils.storage.options import Options
    from ansible_collections.kubestress.core.plugins.module_utils.storage.storage_info import scan_cluster

    import_aiohttp()  # before the clock starts, as the others do
    return_large_blocks()
    parts = {"claims", "volumes"} | ({"snapshots"} if "snapshots" in listing.kinds else set())
    connection = {"host": listing.server, "api_key": listing.token, "ca_cert": listing.ca_file}
    with rare_garbage_collection():
        clock = _Clock()
        report = await scan_cluster(connection, Options(parts=frozenset(parts)))
        passed = clock.passed()
    if not report.complete:
        raise ListingFailedError(str(report.parts))
    return {**passed, "objects": sum(report.parts[kind].objects for kind in listing.kinds), "bytes": None}


async def _bare(listing: Listing) -> dict[str, Any]:
    import aiohttp

    context = ssl.create_default_context(cafile=listing.ca_file)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    headers = {"Authorization": f"Bearer {listing.token}", "Accept-Encoding": "identity"}
    index: dict[str, str] = {}
    size = 0

    async def pages(session: aiohttp.ClientSession, kind: str) -> None:
        nonlocal size
        query, number = {"limit": "500"}, 0
        while True:
            async with session.get(PATHS[kind], params=query) as answer:
                body = await answer.read()
                if answer.status != 200:
                    raise ListingFailedError(f"{PATHS[kind]}: {body[:500]!r}")
            size += len(body)
            if listing.folder:
                file = f"{kind}-{number}.json"
                (Path(listing.folder) / file).write_bytes(body)
                index[f"{PATHS[kind]} {query.get('continue', '')}"] = file
            found = _TOKEN.search(body, 0, _METADATA_BYTES) or _TOKEN.search(body, max(0, len(body) - _METADATA_BYTES))
            if found is None:
                return
            query["continue"], number = found[1].decode(), number + 1

    clock = _Clock()
    async with aiohttp.ClientSession(
        listing.server,
        headers=headers,
        connector=aiohttp.TCPConnector(limit=0, ssl=context),
        timeout=aiohttp.ClientTimeout(total=None),
        read_bufsize=1024 * 1024,
    ) as session:
        await asyncio.gather(*(pages(session, kind) for kind in listing.kinds))
    passed = clock.passed()
    if listing.folder:
        (Path(listing.folder) / "index.json").write_text(json.dumps(index))
    return {**passed, "objects": None, "bytes": size}


async def _official(listing: Listing) -> dict[str, Any]:
    """As its documentation shows it: typed models, in pages of the same size."""
    from kubernetes import client

    configuration = client.Configuration()
    configuration.host, configuration.ssl_ca_cert = listing.server, listing.ca_file
    configuration.api_key = {"authorization": f"Bearer {listing.token}"}
    clock, objects = _Clock(), 0
    with client.ApiClient(configuration) as api:
        core = client.CoreV1Api(api)
        ways = {
            "claims": core.list_persistent_volume_claim_for_all_namespaces,
            "volumes": core.list_persistent_volume,
        }
        kept = []
        for kind in listing.kinds:
            token = None
            while True:
                page = ways[kind](limit=500, _continue=token) if token else ways[kind](limit=500)
                kept += page.items
                token = page.metadata._continue
                if not token:
                    break
        objects = len(kept)
    return {**clock.passed(), "objects": objects, "bytes": None}


def _peak_rss_bytes() -> int:
    """The largest resident set of this process. The kernel's rusage would count the parent's before exec, too."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def main() -> None:
    """The process's side."""
    listing = Listing(**json.load(sys.stdin))
    work = {"ours": _ours, "bare": _bare, "record": _bare, "official": _official}[listing.client]
    result = asyncio.run(work(listing))
    print(json.dumps({**result, "peak_rss_bytes": _peak_rss_bytes()}))


if __name__ == "__main__":
    main()
