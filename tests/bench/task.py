"""The task of a measured client, and its result. Both are passed between processes as JSON."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Task:
    """The work of a client.

    `client` is engine or reference. `existing`: the namespaces exist already. `wait`: the work ends when everything is
    ready, not when everything is stored. `observe`: True observes and writes files, False only writes files, None does
    neither.
    """

    client: str
    server: str
    token: str
    ca_file: str
    run_id: str
    fragments: list[dict[str, Any]]
    namespaces: list[str]
    existing: bool = False
    wait: bool = True
    in_flight: int = 50
    namespaces_parallel: int = 10
    observe: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Time, CPU and memory of a client.

    `seconds`: from the first request to the end of the work. `sending_seconds`: from the first create to the answer
    to the last. `cpu_seconds`: user and system time of the client's process between the same moments as `seconds`.
    `peak_rss_bytes`: of that process, from its start.
    """

    objects: int
    seconds: float
    sending_seconds: float
    cpu_seconds: float
    peak_rss_bytes: int

    @property
    def rate(self) -> float:
        """Objects stored per second of sending."""
        return self.objects / self.sending_seconds

    @property
    def cpu_ms_per_object(self) -> float:
        """CPU time of the client per object, in milliseconds."""
        return 1000 * self.cpu_seconds / self.objects


class Clock:
    """Wall and CPU time since `start`."""

    def start(self) -> None:
        """Start the clock."""
        self._wall, self._cpu = time.monotonic(), time.process_time()

    def seconds(self) -> float:
        """Wall time since the start."""
        return time.monotonic() - self._wall

    def cpu_seconds(self) -> float:
        """User and system time of this process."""
        return time.process_time() - self._cpu
