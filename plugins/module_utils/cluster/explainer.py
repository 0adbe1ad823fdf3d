# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why objects are not ready, from their status, pods and events; read only for the few objects that are reported."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from ..readiness.causes import explained, pod_selector, pods_of
from ..readiness.pods import pod
from ..readiness.registry import readiness_of
from ..readiness.state import Readiness, waiting
from .client import Cluster
from .discovery import Discovery, Resource
from .errors import ClusterError, NotFound

#: Objects that are looked up after a batch, three requests each. The rest keep the cause that the watch has seen.
EXPLAINED_OBJECTS = 20
#: Time limit for all of them, in case the API server has gone.
_EXPLAINING_SECONDS = 20.0
#: Pods per object whose events are read.
_MAX_PODS = 3


class Explainer:
    """Never raises ClusterError: what cannot be read (no permission, gone) is left out of the explanation."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def explain(self, resource: Resource, key: tuple[str, str], answer: Readiness | None = None) -> Readiness:
        """`answer` with a fuller cause, if more can be read. Without `answer`: the current readiness."""
        try:
            obj = await self._cluster.get(resource.path(key[0], quote(key[1], safe=":")))
        except ClusterError:
            return answer or waiting("")
        answer = answer or readiness_of(obj)
        pods = await self._pods(obj, key[0])
        uids = [obj["metadata"]["uid"]]
        uids += [each["metadata"]["uid"] for each in pods if not pod(each).is_ready][:_MAX_PODS]
        events = await asyncio.gather(*(self._events(key[0] or "default", uid) for uid in uids))
        return explained(obj, answer, pods=pods, events=[event for found in events for event in found])

    async def why_still_there(self, resource: Resource, key: tuple[str, str]) -> str:
        """Why an object that should be gone still exists."""
        try:
            metadata = (await self._cluster.get(resource.path(key[0], quote(key[1], safe=":"))))["metadata"]
        except NotFound:
            return "gone by now"
        except ClusterError as error:
            return str(error)
        if not metadata.get("deletionTimestamp"):
            return "it has not been deleted"
        finalizers = metadata.get("finalizers")
        return f"held by finalizer {', '.join(finalizers)}" if finalizers else "still terminating"

    async def _pods(self, obj: dict[str, Any], namespace: str) -> list[Any]:
        # Controllers select their pods by labels; a Job does so by its controller-uid.
        match = pod_selector(obj).get("matchLabels")
        if not namespace or not isinstance(match, dict):
            return []
        labels = ",".join(f"{name}={value}" for name, value in match.items())
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


async def explain_unready(
    rows: list[tuple[str, tuple[str, str], str]],
    *,
    cluster: Cluster,
    discovery: Discovery,
    api_versions: Mapping[str, str],
) -> list[dict[str, str]]:
    """Turn (kind, (namespace, name), cause) into rows of kind, namespace, name and the fullest available cause.

    `api_versions` maps each kind to its apiVersion.
    """
    explainer = Explainer(cluster)
    answer = []
    until = time.monotonic() + _EXPLAINING_SECONDS
    for number, (kind, key, seen) in enumerate(rows):
        cause = seen
        seconds = until - time.monotonic()
        if number < EXPLAINED_OBJECTS and kind != "Namespace" and seconds > 0:
            # If this fails, the cause known from the watch is reported.
            with contextlib.suppress(ClusterError, TimeoutError):
                async with asyncio.timeout(seconds):
                    resource = await discovery.resource(api_versions[kind], kind)
                    cause = (await explainer.explain(resource, key)).cause or seen
        answer.append({"kind": kind, "namespace": key[0], "name": key[1], "cause": cause})
    return answer
