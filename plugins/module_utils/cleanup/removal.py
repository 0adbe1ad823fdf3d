# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Delete what a survey found, and wait until it is gone."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any
from urllib.parse import quote

from ..cluster.client import Cluster
from ..cluster.discovery import Resource
from ..cluster.errors import ClusterError, Conflict, Forbidden, NotFound
from ..cluster.labels import run_selector
from ..cluster.proof import prove_deletion
from ..cluster.watch import ListWatch, key_of
from .survey import Found, Survey

NAMESPACE = Resource("v1", "Namespace", "namespaces", False, frozenset({"list", "watch", "delete"}))
#: From a namespace's deletion until its controller starts (namespaceDeletionGracePeriod of Kubernetes).
_CONTROLLER_SECONDS = 5.0
#: Namespaces that are looked at again, and then deleted, together.
_PORTION = 100
Key = tuple[str, str]
#: Looks into these namespaces once more, and takes those that must stay out of the survey.
LookAgain = Callable[[list[str]], Awaitable[None]]


class Removal:
    """Deletes what a survey found.

    `errors`: requests that failed, as "Kind namespace/name" -> message.
    `left`: resource -> (namespace, name) -> uid of what was deleted and is not known to be gone.
    """

    def __init__(
        self,
        cluster: Cluster,
        found: Survey,
        *,
        run_id: str,
        max_concurrent: int,
        grace_period_seconds: int | None,
        look_again: LookAgain,
    ) -> None:
        self._cluster = cluster
        self._found = found
        self._selector = run_selector(run_id)
        self._max_concurrent = max_concurrent
        self._look_again = look_again
        self._grace = {} if grace_period_seconds is None else {"gracePeriodSeconds": str(grace_period_seconds)}
        self.errors: dict[str, str] = {}
        self.left: dict[Resource, dict[Key, str]] = defaultdict(dict)

    async def send(self) -> None:
        """Send all requests. Those that fail are in `errors`."""
        names = sorted(self._found.namespaces)
        for first in range(0, len(names), _PORTION):
            await self._send_namespaces(names[first : first + _PORTION])
        await self._send_outside()

    async def _send_namespaces(self, names: list[str]) -> None:
        # Between the survey and here, somebody may have put something into them.
        await self._look_again(names)
        namespaces = {name: uid for name, uid in self._found.namespaces.items() if name in names}
        fresh = {name: uid for name, uid in namespaces.items() if name not in self._found.terminating}
        await self._all(self._delete_one(NAMESPACE, "", name, uid) for name, uid in fresh.items())
        for name, uid in namespaces.items():
            if f"Namespace {name}" not in self.errors:
                self.left[NAMESPACE]["", name] = uid
        # If the namespace controller finds pods, it retries only after half their grace period (16 s). So the objects
        # are deleted before it starts, and its first pass finds nothing. A terminating namespace accepts no new ones.
        controller_starts = time.monotonic() + _CONTROLLER_SECONDS
        going = {name for name in namespaces if f"Namespace {name}" not in self.errors}
        collections = [(name, resource) for name, resource in self._found.inside if name in going]
        pods = [each for each in collections if each[1].kind == "Pod"]
        others = [each for each in collections if each[1].kind != "Pod"]
        await self._all(self._collection(name, resource) for name, resource in pods)
        await self._all(self._collection(name, resource, until=controller_starts) for name, resource in others)

    async def _send_outside(self) -> None:
        """Objects whose namespace is kept: only owners are deleted, and what they own follows."""
        work: list[Coroutine[Any, Any, None]] = []
        for resource, objects in self._found.outside.items():
            for each in objects:
                self.left[resource][each.namespace, each.name] = each.uid
            work += self._of_kind(resource, objects)
        await self._all(work)

    def _of_kind(self, resource: Resource, objects: list[Found]) -> list[Coroutine[Any, Any, None]]:
        owners = [each for each in objects if not each.owned]
        if resource.namespaced and "deletecollection" in resource.verbs:
            return [self._delete_collection(resource, name) for name in sorted({each.namespace for each in owners})]
        return [self._delete_one(resource, each.namespace, each.name, each.uid) for each in owners]

    async def _all(self, work: Iterable[Coroutine[Any, Any, None]]) -> None:
        """Run all of it, with as many at once as requests may be in flight."""
        waiting = iter(work)

        async def worker() -> None:
            for each in waiting:
                await each

        async with asyncio.TaskGroup() as group:
            for _number in range(self._max_concurrent):
                group.create_task(worker())

    async def _collection(self, namespace: str, resource: Resource, *, until: float | None = None) -> None:
        if until is not None and time.monotonic() > until:
            return  # the controller is deleting the same objects by now
        # What the user may not delete there, the namespace controller does.
        await self._delete_collection(resource, namespace, tolerated=(Forbidden,))

    async def _delete_collection(
        self, resource: Resource, namespace: str, *, tolerated: tuple[type[ClusterError], ...] = ()
    ) -> None:
        if "deletecollection" not in resource.verbs:
            return  # the namespace controller deletes them
        query = {"labelSelector": self._selector, "propagationPolicy": "Background", **self._grace}
        what = f"{resource.kind} {namespace}/*"
        await self._request(what, resource.path(namespace), query=query, tolerated=tolerated)

    async def _delete_one(self, resource: Resource, namespace: str, name: str, uid: str) -> None:
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            # Not an object of the same name that was created since the survey.
            "preconditions": {"uid": uid},
        }
        what = f"{resource.kind} {namespace}/{name}" if namespace else f"{resource.kind} {name}"
        path = resource.path(namespace, quote(name, safe=":"))
        await self._request(what, path, body=json.dumps(options).encode())

    async def _request(
        self, what: str, path: str, *, tolerated: tuple[type[ClusterError], ...] = (), **arguments: Any
    ) -> None:
        try:
            await self._cluster.request("DELETE", path, decode=prove_deletion, **arguments)
        except (NotFound, Conflict):
            return  # gone, or replaced by another of the same name; the watch finds out which
        except ClusterError as error:
            if not isinstance(error, tolerated):
                self.errors[what] = str(error)

    async def wait_until_gone(self, *, timeout_seconds: float) -> None:
        """Return when `left` is empty, or after `timeout_seconds`, of which outages are no part."""
        kinds = [(resource, left) for resource, left in self.left.items() if left]
        with contextlib.suppress(TimeoutError):
            async with self._cluster.reachability.timeout(timeout_seconds), asyncio.TaskGroup() as group:
                for resource, left in kinds:
                    group.create_task(self._until_gone(resource, left))

    async def _until_gone(self, resource: Resource, left: dict[Key, str]) -> None:
        attempt = 0
        while True:
            try:
                await self._watch_everywhere(resource, left)
            except json.JSONDecodeError:
                # Something else than an API server answers, such as a proxy's page: an outage, until the time is up.
                attempt += 1
                self._cluster.traffic.retry("answer")
                await asyncio.sleep(self._cluster.retry.pause_seconds(attempt, None))
            except ClusterError as error:
                self.errors[f"watch {resource.kind}"] = f"it is unknown whether all are gone: {error}"
                return
            else:
                return

    async def _watch_everywhere(self, resource: Resource, left: dict[Key, str]) -> None:
        """In all namespaces, or where that is not allowed, in each by itself."""
        try:
            await self._watch_until_gone(resource, left, None)
        except Forbidden:
            if not resource.namespaced:
                raise
            for namespace in sorted({key[0] for key in left}):
                await self._watch_until_gone(resource, left, namespace)

    async def _watch_until_gone(self, resource: Resource, left: dict[Key, str], namespace: str | None) -> None:
        def pending() -> bool:
            return any(namespace in (None, key[0]) for key in left)

        watch = ListWatch(self._cluster, resource, label_selector=self._selector, namespace=namespace)
        async for event in watch.events():
            if event.type == "SYNCED":
                for key in [key for key in left if key not in event.names and namespace in (None, key[0])]:
                    del left[key]
            else:
                key = key_of(event.object)
                # Another uid: ours is gone.
                if event.type == "DELETED" or event.object["metadata"]["uid"] != left.get(key):
                    left.pop(key, None)
            if not pending():
                return
