# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the lists of a scan: all at once, page by page, and each begun after those that must be older.

A list is a state of the server at one moment, that of its first page. What is made first has to be read last, or a
pair that is made in between would look like half a pair: volumes before claims, and claims before pods. So a list
waits for the first page of those before it, and for nothing else.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, cast

from ..cluster.client import Cluster
from ..cluster.decoding import decoder
from ..cluster.errors import ClusterError, Forbidden, Gone, NotFound, PermanentError, Unauthorized
from ..cluster.proof import Unproven
from ..cluster.watch import PAGE_SIZE
from ..syntax import is_dns_label, is_dns_subdomain
from . import structs
from .document import FORBIDDEN, Part
from .inventory import MAKERS, OPTIONAL_MAKERS, Inventory, short

#: Namespaces that are listed one by one at most; of more, the whole cluster is.
MAX_NAMESPACES = 100
#: Objects that are read by name at most, where only these are wanted; of more, the list is.
MAX_NAMES = 500
#: A page of 500 objects has a few MB; one object 1.5 MiB in etcd, and somewhat more as JSON.
_MAX_PAGE_BYTES = 32 * 1024 * 1024
#: A list that is longer is no list any more.
_MAX_OBJECTS = 2_000_000
#: How often a list begins anew where the server has forgotten its page token.
_BEGINNINGS = 3
#: Beyond so many bytes an answer tells how fast the way is, and below so many a second compression pays.
_TELLING_BYTES, _SLOW_BYTES_PER_SECOND = 256 * 1024, 12_000_000
_PLAIN = ("Accept-Encoding", "identity")


class TooLong(PermanentError):
    """An answer is longer than is read."""


@dataclass(frozen=True, kw_only=True)
class Listed:
    """One list. `after`: the lists whose first pages come before its own.

    `optional`: a cluster without this kind lacks nothing. `forgets`: its records, which the inventory has under the
    list's name, are forgotten where the list begins anew.
    """

    name: str
    api_version: str
    plural: str
    page: type
    take: Callable[[Inventory, Iterable[Any]], None]
    namespaced: bool = True
    after: tuple[str, ...] = ()
    optional: bool = False
    forgets: bool = False

    def path(self, namespace: str = "") -> str:
        """The path of the list, in one namespace or all."""
        root = "/api/v1" if self.api_version == "v1" else f"/apis/{self.api_version}"
        scope = f"/namespaces/{namespace}" if namespace and self.namespaced else ""
        return f"{root}{scope}/{self.plural}"

    @property
    def group(self) -> str:
        """The API group, "" for the core's."""
        return self.api_version.rpartition("/")[0]


def _workloads(kind: str) -> Callable[[Inventory, Iterable[Any]], None]:
    return lambda inventory, items: inventory.take_workloads(kind, items)


_SNAPSHOTS = "snapshot.storage.k8s.io/v1"
LISTS: dict[str, Listed] = {
    listed.name: listed
    for listed in (
        Listed(
            name="volumes",
            api_version="v1",
            plural="persistentvolumes",
            page=structs.VolumePage,
            take=Inventory.take_volumes,
            namespaced=False,
            forgets=True,
        ),
        Listed(
            name="claims",
            api_version="v1",
            plural="persistentvolumeclaims",
            page=structs.ClaimPage,
            take=Inventory.take_claims,
            after=("volumes",),
            forgets=True,
        ),
        Listed(
            name="classes",
            api_version="storage.k8s.io/v1",
            plural="storageclasses",
            page=structs.ClassPage,
            take=Inventory.take_classes,
            namespaced=False,
        ),
        Listed(
            name="pods",
            api_version="v1",
            plural="pods",
            page=structs.PodPage,
            take=Inventory.take_pods,
            after=("claims",),
        ),
        *(
            Listed(
                name=name,
                api_version=api_version,
                plural=f"{kind.lower()}s",
                page=structs.WorkloadPage,
                take=_workloads(kind),
                after=("claims",),
                optional=name in OPTIONAL_MAKERS,
            )
            for name, (api_version, kind) in MAKERS.items()
        ),
        Listed(
            name="attachments",
            api_version="storage.k8s.io/v1",
            plural="volumeattachments",
            page=structs.AttachmentPage,
            take=Inventory.take_attachments,
            namespaced=False,
            after=("claims",),
        ),
        Listed(
            name="drivers",
            api_version="storage.k8s.io/v1",
            plural="csidrivers",
            page=structs.KeyPage,
            take=Inventory.take_drivers,
            namespaced=False,
        ),
        Listed(
            name="snapshots",
            api_version=_SNAPSHOTS,
            plural="volumesnapshots",
            page=structs.SnapshotPage,
            take=Inventory.take_snapshots,
            forgets=True,
        ),
        Listed(
            name="contents",
            api_version=_SNAPSHOTS,
            plural="volumesnapshotcontents",
            page=structs.ContentPage,
            take=Inventory.take_contents,
            namespaced=False,
            after=("snapshots",),
            forgets=True,
        ),
        Listed(
            name="snapshot_classes",
            api_version=_SNAPSHOTS,
            plural="volumesnapshotclasses",
            page=structs.SnapshotClassPage,
            take=Inventory.take_snapshot_classes,
            namespaced=False,
        ),
        Listed(
            name="nodes",
            api_version="v1",
            plural="nodes",
            page=structs.NodePage,
            take=Inventory.take_nodes,
            namespaced=False,
        ),
    )
}


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What to read: the names of lists, and where.

    `namespaces`: only these, none means all. `names`: of these lists, only the objects of these keys, which are
    "namespace/name", or the name alone for kinds of the whole cluster. `groups`: those that the server has, None if
    that is not known.
    """

    lists: Collection[str]
    namespaces: Collection[str] = ()
    names: Mapping[str, Collection[str]] = field(default_factory=dict)
    groups: Collection[str] | None = None


class Reader:
    """Reads once, into `inventory`."""

    def __init__(self, cluster: Cluster, wanted: Wanted, inventory: Inventory) -> None:
        self._cluster = cluster
        self._wanted = wanted
        self._began = {name: asyncio.Event() for name in wanted.lists}
        self.inventory = inventory

    async def read(self) -> None:
        """Read all of it. What cannot be read is in the inventory's parts, with the cause.

        Raises Unauthorized, with which nothing can be read.
        """
        async with asyncio.TaskGroup() as group:
            for name in LISTS:  # in this order, so that what others wait for is asked for first
                if name in self._wanted.lists:
                    group.create_task(self._list(LISTS[name]))

    async def _list(self, listed: Listed) -> None:
        part = self.inventory.parts[listed.name] = Part()
        for name in listed.after:
            if name in self._began:
                await self._began[name].wait()
        began = time.monotonic()
        try:
            await self._read(listed, part)
        except Unauthorized:
            raise
        except ClusterError as error:
            if listed.optional and isinstance(error, NotFound):
                del self.inventory.parts[listed.name]
            else:
                part.complete, part.cause = False, cause_of(listed, error)
        finally:
            part.seconds = round(time.monotonic() - began, 4)
            self._began[listed.name].set()

    async def _read(self, listed: Listed, part: Part) -> None:
        groups = self._wanted.groups
        if groups is not None and listed.group and listed.group not in groups:
            raise NotFound(f"the API server has no group {listed.group}", status=404)
        names = self._wanted.names.get(listed.name)
        if names is not None and len(names) <= MAX_NAMES:
            await self._by_name(listed, part, names)
            return
        namespaces = self._wanted.namespaces if listed.namespaced else ()
        if len(namespaces) > MAX_NAMESPACES:
            namespaces = ()
        # One after the other: each is a list of its own, and the rest of the kinds go on beside it.
        for namespace in namespaces or [""]:
            async for items in self._pages(listed, part, namespace):
                part.objects += len(items)
                listed.take(self.inventory, items)
                del items  # not while the next page is waited for

    async def _by_name(self, listed: Listed, part: Part, keys: Collection[str]) -> None:
        """The objects of these keys, each as a list of one, for which the right to list suffices."""
        decode = _page_decoder(listed)

        async def one(key: str) -> None:
            namespace, _slash, name = key.rpartition("/")
            if not is_dns_subdomain(name) or (listed.namespaced and not is_dns_label(namespace)):
                return  # what somebody has written into a reference, and no object can be called
            query = {"fieldSelector": f"metadata.name={name}", "limit": "1"}
            items = (await self._get(listed.path(namespace), query, decode, bytearray())).items or []
            part.objects += len(items)
            listed.take(self.inventory, items)

        # All of them, before one that cannot be read makes the list incomplete.
        for failure in await asyncio.gather(*map(one, keys), return_exceptions=True):
            if failure is not None:
                raise failure

    async def _pages(self, listed: Listed, part: Part, namespace: str) -> AsyncIterator[list[Any]]:
        """The items of each page, from the beginning again where the server has forgotten the list."""
        path, decode = listed.path(namespace), _page_decoder(listed)
        beginnings, size, before, held = 1, PAGE_SIZE, part.objects, bytearray()
        query = {"limit": str(size)}
        while True:
            try:
                page = await self._get(path, query, decode, held)
            except TooLong:
                if size == 1:
                    raise
                size = max(1, size // 10)
                query["limit"] = str(size)
                continue
            except Gone:
                beginnings += 1
                if beginnings > _BEGINNINGS:
                    raise
                part.objects = before
                self._forget(listed, namespace)
                query = {"limit": str(size)}
                continue
            self._began[listed.name].set()
            token = page.metadata.next_page
            items = page.items or []
            del page
            yield items
            del items
            if not token:
                return
            if token == query.get("continue") or part.objects > _MAX_OBJECTS:
                raise PermanentError(f"the list does not end after {part.objects:,} objects")
            query["continue"] = token

    def _forget(self, listed: Listed, namespace: str) -> None:
        """What was taken of a list is taken again. Who uses a claim may only be too much, and so makes no orphan."""
        if not listed.forgets:
            return
        records: dict[str, Any] = getattr(self.inventory, listed.name)
        for key in [key for key in records if not namespace or key.startswith(f"{namespace}/")]:
            del records[key]

    async def _get(self, path: str, query: Mapping[str, str], decode: Callable[[bytes], Any], held: bytearray) -> Any:
        return await self._cluster.get(path, query=query, decode=decode, read=partial(bounded, self._cluster, held))


def _page_decoder(listed: Listed) -> Callable[[bytes], Any]:
    decode: Callable[[bytes], Any] = decoder(listed.page)

    def decoded(body: bytes) -> Any:
        page = decode(body)
        if not page.kind.endswith("List"):
            raise Unproven("a list was asked for")
        return page

    return decoded


async def bounded(cluster: Cluster, held: bytearray, pieces: AsyncIterator[bytes]) -> bytes:
    """The body, up to a bound, in the memory of `held`, which may be that of the page before.

    New memory for each page would take as long as decoding it: the system clears it, and maps it piece by piece.
    Where the body comes slowly, further answers are asked for in compressed form.
    """
    size, began = 0, 0.0
    async for piece in pieces:
        began = began or time.monotonic()
        held[size : size + len(piece)] = piece
        size += len(piece)
        if size > _MAX_PAGE_BYTES:
            raise TooLong(f"an answer is longer than {_MAX_PAGE_BYTES // 2**20} MiB")
    del held[size:]
    if size > _TELLING_BYTES and size < _SLOW_BYTES_PER_SECOND * (time.monotonic() - began):
        compressed(cluster)
    # All that is done with a body can be done with a bytearray.
    return cast(bytes, held)


def uncompressed(cluster: Cluster) -> None:
    """Ask for answers as they are: compressing and expanding them takes longer than a fast way does."""
    connection = cluster.connection
    cluster.connection = replace(connection, headers=(*connection.headers, _PLAIN))


def compressed(cluster: Cluster) -> None:
    """Let answers be compressed again."""
    connection = cluster.connection
    if _PLAIN in connection.headers:
        cluster.connection = replace(
            connection, headers=tuple(header for header in connection.headers if header != _PLAIN)
        )


def cause_of(listed: Listed, error: ClusterError) -> str:
    """Why a list is not complete, in one line."""
    if isinstance(error, Forbidden):
        return f"{FORBIDDEN} {listed.plural}: {short(str(error))}"
    if isinstance(error, NotFound):
        return f"the cluster does not serve {listed.api_version}; are CustomResourceDefinitions missing?"
    return f"{listed.plural} cannot be read to the end: {short(str(error))}"
