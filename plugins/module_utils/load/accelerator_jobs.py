# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a batch looks at for its accelerator jobs beside their objects: Kueue's Workloads, and pools of nodes."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from typing import Any

from ..capacity.supply import Node, mismatches, node_of
from ..cluster.client import Cluster
from ..cluster.discovery import Resource, preferred_version
from ..cluster.errors import ClusterError
from ..cluster.inventory import read_each
from ..cluster.scopes import ScopedWatch, Scopes
from ..cluster.watch import Event
from ..measure.accelerator_jobs import ROLE, AcceleratorJobBook
from ..measure.job_pools import Pool, accelerator_of
from ..plan.claims import first_member
from ..plan.fragment import Fragment
from ..plan.kinds import made_of
from ..plan.pods import PodShape, shape_of
from ..readiness.nodes import POOL_LABELS

_NODES = "/api/v1/nodes"
_KUEUE = "kueue.x-k8s.io"
_MACHINE = "node.kubernetes.io/instance-type"
_TOPOLOGY = "cloud.google.com/gke-tpu-topology"
#: Timeout of what is asked before the load, which waits for it, and of the last look at the nodes.
_READ_SECONDS = 10.0
_LONGEST_CAUSE = 300


class AcceleratorJobs:
    """The accelerator jobs of a batch, for its tracker. Without any in the plan, it asks for nothing.

    `namespaces`: those of the run. A job counts here if it is a JobSet, waits in a queue, asks for accelerators, shares
    a pool with nobody, or is of the role `accelerator_jobs`; as far as the first members of the fragments tell.
    """

    def __init__(
        self, cluster: Cluster, fragments: Iterable[Fragment], namespaces: Iterable[str], scopes: Scopes
    ) -> None:
        self._cluster, self._scopes, self._namespaces = cluster, scopes, frozenset(namespaces)
        self.book = AcceleratorJobBook()
        self.warnings: list[str] = []
        #: Why Kueue's Workloads were not watched; None where they were, or no job has a queue.
        self.workloads_cause: str | None = None
        self._shapes: dict[str, list[PodShape]] = {}
        self._pool_labels: dict[str, None] = {}
        self._queued = False
        for fragment in fragments:
            self._take(fragment)
        for label in POOL_LABELS:
            self._pool_labels.setdefault(label)

    def _take(self, fragment: Fragment) -> None:
        if not fragment.count or fragment.patch or fragment.once or not fragment.makes_pods:
            return
        for obj in first_member(fragment):
            if obj["kind"] not in ("Job", "JobSet"):
                continue
            made = made_of(obj)
            shapes = [shape_of(part.template.get("spec") or {}) for part in made.pods]
            labels = [part.pool_label for part in made.pods if part.pool_label]
            if not (
                obj["kind"] == "JobSet"
                or fragment.role == ROLE
                or made.queue
                or labels
                or any(_accelerators(shape) for shape in shapes)
            ):
                continue
            self._shapes.setdefault(fragment.role, []).extend(shapes)
            self._pool_labels.update(dict.fromkeys(labels))
            self._queued = self._queued or bool(made.queue)

    @property
    def are_planned(self) -> bool:
        """Whether the plan has such jobs."""
        return bool(self._shapes)

    def event(self, kind: str, role: str, event: Event, from_list: bool) -> None:
        """Take in an event of a Job, a JobSet or a pod."""
        if role not in self._shapes:
            return
        if kind in ("Job", "JobSet"):
            self.book.job(kind=event.type, obj=event.object, role=role, from_list=from_list)
        elif kind == "Pod":
            self.book.pod(event.type, event.object, role, from_list=from_list)

    @contextlib.asynccontextmanager
    async def beside(self) -> AsyncIterator[None]:
        """Watch Workloads during the block, from now on, and read the nodes before and, if there are new ones, after.

        It never harms the block: what fails is a warning with its cause.
        """
        if not self.are_planned:
            yield
            return
        await self._read_nodes()
        task = await self._begin_watching() if self._queued else None
        try:
            yield
        finally:
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            if self.book.pools.cause is None and self.book.pools.unknown_nodes():
                await self._read_nodes()  # of pools that grew with the load

    # -- nodes -------------------------------------------------------------------------------------------------------

    async def _read_nodes(self) -> None:
        pools = self.book.pools
        found: dict[str, Pool] = {}
        fitting: dict[str, Counter[Pool]] = {}

        def take(obj: Mapping[str, Any]) -> None:
            node = node_of(obj)
            pool = found[node.name] = self._pool_of(node.labels)
            for role, shapes in self._shapes.items():
                if any(next(mismatches(node, shape), None) is None and _has(node, shape) for shape in shapes):
                    fitting.setdefault(role, Counter())[pool] += 1

        def begin_again() -> None:
            found.clear()
            fitting.clear()

        cause: str | None = None
        try:
            async with asyncio.timeout(_READ_SECONDS):
                cause = await read_each(self._cluster, _NODES, take, begin_again=begin_again)
        except (ClusterError, TimeoutError) as error:
            cause = str(error) or f"no answer within {_READ_SECONDS:g} s"
        # Nodes that are gone by now had pods too.
        pools.pool_of |= found
        if cause is None:
            pools.cause, pools.fitting = None, fitting
        else:
            pools.cause = _short(cause)
            self.warnings.append(f"nodes cannot be listed ({pools.cause}); pools of accelerator jobs are not known")

    def _pool_of(self, labels: Mapping[str, str]) -> Pool:
        label = next((name for name in self._pool_labels if labels.get(name)), "")
        return Pool(
            label=label,
            name=labels[label] if label else "",
            accelerator=accelerator_of(labels),
            machine=labels.get(_MACHINE, ""),
            topology=labels.get(_TOPOLOGY, ""),
        )

    # -- Workloads ---------------------------------------------------------------------------------------------------

    async def _begin_watching(self) -> asyncio.Task[None] | None:
        with self._noted():
            async with asyncio.timeout(_READ_SECONDS):
                version = await preferred_version(self._cluster, _KUEUE)
                if version is None:
                    self._without_workloads("the API server has no kueue.x-k8s.io")
                    return None
                verbs = frozenset({"list", "watch"})
                watch = ScopedWatch(
                    self._cluster, Resource(version, "Workload", "workloads", True, verbs), self._scopes
                )
                begin = await watch.now(deadline_seconds=_READ_SECONDS)
            return asyncio.create_task(self._follow(watch, begin))
        return None

    async def _follow(self, watch: ScopedWatch, version: str) -> None:
        with self._noted():
            async for event in watch.events(version=version):
                if event.type != "SYNCED" and event.object["metadata"].get("namespace") in self._namespaces:
                    self.book.workload(event.type, event.object)

    @contextlib.contextmanager
    def _noted(self) -> Iterator[None]:
        try:
            yield
        except (ClusterError, TimeoutError) as error:
            self._without_workloads(str(error) or f"no answer within {_READ_SECONDS:g} s")

    def _without_workloads(self, cause: str) -> None:
        self.workloads_cause = _short(cause)
        self.warnings.append(
            f"Workloads of Kueue cannot be watched ({self.workloads_cause}); the wait in the queue is not measured"
        )


def _accelerators(shape: PodShape) -> dict[str, int]:
    """What a pod asks for of extended resources, whose names have a domain; pages of memory are none."""
    return {name: amount for name, amount in shape.extended.items() if "/" in name}


def _has(node: Node, shape: PodShape) -> bool:
    return all(node.allocatable(name) >= amount for name, amount in _accelerators(shape).items())


def _short(cause: str) -> str:
    return " ".join(cause.split())[:_LONGEST_CAUSE]
