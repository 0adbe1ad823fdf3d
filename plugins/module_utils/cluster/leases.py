# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the controllers that make and place pods are alive: they renew a lease every few seconds.

The time in a lease is that of the controller's machine, whose clock may differ from ours and from the API server's. So
nothing is made of it but whether it changed between two readings, which our own clock measures.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from .client import Cluster
from .errors import ClusterError, Forbidden, NotFound

#: The leases in kube-system, named after the programs that hold them.
CONTROLLERS = ("kube-controller-manager", "kube-scheduler")
_PATH = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"
#: Seconds for both; they are read for a message, which must not be late.
_READING_SECONDS = 5.0
#: The usual length of a lease in seconds, where it does not say.
_LEASE_SECONDS = 15.0
#: Silences that are listed in the measurements.
_MAX_SILENCES = 100


@dataclass(frozen=True, slots=True)
class Lease:
    """`renewed` is the holder's own time, only good for comparing; `seconds` is for how long a renewal holds."""

    holder: str
    renewed: str
    seconds: float


@dataclass(frozen=True, slots=True)
class LeaseReading:
    """The leases that exist, by controller. `at` is by the running event loop's clock. `error`: why none was read.

    `is_refused`: nor will they ever be.
    """

    at: float
    leases: Mapping[str, Lease]
    error: str = ""
    is_refused: bool = False


async def read_leases(cluster: Cluster) -> LeaseReading:
    """Read them once; what goes wrong is in the reading's `error`."""
    leases: dict[str, Lease] = {}
    error, is_refused = "", False
    try:
        async with asyncio.timeout(_READING_SECONDS):
            for name in CONTROLLERS:
                try:
                    leases[name] = _lease(await cluster.get(f"{_PATH}/{name}", deadline_seconds=_READING_SECONDS))
                except NotFound:
                    continue  # a controller that runs alone, without leader election
    except ClusterError as failure:
        error, is_refused = str(failure), isinstance(failure, Forbidden)
    except TimeoutError:
        error = f"no answer within {_READING_SECONDS:g} s"
    return LeaseReading(asyncio.get_running_loop().time(), leases, error, is_refused)


def _lease(document: Mapping[str, Any]) -> Lease:
    spec = document.get("spec") or {}
    seconds = float(spec.get("leaseDurationSeconds") or _LEASE_SECONDS)
    return Lease(spec.get("holderIdentity") or "", spec.get("renewTime") or "", seconds)


@dataclass(slots=True)
class _Holder:
    """What is known of a controller: its lease as last read, and since when it is so, by the event loop's clock."""

    lease: Lease
    since: float
    is_silent: bool = False


class LeaseBook:
    """Takes readings, and knows which controllers do not renew their lease, since when.

    `error`: why nothing could be read last. `silences` are those that were noticed, the newest last.
    """

    def __init__(self) -> None:
        self.error = ""
        self.silences: list[dict[str, Any]] = []
        self._holders: dict[str, _Holder] = {}

    @property
    def has_read(self) -> bool:
        """Whether any lease was ever read."""
        return bool(self._holders)

    def take(self, reading: LeaseReading, *, unseen_until: float = -math.inf) -> list[str]:
        """What is new, one line each. Nobody could renew a lease before `unseen_until`, such as during an outage."""
        self.error = reading.error
        lines = []
        for name, lease in reading.leases.items():
            holder = self._holders.get(name)
            if holder is None or (holder.lease.holder, holder.lease.renewed) != (lease.holder, lease.renewed):
                lines += self._renewed(name, lease, reading.at)
                continue
            holder.since = max(holder.since, unseen_until)
            seconds = reading.at - holder.since
            if holder.is_silent:
                self._last_of(name)["seconds"] = round(seconds, 1)
            elif not lease.holder or seconds >= lease.seconds:
                holder.is_silent = True
                began = (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat(timespec="seconds")
                row = {"controller": name, "began": began.replace("+00:00", "Z"), "seconds": round(seconds, 1)}
                self.silences.append({**row, "over": False})
                lines.append(f"{self._text(name, reading.at)}: what it looks after stands still")
        return lines

    def _renewed(self, name: str, lease: Lease, at: float) -> list[str]:
        before = self._holders.get(name)
        self._holders[name] = _Holder(lease, at)
        if before is None or not before.is_silent:
            return []
        row = self._last_of(name)
        row["seconds"], row["over"] = round(at - before.since, 1), True
        return [f"{name} renews its lease again, after {at - before.since:.0f} s"]

    def _last_of(self, name: str) -> dict[str, Any]:
        return next(row for row in reversed(self.silences) if row["controller"] == name)

    def silent(self, at: float) -> list[str]:
        """Who does not renew its lease now, one phrase each."""
        return [self._text(name, at) for name, holder in self._holders.items() if holder.is_silent]

    def _text(self, name: str, at: float) -> str:
        holder = self._holders[name]
        if not holder.lease.holder:
            return f"nobody holds the lease of {name}"
        return f"{name} has not renewed its lease for at least {at - holder.since:.0f} s"

    def text(self, at: float) -> str:
        """Which controllers do and do not renew their leases, in one line; empty where nothing is known."""
        if silent := self.silent(at):
            return f"likely cause: {', '.join(silent)}"
        if self.error:
            return f"the leases of the controllers could not be read: {self.error}"
        alive = list(self._holders)
        return (
            f"{' and '.join(alive)} {'renews its lease' if len(alive) == 1 else 'renew their leases'}" if alive else ""
        )

    def figures(self) -> dict[str, Any]:
        """`controllers` of the measurements. `cause`: why nothing is known of them."""
        cause = self.error or "there are no leases in kube-system: the controllers run without leader election"
        return {
            "source": "leases" if self.has_read else "none",
            "cause": None if self.has_read else cause,
            "silences": [dict(row) for row in self.silences[:_MAX_SILENCES]],
        }
