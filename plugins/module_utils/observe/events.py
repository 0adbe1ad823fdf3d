# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watches the Warnings of the cluster's Events while a load works; those of the run's namespaces and nodes count."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from typing import Any

from ..cluster.client import Cluster
from ..cluster.discovery import Resource
from ..cluster.errors import ClusterError, Forbidden
from ..cluster.watch import Event, ListWatch
from ..measure.events import EventBook
from ..measure.recorder import now_rfc3339

_EVENTS = Resource("v1", "Event", "events", True, frozenset({"list", "watch"}))
#: Seconds in which the API server is to say where the watch begins; the load waits for it.
_BEGIN_SECONDS = 5.0

Names = Callable[[], Set[str]]


class EventPart:
    """`events` of an observation; a Part. Events from before it began do not count.

    One watch over all namespaces: a run has hundreds of them. It passes none of the load's limits, as no watch does.
    """

    def __init__(
        self, cluster: Cluster, *, namespaces: Names | None = None, nodes: Names | None = None, wanted: bool = True
    ) -> None:
        """`namespaces` and `nodes` are asked for each event; None counts those of all. Events of nodes have none.

        Where it is not `wanted`, nothing is asked, and the document says so.
        """
        self._cluster = cluster
        self._namespaces = namespaces
        self._nodes = nodes
        self._watch = ListWatch(cluster, _EVENTS, field_selector="type=Warning")
        self._book = EventBook()
        self._version = ""
        self._started = ""
        #: Lists that were gone through, and what is not new in the one that is being gone through.
        self._lists = 0
        self._since = ""
        self._watched = self._heard = False
        self._wanted = wanted
        self._cause = None if wanted else "nobody was asked: events are switched off"
        self.warnings: list[str] = []

    async def begin(self) -> None:
        """Find out where the watch begins, so that nothing of the load is missed and nothing before it counted."""
        self._started = now_rfc3339()
        if not self._wanted:
            return
        try:
            self._version = await self._watch.now(deadline_seconds=_BEGIN_SECONDS)
        except ClusterError as error:
            self._cause = _cause(error)

    async def run(self) -> None:
        """Until cancelled, or until the API server refuses."""
        if not self._wanted:
            return
        try:
            if not self._version:
                self._version = await self._watch.now()
                self._cause = f"before {now_rfc3339()} nothing was heard: {self._cause}"
            self._watched = True
            async for event in self._watch.events(version=self._version):
                self._heard = True
                self._take(event)
        except ClusterError as error:
            self._cause = _cause(error)
            # A watch that was refused before it told anything may never have been one: then 0 would be an invention.
            self._watched = self._heard
            if self._watched:
                self._cause = f"after {now_rfc3339()} nothing was heard: {self._cause}"

    async def end(self) -> None:
        """Nothing is left to read."""

    def _take(self, event: Event) -> None:
        # Where the server has forgotten what we had heard last, a list follows, and old Events are in it.
        forgotten = self._watch.broken["gone"]
        if event.type == "SYNCED":
            self._lists, self._since = forgotten, ""
            return
        if forgotten > self._lists and not self._since:
            self._since = self._book.newest or self._started
        if self._counts(event.object):
            self._book.observe(event.type, event.object, since=self._since)

    def _counts(self, event: Mapping[str, Any]) -> bool:
        about = event.get("involvedObject") or {}
        if about.get("kind") == "Node":
            return self._nodes is None or about.get("name") in self._nodes()
        return self._namespaces is None or event["metadata"].get("namespace") in self._namespaces()

    def document(self) -> dict[str, Any]:
        """`events`. `cause` is why something is missing; where nothing was watched `source` is "none", `total` None."""
        rows = self._book.rows()
        return {
            "events": {
                "source": "watch" if self._watched else "none",
                "cause": self._cause,
                "total": self._book.total if self._watched else None,
                "warnings": rows,
                "left_off": self._book.groups - len(rows),
                "watch_breaks": dict(self._watch.broken),
            }
        }


def _cause(error: ClusterError) -> str:
    if isinstance(error, Forbidden):
        return "the user may not list and watch events in all namespaces"
    return " ".join(str(error).split())[:200]
