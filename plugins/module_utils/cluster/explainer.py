# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what explains one object: the object itself, its pods, events. Only for the few that are going to be told."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import quote

from ..readiness.causes import explained, pods_of
from ..readiness.pods import pod
from ..readiness.state import Readiness
from .client import Cluster
from .discovery import Resource
from .errors import ClusterError, NotFound

#: Pods of one object whose events are read.
_PODS_ASKED = 3


class Explainer:
    """What cannot be read (no permission, gone) is left out of the explanation; it never raises ClusterError."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def explain(self, resource: Resource, key: tuple[str, str], answer: Readiness) -> Readiness:
        """`answer` with a fuller cause, or as it is if nothing more can be read."""
        try:
            obj = await self._cluster.get(resource.path(key[0], quote(key[1], safe=":")))
        except ClusterError:
            return answer
        pods = await self._pods(obj, key[0])
        uids = [obj["metadata"]["uid"]]
        uids += [each["metadata"]["uid"] for each in pods if not pod(each).is_ready][:_PODS_ASKED]
        events = await asyncio.gather(*(self._events(key[0] or "default", uid) for uid in uids))
        return explained(obj, answer, pods=pods, events=[event for found in events for event in found])

    async def why_still_there(self, resource: Resource, key: tuple[str, str]) -> str:
        """Why an object that should be gone is not."""
        try:
            metadata = (await self._cluster.get(resource.path(key[0], quote(key[1], safe=":"))))["metadata"]
        except NotFound:
            return "gone by now"
        except ClusterError as error:
            return str(error)
        if not metadata.get("deletionTimestamp"):
            return "nobody has deleted it"
        finalizers = metadata.get("finalizers")
        return f"held by finalizer {', '.join(finalizers)}" if finalizers else "still ends"

    async def _pods(self, obj: dict[str, Any], namespace: str) -> list[Any]:
        # What makes pods selects them by labels (a Job, too: by its own controller-uid).
        selector = (obj.get("spec") or {}).get("selector")
        if not namespace or not isinstance(selector, dict) or not isinstance(selector.get("matchLabels"), dict):
            return []
        labels = ",".join(f"{name}={value}" for name, value in selector["matchLabels"].items())
        path = f"/api/v1/namespaces/{namespace}/pods"
        return pods_of(obj, await self._items(path, {"labelSelector": labels, "limit": "500"}))

    async def _events(self, namespace: str, uid: str) -> list[Any]:
        query = {"fieldSelector": f"involvedObject.uid={uid}", "limit": "50"}
        return await self._items(f"/api/v1/namespaces/{namespace}/events", query)

    async def _items(self, path: str, query: dict[str, str]) -> list[Any]:
        try:
            return (await self._cluster.get(path, query=query)).get("items") or []
        except ClusterError:
            return []
