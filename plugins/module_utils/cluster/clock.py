# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A clock that is held while nobody can see how far the cluster is, for deadlines that must not run on meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Mapping

#: Seconds between two looks at a clock, at least: while it is held, its time does not come nearer.
_HELD_SECONDS = 0.25


class HeldClock:
    """Runs like the event loop's clock, but stands still while anybody holds it.

    Its times can only be compared with one another. Several may hold it at once; it goes on when the last lets go.
    """

    def __init__(self) -> None:
        self._holders: set[object] = set()
        self._held_since: float | None = None
        self._let_go_at = -math.inf
        self._stood_still = 0.0

    def time(self) -> float:
        """Seconds. Goes back when somebody holds the clock from an earlier moment on."""
        now = asyncio.get_running_loop().time() if self._held_since is None else self._held_since
        return now - self._stood_still

    @property
    def is_held(self) -> bool:
        """Whether it stands still."""
        return self._held_since is not None

    @property
    def stood_still_seconds(self) -> float:
        """For how long it has stood still in all."""
        held = 0.0 if self._held_since is None else asyncio.get_running_loop().time() - self._held_since
        return self._stood_still + held

    def hold(self, holder: object, *, since: float | None = None) -> None:
        """Stop it until `holder` lets go. `since`: from this earlier moment on, by the event loop's clock."""
        now = asyncio.get_running_loop().time()
        since = now if since is None else min(now, max(since, self._let_go_at))
        self._held_since = since if self._held_since is None else min(since, self._held_since)
        self._holders.add(holder)

    def let_go(self, holder: object) -> None:
        """It goes on, unless somebody else still holds it; nothing happens if `holder` does not."""
        self._holders.discard(holder)
        if self._held_since is not None and not self._holders:
            self._let_go_at = asyncio.get_running_loop().time()
            self._stood_still += self._let_go_at - self._held_since
            self._held_since = None


class Sight:
    """Which watches are closed although they are needed; its clock is held as long as one is."""

    def __init__(self, clock: HeldClock | None = None) -> None:
        self.clock = clock or HeldClock()
        #: Kind and watch -> since when, by the event loop's clock, and the causes by which it ever broke.
        self._closed: dict[tuple[str, object], tuple[float, Mapping[str, int]]] = {}

    def closed(self, kind: str, watch: object, causes: Mapping[str, int]) -> None:
        """A watch of this kind cannot see; may be said again."""
        self._closed.setdefault((kind, watch), (asyncio.get_running_loop().time(), causes))
        self.clock.hold(self)

    def opened(self, kind: str, watch: object) -> None:
        """It can again."""
        if self._closed.pop((kind, watch), None) and not self._closed:
            self.clock.let_go(self)

    def forget(self, kind: str) -> None:
        """Nobody watches this kind any more."""
        for key in [key for key in self._closed if key[0] == kind]:
            self.opened(*key)

    def blind(self, *, from_: float = -math.inf) -> tuple[str, float, str] | None:
        """Kind, seconds and causes of what was closed first; None if all is open. Time before `from_` is left out."""
        if not self._closed:
            return None
        (kind, _watch), (since, causes) = min(self._closed.items(), key=lambda entry: entry[1][0])
        seconds = asyncio.get_running_loop().time() - max(since, from_)
        return kind, seconds, ", ".join(f"{number} x {cause}" for cause, number in causes.items())


@contextlib.asynccontextmanager
async def timeout_by(clock: HeldClock, seconds: float) -> AsyncIterator[None]:
    """Like asyncio.timeout, but by a clock that may be held. Raises TimeoutError."""
    due = clock.time() + seconds

    async def look(timeout: asyncio.Timeout) -> None:
        while (left := due - clock.time()) > 0:
            await asyncio.sleep(max(left, _HELD_SECONDS))
        timeout.reschedule(asyncio.get_running_loop().time())

    async with asyncio.timeout(None) as timeout:
        looking = asyncio.create_task(look(timeout))
        try:
            yield
        finally:
            looking.cancel()
