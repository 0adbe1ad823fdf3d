# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One collection: oc where it serves, then objects, nodes' logs and pods' logs, in bounds of time and size."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from ..cluster.client import Cluster
from ..cluster.errors import ClusterError
from ..machine.interruptions import stop_on_signals, unless
from ..machine.progress import Progress, shown
from . import oc
from .folder import Folder, Stopped
from .logs import NODE_LOG, POD_LOG, Logs, OnlyIfAsked
from .objects import EVENTS, JOBS, MAX_NODES, MAX_PODS, NODES, PODS, Kind, Lists, NodeRef, PodRef, node_ref, pod_ref

T = TypeVar("T")
#: OpenShift's own version, in the file in which a must-gather has it.
_CLUSTER_VERSION = Kind("clusterversions", "ClusterVersion", "config.openshift.io/v1", "config.openshift.io", False)
#: Of the time, so that some is left for what oc does not gather: namespaces of users, and journals of workers.
_SHARE_OF_OC = 0.75
#: Nobody shows our progress any more: the playbook is gone.
_ABANDONED = "nobody waits for it any more"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is to be collected. Seconds; `namespaces` empty: all. `oc`: its path, if it is to be run."""

    namespaces: tuple[str, ...]
    since_seconds: int
    time_limit_seconds: float
    file_seconds: float
    workers: int
    oc: str | None
    is_openshift: bool
    version: str
    connection: Mapping[str, Any]


class Collection:
    """Collects into a folder that exists."""

    def __init__(self, cluster: Cluster, folder: Folder, wanted: Wanted, progress: Progress) -> None:
        self._cluster = cluster
        self._folder = folder
        self._wanted = wanted
        self._progress = progress
        self._began = time.monotonic()
        self._done = 0
        self._pods: list[PodRef] = []
        self._nodes: list[NodeRef] = []
        self._skipped_namespaces: frozenset[str] = frozenset()
        self._skips_control_plane = False

    async def run(self) -> str | None:
        """Collect; why it was stopped before its end, or None. Ends in time, and when it is interrupted."""
        limit = self._wanted.time_limit_seconds
        stop, why = asyncio.Event(), ""

        def interrupted(reason: str) -> None:
            nonlocal why
            why = reason
            stop.set()

        def look() -> None:
            self._progress.show(
                done=self._done,
                failed=self._folder.number_missing,
                retries=0,
                unready=0,
                detail=f"{self._folder.bounds.used_bytes / 1e6:,.0f} MB",
            )
            if self._progress.is_abandoned():
                interrupted(_ABANDONED)

        try:
            with stop_on_signals(interrupted):
                async with asyncio.timeout(limit), shown(self._progress, look):
                    await unless(stop, self._all())
        except TimeoutError:
            return f"its time limit of {limit:g} s is reached"
        except Stopped as error:
            return str(error)
        return why or None

    async def _all(self) -> None:
        wanted = self._wanted
        with self._folder.file("version") as file:
            file.write(f"kubestress.core\n{wanted.version}\n".encode())
        if wanted.oc:
            await self._oc(wanted.oc)
        await self._objects()
        reader = Cluster(
            self._cluster.connection,
            retry=OnlyIfAsked(deadline_seconds=wanted.file_seconds),
            request_timeout_seconds=wanted.file_seconds,
            admission=self._cluster.admission,
        )
        async with reader:
            logs = Logs(self._cluster, reader, self._folder, wanted.since_seconds, wanted.file_seconds)
            nodes = self._nodes_to_ask()
            simulated = {node.name for node in self._nodes if node.simulated}
            pods = [pod for pod in self._pods if pod.node not in simulated]
            self._folder.add_about(
                # Nothing runs there, so that nothing is missing.
                simulated={"nodes": len(simulated), "pods": len(self._pods) - len(pods)}
            )
            self._progress.total = len(nodes) + len(pods)
            # A node tells of all its pods, so that it comes first, should time or room run out.
            await self._each(nodes, logs.of_node)
            await self._each(pods, logs.of_pod)

    async def _oc(self, path: str) -> None:
        """Run oc; what it did not get is noted, and then collected here as far as it can be."""
        root = self._folder.root
        left = self._wanted.time_limit_seconds - (time.monotonic() - self._began)
        try:
            with oc.environment(self._wanted.connection) as env:
                seconds = left * _SHARE_OF_OC
                await oc.gather(
                    path, root, self._folder.bounds, env=env, since=self._wanted.since_seconds, seconds=seconds
                )
        except (oc.OcError, OSError) as error:
            self._folder.miss("oc adm must-gather", "must-gather", str(error))
        self._skipped_namespaces = oc.namespaces_in(root)
        self._skips_control_plane = oc.has_masters_journals(root)
        self._folder.add_about(namespaces_of_oc=len(self._skipped_namespaces))
        if self._folder.bounds.is_used_up:
            raise Stopped(self._folder.bounds.why_refused(1))

    async def _objects(self) -> None:
        lists = Lists(self._cluster, self._folder, self._wanted.namespaces, self._skipped_namespaces)
        if self._wanted.is_openshift:
            await lists.copy(_CLUSTER_VERSION)
        await lists.copy(NODES, self._take_node)
        await lists.copy_namespaces()
        await lists.copy(PODS, self._take_pod)
        await lists.copy(JOBS)
        await lists.copy(EVENTS)
        self._note_more(POD_LOG, PODS, MAX_PODS, self._pods)
        self._note_more(NODE_LOG, NODES, MAX_NODES, self._nodes)

    def _take_pod(self, pod: dict[str, Any]) -> None:
        if len(self._pods) <= MAX_PODS and (found := pod_ref(pod)):
            self._pods.append(found)

    def _take_node(self, node: dict[str, Any]) -> None:
        if len(self._nodes) <= MAX_NODES:
            self._nodes.append(node_ref(node))

    def _note_more(self, what: str, kind: Kind, most: int, found: list[Any]) -> None:
        if len(found) > most:
            del found[most:]
            self._folder.miss(what, kind.plural, f"only the logs of the first {most:,} {kind.plural} are read")

    def _nodes_to_ask(self) -> list[NodeRef]:
        """The real nodes, or where they may not be listed, those of the pods."""
        if self._nodes:
            return [
                node
                for node in self._nodes
                if not node.simulated and not (self._skips_control_plane and node.control_plane)
            ]
        return [NodeRef(name, False, False) for name in sorted({pod.node for pod in self._pods})]

    async def _each(self, things: Iterable[T], copy: Callable[[T], Awaitable[None]]) -> None:
        """Copy the logs of several at once. The first Stopped ends all."""
        waiting = iter(things)

        async def work() -> None:
            for thing in waiting:
                await copy(thing)
                self._done += 1

        tasks = [asyncio.create_task(work()) for _number in range(self._wanted.workers)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def counts(cluster: Cluster, namespaces: tuple[str, ...]) -> dict[str, int | str]:
    """How many nodes, pods and Jobs there are, by one small request each; where it is refused, the cause."""
    found: dict[str, int | str] = {}
    for kind in (NODES, PODS, JOBS):
        places = namespaces if kind.namespaced and namespaces else (None,)
        try:
            pages = [await cluster.get(kind.path(place), query={"limit": "1"}) for place in places]
        except ClusterError as error:
            found[kind.plural] = str(error)
            continue
        found[kind.plural] = sum(
            len(page.get("items") or ()) + int((page.get("metadata") or {}).get("remainingItemCount") or 0)
            for page in pages
        )
    return found
