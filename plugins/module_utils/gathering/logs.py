# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs of a gather: those of containers through the API server, and those of nodes through their kubelets.

Each answer goes to its file piece by piece. What cannot be read, or not whole, is noted with its cause.
"""

from __future__ import annotations

import math
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

from ..cluster.bodies import Read
from ..cluster.client import Cluster
from ..cluster.errors import ClusterError, TransientError
from ..cluster.node_proxy import cause_of_kubelet
from ..cluster.retries import RetryPolicy
from .folder import Cut, File, Folder, is_safe
from .objects import NodeRef, PodRef

POD_LOG, NODE_LOG = "log of a pod", "log of a node"
#: Files below a node's /var/log that tell of pods, networks and processes. Others may hold secrets, as audit logs do.
_WANTED = re.compile(
    r"(?:kubelet|kube-proxy|containerd|cri-?o|multus|ovn|cni|operations|dmesg|kern|messages|syslog)[^/]*"
)
#: Folders there that are looked into. `kubestress-node` is the embedded node's.
_FOLDERS = re.compile(r"(?:kubestress-node|kubelet|containerd|crio|multus|ovn[a-z-]*|cni)")
#: Services that are asked for where a kubelet answers queries, and no file of theirs lies there.
_SERVICES = ("kubelet", "crio", "containerd")
_MAX_LISTING = 1024 * 1024
_MAX_FILES = 200
_LINK = re.compile(rb'<a href="([^"]{1,1000})"')
_HTML = (b"<!doc", b"<pre>", b"<html")
#: What the client appends to its message.
_TRIES = re.compile(r" \(gave up after .*\)$")


class OnlyIfAsked(RetryPolicy):
    """Tries again only where the server says when: a log that cannot be had should not hold up the others."""

    def pause_seconds(self, attempt: int, retry_after_seconds: float | None) -> float:
        """What the server asks for, else longer than any deadline."""
        return math.inf if retry_after_seconds is None else super().pause_seconds(attempt, retry_after_seconds)


class _NoLog(Exception):
    """A kubelet that answers no queries sends the list of its files instead."""


@dataclass(frozen=True)
class Logs:
    """Copies logs. `reader`: a client with the policy `OnlyIfAsked`; it takes the credentials of `cluster`.

    `since_seconds` 0: from the beginning. `seconds`: how long one log may take.
    """

    cluster: Cluster
    reader: Cluster
    folder: Folder
    since_seconds: int
    seconds: float

    async def of_pod(self, pod: PodRef) -> None:
        """The logs of its containers, and of those that were restarted the one before as well. Raises Stopped."""
        for container, restarted in pod.containers:
            for previous in (False, True) if restarted else (False,):
                await self._of_container(pod, container, previous=previous)

    async def _of_container(self, pod: PodRef, container: str, *, previous: bool) -> None:
        name = "previous.log" if previous else "current.log"
        query = {
            "container": container,
            "timestamps": "true",
            # One more than fits, so that it is known whether it was all.
            "limitBytes": str(self.folder.bounds.file_bytes + 1),
        }
        if previous:
            query["previous"] = "true"
        if self.since_seconds:
            query["sinceSeconds"] = str(self.since_seconds)
        thing = f"{pod.namespace}/{pod.name}/{container}" + (" (previous)" if previous else "")
        path = f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}/log"
        with self.folder.file(
            "namespaces", pod.namespace, "pods", pod.name, container, container, "logs", name
        ) as file:
            try:
                await self._get(path, query, file.take)
            except Cut as cut:
                self.folder.miss(POD_LOG, thing, str(cut))
            except ClusterError as error:
                text = _plain(error, self.seconds).replace(pod.name, "POD").replace(f'"{container}"', "CONTAINER")
                self.folder.miss(POD_LOG, thing, _so_far(file, text))
            finally:
                self.folder.logs += file.size > 0

    async def of_node(self, node: NodeRef) -> None:
        """The files that its kubelet shows, or what it answers of its services. Raises Stopped."""
        root = f"/api/v1/nodes/{node.name}/proxy/logs/"
        try:
            files = await self._files(node, root)
        except (ClusterError, Cut) as error:
            self.folder.miss(NODE_LOG, node.name, self._cause(error))
            return
        if len(files) > _MAX_FILES:
            self.folder.miss(NODE_LOG, node.name, f"only the first {_MAX_FILES} files are read")
        for parts in files[:_MAX_FILES]:
            await self._of_file(node, root, parts)
        if not any(parts[-1].startswith("kubelet") for parts in files):
            await self._of_services(node, root)

    async def _files(self, node: NodeRef, root: str) -> list[tuple[str, ...]]:
        """The wanted files below /var/log, as parts of their paths. What a folder there cannot show is noted."""
        files, folders = await self._listing(root)
        for name in folders:
            try:
                inner, _folders = await self._listing(f"{root}{name}/")
            except (ClusterError, Cut) as error:
                self.folder.miss(NODE_LOG, f"{node.name} {name}/", self._cause(error))
                continue
            files += [(name, *parts) for parts in inner]
        return files

    async def _listing(self, path: str) -> tuple[list[tuple[str, ...]], list[str]]:
        """The wanted files and folders in one folder. Names that are none are noted."""
        body = b""

        async def take(pieces: AsyncIterator[bytes]) -> bytes:
            nonlocal body
            body = b""
            async for piece in pieces:
                body += piece
                if len(body) > _MAX_LISTING:
                    raise Cut(f"its list of files is larger than {_MAX_LISTING // 1024} KiB")
            return b""

        await self._get(path, {}, take)
        files: list[tuple[str, ...]] = []
        folders: list[str] = []
        for found in _LINK.findall(body):
            name = unquote(found.decode(errors="replace"))
            if name.endswith("/") and _FOLDERS.fullmatch(name[:-1]):
                folders.append(name[:-1])
            elif _WANTED.match(name) and not name.endswith("/"):
                if is_safe(name):
                    files.append((name,))
                else:
                    self.folder.miss(NODE_LOG, f"{path} {name[:100]!r}", "its name is none of a file in this folder")
        return files, folders

    async def _of_file(self, node: NodeRef, root: str, parts: tuple[str, ...]) -> None:
        name = "/".join(parts)
        with self.folder.file("nodes", node.name, "logs", *parts) as file:
            await self._into(file, f"{node.name} {name}", root + name, {})

    async def _of_services(self, node: NodeRef, root: str) -> None:
        """What journals say of services, from kubelets with enableSystemLogQuery."""
        query: dict[str, str] = {}
        if self.since_seconds:
            since = datetime.now(UTC) - timedelta(seconds=self.since_seconds)
            query["sinceTime"] = since.strftime("%Y-%m-%dT%H:%M:%SZ")
        for service in _SERVICES:
            with self.folder.file("nodes", node.name, f"{node.name}_logs_{service}.log") as file:
                try:
                    await self._into(file, f"{node.name} {service}", root, {"query": service, **query}, checked=True)
                except _NoLog:
                    cause = "the kubelet has no file of its own under /var/log, and answers no queries"
                    self.folder.miss(NODE_LOG, node.name, f"{cause} (enableSystemLogQuery is off)")
                    return

    async def _into(
        self, file: File, thing: str, path: str, query: Mapping[str, str], *, checked: bool = False
    ) -> None:
        try:
            await self._get(path, query, _Checked(file).take if checked else file.take)
        except Cut as cut:
            self.folder.miss(NODE_LOG, thing, str(cut))
        except ClusterError as error:
            self.folder.miss(NODE_LOG, thing, _so_far(file, self._cause(error)))
        finally:
            self.folder.node_logs += file.size > 0

    async def _get(self, path: str, query: Mapping[str, str], take: Read) -> None:
        # The lists' client renews its credentials; use the current ones.
        self.reader.connection = self.cluster.connection
        await self.reader.request("GET", path, query=query, read=take, deadline_seconds=self.seconds)

    def _cause(self, error: Exception) -> str:
        return cause_of_kubelet(error, "logs", self.seconds) if isinstance(error, ClusterError) else str(error)


class _Checked:
    """Writes to a file, unless the answer is a page: then it is no log."""

    def __init__(self, file: File) -> None:
        self._file = file

    async def take(self, pieces: AsyncIterator[bytes]) -> bytes:
        """For `read` of Cluster.request. Raises _NoLog."""
        return await self._file.take(_unless_page(pieces))


async def _unless_page(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    head, is_log = b"", False
    async for piece in pieces:
        if is_log:
            yield piece
            continue
        head += piece
        if len(head) >= len(_HTML[0]):
            _refuse_page(head)
            is_log = True
            yield head
    if head and not is_log:
        yield head


def _refuse_page(head: bytes) -> None:
    if head.lstrip()[:5].lower() in _HTML:
        raise _NoLog


def _plain(error: ClusterError, seconds: float) -> str:
    if isinstance(error, TransientError) and error.cause == "timeout":
        return f"no answer, or no end of it, within {seconds:g} s"
    return _TRIES.sub("", " ".join(str(error).split()))


def _so_far(file: File, cause: str) -> str:
    return f"cut off: {cause}" if file.size else cause
