# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the controllers that make and place pods are alive: they renew a lease every few seconds.

The time in a lease is that of the controller's machine, whose clock may differ from ours and from the API server's. So
nothing is made of it but whether it changed between two readings, which our own clock measures.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .client import Cluster
from .errors import ClusterError, NotFound

#: The leases in kube-system, named after the programs that hold them.
CONTROLLERS = ("kube-controller-manager", "kube-scheduler")
_PATH = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"
#: Seconds for both; they are read for a message, which must not be late.
_READING_SECONDS = 5.0
#: The usual length of a lease in seconds, where it does not say.
_LEASE_SECONDS = 15.0
#: A live holder renews its lease several times in this part of the lease's length (by default every 2 of 15 s).
_SUSPICIOUS_PART = 0.5


@dataclass(frozen=True, slots=True)
class Lease:
    """`renewed` is the holder's own time, only good for comparing; `seconds` is for how long a renewal holds."""

    holder: str
    renewed: str
    seconds: float


@dataclass(frozen=True, slots=True)
class LeaseReading:
    """The leases that exist, by controller. `at` is by the running event loop's clock. `error`: why none was read."""

    at: float
    leases: Mapping[str, Lease]
    error: str = ""


async def read_leases(cluster: Cluster) -> LeaseReading:
    """Read them once; what goes wrong is in the reading's `error`."""
    leases: dict[str, Lease] = {}
    error = ""
    try:
        async with asyncio.timeout(_READING_SECONDS):
            for name in CONTROLLERS:
                try:
                    leases[name] = _lease(await cluster.get(f"{_PATH}/{name}", deadline_seconds=_READING_SECONDS))
                except NotFound:
                    continue  # a controller that runs alone, without leader election
    except ClusterError as failure:
        error = str(failure)
    except TimeoutError:
        error = f"no answer within {_READING_SECONDS:g} s"
    return LeaseReading(asyncio.get_running_loop().time(), leases, error)


def _lease(document: Mapping[str, Any]) -> Lease:
    spec = document.get("spec") or {}
    seconds = float(spec.get("leaseDurationSeconds") or _LEASE_SECONDS)
    return Lease(spec.get("holderIdentity") or "", spec.get("renewTime") or "", seconds)


def lease_text(before: LeaseReading, after: LeaseReading) -> str:
    """Which controllers did not renew their lease between two readings, in one line; empty where nothing is known."""
    gap = after.at - before.at
    silent, alive = [], []
    for name, lease in after.leases.items():
        earlier = before.leases.get(name)
        if earlier is None:
            continue
        if (earlier.holder, earlier.renewed) != (lease.holder, lease.renewed):
            alive.append(name)
        elif not lease.holder:
            silent.append(f"nobody holds the lease of {name}")
        elif gap >= lease.seconds * _SUSPICIOUS_PART:
            silent.append(f"{name} has not renewed its lease for at least {gap:.0f} s")
    if silent:
        return f"likely cause: {', '.join(silent)}"
    if alive:
        return f"{' and '.join(alive)} {'renews its lease' if len(alive) == 1 else 'renew their leases'}"
    error = after.error or before.error
    return f"the leases of the controllers could not be read: {error}" if error else ""
