"""The storage part: a scan beside the official client and beside a bare fetch, its processor time and its memory."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench import process
from bench.parts import MEGABYTE, RUN, Sizes, in_turn
from bench.plane import Plane, stub_server
from bench.storage_client import PATHS, Listed, listed
from bench.storage_objects import fill
from bench.table import Row, median_row

#: Goals: those of the project, see docs/bench.md.
MODULE_SECONDS = 0.8
MODULE_RSS_MB = 45
MORE_RSS_MB = 45
BARE_SHARE = 1.10
REPLAY_CPU_SECONDS = 0.5
_TWO = ["claims", "volumes"]


def storage(plane: Plane, sizes: Sizes) -> list[Row]:
    """All of it. The objects stay, so this comes last."""
    count, prefix = sizes.storage_objects, f"storage-{RUN}"
    fill(plane, prefix=prefix, count=count, kinds=["claims"])
    with plane.without_controllers():
        rows = _beside_the_official_client(plane, sizes)
    fill(plane, prefix=prefix, count=count, kinds=["pods", "snapshots"])
    with plane.without_controllers():
        rows += _beside_a_bare_fetch(plane, sizes)
    with TemporaryDirectory(prefix="kubestress-bench-") as folder:
        listed(plane, objects=0, client="record", kinds=list(PATHS), folder=folder)
        rows += _replayed(Path(folder), sizes)
    return rows


def _beside_the_official_client(plane: Plane, sizes: Sizes) -> list[Row]:
    """Claims and volumes: the module's process as Ansible starts it, and a process of the official client."""
    ours: list[process.Module] = []
    theirs: list[Listed] = []
    objects = 2 * sizes.storage_objects
    for client, _pair in in_turn(sizes.pairs):
        plane.wait_until_quiet()
        if client == "engine":
            ours.append(_module(plane))
        else:
            theirs.append(listed(plane, objects=objects, client="official", kinds=_TWO))
    what = f"{sizes.storage_objects:,} claims and as many volumes"
    ratios = [one.seconds / other.process_seconds for one, other in zip(ours, theirs, strict=True)]
    return [
        median_row("storage: official client, whole process", [one.process_seconds for one in theirs], "s", note=what),
        median_row("storage: official client, peak RSS", [one.peak_rss_bytes / MEGABYTE for one in theirs], "MB"),
        median_row("storage: module's process", [one.seconds for one in ours], "s", goal=MODULE_SECONDS, note=what),
        median_row("storage: module / official client", ratios, "", note=f"median of {sizes.pairs} pairs"),
        median_row(
            "storage: module's peak RSS",
            [one.peak_rss_bytes / MEGABYTE for one in ours],
            "MB",
            goal=MODULE_RSS_MB,
            note=f"CPU {statistics.median(one.cpu_seconds for one in ours):.2f} s",
        ),
    ]


def _beside_a_bare_fetch(plane: Plane, sizes: Sizes) -> list[Row]:
    """All five kinds: the scan, and the same lists fetched and dropped, in turn."""
    ours: list[Listed] = []
    bare: list[Listed] = []
    kinds = list(PATHS)
    listed(plane, objects=0, client="bare", kinds=kinds)  # the server's caches are warm for both
    for client, _pair in in_turn(sizes.pairs):
        plane.wait_until_quiet()
        if client == "engine":
            ours.append(listed(plane, objects=len(kinds) * sizes.storage_objects, client="ours", kinds=kinds))
        else:
            bare.append(listed(plane, objects=0, client="bare", kinds=kinds))
    what = f"{sizes.storage_objects:,} each of {', '.join(kinds)}; {(bare[0].bytes or 0) / MEGABYTE:,.0f} MB"
    ratios = [one.seconds / other.seconds for one, other in zip(ours, bare, strict=True)]
    return [
        median_row("storage: bare fetch of five kinds", [one.seconds for one in bare], "s", note=what),
        median_row("storage: scan of five kinds", [one.seconds for one in ours], "s", note=what),
        median_row("storage: scan / bare fetch", ratios, "", goal=BARE_SHARE, note=f"median of {sizes.pairs} pairs"),
    ]


def _replayed(pages: Path, sizes: Sizes) -> list[Row]:
    """The recorded pages from a server that only sends them: processor time, and memory beside empty lists."""
    kinds, objects = list(PATHS), len(PATHS) * sizes.storage_objects
    with stub_server("bench.storage_replay", str(pages)) as server:
        scans = [listed(server, objects=objects, client="ours", kinds=kinds) for _ in range(sizes.pairs)]
        fetches = [listed(server, objects=0, client="bare", kinds=kinds) for _ in range(sizes.pairs)]
        full = [_module(server).peak_rss_bytes for _ in range(sizes.pairs)]
    with stub_server("bench.storage_replay") as server:
        empty = [_module(server).peak_rss_bytes for _ in range(sizes.pairs)]
    fetch = statistics.median(one.cpu_seconds for one in fetches)
    more = [(one - other) / MEGABYTE for one, other in zip(full, empty, strict=True)]
    return [
        median_row(
            "storage: scan of recorded pages, CPU",
            [one.cpu_seconds for one in scans],
            "s",
            goal=REPLAY_CPU_SECONDS,
            note=f"TLS included; fetching alone takes {fetch:.2f} s",
        ),
        median_row(
            f"storage: peak RSS at {objects:,} objects, less that of an empty cluster",
            more,
            "MB",
            goal=MORE_RSS_MB,
            note=f"empty: {statistics.median(empty) / MEGABYTE:.0f} MB",
        ),
    ]


def _module(plane: Plane, **arguments: Any) -> process.Module:
    """The module in a playbook of its own. Raises PlaybookFailedError."""
    task: Mapping[str, Any] = {"name": "Scan", "kubestress.core.storage_info": arguments}
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [task]}
    with TemporaryDirectory(prefix="kubestress-bench-") as scratch:
        folder = Path(scratch)
        (folder / "storage.yml").write_text(json.dumps([play]))
        env = {"K8S_AUTH_KUBECONFIG": str(plane.kubeconfig)}
        (module,) = process.run([str(folder / "storage.yml")], folder=folder, env=env).modules
    return module
