# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waits until deleted objects have vanished: a finalizer may hold them long after the request was answered."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict

from ..cluster.client import Cluster
from ..cluster.clock import HeldClock, timeout_by
from ..cluster.discovery import Discovery
from ..cluster.errors import ClusterError
from ..cluster.labels import run_selector
from ..cluster.scopes import ScopedWatch, Scopes
from ..cluster.watch import key_of

Deleted = tuple[str, str, str, str]


async def wait_until_deleted(
    cluster: Cluster,
    discovery: Discovery,
    deleted: set[Deleted],
    scopes: Scopes,
    *,
    run_id: str,
    timeout_seconds: float,
    clock: HeldClock,
) -> list[dict[str, str]]:
    """Wait for (apiVersion, kind, namespace, name) to vanish; rows of kind, namespace, name and cause for the rest.

    The time is by `clock`, which stands still during an outage.
    """
    by_kind: dict[tuple[str, str], dict[tuple[str, str], str]] = defaultdict(dict)
    for api_version, kind, namespace, name in deleted:
        resource = await discovery.resource(api_version, kind)
        by_kind[api_version, kind][namespace if resource.namespaced else "", name] = "it still exists"
    with contextlib.suppress(TimeoutError):
        async with timeout_by(clock, timeout_seconds), asyncio.TaskGroup() as group:
            for (api_version, kind), left in by_kind.items():
                resource = await discovery.resource(api_version, kind)
                watch = ScopedWatch(cluster, resource, scopes, label_selector=run_selector(run_id))
                group.create_task(_wait_for_kind(watch, left))
    return [
        {"kind": kind, "namespace": namespace, "name": name, "cause": cause}
        for (_api_version, kind), left in by_kind.items()
        for (namespace, name), cause in left.items()
    ]


async def _wait_for_kind(watch: ScopedWatch, left: dict[tuple[str, str], str]) -> None:
    try:
        await _follow(watch, left)
    except ClusterError as error:
        for key in left:
            left[key] = f"whether it is gone cannot be watched: {error}"


async def _follow(watch: ScopedWatch, left: dict[tuple[str, str], str]) -> None:
    async for event in watch.events():
        if event.type == "SYNCED":
            for key in [key for key in left if event.forgets(key)]:
                del left[key]
        else:
            key = key_of(event.object)
            if event.type == "DELETED":
                left.pop(key, None)
            elif key in left:
                finalizers = event.object["metadata"].get("finalizers")
                left[key] = f"held by finalizer {', '.join(finalizers)}" if finalizers else "it still exists"
        if not left:
            return
