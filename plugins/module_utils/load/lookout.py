# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a batch sees of the cluster: whether its server can be reached, its watches are open, its controllers live."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from ..cluster.client import Cluster
from ..cluster.clock import HeldClock, Sight
from ..cluster.leases import LeaseBook, read_leases

#: Seconds for which a watch may be closed in any case: pauses between two tries are up to ten.
_BLIND_SECONDS = 30.0
#: Seconds between two readings of the controllers' leases, which hold for 15.
_LEASE_PAUSE_SECONDS = 5.0


class Lookout:
    """`clock` is that of all deadlines by which objects are given up: it stands still while they cannot be seen.

    `sight` knows which watches are closed.

    `say` is called with a line for people when something begins or ends to be out of sight, or a controller to be
    silent. Controllers are only looked at if their work is waited for.
    """

    def __init__(self, cluster: Cluster, *, looks_at_controllers: bool, say: Callable[[str], None]) -> None:
        self.clock = HeldClock()
        self.sight = Sight(self.clock)
        self._cluster = cluster
        self._looks_at_controllers = looks_at_controllers
        self._leases = LeaseBook()
        self._say = say
        self._reach = cluster.reachability
        self._reach.on_change = say

    @contextlib.asynccontextmanager
    async def beside(self) -> AsyncIterator[None]:
        """Look while the block runs."""
        reading = asyncio.create_task(self._read_leases())
        try:
            with self._reach.holding(self.clock):
                async with self._reach.attended():
                    yield
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _read_leases(self) -> None:
        """Until cancelled, or until they may not be read."""
        while self._looks_at_controllers:
            if not self.clock.is_held:
                reading = await read_leases(self._cluster)
                for line in self._leases.take(reading, unseen_until=self._reach.reached_since):
                    self._say(line)
                if reading.is_refused:
                    self._say(f"{self._leases.text(reading.at)}; whether the controllers live is not looked at")
                    return
            await asyncio.sleep(_LEASE_PAUSE_SECONDS)

    def controllers_text(self) -> str:
        """Which controllers do and do not renew their leases; empty where nothing is known."""
        return self._leases.text(asyncio.get_running_loop().time())

    def silent_controllers(self) -> list[str]:
        """Who does not renew its lease now, one phrase each."""
        return self._leases.silent(asyncio.get_running_loop().time())

    def controllers(self) -> dict[str, Any] | None:
        """`controllers` of the measurements; None if they were not looked at."""
        return self._leases.figures() if self._looks_at_controllers else None

    @property
    def server_is_given_up(self) -> bool:
        """Whether an outage has lasted too long; nothing is sent any more."""
        return self._reach.given_up

    async def can_judge(self) -> bool:
        """Whether the server answers now, so that what is late is really late."""
        return await self._reach.can_be_reached()

    def abort_reason(self) -> str | None:
        """Why the batch must end: an outage, or objects that cannot be watched, for longer than is allowed."""
        limit = self._reach.limit_seconds
        if self._reach.given_up:
            return str(self._reach.unreachable())
        blind = None if self._reach.is_outage else self.sight.blind(from_=self._reach.reached_since)
        if limit is None or blind is None or blind[1] <= max(limit, _BLIND_SECONDS):
            return None
        kind, seconds, causes = blind
        return f"objects of kind {kind} could not be watched for {seconds:.0f} s (outage limit): {causes}"

    def outages(self) -> dict[str, Any]:
        """`outages` of the measurements: their number, seconds and list, and for how long no deadline ran."""
        return {**self._reach.figures(), "held_seconds": round(self.clock.stood_still_seconds, 1)}
