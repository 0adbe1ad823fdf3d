# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watch Warning events during a load; those of the run's namespaces and nodes are counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from typing import Any

from ..cluster.client import Cluster
from ..cluster.discovery import Resource
from ..cluster.errors import ClusterError, Forbidden
from ..cluster.scopes import ScopedWatch, Scopes
from ..cluster.watch import Event
from ..measure.events import EventBook
from ..measure.recorder import now_rfc3339

_EVENTS = Resource("v1", "Event", "events", True, frozenset({"list", "watch"}))
#: Timeout of the request for the watch's starting point; the load waits for it.
_BEGIN_SECONDS = 5.0

Names = Callable[[], Set[str]]
#: Called with an event that counts, and how often it happened that is new.
Heard = Callable[[Mapping[str, Any], int], None]


class EventPart:
    """The Part with `events`. Events from before the observation are not counted.

    One watch covers all namespaces, because a run may have hundreds; where that is refused, those that `scopes` names
    have one each, and nothing is known of nodes. Like all watches they ignore the load's limits.
    """

    def __init__(
        self,
        cluster: Cluster,
        scopes: Scopes | None = None,
        *,
        namespaces: Names | None = None,
        nodes: Names | None = None,
        wanted: bool = True,
        heard: Heard | None = None,
    ) -> None:
        """`namespaces` and `nodes` are called for each event, None counts those of all; `heard` for each that counts.

        If not `wanted`, nothing is read, and the document says so.
        """
        self._cluster = cluster
        self._namespaces = namespaces
        self._nodes = nodes
        self._scopes = scopes or Scopes()
        self._watch = ScopedWatch(cluster, _EVENTS, self._scopes, field_selector="type=Warning")
        self._book = EventBook()
        self._version = ""
        self._started = ""
        #: Number of lists read, and the time before which events of the current list are old.
        self._lists = 0
        self._since = ""
        self._watched = self._received = self._ended = False
        self._wanted = wanted
        self._heard = heard
        self._cause = None if wanted else "not read: events is false"
        self.warnings: list[str] = []

    async def begin(self) -> None:
        """Get the watch's starting point, so that exactly the events since now are counted."""
        self._started = now_rfc3339()
        if not self._wanted:
            return
        try:
            self._version = await self._watch.now(deadline_seconds=_BEGIN_SECONDS)
        except ClusterError as error:
            self._cause = self._why(error)

    async def run(self) -> None:
        """Until cancelled, or until the API server refuses."""
        if not self._wanted:
            return
        try:
            if not self._version:
                self._version = await self._watch.now()
                self._cause = f"no events before {now_rfc3339()}: {self._cause}"
            self._watched = True
            async for event in self._watch.events(version=self._version):
                self._received = True
                self._take(event)
        except ClusterError as error:
            self._cause, self._ended = self._why(error), True
            # A watch that failed before its first event may never have worked, so a total of 0 would be wrong.
            self._watched = self._received
            if self._watched:
                self._cause = f"no events after {now_rfc3339()}: {self._cause}"

    async def end(self) -> None:
        """Nothing to do."""

    def _take(self, event: Event) -> None:
        # If the server has forgotten our last version, a list follows that also has old events.
        forgotten = self._watch.broken["gone"]
        if event.type == "SYNCED":
            self._lists, self._since = forgotten, ""
            return
        if forgotten > self._lists and not self._since:
            self._since = self._book.newest or self._started
        if self._counts(event.object):
            new = self._book.observe(event.type, event.object, since=self._since)
            if new and self._heard is not None:
                self._heard(event.object, new)

    def _counts(self, event: Mapping[str, Any]) -> bool:
        about = event.get("involvedObject") or {}
        if about.get("kind") == "Node":
            return self._nodes is None or about.get("name") in self._nodes()
        return self._namespaces is None or event["metadata"].get("namespace") in self._namespaces()

    def document(self) -> dict[str, Any]:
        """`events`. `cause` is why something is missing; without a watch `source` is "none" and `total` None."""
        rows = self._book.rows()
        return {
            "events": {
                "source": "watch" if self._watched else "none",
                "cause": self._cause or self._unwatched(),
                "total": self._book.total if self._watched else None,
                "warnings": rows,
                "left_off": self._book.groups - len(rows),
                "watch_breaks": dict(self._watch.broken),
            }
        }

    @property
    def missing(self) -> str | None:
        """Why no events are heard now; None while they are."""
        if self._watched and not self._ended:
            return None
        # Until it runs, a first question that was not answered may be answered yet.
        return self._cause if self.has_failed or not self._wanted else "not watched yet"

    @property
    def has_failed(self) -> bool:
        """Whether the API server has refused, so that no more events are heard."""
        return self._ended

    @property
    def _is_narrow(self) -> bool:
        return self._scopes.of(_EVENTS) != (None,)

    def _unwatched(self) -> str | None:
        if not self._is_narrow:
            return None
        return "none of nodes: the user may watch events only in the run's namespaces"

    def _why(self, error: ClusterError) -> str:
        if isinstance(error, Forbidden):
            everywhere = "the user may not list and watch events in all namespaces"
            return f"{everywhere}, nor in each of the run's" if self._is_narrow else everywhere
        return " ".join(str(error).split())[:200]
