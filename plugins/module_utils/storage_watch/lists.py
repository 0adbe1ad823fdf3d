# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Follow all lists at once, each by a list and a watch, and know which of them tell the truth at the moment.

A watch that breaks is opened again from where it was, or listed anew where the server has forgotten that (410). While
one is closed, nobody knows what happens, so nothing is judged; if that lasts, its part is not complete until it is
open again. Every list is read anew from time to time all the same, so that nothing that was missed is missed for long.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any

from ..cluster.client import Cluster
from ..cluster.clock import Sight
from ..cluster.discovery import Resource
from ..cluster.errors import ClusterError, NotFound
from ..cluster.scopes import MAX_NAMESPACES, ScopedWatch, Scopes
from ..cluster.watch import Event, Form
from ..errors import ModuleFailed
from ..measure.recorder import now_rfc3339
from ..storage.document import Part
from ..storage.inventory import short
from ..storage.reading import LISTS, Listed, cause_of
from .typed import form_of, key_of, keys_form

#: Seconds for which the first lists are waited for; one that is not read by then is not complete.
_FIRST_SECONDS = 60.0
#: A watch that is closed for longer makes its part incomplete. Connections that break are open again much sooner.
BLIND_SECONDS = 30.0
#: Seconds after which a list that was refused is asked for again; rights may be given and kinds installed meanwhile.
_AGAIN_SECONDS = 60.0
#: Seconds for which a watch that was refused has to be open before it counts again.
_TRUST_SECONDS = 2.0

#: What becomes of an object: its list, event type, key and the decoded object.
Take = Callable[[Listed, str, str, Any], None]


@dataclass(frozen=True, kw_only=True)
class Followed:
    """One list to follow. `selector`: only what it selects, as keys; `known`: the keys of what was told so far."""

    listed: Listed
    take: Take
    known: Callable[[], Collection[str]]
    selector: str = ""
    form: Form


class Follower:
    """Follows one list. `cause`: why it does not tell the truth; None if it does, or if it is missing and may be.

    `synced` is set once it was read, or cannot be.
    """

    def __init__(self, cluster: Cluster, followed: Followed, scopes: Scopes, *, resync_seconds: float) -> None:
        self._cluster = cluster
        self._followed = followed
        self._resync_seconds = resync_seconds
        self._scopes = scopes
        self._sight = Sight()
        self._listed_at: dict[str | None, int] = {}
        self.listed = followed.listed
        self.synced = asyncio.Event()
        self.cause: str | None = "it is being read for the first time"
        #: The kind is not there, and need not be.
        self.is_absent = False
        self.seconds = 0.0
        self.failure: ClusterError | None = None
        self._trusted_at = math.inf
        self.resyncs = 0
        self._breaks = 0
        self._watch: ScopedWatch | None = None

    @property
    def selector(self) -> str:
        """The label selector, "" for the whole list."""
        return self._followed.selector

    @property
    def breaks(self) -> int:
        """How often its watch ended early."""
        return self._breaks + (self._watch.broken.total() if self._watch is not None else 0)

    @property
    def objects(self) -> int:
        """How many there were when the list was last read."""
        return sum(self._listed_at.values())

    @property
    def is_blind(self) -> bool:
        """Whether the watch is closed at the moment, but not yet for so long that this is its state."""
        blind = self._sight.blind()
        return blind is not None and self.cause is None

    def look(self, patience_seconds: float) -> None:
        """Find out whether the watch has been closed for too long, or is open again."""
        blind = self._sight.blind()
        if blind is None and time.monotonic() >= self._trusted_at:
            self.cause = self.failure = None
            self._trusted_at = math.inf
        if blind is not None and self.cause is None and blind[1] >= patience_seconds:
            self.cause = f"its watch is closed since {now_rfc3339()} ({blind[2]})"
            self.failure = None
        elif blind is None and self.cause is not None and self.cause.startswith("its watch is closed"):
            self.cause = None

    async def follow(self, before: Iterable[Follower] = ()) -> None:
        """Follow the list until cancelled, from when those `before` it were read."""
        for other in before:
            await other.synced.wait()
        while True:
            seconds = self._resync_seconds * random.uniform(0.9, 1.1)  # so that not all are read at once
            limit = asyncio.timeout(seconds)
            try:
                async with limit:
                    await self._until_it_ends()
            except TimeoutError:
                if not limit.expired():
                    raise
                continue
            except ClusterError as error:
                self._failed(error)
            await asyncio.sleep(min(_AGAIN_SECONDS, self._resync_seconds))

    def _failed(self, error: ClusterError) -> None:
        self.failure, self._trusted_at = error, math.inf
        self._sight.forget(self.listed.plural)
        self.is_absent = self.listed.optional and isinstance(error, NotFound)
        self.cause = None if self.is_absent else cause_of(self.listed, error)
        self.synced.set()

    async def _until_it_ends(self) -> None:
        listed = self.listed
        resource = Resource(listed.api_version, listed.plural, listed.plural, listed.namespaced, frozenset())
        watch = self._watch = ScopedWatch(
            self._cluster, resource, self._scopes, label_selector=self._followed.selector, form=self._followed.form
        )
        watch.sight = self._sight
        began = time.monotonic()
        try:
            async with contextlib.aclosing(watch.events()) as events:
                async for event in events:
                    if event.type == "SYNCED":
                        self._synced(event)
                        self.seconds = round(time.monotonic() - began, 4)
                    else:
                        namespace, name = key_of(event.object)
                        key = f"{namespace}/{name}" if namespace else name
                        self._followed.take(listed, event.type, key, event.object)
        finally:
            self._breaks, self._watch = self.breaks, None

    def _synced(self, event: Event) -> None:
        """A list was read to its end: what is not in it is gone."""
        if event.namespace is None:
            self._listed_at.clear()
            # Of a watch before this one, which may have been closed when it was given up.
            self._sight.forget(self.listed.plural)
        self._listed_at[event.namespace] = len(event.names)
        for key in list(self._followed.known()):
            namespace, _slash, name = key.rpartition("/")
            if event.forgets((namespace, name)):
                self._followed.take(self.listed, "DELETED", key, None)
        self.resyncs += self.synced.is_set() and self.cause is None
        self.is_absent = False
        if self.failure is None:
            self.cause = None
        else:
            # Who may not watch may still list: the watch has yet to show that it is open.
            self._trusted_at = time.monotonic() + _TRUST_SECONDS
        self.synced.set()


class Lists:
    """All followers of one watch. `parts` is kept up to date by `look`."""

    def __init__(
        self,
        cluster: Cluster,
        parts: dict[str, Part],
        *,
        namespaces: Collection[str],
        resync_seconds: float,
    ) -> None:
        self._cluster = cluster
        self._parts = parts
        self._scopes = Scopes(namespaces, few=MAX_NAMESPACES)
        self._resync_seconds = resync_seconds
        self._tasks: list[asyncio.Task[None]] = []
        self._followers: list[Follower] = []
        self._by_name: dict[str, Follower] = {}

    def add(self, listed: Listed, take: Take, known: Callable[[], Collection[str]]) -> None:
        """Follow a list."""
        self._by_name[listed.name] = self._add(Followed(listed=listed, take=take, known=known, form=form_of(listed)))

    def add_selected(self, listed: Listed, selector: str, take: Take, known: Callable[[], Collection[str]]) -> None:
        """Follow what a label selector selects of a list, as keys."""
        self._add(Followed(listed=listed, take=take, known=known, selector=selector, form=keys_form()))

    def _add(self, followed: Followed) -> Follower:
        follower = Follower(self._cluster, followed, self._scopes, resync_seconds=self._resync_seconds)
        self._followers.append(follower)
        return follower

    async def begin(self) -> None:
        """Return when all lists were read, cannot be, or take too long. Raises ModuleFailed for a wrong selector."""
        for follower in self._followers:
            before = [self._by_name[name] for name in follower.listed.after if name in self._by_name]
            self._tasks.append(asyncio.create_task(follower.follow(before), name=follower.listed.name))
        reading = asyncio.create_task(self._all_synced())
        try:
            everything: set[asyncio.Task[None]] = {reading, *self._tasks}
            await asyncio.wait(everything, timeout=_FIRST_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            reading.cancel()
        self.look()
        for follower in self._followers:
            failure = follower.failure
            if failure is not None and failure.status == 400 and follower.selector:
                raise ModuleFailed(f"label_selector: {follower.selector!r}: {failure}") from failure

    async def _all_synced(self) -> None:
        for follower in self._followers:
            await follower.synced.wait()

    def look(self, *, patience_seconds: float = BLIND_SECONDS) -> list[str]:
        """Bring the parts up to date. Returns the names of those that tell more, less or otherwise than before.

        `patience_seconds`: for how long a closed watch does not count. Raises what ended a follower, a fault of ours.
        """
        for task in self._tasks:
            if task.done() and not task.cancelled():
                task.result()
        before = self._causes()
        causes: dict[str, str | None] = {}
        for follower in self._followers:
            follower.look(patience_seconds)
            name = follower.listed.name
            causes[name] = causes.get(name) or follower.cause
            if follower.is_absent:
                self._parts.pop(name, None)
            elif not follower.selector:
                part = self._parts.setdefault(name, Part())
                part.objects, part.seconds = follower.objects, follower.seconds
        for name, cause in causes.items():
            if name in self._parts:
                part = self._parts[name]
                part.complete, part.cause = cause is None, short(cause) if cause else None
        after = self._causes()
        return sorted(
            name for name in {*before, *after} if (name in before, before.get(name)) != (name in after, after.get(name))
        )

    def _causes(self) -> dict[str, str | None]:
        return {name: self._parts[name].cause for name in self._by_name if name in self._parts}

    @property
    def is_blind(self) -> bool:
        """Whether a watch is closed at the moment: nothing should be judged."""
        return any(follower.is_blind for follower in self._followers)

    @property
    def resyncs(self) -> int:
        """How often lists were read anew."""
        return sum(follower.resyncs for follower in self._followers)

    @property
    def breaks(self) -> int:
        """How often watches ended early."""
        return sum(follower.breaks for follower in self._followers)

    async def end(self) -> None:
        """End all watches."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def followed_lists(names: Collection[str]) -> list[Listed]:
    """Those of the scan's lists, in its order."""
    return [listed for name, listed in LISTS.items() if name in names]
