# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Observes by itself, in a process of its own, until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..cluster.client import Cluster
from ..cluster.exchange import RetryPolicy
from ..measure.pods import PodBook
from .arguments import Intervals
from .observation import ObservationFile
from .observer import Observer
from .parts import standard_parts
from .watching import Watching

#: Seconds that one request may take, and for which it is tried again.
_REQUEST_SECONDS = 30.0


async def observe(
    *,
    auth: dict[str, Any],
    run_id: str,
    name: str,
    namespaces: Sequence[str],
    intervals: Intervals,
    max_seconds: float,
    file: ObservationFile,
    tell: Callable[[Mapping[str, Any]], None],
) -> None:
    """Observe until SIGTERM or `max_seconds` are over. `tell` is called once, when the first readings are done.

    Raises ClusterError before that, if the cluster cannot be reached or its pods not be read.
    """
    asked_to_stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asked_to_stop.set)
    retry = RetryPolicy(deadline_seconds=_REQUEST_SECONDS)
    async with await Cluster.open(auth, retry=retry, request_timeout_seconds=_REQUEST_SECONDS) as cluster:
        await cluster.version()
        began = time.monotonic()
        pods = PodBook(created_since=time.time())
        watching = Watching(cluster, pods, run_id=run_id, namespaces=namespaces)
        parts = standard_parts(
            cluster, pods, intervals=intervals, started=began, namespaces=lambda: watching.namespaces
        )
        observer = Observer([*parts, watching], run_id=run_id, name=name, intervals=intervals, file=file)
        await watching.listed()
        async with observer.beside():
            tell({"server": cluster.connection.host})
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max_seconds):
                    await asked_to_stop.wait()
            if not asked_to_stop.is_set():
                observer.warnings.append(f"nobody ended it, so it ended by itself after {max_seconds:g} s")
