"""What a measured client is asked to do, and what it answers. Both travel as JSON between processes."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a client is to do.

    `client` is engine or reference; `existing` says that the namespaces are there already; `wait` that the work ends
    when everything is ready, not when everything is stored. `observe`: whether the engine observes beside its work, and
    keeps what it measures in files; with False it keeps them, and with None not even that.
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
    """What it took.

    `seconds`: from the first request to the end of the work. `sending_seconds`: from the first create to the last
    one's answer. `cpu_seconds`: user and system time of the client's process between the same moments as `seconds`.
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
        """Milliseconds of the client's processor time for each object."""
        return 1000 * self.cpu_seconds / self.objects


class Clock:
    """Wall and processor time since `start`."""

    def start(self) -> None:
        """Begin to count."""
        self._wall, self._cpu = time.monotonic(), time.process_time()

    def seconds(self) -> float:
        """Wall time."""
        return time.monotonic() - self._wall

    def cpu_seconds(self) -> float:
        """User and system time of this process."""
        return time.process_time() - self._cpu
