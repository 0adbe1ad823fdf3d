# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the API server can be reached: when an outage begins and ends, and when it has lasted too long.

A failure that may mean "nobody can answer" raises a doubt. If nothing is answered for half a second, the server itself
is asked whether it is ready; if it does not say so, this is an outage, from the last answer on. It ends with the next
answer that proves to be the API server's, be it to a request or to one of these questions. So one object that the
server cannot store, or a proxy that drops a connection, is no outage, and a run's other requests cost nothing but an
attribute.

An event of a watch removes a doubt, but ends no outage: a watch that was open before may go on where nothing can be
asked any more, behind a proxy that only takes no new connections, or with bookmarks of a server that has lost etcd.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ..text import duration_text
from .clock import HeldClock, timeout_by
from .errors import ClusterError, TransientError, Unauthorized, Unreachable

#: Causes of failures by which it is in doubt whether the server can be reached. A 429 is an answer; 500 may be the
#: fault of one object.
_DOUBTFUL = frozenset({"connection", "timeout", "502", "503", "504", "etcd", "foreign", "interrupted"})
#: Seconds without any answer after which the server is asked.
_GRACE_SECONDS = 0.5
#: Seconds for its answer, and between two questions.
_ASKING_SECONDS = 5.0
_PAUSE_SECONDS = 1.0
#: Seconds of silence, in a run that asks for nothing itself, after which the server is asked.
_SILENCE_SECONDS = 5.0
#: Outages shorter than this are retries, which are counted elsewhere.
_WORTH_LISTING_SECONDS = 1.0
#: Outages that are listed; all are counted.
MAX_LISTED = 100
_MAX_MESSAGE = 300

#: Ask the server whether it is ready, within so many seconds. Raises ClusterError if it does not say so.
Ask = Callable[[float], Awaitable[None]]


@dataclass(slots=True)
class _Doubt:
    """`since` and `confirmed_at` are by the event loop's clock; until it is confirmed, it is no outage."""

    since: float
    cause: str
    message: str
    is_outage: bool = False


@dataclass(frozen=True, slots=True)
class Outage:
    """`began` is RFC 3339; `cause` is a word of TransientError.cause or "401", `message` the first error's text."""

    began: str
    seconds: float
    cause: str
    message: str
    over: bool

    def row(self) -> dict[str, object]:
        """As the measurements have it."""
        return {
            "began": self.began,
            "seconds": round(self.seconds, 1),
            "cause": self.cause,
            "message": self.message,
            "over": self.over,
        }


class Reachability:
    """The API server at `host`, as all requests and watches of one Cluster find it.

    Outages of up to `limit_seconds` are sat out; None sits out none, and then none is noticed. `on_change` is called
    with a line for people when an outage begins and ends, `on_given_up` when one has lasted too long: from then on
    nothing is sent any more.
    """

    def __init__(self, host: str, ask: Ask, *, limit_seconds: float | None, on_given_up: Callable[[], None]) -> None:
        self.limit_seconds = limit_seconds
        #: When the server last answered, by the event loop's clock; None: never. Whoever hears it writes it here.
        self.last_answer: float | None = None
        #: Whether `answered` is to be called at the next answer.
        self.is_doubted = False
        self.given_up = False
        #: When the last outage ended, by the event loop's clock.
        self.reached_since = -math.inf
        self._clocks: list[HeldClock] = []
        self.on_change: Callable[[str], None] = lambda _line: None
        self._host = host
        self._ask = ask
        self._on_given_up = on_given_up
        self._doubt: _Doubt | None = None
        self._asking: asyncio.Task[None] | None = None
        #: Set when a doubt has become an outage or is over, and when it is over.
        self._decided, self._over = asyncio.Event(), asyncio.Event()
        self._listed: list[Outage] = []
        self._number, self._seconds = 0, 0.0

    # -- for requests and watches ------------------------------------------------------------------------------------

    @property
    def is_outage(self) -> bool:
        """Whether the server cannot be reached."""
        return self._doubt is not None and self._doubt.is_outage

    @property
    def outage_seconds(self) -> float:
        """How long the outages were that are over, of a second or more, all together."""
        return self._seconds

    def failed(self, error: ClusterError, sent: float) -> None:
        """An attempt that was sent at this time, by the event loop's clock, has failed.

        A server that has never answered is not waited for, and one that refuses a credential only if it took it before.
        """
        cause = "401" if isinstance(error, Unauthorized) else error.cause if isinstance(error, TransientError) else ""
        doubtful = cause in _DOUBTFUL or cause == "401"
        if doubtful and self.limit_seconds is not None and self.last_answer is not None and self._doubt is None:
            self._begin(cause, str(error), since=max(sent, self.last_answer))

    def heard(self) -> None:
        """An event of a watch has come; for every event, so it must cost little."""
        self.last_answer = asyncio.get_running_loop().time()
        if self.is_doubted and not self.is_outage:
            self.answered()

    def answered(self) -> None:
        """The API server has answered: what was doubted is over."""
        self.last_answer = asyncio.get_running_loop().time()
        doubt = self._doubt
        if doubt is None or self.given_up:
            return
        self._doubt, self.is_doubted = None, False
        if self._asking is not None and self._asking is not asyncio.current_task():
            self._asking.cancel()
        self._asking = None
        self._decided.set()
        self._over.set()
        if doubt.is_outage:
            self.reached_since = self.last_answer
            for clock in self._clocks:
                clock.let_go(self)
            outage = self._outage_of(doubt, over=True)
            if outage.seconds >= _WORTH_LISTING_SECONDS:
                self._list(outage)
                self.on_change(f"the API server answers again, after an outage of {duration_text(outage.seconds)}")

    async def decided(self) -> bool:
        """Whether there is an outage, as soon as that is known."""
        if self._doubt is not None and not self.given_up:
            await self._decided.wait()
        return self.is_outage

    async def pause(self, seconds: float) -> None:
        """Sleep, but not on when an outage ends; not all at once then. Raises Unreachable if it lasts too long."""
        if self._doubt is None:
            await asyncio.sleep(seconds)
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._over.wait()
                await asyncio.sleep(random.random() * min(seconds, _PAUSE_SECONDS))
        self.check()

    def check(self) -> None:
        """Raise Unreachable if an outage has lasted too long."""
        if self.given_up:
            raise self.unreachable()

    def unreachable(self) -> Unreachable:
        """The error for what cannot be asked any more."""
        doubt = self._doubt
        return Unreachable(
            f"the API server {self._host} could not be reached for {self.limit_seconds:g} s, the longest outage that "
            f"is sat out (outage limit){f': {doubt.message}' if doubt else ''}",
            cause=doubt.cause if doubt else "outage",
        )

    @property
    def seconds_left(self) -> float:
        """Until the doubt, if there is one, has lasted too long."""
        if self._doubt is None or self.limit_seconds is None:
            return math.inf
        return max(0.0, self._doubt.since + self.limit_seconds - asyncio.get_running_loop().time())

    # -- for those who wait --------------------------------------------------------------------------------------------

    async def can_be_reached(self) -> bool:
        """Whether the server answers now; it is asked if it has not just done so. True if outages do not count."""
        if self._doubt is None and self._is_silent(_GRACE_SECONDS):
            await self._ask_once()
        return not await self.decided()

    @contextlib.asynccontextmanager
    async def attended(self) -> AsyncIterator[None]:
        """While the block runs, find an outage also when nothing is asked for: a frozen server breaks no watch."""
        if self.limit_seconds is None:
            yield
            return
        task = asyncio.create_task(self._attend())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    @contextlib.asynccontextmanager
    async def timeout(self, seconds: float) -> AsyncIterator[None]:
        """Like asyncio.timeout, but outages do not count, and are looked for. Raises TimeoutError."""
        clock = HeldClock()
        with self.holding(clock):
            async with self.attended(), timeout_by(clock, seconds):
                yield

    @contextlib.contextmanager
    def holding(self, clock: HeldClock) -> Iterator[None]:
        """While the block runs, the clock is held during outages."""
        self._clocks.append(clock)
        if self._doubt is not None and self._doubt.is_outage:
            clock.hold(self, since=self._doubt.since)
        try:
            yield
        finally:
            self._clocks.remove(clock)

    async def _attend(self) -> None:
        while True:
            await asyncio.sleep(_SILENCE_SECONDS)
            if self._doubt is None and self._is_silent(_SILENCE_SECONDS):
                await self._ask_once()

    def _is_silent(self, seconds: float) -> bool:
        if self.limit_seconds is None or self.last_answer is None:
            return False
        return asyncio.get_running_loop().time() - self.last_answer >= seconds

    async def _ask_once(self) -> None:
        since = self.last_answer
        try:
            await self._ask(_ASKING_SECONDS)
        except ClusterError as error:
            if since is not None and since == self.last_answer:
                self.failed(error, since)
        else:
            self.answered()

    # -- the course of an outage ---------------------------------------------------------------------------------------

    def _begin(self, cause: str, message: str, *, since: float) -> None:
        self._doubt, self.is_doubted = _Doubt(since, cause, " ".join(message.split())[:_MAX_MESSAGE]), True
        self._decided, self._over = asyncio.Event(), asyncio.Event()
        self._asking = asyncio.create_task(self._ask_until_answered(self._doubt))

    async def _ask_until_answered(self, doubt: _Doubt) -> None:
        await asyncio.sleep(_GRACE_SECONDS)
        while True:
            try:
                await self._ask(max(_GRACE_SECONDS, min(_ASKING_SECONDS, self.seconds_left)))
            except ClusterError:
                pass  # what began the outage is its cause; this only says that it goes on
            else:
                self.answered()
                return
            if not doubt.is_outage:
                self._confirm(doubt)
            if not self.seconds_left:
                self._give_up()
                return
            await asyncio.sleep(min(_PAUSE_SECONDS * (1 - random.random() / 2), self.seconds_left))

    def _confirm(self, doubt: _Doubt) -> None:
        doubt.is_outage = True
        for clock in self._clocks:
            clock.hold(self, since=doubt.since)
        self._decided.set()
        self.on_change(
            f"the API server cannot be reached ({doubt.message}); waiting for it, up to "
            f"{duration_text(self.limit_seconds or 0)}"
        )

    def _give_up(self) -> None:
        self.given_up = True
        self._decided.set()
        self._over.set()
        self._on_given_up()

    def close(self) -> None:
        """Ask no more."""
        if self._asking is not None:
            self._asking.cancel()

    # -- for the results -----------------------------------------------------------------------------------------------

    def figures(self) -> dict[str, object]:
        """`number` and `seconds` of all outages, and the `list` of the first ones; one that goes on is among them."""
        listed, number, seconds = list(self._listed), self._number, self._seconds
        if self._doubt is not None and self._doubt.is_outage:
            outage = self._outage_of(self._doubt, over=False)
            listed, number, seconds = [*listed, outage], number + 1, seconds + outage.seconds
        return {"number": number, "seconds": round(seconds, 1), "list": [outage.row() for outage in listed]}

    def _list(self, outage: Outage) -> None:
        self._number += 1
        self._seconds += outage.seconds
        if len(self._listed) < MAX_LISTED:
            self._listed.append(outage)

    def _outage_of(self, doubt: _Doubt, *, over: bool) -> Outage:
        seconds = asyncio.get_running_loop().time() - doubt.since
        began = (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat(timespec="milliseconds")
        return Outage(began.replace("+00:00", "Z"), seconds, doubt.cause, doubt.message, over)
