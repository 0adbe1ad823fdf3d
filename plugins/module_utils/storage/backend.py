# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The storage box beside a scan: read before the cluster's lists, compared with them, and looked at again.

A dataset is made before its PersistentVolume, so the box comes first in each look, and the volumes of all clusters that
share it come after. One login serves both looks.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from ..cluster.client import Cluster, RetryPolicy
from ..cluster.errors import ClusterError
from ..errors import ModuleFailed
from ..measure.recorder import now_rfc3339
from ..truenas import rows
from ..truenas.errors import BadOption, BoxError
from ..truenas.matching import Comparison, compare, confirmed
from ..truenas.model import Box, unread
from ..truenas.options import BoxOptions
from ..truenas.reader import BoxReader, open_box
from .document import Part
from .inventory import Inventory, short
from .options import BACKEND, Options, OtherCluster
from .reading import Reader, Wanted, uncompressed
from .rules import Limits, seconds_of

#: The lists of a cluster that are compared with the box.
LISTS = ("volumes", "contents")
OTHER_CLUSTERS = "other_clusters"
#: Seconds for which one page of another cluster is retried.
_PAGE_SECONDS = 30.0


@dataclass
class Claimed:
    """What clusters have on the box, and why one of these lists is not whole."""

    volumes: list[rows.Volume] = field(default_factory=list)
    contents: list[rows.Content] = field(default_factory=list)
    volumes_causes: list[str] = field(default_factory=list)
    contents_causes: list[str] = field(default_factory=list)

    def add(self, cluster: str, inventory: Inventory) -> None:
        """The lists of one cluster; "" is the one that is scanned."""
        self.volumes += (
            rows.Volume(
                cluster,
                volume.name,
                volume.uid,
                volume.driver or "",
                volume.handle,
                volume.attributes or {},
                seconds_of(volume.created),
                volume.bytes,
                deleting=volume.deleted is not None,
            )
            for volume in inventory.volumes.values()
            if volume.handle
        )
        self.contents += (
            rows.Content(
                cluster,
                content.name,
                content.driver,
                content.handle or None,
                created=seconds_of(content.created),
                bytes=content.bytes,
                deleting=content.deleted is not None,
            )
            for content in inventory.contents.values()
        )
        said = f"{cluster}: " if cluster else ""
        self.volumes_causes += (f"{said}{cause}" for cause in inventory.incomplete("volumes"))
        self.contents_causes += (f"{said}{cause}" for cause in inventory.incomplete("contents"))

    def failed(self, cluster: str, cause: str) -> None:
        """A cluster of which nothing could be read."""
        self.volumes_causes.append(f"{cluster}: {cause}")
        self.contents_causes.append(f"{cluster}: {cause}")

    @property
    def cause(self) -> str | None:
        """Why not everything is here, each cause once."""
        return "; ".join(dict.fromkeys(self.volumes_causes + self.contents_causes)) or None


class Backend:
    """The box, and the other clusters on it. `first` and `read_at` are of the first look."""

    def __init__(self, options: Options, box: BoxOptions, reader: BoxReader | None, cause: str = "") -> None:
        self._options = options
        self._box = box
        self._reader = reader
        self._cause = cause
        self._stack = AsyncExitStack()
        self._clusters: dict[str, Cluster] = {}
        self._box_part, self._others_part = Part(), Part()
        self._own_host = ""
        self.first = unread(box.url, cause)
        self.others = Claimed()
        self.read_at = ""

    async def read_box(self) -> None:
        """The box of the first look. It comes before all lists of clusters."""
        began = time.monotonic()
        self.first, self.read_at = await self._read(), now_rfc3339()
        seconds, box = time.monotonic() - began, self.first
        self._box_part = Part(box.complete, box.cause, len(box.datasets) + len(box.snapshots), round(seconds, 4))

    async def read_others(self, own: Cluster) -> None:
        """The other clusters in the first look. Raises ModuleFailed for one that is the scanned cluster itself."""
        began, self._own_host = time.monotonic(), own.connection.host
        self.others = await self._others()
        objects = len(self.others.volumes) + len(self.others.contents)
        cause, seconds = self.others.cause, round(time.monotonic() - began, 4)
        self._others_part = Part(cause is None, cause, objects, seconds)

    def parts(self) -> dict[str, Part]:
        """For the report: the box, and the other clusters if there are any."""
        more = {OTHER_CLUSTERS: self._others_part} if self._options.other_clusters else {}
        return {BACKEND: self._box_part, **more}

    def compared(self, inventory: Inventory, limits: Limits) -> Comparison:
        """The first look at both sides."""
        return self._compare(self.first, inventory, self.others, limits)

    async def confirmed(
        self, first: Comparison, cluster: Cluster, limits: Limits, *, groups: Collection[str] | None
    ) -> list[rows.Row]:
        """The rows of a first look with what a second one says of its orphans. Raises Unauthorized."""
        if not any(row.state == rows.ORPHAN for row in first.rows):
            return first.rows
        box = await self._read()
        again = Inventory(keeps_handles=True)
        async with asyncio.TaskGroup() as group:
            group.create_task(Reader(cluster, Wanted(lists=LISTS, groups=groups), again).read())
            others = group.create_task(self._others())
        second = self._compare(box, again, others.result(), limits)
        missing = [box.cause, *again.incomplete(*LISTS)]
        return confirmed(first.rows, second.rows, incomplete="; ".join(filter(None, missing)) or None)

    async def close(self) -> None:
        """Close the connections to other clusters."""
        await self._stack.aclose()

    async def _read(self) -> Box:
        if self._reader is None:
            return unread(self._box.url, self._cause)
        try:
            return await self._reader.read()
        except BoxError as error:
            return unread(self._box.url, str(error))

    def _compare(self, box: Box, inventory: Inventory, others: Claimed, limits: Limits) -> Comparison:
        both, thresholds = Claimed(), self._options.thresholds
        both.add("", inventory)
        options = rows.CheckOptions(
            volume_parents=self._box.volume_parents,
            detached_parents=self._box.detached_parents,
            instance_id=self._box.instance_id,
            now=limits.now,
            volumes_cause="; ".join(both.volumes_causes + others.volumes_causes) or None,
            contents_cause="; ".join(both.contents_causes + others.contents_causes) or None,
            min_age_seconds=limits.min_age_seconds,
            pool_warning_percent=thresholds["pool_warning"],
            pool_critical_percent=thresholds["pool_critical"],
            overcommit_warning=thresholds["overcommit"],
        )
        return compare(box, both.volumes + others.volumes, both.contents + others.contents, options)

    async def _others(self) -> Claimed:
        found = Claimed()
        await asyncio.gather(*(self._other(other, found) for other in self._options.other_clusters))
        return found

    async def _other(self, other: OtherCluster, found: Claimed) -> None:
        inventory = Inventory(keeps_handles=True)
        try:
            cluster = await self._cluster(other)
            if cluster.connection.host == self._own_host:
                raise ModuleFailed(f"other_clusters: {other.name} is the scanned cluster itself, {self._own_host}")
            await Reader(cluster, Wanted(lists=LISTS), inventory).read()
        except Exception as error:
            found.failed(other.name, short(str(cluster_error(error))))
        else:
            found.add(other.name, inventory)

    async def _cluster(self, other: OtherCluster) -> Cluster:
        if other.name not in self._clusters:
            cluster = await Cluster.open(dict(other.connection), retry=RetryPolicy(deadline_seconds=_PAGE_SECONDS))
            uncompressed(cluster)
            self._clusters[other.name] = await self._stack.enter_async_context(cluster)
        return self._clusters[other.name]


@asynccontextmanager
async def backend_of(options: Options) -> AsyncIterator[Backend | None]:
    """The box of the options, to which one login is made; None without one. Raises ModuleFailed for a bad option."""
    if options.box is None:
        yield None
        return
    async with AsyncExitStack() as stack:
        reader, cause = None, ""
        try:
            reader = await stack.enter_async_context(open_box(options.box))
        except BadOption as error:
            raise ModuleFailed(f"truenas.{error}") from error
        except BoxError as error:
            cause = str(error)
        backend = Backend(options, options.box, reader, cause)
        stack.push_async_callback(backend.close)
        yield backend


def cluster_error(error: Exception) -> ClusterError:
    """The error, or of a group the first one. Raises it if it is none of a cluster."""
    if isinstance(error, ExceptionGroup):
        return cluster_error(error.exceptions[0])
    if not isinstance(error, ClusterError):
        raise error
    return error
