# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""List and watch: every change of the selected objects of one kind, exactly once, across broken connections."""

from __future__ import annotations

import asyncio
import json
import math
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .client import Cluster
from .clock import Sight
from .discovery import Resource
from .errors import ClusterError, Gone, TransientError, Unauthorized
from .proof import page_of, versioned_page_of

#: Objects per page of a list; what client-go uses.
PAGE_SIZE = 500
#: Seconds after which the server ends a watch and we start the next from the same version.
WATCH_SECONDS = 300
#: A watch that hears nothing for so long, bookmarks included, is dead. The API server sends each watch a bookmark about
#: once a minute (defaultBookmarkFrequency in k8s.io/apiserver/pkg/storage/cacher); half of that is for its being late.
QUIET_SECONDS = 90.0
_TYPES = frozenset({"ADDED", "MODIFIED", "DELETED", "BOOKMARK"})
#: A watch that ends sooner without an event was broken, not ended by the server's timeout (as in client-go).
_SHORT_WATCH_SECONDS = 1.0
#: Accept header for lists of which only metadata matters; a server that does not support it sends whole objects.
METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"


@dataclass(frozen=True, slots=True)
class Event:
    """A change. `type` is ADDED, MODIFIED, DELETED, or SYNCED.

    `object` is a document, or what a Form makes of it. `version` is the resource version after which a watch goes on.
    SYNCED has no object: it follows a list that was delivered as ADDED events, and `names` has the (namespace, name) of
    all its objects. Known objects that are not in it were deleted while no watch was open. `namespace`: the only one
    that was listed, if it was not the whole cluster (see scopes.py).
    """

    type: str
    object: Any
    names: frozenset[tuple[str, str]] = frozenset()
    namespace: str | None = None
    version: str = ""

    def forgets(self, key: tuple[str, str]) -> bool:
        """Whether this SYNCED event means that a known object is gone."""
        return key not in self.names and self.namespace in (None, key[0])


def key_of(obj: Mapping[str, Any]) -> tuple[str, str]:
    """(namespace, name) of an object; the namespace is "" for cluster-wide kinds."""
    metadata = obj["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


async def list_pages(
    cluster: Cluster,
    path: str,
    *,
    query: Mapping[str, str] | None = None,
    decode: Callable[[bytes], Any] = page_of,
    page_size: int = PAGE_SIZE,
    **arguments_of_request: Any,
) -> AsyncIterator[dict[str, Any]]:
    """The pages of a list as documents (`items`, `metadata`). Raises ClusterError; Gone if a page token expired.

    `decode` makes the document of a body (see decoding.py for long lists). `arguments_of_request`: `accept`,
    `deadline_seconds` (of each page), `measured_as` and `read` as of Cluster.request.
    """
    arguments = dict(query or {})
    arguments["limit"] = str(page_size)
    while True:
        page = await cluster.get(path, query=arguments, decode=decode, **arguments_of_request)
        yield page
        token = page["metadata"].get("continue")
        if not token:
            return
        arguments["continue"] = token


class ListWatch:
    """The objects of one resource, by label or field selector, in one namespace or in all.

    A watch that hears nothing for `quiet_seconds` is opened again: behind a load balancer a connection may be gone
    without a word. `broken` counts the causes of watches that ended early, for the run's validity statement.
    """

    def __init__(
        self,
        cluster: Cluster,
        resource: Resource,
        *,
        label_selector: str = "",
        field_selector: str = "",
        namespace: str | None = None,
        quiet_seconds: float = QUIET_SECONDS,
        form: Form | None = None,
    ) -> None:
        self._cluster = cluster
        self._quiet_seconds = quiet_seconds
        self._form = form or DOCUMENTS
        self.resource = resource
        self._path = resource.path(namespace)
        self._selectors = {
            key: value for key, value in (("labelSelector", label_selector), ("fieldSelector", field_selector)) if value
        }
        self.broken: Counter[str] = Counter()
        #: Is told when the watch is closed and open again; set it before the first event.
        self.sight: Sight | None = None
        self._is_closed = False

    async def now(self, **arguments_of_request: Any) -> str:
        """The collection's current resource version, so that `events` can start there without fetching what exists.

        The selectors are left out: with one that matches little, a server searches everything to fill a page.
        """
        page = await self._cluster.get(
            self._path, query={"limit": "1"}, decode=versioned_page_of, **arguments_of_request
        )
        version: str = page["metadata"]["resourceVersion"]
        return version

    async def events(self, *, version: str = "") -> AsyncGenerator[Event]:
        """Endless. Raises a PermanentError if no retry can help (no permission, no such kind).

        Starts with a list, or after the resource version `version`; if the server has forgotten it, with a list.
        """
        failures = refusals = 0
        refused_until = math.inf
        reach, now = self._cluster.reachability, asyncio.get_running_loop().time
        while True:
            retry_after_seconds = None
            connection, began = self._cluster.connection, now()
            try:
                if not version:
                    async for event in self._list():
                        if event.type == "SYNCED":
                            version = event.version
                        yield event
                async for event in self._watch(version):
                    reach.heard()
                    failures, refusals, refused_until, began = 0, 0, math.inf, 0.0
                    version = event.version
                    if event.type != "BOOKMARK":
                        yield event
                if now() - began >= _SHORT_WATCH_SECONDS:
                    failures, refusals, refused_until = 0, 0, math.inf
                    continue  # the server's timeout: start the next watch from the same version
                cause = "short"
            except (Gone, NoEvent) as error:
                # After a line that is no event, it is open what else was not heard.
                cause, version = "gone" if isinstance(error, Gone) else "garbled", ""
            except Unauthorized as error:
                cause, refusals = "401", refusals + 1
                reach.failed(error, now())
                # From the first refusal on.
                refused_until = min(refused_until, now() + self._cluster.retry.deadline_seconds)
                accepted = await self._cluster.accepted_again(connection, refusals, refused_until)
                if not accepted and not await reach.decided():
                    raise self._cluster.refused(error) from error
            except TransientError as error:
                cause, retry_after_seconds = error.cause, error.retry_after_seconds
                reach.failed(error, now())
            self.broken[cause] += 1
            self._set_closed(True)
            failures = 1 if now() - began >= _SHORT_WATCH_SECONDS else failures + 1
            await reach.pause(self._cluster.retry.pause_seconds(failures, retry_after_seconds))

    def _set_closed(self, is_closed: bool) -> None:
        self._is_closed = is_closed
        if self.sight is not None:
            if is_closed:
                self.sight.closed(self.resource.kind, self, self.broken)
            else:
                self.sight.opened(self.resource.kind, self)

    async def _list(self) -> AsyncIterator[Event]:
        names: set[tuple[str, str]] = set()
        version = ""
        measured_as = ("list", self.resource.kind)
        arguments: dict[str, Any] = {"query": self._selectors, "measured_as": measured_as, "decode": self._form.page}
        async for page in list_pages(self._cluster, self._path, **arguments):
            version = page["metadata"]["resourceVersion"]
            for item in page.get("items") or ():
                if self._form is DOCUMENTS:
                    # Items of a list lack these two, which events have; with them consumers see no difference.
                    item.setdefault("apiVersion", self.resource.api_version)
                    item.setdefault("kind", self.resource.kind)
                names.add(self._form.key(item))
                yield Event("ADDED", item)
        yield Event("SYNCED", {"resourceVersion": version}, frozenset(names), version=version)

    async def _watch(self, version: str) -> AsyncIterator[Event]:
        query = {
            **self._selectors,
            "watch": "1",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        async with self._cluster.stream(self._path, query=query, silence_seconds=self._quiet_seconds) as lines:
            # One that is broken off at once was not open; one that stays is, however little happens.
            opened = asyncio.get_running_loop().call_later(_SHORT_WATCH_SECONDS, self._set_closed, False)
            try:
                async for line in lines:
                    event = self._form.event(line)
                    if self._is_closed:
                        self._set_closed(False)
                    yield event
            finally:
                opened.cancel()


class NoEvent(Exception):
    """A line of a watch that is no event."""


def event_of(line: bytes) -> Event:
    """The event of a line. Raises ClusterError for one that reports an error or ends early, and NoEvent."""
    try:
        document = _decoded(line)
    except ValueError as error:
        if line.lstrip().startswith(b"{"):
            raise TransientError("a watch ended in the middle of an event", cause="connection") from error
        raise NoEvent from error
    try:
        kind, obj = document["type"], document["object"]
        if kind == "ERROR":
            raise _watch_error(obj)
        metadata = obj["metadata"]
        is_whole = isinstance(metadata["resourceVersion"], str) and (kind == "BOOKMARK" or "name" in metadata)
    except (TypeError, KeyError, AttributeError) as error:
        raise NoEvent from error
    if not is_whole or kind not in _TYPES:
        raise NoEvent
    return Event(kind, obj, version=metadata["resourceVersion"])


def _decoded(line: bytes) -> Any:
    """Parse an event without its managedFields, which are half of the text and take up to three quarters of the time.

    They come last in the metadata. No string inside the event can look like their beginning, because its quotes are
    escaped. If the rest is not valid JSON, the whole event is parsed.
    """
    begin = line.find(b',"managedFields":[{')
    end = line.find(b"}]}", begin) if begin >= 0 else -1
    if end >= 0:
        try:
            return json.loads(str(line[:begin] + line[end + 2 :], "utf-8"))  # given bytes, json guesses the encoding
        except ValueError:
            pass
    return json.loads(line)


def _watch_error(status: dict[str, Any]) -> ClusterError:
    message = status.get("message", "the watch failed")
    if status.get("code") == 410:
        return Gone(message, status=410, reason=status.get("reason"))
    return TransientError(message, cause=str(status.get("code", "watch")))


@dataclass(frozen=True)
class Form:
    """What becomes of answers: documents, or objects of which only a few fields are decoded.

    `page` as `decode` of `list_pages`, with a version; `event` as `event_of`; `key` is an item's (namespace, name).
    """

    page: Callable[[bytes], Any]
    event: Callable[[bytes], Event]
    key: Callable[[Any], tuple[str, str]]


DOCUMENTS = Form(versioned_page_of, event_of, key_of)
