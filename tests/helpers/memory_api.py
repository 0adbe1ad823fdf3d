"""A small API server in memory, below the real Cluster: its retries, error mapping, lists and watches stay real.

Nothing but the transport is replaced, and all times are those of the event loop, so it also serves in simulated time.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from ansible_collections.kubestress.core.plugins.module_utils.cluster.client import Cluster
from ansible_collections.kubestress.core.plugins.module_utils.cluster.connection import Connection
from ansible_collections.kubestress.core.plugins.module_utils.cluster.errors import TransientError, from_response
from ansible_collections.kubestress.core.plugins.module_utils.cluster.retries import RetryPolicy

#: (apiVersion, plural, kind, namespaced)
KINDS = (
    ("v1", "namespaces", "Namespace", False),
    ("v1", "serviceaccounts", "ServiceAccount", True),
    ("v1", "configmaps", "ConfigMap", True),
    ("v1", "secrets", "Secret", True),
    ("v1", "pods", "Pod", True),
    ("v1", "nodes", "Node", False),
    ("apps/v1", "deployments", "Deployment", True),
    ("apps/v1", "statefulsets", "StatefulSet", True),
    ("batch/v1", "jobs", "Job", True),
    ("v1", "persistentvolumeclaims", "PersistentVolumeClaim", True),
    ("jobset.x-k8s.io/v1alpha2", "jobsets", "JobSet", True),
    ("kueue.x-k8s.io/v1beta2", "workloads", "Workload", True),
    ("v1", "persistentvolumes", "PersistentVolume", False),
    ("coordination.k8s.io/v1", "leases", "Lease", True),
)
#: What the loop's time 0 is in the API's timestamps.
EPOCH = 1_800_000_000
LATENCY_SECONDS = 0.002
BOOKMARK_SECONDS = 60.0
QUICK = RetryPolicy(deadline_seconds=60.0, first_pause_seconds=0.001, max_pause_seconds=0.01)

#: Among a watch's lines: here its connection breaks off.
_CUT = b""

Obj = dict[str, Any]


def timestamp() -> str:
    """The loop's time as the API writes it: whole seconds."""
    return _written(int(asyncio.get_running_loop().time()))


@lru_cache(maxsize=8)
def _written(seconds: int) -> str:
    return datetime.fromtimestamp(EPOCH + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Answer:
    """What comes back for a request, as the Cluster reads it. A document that is a text is no JSON, but a page."""

    status: int
    document: Any
    headers: Mapping[str, str]

    async def read(self) -> bytes:
        return self.document.encode() if isinstance(self.document, str) else json.dumps(self.document).encode()


def answer(document: Any, status: int = 200) -> Answer:
    return Answer(status, document, {})


def failure(status: int, reason: str, message: str = "") -> Answer:
    """An error as the API server gives it."""
    document = {"kind": "Status", "status": "Failure", "code": status, "reason": reason, "message": message or reason}
    return Answer(status, document, {})


class _Selector:
    """The label and field selectors of a query, as far as `label=value` and `metadata.name=value` go."""

    def __init__(self, query: Mapping[str, str]) -> None:
        terms = (term.split("=", 1) for term in query.get("labelSelector", "").split(",") if term)
        self._labels = dict(terms).items()
        self._name = query.get("fieldSelector", "").removeprefix("metadata.name=")

    def selects(self, obj: Obj) -> bool:
        metadata = obj["metadata"]
        return self._labels <= (metadata.get("labels") or {}).items() and self._name in ("", metadata["name"])


@dataclass(eq=False)
class _Watcher:
    """`is_deaf`: its connection is half open, so that it hears nothing any more, and nobody tells it."""

    plural: str
    namespace: str
    selector: _Selector
    lines: asyncio.Queue[bytes]
    is_deaf: bool = False

    def selects(self, plural: str, obj: Obj) -> bool:
        return (
            plural == self.plural
            and self.namespace in ("", obj["metadata"].get("namespace", ""))
            and self.selector.selects(obj)
        )


class MemoryApi:
    """`created`: called with (plural, object) after each creation. `refuse`: (method, path) -> an answer instead.

    `lose`: (method, path) -> whether the answer is lost after the request was carried out. `requests` counts (method,
    plural), `bodies` holds what was sent to change something. Watches of the plurals in `deaf` hear nothing. `disturb`
    turns the lines that a watch would get, at each change of an object, into others.
    """

    def __init__(self) -> None:
        self.objects: dict[str, dict[tuple[str, str], Obj]] = defaultdict(dict)
        self.created: list[Callable[[str, Obj], None]] = []
        self.refuse: Callable[[str, str], Answer | None] = lambda _method, _path: None
        self.lose: Callable[[str, str], bool] = lambda _method, _path: False
        self.deaf: set[str] = set()
        self.disturb: Callable[[str, bytes], list[bytes]] = lambda _plural, line: [line]
        self.requests: Counter[tuple[str, str]] = Counter()
        self.bodies: list[tuple[str, str, Obj, str]] = []
        self._kinds = {plural: (version, kind, namespaced) for version, plural, kind, namespaced in KINDS}
        self._versions = itertools.count(1)
        self._watchers: list[_Watcher] = []

    # -- objects -----------------------------------------------------------------------------------------------------

    def put(self, plural: str, obj: Obj) -> Obj:
        """Store an object, new or changed, and let watches know."""
        metadata = obj["metadata"]
        key = (metadata.get("namespace", ""), metadata["name"])
        is_new = key not in self.objects[plural]
        version, kind, _namespaced = self._kinds[plural]
        obj.setdefault("apiVersion", version)
        obj.setdefault("kind", kind)
        metadata.setdefault("uid", f"uid-{next(self._versions)}")
        metadata.setdefault("creationTimestamp", timestamp())
        metadata["resourceVersion"] = str(next(self._versions))
        self.objects[plural][key] = obj
        self._emit("ADDED" if is_new else "MODIFIED", plural, obj)
        if is_new:
            for listener in self.created:
                listener(plural, obj)
        return obj

    def remove(self, plural: str, name: str, namespace: str = "") -> None:
        """Delete an object, if it is there."""
        obj = self.objects[plural].pop((namespace, name), None)
        if obj is not None:
            obj["metadata"]["resourceVersion"] = str(next(self._versions))
            self._emit("DELETED", plural, obj)

    def break_watches(self, namespace: str = "") -> None:
        """End the watches, of one namespace or all, and forget the history, so that they go on with a new list."""
        gone = _line("ERROR", {"kind": "Status", "code": 410, "message": "too old", "reason": "Expired"})
        for watcher in [each for each in self._watchers if namespace in ("", each.namespace)]:
            watcher.lines.put_nowait(gone)
            self._watchers.remove(watcher)

    def go_deaf(self, plural: str) -> None:
        """The open watches of a kind hear nothing any more; those that are opened later do."""
        for watcher in self._watchers:
            watcher.is_deaf |= watcher.plural == plural

    def bookmark(self) -> bytes:
        return _line("BOOKMARK", {"metadata": {"resourceVersion": str(next(self._versions))}})

    def cut_watches(self) -> None:
        """End every watch as a connection that breaks off does; nothing is forgotten."""
        for watcher in self._watchers:
            watcher.lines.put_nowait(_CUT)
        self._watchers.clear()

    def _emit(self, event: str, plural: str, obj: Obj) -> None:
        watchers = [each for each in self._watchers if each.selects(plural, obj)]
        if watchers:
            lines = self.disturb(plural, _line(event, obj))
            for watcher in watchers:
                if not watcher.is_deaf:
                    for line in lines:
                        watcher.lines.put_nowait(line)

    @contextlib.contextmanager
    def watching(self, path: str, query: Mapping[str, str]) -> Iterator[_Watcher]:
        """A watch, with the queue of its lines."""
        _version, rest = _parts(path)
        plural, namespace, _name = _place(rest)
        watcher = _Watcher(plural, namespace, _Selector(query), asyncio.Queue(), is_deaf=plural in self.deaf)
        for obj in self.objects[plural].values():  # what happened between the list and the watch
            is_new = int(obj["metadata"]["resourceVersion"]) > int(query["resourceVersion"])
            if is_new and not watcher.is_deaf and watcher.selects(plural, obj):
                watcher.lines.put_nowait(_line("MODIFIED", obj))
        self._watchers.append(watcher)
        try:
            yield watcher
        finally:
            with contextlib.suppress(ValueError):
                self._watchers.remove(watcher)

    # -- requests ----------------------------------------------------------------------------------------------------

    def handle(self, method: str, path: str, query: Mapping[str, str], body: bytes | None, content_type: str) -> Answer:
        """Answer one request."""
        if (refused := self.refuse(method, path)) is not None:
            return refused
        if path == "/readyz":
            return answer("ok")
        version, rest = _parts(path)
        if not rest:
            return answer({"resources": self._resources(version)})
        plural, namespace, name = _place(rest)
        self.requests[method, plural] += 1
        document = json.loads(body) if body else {}
        if method == "POST":
            return self._create(plural, namespace, document)
        if method == "GET" and not name:
            return self._list(plural, namespace, query)
        found = self.objects[plural].get((namespace, unquote(name)))
        if found is None:
            return failure(404, "NotFound", f"{plural} {name} not found")
        if method == "PATCH":
            return self._patch(plural, found, document, content_type)
        if method == "DELETE":
            return self._delete(plural, found, document)
        return answer(found)

    def _resources(self, version: str) -> list[Obj]:
        verbs = ["create", "delete", "get", "list", "patch", "watch"]
        return [
            {"name": plural, "kind": kind, "namespaced": namespaced, "verbs": verbs}
            for plural, (its, kind, namespaced) in self._kinds.items()
            if its == version
        ]

    def _create(self, plural: str, namespace: str, document: Obj) -> Answer:
        if namespace:
            document["metadata"]["namespace"] = namespace
        name = document["metadata"]["name"]
        if (namespace, name) in self.objects[plural]:
            return failure(409, "AlreadyExists", f'{plural} "{name}" already exists')
        return answer(self.put(plural, document), 201)

    def _list(self, plural: str, namespace: str, query: Mapping[str, str]) -> Answer:
        selector = _Selector(query)
        found = self.objects[plural].items()
        items = [obj for (its, _name), obj in found if namespace in ("", its) and selector.selects(obj)]
        document = {"kind": "List", "metadata": {"resourceVersion": str(next(self._versions))}, "items": items}
        return answer(document)

    def _patch(self, plural: str, found: Obj, patch: Obj, content_type: str) -> Answer:
        self.bodies.append(("PATCH", plural, patch, content_type))
        uid = patch["metadata"].pop("uid", found["metadata"]["uid"])
        if uid != found["metadata"]["uid"]:
            return failure(409, "Conflict", "the uid in the precondition differs")
        data = found.get("data") or {}
        if {**data, **patch.get("data", {})} != data:
            self.put(plural, {**found, "data": {**data, **patch["data"]}})
        return answer(self.objects[plural][found["metadata"].get("namespace", ""), found["metadata"]["name"]])

    def _delete(self, plural: str, found: Obj, options: Obj) -> Answer:
        self.bodies.append(("DELETE", plural, options, ""))
        uid = options.get("preconditions", {}).get("uid", found["metadata"]["uid"])
        if uid != found["metadata"]["uid"]:
            return failure(409, "Conflict", "the uid in the precondition differs")
        self.remove(plural, found["metadata"]["name"], found["metadata"].get("namespace", ""))
        return answer({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"})


def _parts(path: str) -> tuple[str, list[str]]:
    """The apiVersion of a path, and the words after it."""
    words = path.strip("/").split("/")
    return ("v1", words[2:]) if words[0] == "api" else ("/".join(words[1:3]), words[3:])


def _place(words: list[str]) -> tuple[str, str, str]:
    """Plural, namespace and name of a path."""
    if words[0] == "namespaces" and len(words) > 2:
        return words[2], words[1], words[3] if len(words) > 3 else ""
    return words[0], "", words[1] if len(words) > 1 else ""


def _line(event: str, obj: Obj) -> bytes:
    """An event as a watch sends it."""
    return json.dumps({"type": event, "object": obj}, separators=(",", ":")).encode()


class MemoryCluster(Cluster):
    """The real Cluster on a MemoryApi."""

    def __init__(self, api: MemoryApi, *, retry: RetryPolicy = QUICK, **settings: Any) -> None:
        super().__init__(Connection(host="memory"), retry=retry, **settings)
        self.api = api

    async def __aenter__(self) -> MemoryCluster:
        return self

    async def __aexit__(self, *_error: object) -> None:
        self.reachability.close()

    def _url(self, path: str, query: Mapping[str, str] | None) -> Any:
        return path, query or {}

    async def _send(self, method: str, url: Any, body: bytes | None, content_type: str, accept: str | None) -> Any:
        path, query = url
        await asyncio.sleep(LATENCY_SECONDS)
        done = self.api.handle(method, path, query, body, content_type)
        if self.api.lose(method, path):
            raise TransientError("the connection broke off", cause="connection")
        return done

    @contextlib.asynccontextmanager
    async def stream(
        self, path: str, *, query: Mapping[str, str], silence_seconds: float
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        refused = self.api.refuse("WATCH", path)
        if refused is not None:
            raise from_response(refused.status, refused.headers, await refused.read())
        with self.api.watching(path, query) as watcher:
            yield _lines(self.api, watcher, silence_seconds)

    def _mapped(self, error: Exception) -> Exception:
        if self.reachability.given_up:
            return self.reachability.unreachable()
        if isinstance(error, TimeoutError):
            return TransientError("no answer in time", cause="timeout")
        return error


async def _lines(api: MemoryApi, watcher: _Watcher, silence_seconds: float) -> AsyncIterator[bytes]:
    """What a watch hears: events, and in a minute without them a bookmark."""
    while True:
        if watcher.lines.empty():
            try:
                async with asyncio.timeout(silence_seconds if watcher.is_deaf else BOOKMARK_SECONDS):
                    line = await watcher.lines.get()
            except TimeoutError as error:
                if watcher.is_deaf:
                    raise TransientError("nothing was heard", cause="silent") from error
                line = api.bookmark()
        else:
            line = watcher.lines.get_nowait()
        if line == _CUT:
            raise TransientError("the connection broke off", cause="connection")
        yield line
