# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where each kind can be listed and watched: in all namespaces at once, or in each of the run's by itself.

All namespaces need one connection per kind, but a right in the whole cluster. It is found out once per kind, by the
first refusal, so that who has this right pays nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncGenerator, Collection
from dataclasses import replace
from typing import Any

from .client import Cluster
from .clock import Sight
from .discovery import Resource
from .errors import Forbidden
from .watch import Event, Form, ListWatch

#: Namespaces that are watched one by one at most: each is a connection to the API server for each kind.
MAX_NAMESPACES = 100
#: Up to so many are watched one by one also by who may watch all: cheaper than what the others' events cost.
FEW_NAMESPACES = 20
#: Events that wait for the consumer, beside those that the connections hold back.
_QUEUED_EVENTS = 1_000


class Scopes:
    """The scopes of one user and one set of namespaces; without namespaces there is only the whole cluster.

    Up to `few` namespaces are looked into one by one without trying the whole cluster.
    """

    def __init__(self, namespaces: Collection[str] = (), *, few: int = 0) -> None:
        self._namespaces = tuple(dict.fromkeys(namespaces))
        self._few = few
        self._narrowed: set[tuple[str, str]] = set()

    def of(self, resource: Resource) -> tuple[str | None, ...]:
        """The namespaces to look into, as far as is known; (None,) is the whole cluster."""
        if not resource.namespaced or not self._namespaces:
            return (None,)
        narrowed = (resource.api_version, resource.kind) in self._narrowed
        return self._namespaces if narrowed or len(self._namespaces) <= self._few else (None,)

    def narrow(self, resource: Resource, refusal: Forbidden) -> None:
        """The whole cluster was refused: from now on each namespace by itself.

        Raises the refusal where that is no way, and says so where there are too many namespaces.
        """
        if not resource.namespaced or not self._namespaces:
            raise refusal
        if len(self._namespaces) > MAX_NAMESPACES:
            raise Forbidden(
                f"{refusal}; and {len(self._namespaces):,} namespaces are too many to look into one by one, "
                f"{MAX_NAMESPACES} at most",
                status=refusal.status,
                reason=refusal.reason,
            ) from refusal
        self._narrowed.add((resource.api_version, resource.kind))


class ScopedWatch:
    """A ListWatch in the whole cluster, or, where that is refused, one in each namespace with their events together.

    A SYNCED event has in `namespace` what it speaks of. The first one speaks of all.
    """

    def __init__(
        self,
        cluster: Cluster,
        resource: Resource,
        scopes: Scopes,
        *,
        label_selector: str = "",
        field_selector: str = "",
        form: Form | None = None,
    ) -> None:
        self._cluster = cluster
        self._scopes = scopes
        self._form = form
        self._label_selector, self._field_selector = label_selector, field_selector
        self.resource = resource
        self.broken: Counter[str] = Counter()
        #: As of ListWatch.
        self.sight: Sight | None = None

    def _watch(self, namespace: str | None) -> ListWatch:
        watch = ListWatch(
            self._cluster,
            self.resource,
            namespace=namespace,
            label_selector=self._label_selector,
            field_selector=self._field_selector,
            form=self._form,
        )
        watch.broken = self.broken
        watch.sight = self.sight
        return watch

    async def now(self, **arguments_of_request: Any) -> str:
        """As of ListWatch; a version counts for a kind in all namespaces."""
        scopes = self._scopes.of(self.resource)
        try:
            return await self._watch(scopes[0]).now(**arguments_of_request)
        except Forbidden as refusal:
            if scopes != (None,):
                raise
            self._scopes.narrow(self.resource, refusal)
        return await self._watch(self._scopes.of(self.resource)[0]).now(**arguments_of_request)

    async def events(self, *, version: str = "") -> AsyncGenerator[Event]:
        """As of ListWatch. Forbidden means that one of the namespaces may not be watched either."""
        scopes = self._scopes.of(self.resource)
        if scopes == (None,):
            try:
                async for event in self._watch(None).events(version=version):
                    yield event
            except Forbidden as refusal:
                self._scopes.narrow(self.resource, refusal)
                if self.sight is not None:
                    self.sight.forget(self.resource.kind)
            scopes = self._scopes.of(self.resource)
        async with contextlib.aclosing(self._together(scopes, version)) as events:
            async for event in events:
                yield event

    async def _together(self, scopes: tuple[str | None, ...], version: str) -> AsyncGenerator[Event]:
        queue: asyncio.Queue[Event | Exception] = asyncio.Queue(_QUEUED_EVENTS)

        async def follow(scope: str | None) -> None:
            try:
                async for event in self._watch(scope).events(version=version):
                    await queue.put(replace(event, namespace=scope) if event.type == "SYNCED" else event)
            except Exception as error:
                await queue.put(error)  # raised below, for the consumer

        tasks = [asyncio.create_task(follow(scope)) for scope in scopes]
        listed: dict[str | None, frozenset[tuple[str, str]]] = dict.fromkeys(scopes, frozenset()) if version else {}
        try:
            while True:
                event = await queue.get()
                if isinstance(event, Exception):
                    raise event
                if event.type != "SYNCED" or len(listed) == len(scopes):
                    yield event
                    continue
                listed[event.namespace] = event.names
                if len(listed) == len(scopes):
                    yield replace(event, names=frozenset().union(*listed.values()), namespace=None)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
