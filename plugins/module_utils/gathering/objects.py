# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects of a gather: lists, page by page, one object per line, in the files in which a must-gather has them."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypedDict

from ..cluster.client import Cluster
from ..cluster.decoding import decoder
from ..cluster.errors import ClusterError, Gone, NotFound, PermanentError
from ..cluster.proof import object_of
from ..cluster.watch import list_pages
from ..readiness.nodes import is_simulated
from ..syntax import is_dns_label, is_dns_subdomain
from .folder import Cut, File, Folder

#: Objects of a page, which is held in memory. Pods have 10 to 30 KB, and what is larger than etcd's 1.5 MiB is none.
_PAGE_SIZE = 100
#: An endless answer ends here.
_MAX_PAGE_BYTES = 32 * 1024 * 1024
_LIST_SECONDS = 30.0
#: Pods and nodes whose logs are asked for; their names are kept in memory.
MAX_PODS = 20_000
MAX_NODES = 5_000
_TAIL = b"\n]}\n"
#: What YAML does not take as it is, or takes for the end of a line. JSON is YAML but for these.
_NOT_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_LEFT_OUT = "(left out)"
_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


class Kind(NamedTuple):
    """A kind of objects. `folder` is what a must-gather calls its API group."""

    plural: str
    kind: str
    api_version: str
    folder: str
    namespaced: bool

    def path(self, namespace: str | None) -> str:
        """Of the list, in one namespace or in all."""
        root = f"/apis/{self.api_version}" if "/" in self.api_version else f"/api/{self.api_version}"
        return f"{root}/namespaces/{namespace}/{self.plural}" if namespace else f"{root}/{self.plural}"


#: Secrets are not among these, and never may be.
NAMESPACES = Kind("namespaces", "Namespace", "v1", "core", False)
NODES = Kind("nodes", "Node", "v1", "core", False)
PODS = Kind("pods", "Pod", "v1", "core", True)
JOBS = Kind("jobs", "Job", "batch/v1", "batch", True)
EVENTS = Kind("events", "Event", "v1", "core", True)


class PodRef(NamedTuple):
    """A pod whose logs there are. `containers`: those that have started, and whether an earlier log is kept of them."""

    namespace: str
    name: str
    node: str
    containers: tuple[tuple[str, bool], ...]


class NodeRef(NamedTuple):
    """A node. `simulated`: it has no kubelet."""

    name: str
    simulated: bool
    control_plane: bool


_PageInfo = TypedDict("_PageInfo", {"continue": str}, total=False)


class _TooLong(PermanentError):
    """A page that would fill the memory."""


def _nothing(obj: dict[str, Any]) -> None:
    del obj


@dataclass(frozen=True)
class Lists:
    """Copies lists of objects. `namespaces`: the only ones, or all if there are none named. `skip`: those left out."""

    cluster: Cluster
    folder: Folder
    namespaces: tuple[str, ...] = ()
    skip: frozenset[str] = frozenset()

    async def copy(self, kind: Kind, take: Callable[[dict[str, Any]], object] = _nothing) -> None:
        """Copy all objects of a kind, and hand each to `take`. What cannot be read is noted. Raises Stopped."""
        if not kind.namespaced:
            await self._copy(kind, None, take)
            return
        for namespace in self.namespaces or (None,):
            await self._copy(kind, namespace, take)

    async def copy_namespaces(self) -> None:
        """Copy the named namespaces, or all. One that is not there is noted: it may be a typing error."""
        if not self.namespaces:
            await self.copy(NAMESPACES)
            return
        target = _Target(self.folder, NAMESPACES)
        for name in self.namespaces:
            try:
                obj = await self.cluster.get(
                    f"{NAMESPACES.path(None)}/{name}", decode=object_of, read=_bounded, deadline_seconds=_LIST_SECONDS
                )
                if target.add("", name, _cleaned(obj, NAMESPACES)):
                    self.folder.objects[NAMESPACES.plural] += 1
            except NotFound:
                self.folder.miss(NAMESPACES.plural, name, "there is no such namespace")
            except ClusterError as error:
                self.folder.miss(NAMESPACES.plural, name, str(error))

    async def _copy(self, kind: Kind, namespace: str | None, take: Callable[[dict[str, Any]], object]) -> None:
        where = f"{kind.plural} of {namespace}" if namespace else kind.plural
        target = _Target(self.folder, kind)
        try:
            async for obj in self._objects(kind, namespace):
                own = str(obj["metadata"].get("namespace") or "")
                name = str(obj["metadata"]["name"])
                if own in self.skip and kind.namespaced:
                    continue
                if not _is_named(kind, own, name) or (namespace and own != namespace):
                    self.folder.miss(kind.plural, f"{own}/{name}"[:300], "its name is none that Kubernetes allows")
                    continue
                cleaned = _cleaned(obj, kind)
                if target.add(own, name, cleaned):
                    self.folder.objects[kind.plural] += 1
                    take(cleaned)
        except Gone:
            self.folder.miss(kind.plural, where, "the list expired on the server while it was read")
        except ClusterError as error:
            self.folder.miss(kind.plural, where, str(error))
        finally:
            target.close()

    async def _objects(self, kind: Kind, namespace: str | None) -> AsyncIterator[dict[str, Any]]:
        pages = list_pages(
            self.cluster,
            kind.path(namespace),
            decode=_page_decoder(),
            page_size=_PAGE_SIZE,
            read=_bounded,
            deadline_seconds=_LIST_SECONDS,
        )
        async for page in pages:
            for raw in page.get("items") or ():
                obj = json.loads(bytes(raw))
                if isinstance(obj, dict) and isinstance(obj.get("metadata"), dict) and "name" in obj["metadata"]:
                    # Items of a list lack these two.
                    yield {"apiVersion": kind.api_version, "kind": kind.kind, **obj}


def _page_decoder() -> Callable[[bytes], dict[str, Any]]:
    """Pages whose objects stay text: each is parsed, written and forgotten by itself."""
    # Only here, because modules are examined where there is no msgspec.
    from msgspec import Raw, defstruct

    page = defstruct("Page", [("metadata", _PageInfo), ("items", list[Raw] | None)])
    decode = decoder(page)

    def decoded(body: bytes) -> dict[str, Any]:
        found: Any = decode(body)
        return {"metadata": found.metadata, "items": found.items}

    return decoded


async def _bounded(pieces: AsyncIterator[bytes]) -> bytes:
    found: list[bytes] = []
    size = 0
    async for piece in pieces:
        size += len(piece)
        if size > _MAX_PAGE_BYTES:
            raise _TooLong(f"a page of the list is larger than {_MAX_PAGE_BYTES // 1024**2} MiB")
        found.append(piece)
    return b"".join(found)


def _is_named(kind: Kind, namespace: str, name: str) -> bool:
    """Whether the names are some that Kubernetes allows, so that they can be parts of paths."""
    valid = is_dns_label if kind is NAMESPACES else is_dns_subdomain
    return valid(name) and (is_dns_label(namespace) if kind.namespaced else True)


class _Target:
    """The files for the objects of one kind: a list in each namespace, or a file for each object outside of them."""

    def __init__(self, folder: Folder, kind: Kind) -> None:
        self._folder = folder
        self._kind = kind
        self._namespace: str | None = None
        self._file: File | None = None
        self._has_items = False
        self._begun: set[str] = set()

    def add(self, namespace: str, name: str, obj: dict[str, Any]) -> bool:
        """Whether the object was written; if not, it is noted. Raises Stopped."""
        text = text_of(obj)
        if not self._kind.namespaced:
            return self._single(name, text)
        if namespace != self._namespace or self._file is None:
            self.close()
            if namespace in self._begun:
                # The API server lists in the order of names.
                self._folder.miss(self._kind.plural, f"{namespace}/{name}", "the list is not in order")
                return False
            self._begun.add(namespace)
            self._namespace, self._file = namespace, self._begin(namespace)
        line = (b",\n" if self._has_items else b"") + text
        if self._file.room < len(line) + len(_TAIL):
            try:
                self._folder.refuse(len(line) + len(_TAIL))
            except Cut as cut:
                self._folder.miss(self._kind.plural, f"{namespace}/{name}", str(cut))
            return False
        self._file.write(line)
        self._has_items = True
        return True

    def close(self) -> None:
        """Complete the list that was begun."""
        if self._file is not None:
            with self._file as file:
                if file.size:
                    file.write(_TAIL)
        self._file, self._namespace, self._has_items = None, None, False

    def _begin(self, namespace: str) -> File:
        kind = self._kind
        file = self._folder.file("namespaces", namespace, kind.folder, f"{kind.plural}.yaml")
        head = json.dumps({"apiVersion": kind.api_version, "kind": f"{kind.kind}List"})[:-1] + ', "items": [\n'
        if file.room < len(head) + len(_TAIL):
            self._folder.refuse(len(head) + len(_TAIL))
        file.write(head.encode())
        return file

    def _single(self, name: str, text: bytes) -> bool:
        kind = self._kind
        with self._folder.file("cluster-scoped-resources", kind.folder, kind.plural, f"{name}.yaml") as file:
            try:
                if file.room < len(text) + 1:
                    self._folder.refuse(len(text) + 1)
                file.write(text + b"\n")
            except Cut as cut:
                self._folder.miss(kind.plural, name, str(cut))
                return False
        return True


def text_of(obj: Mapping[str, Any]) -> bytes:
    """One line of JSON that is YAML as well."""
    text = json.dumps(obj, ensure_ascii=False)
    return _NOT_YAML.sub(lambda found: f"\\u{ord(found[0]):04x}", text).encode("utf-8", "replace")


def _cleaned(obj: dict[str, Any], kind: Kind) -> dict[str, Any]:
    """The object without what is large and tells nothing, and without what may be a secret."""
    metadata = dict(obj["metadata"])
    metadata.pop("managedFields", None)
    if isinstance(metadata.get("annotations"), dict) and _APPLIED in metadata["annotations"]:
        metadata["annotations"] = {**metadata["annotations"], _APPLIED: _LEFT_OUT}
    cleaned = {**obj, "metadata": metadata}
    for container in _containers(cleaned, kind):
        for variable in container.get("env") or ():
            if isinstance(variable, dict) and "value" in variable:
                variable["value"] = _LEFT_OUT
    return cleaned


def _containers(obj: Mapping[str, Any], kind: Kind) -> Iterator[dict[str, Any]]:
    spec = obj.get("spec") if kind in (PODS, JOBS) else None
    if kind is JOBS and isinstance(spec, dict):
        template = spec.get("template")
        spec = template.get("spec") if isinstance(template, dict) else None
    if isinstance(spec, dict):
        for part in ("initContainers", "containers", "ephemeralContainers"):
            yield from (one for one in spec.get(part) or () if isinstance(one, dict))


def pod_ref(pod: Mapping[str, Any]) -> PodRef | None:
    """The pod as one whose logs can be asked for; None if none of its containers has started."""
    status = pod.get("status")
    started = []
    for part in ("initContainerStatuses", "containerStatuses"):
        for one in (status.get(part) if isinstance(status, dict) else None) or ():
            state, last = one.get("state") or {}, one.get("lastState") or {}
            name = str(one.get("name") or "")
            restarted = bool(last.get("terminated"))
            if is_dns_label(name) and (restarted or not state.get("waiting")):
                started.append((name, restarted))
    node = str((pod.get("spec") or {}).get("nodeName") or "")
    if not started or not node:
        return None
    return PodRef(pod["metadata"]["namespace"], pod["metadata"]["name"], node, tuple(started))


def node_ref(node: Mapping[str, Any]) -> NodeRef:
    """The node as one whose kubelet can be asked."""
    labels = node["metadata"].get("labels") or {}
    control_plane = any(f"node-role.kubernetes.io/{word}" in labels for word in ("control-plane", "master"))
    return NodeRef(node["metadata"]["name"], is_simulated(node), control_plane)
