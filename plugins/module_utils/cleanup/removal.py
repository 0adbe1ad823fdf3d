# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The requests that delete, and the waiting until it is true."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import defaultdict
from collections.abc import Coroutine, Iterable
from typing import Any
from urllib.parse import quote

from ..cluster.client import Cluster
from ..cluster.discovery import Resource
from ..cluster.errors import ClusterError, Conflict, Forbidden, NotFound
from ..cluster.labels import run_selector
from ..cluster.watch import ListWatch, key_of
from .survey import Found, Survey

NAMESPACE = Resource("v1", "Namespace", "namespaces", False, frozenset({"list", "watch", "delete"}))
#: From a namespace's deletion until its controller begins (namespaceDeletionGracePeriod of Kubernetes).
_CONTROLLER_SECONDS = 5.0
Key = tuple[str, str]


class Removal:
    """Deletes what a survey found.

    `errors`: what the API server refused, as "Kind namespace/name" -> its words.
    `left`: kind's resource -> (namespace, name) -> uid of what is asked to go and not known to be gone.
    """

    def __init__(
        self, cluster: Cluster, found: Survey, *, run_id: str, max_concurrent: int, grace_period_seconds: int | None
    ) -> None:
        self._cluster = cluster
        self._found = found
        self._selector = run_selector(run_id)
        self._max_concurrent = max_concurrent
        self._grace = {} if grace_period_seconds is None else {"gracePeriodSeconds": str(grace_period_seconds)}
        self.errors: dict[str, str] = {}
        self.left: dict[Resource, dict[Key, str]] = defaultdict(dict)

    async def send(self) -> None:
        """Ask for all of it. Refusals are in `errors`."""
        going = self._found.namespaces
        fresh = {name: uid for name, uid in going.items() if name not in self._found.terminating}
        await self._all(self._delete_one(NAMESPACE, "", name, uid) for name, uid in fresh.items())
        for name, uid in going.items():
            if f"Namespace {name}" not in self.errors:
                self.left[NAMESPACE]["", name] = uid
        # The namespace controller comes back only after half the pods' grace period (16 s) if it finds pods when it
        # first comes. So the time until then is used: when it arrives, everything is gone, and one pass will do.
        # Nothing can grow back, since a terminating namespace takes no new objects.
        arrives = time.monotonic() + _CONTROLLER_SECONDS
        collections = [(name, kind) for name, kind in self._found.inside if f"Namespace {name}" not in self.errors]
        await self._all(self._collection(name, kind) for name, kind in collections if kind == "Pod")
        await self._all(self._collection(name, kind, until=arrives) for name, kind in collections if kind != "Pod")
        await self._send_outside()

    async def _send_outside(self) -> None:
        """Where the namespace stays, owners go first and what they own follows them."""
        work: list[Coroutine[Any, Any, None]] = []
        for resource, objects in self._found.outside.items():
            for each in objects:
                self.left[resource][each.namespace, each.name] = each.uid
            work += self._of_kind(resource, objects)
        await self._all(work)

    def _of_kind(self, resource: Resource, objects: list[Found]) -> list[Coroutine[Any, Any, None]]:
        heads = [each for each in objects if not each.owned]
        if resource.namespaced and "deletecollection" in resource.verbs:
            return [self._delete_collection(resource, name) for name in sorted({each.namespace for each in heads})]
        return [self._delete_one(resource, each.namespace, each.name, each.uid) for each in heads]

    async def _all(self, work: Iterable[Coroutine[Any, Any, None]]) -> None:
        """Do all of it, as many at once as requests may be in flight: each begins when its turn has come."""
        waiting = iter(work)

        async def take_turns() -> None:
            for each in waiting:
                await each

        async with asyncio.TaskGroup() as group:
            for _number in range(self._max_concurrent):
                group.create_task(take_turns())

    async def _collection(self, namespace: str, kind: str, *, until: float | None = None) -> None:
        if until is not None and time.monotonic() > until:
            return  # the controller is at work by now; two at the same collection would only be in each other's way
        await self._delete_collection(self._found.kinds_inside[kind], namespace)

    async def _delete_collection(self, resource: Resource, namespace: str) -> None:
        if "deletecollection" not in resource.verbs:
            return  # in a namespace that goes, its controller sees to it
        query = {"labelSelector": self._selector, "propagationPolicy": "Background", **self._grace}
        await self._request(f"{resource.kind} {namespace}/*", resource.path(namespace), query=query)

    async def _delete_one(self, resource: Resource, namespace: str, name: str, uid: str) -> None:
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            # Deleted meanwhile and made anew by somebody else: then it is not the one that we looked at.
            "preconditions": {"uid": uid},
        }
        what = f"{resource.kind} {namespace}/{name}" if namespace else f"{resource.kind} {name}"
        path = resource.path(namespace, quote(name, safe=":"))
        await self._request(what, path, body=json.dumps(options).encode())

    async def _request(self, what: str, path: str, **arguments: Any) -> None:
        try:
            await self._cluster.request("DELETE", path, **arguments)
        except (NotFound, Conflict):
            return  # gone, or another one of the same name; the watch tells which
        except ClusterError as error:
            self.errors[what] = str(error)

    async def wait_until_gone(self, *, timeout_seconds: float) -> None:
        """Return when `left` is empty, or after `timeout_seconds`."""
        kinds = [(resource, left) for resource, left in self.left.items() if left]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds), asyncio.TaskGroup() as group:
                for resource, left in kinds:
                    group.create_task(self._until_gone(resource, left))

    async def _until_gone(self, resource: Resource, left: dict[Key, str]) -> None:
        try:
            await self._watched_gone(resource, left, None)
        except Forbidden as error:
            if not resource.namespaced:
                self.errors[f"watch {resource.kind}"] = f"so it is not known whether all are gone: {error}"
                return
            for namespace in sorted({key[0] for key in left}):
                await self._watched_gone(resource, left, namespace)
        except ClusterError as error:
            self.errors[f"watch {resource.kind}"] = f"so it is not known whether all are gone: {error}"

    async def _watched_gone(self, resource: Resource, left: dict[Key, str], namespace: str | None) -> None:
        def pending() -> bool:
            return any(namespace in (None, key[0]) for key in left)

        watch = ListWatch(self._cluster, resource, label_selector=self._selector, namespace=namespace)
        async for event in watch.events():
            if event.type == "SYNCED":
                for key in [key for key in left if key not in event.names and namespace in (None, key[0])]:
                    del left[key]
            else:
                key = key_of(event.object)
                # Another uid: ours is gone, and this is a new one.
                if event.type == "DELETED" or event.object["metadata"]["uid"] != left.get(key):
                    left.pop(key, None)
            if not pending():
                return
