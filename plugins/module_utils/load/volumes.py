# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a batch knows of its volumes beside their objects: claims that wait for no pod of ours, and attachments."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from typing import Any

from ..cluster.client import Cluster
from ..cluster.discovery import Resource
from ..cluster.errors import ClusterError
from ..cluster.inventory import read_each
from ..cluster.labels import LABEL_ROLE
from ..cluster.scopes import ScopedWatch, Scopes
from ..cluster.watch import Event
from ..measure.volumes import Key, VolumeBook
from ..plan.claims import mounts_claims, unmounted
from ..plan.fragment import Fragment
from ..readiness.state import READY, Readiness
from ..readiness.volumes import is_first_consumer_awaited

_CLASSES = "/apis/storage.k8s.io/v1/storageclasses"
_ATTACHMENTS = Resource(
    "storage.k8s.io/v1", "VolumeAttachment", "volumeattachments", False, frozenset({"list", "watch"})
)
#: Timeout of the request for the watch's starting point; the load waits for it.
_BEGIN_SECONDS = 5.0
_CLAIM = ("v1", "PersistentVolumeClaim")


class Volumes:
    """The volumes of a batch, for its tracker. Without claims in the plan, it asks for nothing."""

    def __init__(self, cluster: Cluster, fragments: Iterable[Fragment]) -> None:
        fragments = list(fragments)
        self._cluster = cluster
        self.book = VolumeBook()
        self.warnings: list[str] = []
        #: Whether the plan has claims, snapshots, or pods with claims.
        self.are_planned = mounts_claims(fragments) or any(
            kind in ("PersistentVolumeClaim", "VolumeSnapshot") for one in fragments for _version, kind in one.kinds
        )
        self._mounts = mounts_claims(fragments)
        #: Roles whose claims no pod of the plan mounts, if the batch waits for them.
        self._unmounted = unmounted(fragments)
        #: Classes that make a volume only for a pod; None until they are known.
        self._late: set[str] | None = None

    async def begin(self) -> None:
        """Read which classes wait for a pod, where some claims will have none. What cannot be read is a warning."""
        if not self._unmounted:
            return
        late: set[str] = set()

        def take(item: Mapping[str, Any]) -> None:
            if item.get("volumeBindingMode") == "WaitForFirstConsumer":
                late.add(item["metadata"]["name"])

        try:
            cause = await read_each(self._cluster, _CLASSES, take, begin_again=late.clear)
        except ClusterError as error:
            cause = str(error)
        if cause:
            self.warnings.append(
                f"StorageClasses cannot be listed ({cause}); a claim that waits for its first consumer is not ready"
            )
        else:
            self._late = late

    def judged(self, claim: Mapping[str, Any], answer: Readiness) -> Readiness:
        """The readiness of a claim: one that waits for a pod which nobody will make has come as far as it can."""
        # The role that made it, whichever waits for it now.
        role = (claim["metadata"].get("labels") or {}).get(LABEL_ROLE, "")
        key: Key = (claim["metadata"]["namespace"], claim["metadata"]["name"])
        is_late = (claim.get("spec") or {}).get("storageClassName") in (self._late or ())
        if role in self._unmounted and is_late and not answer.is_ready and is_first_consumer_awaited(claim):
            self.book.unconsumed.add(key)
            return READY
        self.book.unconsumed.discard(key)
        return answer

    def event(self, kind: str, role: str, event: Event, *, from_list: bool) -> None:
        """Take in an event of a claim, a snapshot or a pod."""
        if kind == "PersistentVolumeClaim":
            self.book.claim(event.type, event.object, role, from_list=from_list)
        elif kind == "VolumeSnapshot":
            self.book.snapshot(event.type, event.object, role, from_list=from_list)
        elif kind == "Pod" and self._mounts:
            self.book.pod(event.type, event.object, role, from_list=from_list)

    @contextlib.asynccontextmanager
    async def beside(self) -> AsyncIterator[None]:
        """Watch attachments during the block, from now on. It never harms the block: what fails is a cause."""
        if not self._mounts:
            yield
            return
        watch = ScopedWatch(self._cluster, _ATTACHMENTS, Scopes())
        version = ""
        with self._noted():
            version = await watch.now(deadline_seconds=_BEGIN_SECONDS)
        task = asyncio.create_task(self._follow(watch, version)) if version else None
        try:
            yield
        finally:
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def _follow(self, watch: ScopedWatch, version: str) -> None:
        self.book.sees_attachments = True
        with self._noted():
            async for event in watch.events(version=version):
                if event.type != "SYNCED":
                    self.book.attachment(event.type, event.object)

    @contextlib.contextmanager
    def _noted(self) -> Iterator[None]:
        try:
            yield
        except ClusterError as error:
            self.book.sees_attachments = False
            self.book.attachments_cause = " ".join(str(error).split())[:200]
