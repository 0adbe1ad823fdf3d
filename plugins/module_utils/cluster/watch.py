# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""list + watch: every change of the selected objects of one kind, once, also over broken connections."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from .client import Cluster
from .discovery import Resource
from .errors import ClusterError, Gone, TransientError, Unauthorized

#: Objects per page of a list; what client-go uses.
PAGE_SIZE = 500
#: Seconds after which the server ends a watch, and we go on from where it stopped.
WATCH_SECONDS = 300
#: A watch that ends sooner than this without an event is a fault on the way, not the server's timeout (as client-go).
_SHORT_WATCH_SECONDS = 1.0
#: Accept header for lists of which only names, labels and owners matter; a server that can't answers in full.
METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"


@dataclass(frozen=True, slots=True)
class Event:
    """A change. `type` is ADDED, MODIFIED, DELETED, or SYNCED.

    SYNCED has no object: a list has just been handed out as ADDED events, and `names` holds what it contained, as
    (namespace, name); whatever a consumer knew and that is not in there vanished while nobody watched.
    """

    type: str
    object: dict[str, Any]
    names: frozenset[tuple[str, str]] = frozenset()


def key_of(obj: Mapping[str, Any]) -> tuple[str, str]:
    """(namespace, name) of an object; the namespace is "" for cluster-wide kinds."""
    metadata = obj["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


async def list_pages(
    cluster: Cluster, path: str, *, query: Mapping[str, str] | None = None, **arguments_of_request: Any
) -> AsyncIterator[dict[str, Any]]:
    """The pages of a list as documents (`items`, `metadata`). Raises ClusterError; Gone if a page token expired.

    `arguments_of_request`: `accept`, `deadline_seconds` (of each page), `measured_as` as of Cluster.request.
    """
    arguments = dict(query or {})
    arguments["limit"] = str(PAGE_SIZE)
    while True:
        page = await cluster.get(path, query=arguments, **arguments_of_request)
        yield page
        token = page["metadata"].get("continue")
        if not token:
            return
        arguments["continue"] = token


class ListWatch:
    """The objects of one resource, by label or field selector, in one namespace or in all.

    `broken` counts why watches ended early, for the run's validity statement.
    """

    def __init__(
        self,
        cluster: Cluster,
        resource: Resource,
        *,
        label_selector: str = "",
        field_selector: str = "",
        namespace: str | None = None,
    ) -> None:
        self._cluster = cluster
        self.resource = resource
        self._path = resource.path(namespace)
        self._selectors = {
            key: value for key, value in (("labelSelector", label_selector), ("fieldSelector", field_selector)) if value
        }
        self.broken: Counter[str] = Counter()

    async def now(self, **arguments_of_request: Any) -> str:
        """The collection's resource version, for `events` to begin at: what is there already is not fetched.

        Without the selectors: with one that selects little, a server goes through everything to fill a page.
        """
        page = await self._cluster.get(self._path, query={"limit": "1"}, **arguments_of_request)
        version: str = page["metadata"]["resourceVersion"]
        return version

    async def events(self, *, version: str = "") -> AsyncIterator[Event]:
        """Endless. Raises a PermanentError for what no retry can mend (no permission, no such kind).

        It begins with a list, or with `version` after that one; where the server has forgotten it, a list follows.
        """
        failures = 0
        renewed = False
        while True:
            retry_after_seconds = None
            connection, began = self._cluster.connection, time.monotonic()
            try:
                if not version:
                    async for event in self._list():
                        if event.type == "SYNCED":
                            version = event.object["resourceVersion"]
                        yield event
                async for event in self._watch(version):
                    failures, renewed, began = 0, False, 0.0
                    version = event.object["metadata"]["resourceVersion"]
                    if event.type != "BOOKMARK":
                        yield event
                if time.monotonic() - began >= _SHORT_WATCH_SECONDS:
                    failures, renewed = 0, False
                    continue  # the server ends each watch after a time: go on from where it stopped
                cause = "short"
            except Gone:
                cause, version = "gone", ""
            except Unauthorized:
                # Tokens expire while a run only waits; without a new one, or if that is refused too, it is over.
                if renewed or not await self._cluster.renew_credentials(connection):
                    raise
                cause, renewed = "401", True
            except TransientError as error:
                cause, retry_after_seconds = error.cause, error.retry_after_seconds
            self.broken[cause] += 1
            failures = 1 if time.monotonic() - began >= _SHORT_WATCH_SECONDS else failures + 1
            await asyncio.sleep(self._cluster.retry.pause_seconds(failures, retry_after_seconds))

    async def _list(self) -> AsyncIterator[Event]:
        names: set[tuple[str, str]] = set()
        version = ""
        measured_as = ("list", self.resource.kind)
        async for page in list_pages(self._cluster, self._path, query=self._selectors, measured_as=measured_as):
            version = page["metadata"]["resourceVersion"]
            for item in page.get("items") or ():
                # The items of a list leave out what the list says once; events have it, so consumers may rely on it.
                item.setdefault("apiVersion", self.resource.api_version)
                item.setdefault("kind", self.resource.kind)
                names.add(key_of(item))
                yield Event("ADDED", item)
        yield Event("SYNCED", {"resourceVersion": version}, frozenset(names))

    async def _watch(self, version: str) -> AsyncIterator[Event]:
        query = {
            **self._selectors,
            "watch": "1",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        async with self._cluster.stream(self._path, query=query) as lines:
            async for line in lines:
                try:
                    document = _decoded(line)
                except ValueError as error:
                    raise TransientError("a watch broke off in the middle of an event", cause="connection") from error
                if document["type"] == "ERROR":
                    raise _watch_error(document["object"])
                yield Event(document["type"], document["object"])


def _decoded(line: bytes) -> Any:
    """An event without its object's managedFields: half of its text, a third to three quarters of its parsing time.

    They are the last of the metadata, and a text inside the event cannot look like their beginning, because its
    quotes are escaped. Where cutting them out leaves no JSON, the event is taken whole.
    """
    begin = line.find(b',"managedFields":[{')
    end = line.find(b"}]}", begin) if begin >= 0 else -1
    if end >= 0:
        try:
            return json.loads(str(line[:begin] + line[end + 2 :], "utf-8"))  # from bytes it guesses their encoding
        except ValueError:
            pass
    return json.loads(line)


def _watch_error(status: dict[str, Any]) -> ClusterError:
    message = status.get("message", "the watch failed")
    if status.get("code") == 410:
        return Gone(message, status=410, reason=status.get("reason"))
    return TransientError(message, cause=str(status.get("code", "watch")))
