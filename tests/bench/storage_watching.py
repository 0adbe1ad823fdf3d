"""The storage_watch part: a watch over many claims, its memory over an hour's worth of events, and what one costs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.parts import MEGABYTE, Sizes
from bench.plane import client_environment, stub_server
from bench.storage_events import OBJECT_CHANGES, TURN
from bench.table import Row

#: Memory at the end, as a share of that after the first quarter.
FLATNESS = 1.05
_TIMEOUT_SECONDS = 600


class WatchFailedError(Exception):
    """The watch did not see all that happened; the message is its own."""


def storage_watch(sizes: Sizes) -> list[Row]:
    """One watch from its first list to the last event."""
    claims, events = sizes.watched_claims, sizes.watched_events
    with (
        stub_server("bench.storage_events", str(claims), str(events)) as server,
        TemporaryDirectory(prefix="kubestress-bench-") as folder,
    ):
        options = {
            "state": "foreground",
            "dest": folder,
            "parts": ["claims", "volumes"],
            "max_seconds": _TIMEOUT_SECONDS,
            "metrics_interval": 2,
        }
        auth = {"host": server.server, "api_key": server.token, "ca_cert": str(server.ca_file)}
        done = subprocess.run(
            [sys.executable, "-m", "bench.storage_watcher"],
            input=json.dumps({"options": options, "auth": auth, "events": events}),
            capture_output=True,
            text=True,
            timeout=2 * _TIMEOUT_SECONDS,
            env=client_environment(),
            check=False,
        )
        if done.returncode != 0:
            raise WatchFailedError(done.stderr.strip()[-2000:])
        found: dict[str, Any] = json.loads(done.stdout)
        lines = len((Path(folder) / "events.jsonl").read_text().splitlines())
    seen = found["watch"]
    changes = events // len(TURN) * OBJECT_CHANGES
    if seen["events"] != events or seen["objects"] != {"PersistentVolumeClaim": {"modified": changes}}:
        raise WatchFailedError(f"of {events} events with {changes} changes it saw {seen}")
    if found["states"]["PersistentVolumeClaim"] != {"in_use": claims}:
        raise WatchFailedError(f"every claim is used: {found['states']}")
    return _rows(found, lines, claims)


def _rows(found: dict[str, Any], lines: int, claims: int) -> list[Row]:
    samples, events = found["samples"], found["watch"]["events"]
    end = samples[-1][0]
    # What is listed and judged at first takes more than what comes later, and is given back.
    early = max(rss for at, rss in samples if at <= max(end / 4, samples[0][0]))
    late = max(rss for at, rss in samples if at >= 3 * end / 4)
    what = f"{claims:,} claims, volumes and pods; {events:,} events in {found['seconds']:.1f} s, {lines:,} lines"
    return [
        Row(
            name="storage_watch: CPU per event",
            value=1e6 * found["cpu_seconds"] / max(1, events),
            unit="µs",
            note=f"{what}; judging, lines and figures included",
        ),
        Row(name="storage_watch: memory at the end", value=late / MEGABYTE, unit="MB", note="resident"),
        Row(
            name="storage_watch: memory at the end / after the first quarter",
            value=late / early,
            unit="",
            goal=FLATNESS,
            note=f"{early / MEGABYTE:.1f} MB, then {late / MEGABYTE:.1f} MB",
        ),
    ]
