"""A TrueNAS that answers as the real ones do: JSON-RPC over WebSocket and REST, over TLS, from ZFS in memory.

Its limits are the real ones: size of requests, calls at once, logins a minute, no REST from 26 on and no JSON-RPC
before 25.04. Independent clients have to accept it (tests/unit/plugins/module_utils/truenas/test_rpc.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from aiohttp import WSCloseCode, WSMsgType, web
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster import certificates
from ansible_collections.kubestress.core.plugins.module_utils.truenas import questions
from ansible_collections.kubestress.core.plugins.module_utils.truenas.model import Box, Part, clones_of
from ansible_collections.kubestress.core.plugins.module_utils.truenas.options import PARTS

from helpers import truenas_shapes as shapes
from helpers.zfs_model import Node, Snap, Zfs

#: Nobody's key; the form is TrueNAS' own: the number of the key, a hyphen, 64 characters.
KEY = "7-" + "kT4vXq9Zr2WbN6mYcJ8pLd5hGs3fAe1u" * 2
USERNAME = "reader"
RELEASES = ("24.10", "25.10", "26.0")
_VERSIONS = {"24.10": "TrueNAS-SCALE-24.10.2.4", "25.10": "TrueNAS-25.10.1", "26.0": "TrueNAS-26.0.0"}
_SHARES = ("sharing.nfs", "sharing.smb", "iscsi.target", "iscsi.extent")
_QUERY_OPTIONS = {"select", "extra", "limit", "offset", "order_by", "count", "get", "relationships"}
_RESOURCE = {"paths", "properties", "get_user_properties", "get_source", "nest_results", "get_children", "max_depth"}
_RESOURCE_SNAPSHOT = {
    "paths", "properties", "get_user_properties", "get_source", "recursive", "get_holds", "min_txg", "max_txg",
}  # fmt: skip


class Refused(Exception):
    """An error as JSON-RPC has it."""

    def __init__(self, code: int, message: str, **data: Any) -> None:
        super().__init__(message)
        self.error: dict[str, Any] = {"code": code, "message": message}
        if data:
            self.error["data"] = data


def not_allowed(method: str) -> Refused:
    """A user without the role for a method."""
    return Refused(-32001, "Method call error", error=13, errname="EACCES", reason=f"Not authorized: {method}")


class TrueNas:
    """One box. `shares`: dicts with `kind` (one of _SHARES) and the entry's fields.

    `refused`: method or path -> what it raises. `raw`: method -> text that is sent as the result, whatever it is.
    `silent` and `closing` are methods that get no answer, and at which the connection is closed; with `flood`, whoever
    connects is sent notifications without end. `login_response` is the response_type of logins with the right key.
    `calls` counts methods and paths, `logins`
    logins; `most_at_once` is the largest number of calls under way on one connection, `busy` how many were too many.
    """

    def __init__(
        self,
        zfs: Zfs,
        shares: list[dict[str, Any]],
        *,
        release: str = "25.10",
        transports: tuple[str, ...] | None = None,
        max_calls: int = 10,
        latency_seconds: float = 0.0,
    ) -> None:
        self.zfs, self.shares, self.release = zfs, shares, release
        real = {"24.10": ("rest",), "25.10": ("jsonrpc", "rest"), "26.0": ("jsonrpc",)}[release]
        self.transports = real if transports is None else transports
        self.max_calls, self.latency_seconds = max_calls, latency_seconds
        self.refused: dict[str, Exception] = {}
        self.raw: dict[str, str] = {}
        self.silent: set[str] = set()
        self.closing: set[str] = set()
        self.flood = False
        self.login_response = "SUCCESS"
        self.upgrade: Callable[[web.Request], web.StreamResponse] | None = None
        self.calls: Counter[str] = Counter()
        self.logins = self.connections = self.busy = self.most_at_once = self.largest_answer = 0
        self.headers: list[str] = []
        self._attempts: deque[float] = deque()
        self.url = self.ca_file = ""
        self._ended = asyncio.Event()

    # --- HTTP ---------------------------------------------------------------------------------------------------------

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Any request."""
        self.headers.append(str(dict(request.headers)))
        if request.path == "/api/current":
            if self.upgrade is not None:
                return self.upgrade(request)
            if "jsonrpc" in self.transports:
                return await self._socket(request)
        if request.path.startswith("/api/v2.0/") and "rest" in self.transports:
            return await self._rest(request)
        return web.json_response({"message": "Not Found"}, status=404)

    async def _rest(self, request: web.Request) -> web.StreamResponse:
        path = request.raw_path.partition("?")[0].removeprefix("/api/v2.0")
        self.calls[path] += 1
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            return web.Response(status=401, text="Unauthorized")
        known = path if not path.startswith("/pool/dataset/id/") else "/pool/dataset/id"
        if known in self.refused:
            return web.json_response({"message": str(self.refused[known])}, status=403)
        if known in self.raw:
            return web.Response(text=self.raw[known], content_type="application/json")
        extra = {
            name.removeprefix("extra."): json.loads(value)
            for name, value in request.query.items()
            if name.startswith("extra.")
        }
        found = self._rest_value(path, extra)
        if found is None:
            return web.json_response({"message": "Not Found"}, status=404)
        if not isinstance(found, list):
            return web.json_response(found)
        filters = [[name, "=", value] for name, value in request.query.items() if "." not in name]
        rows = _filtered(found, [one for one in filters if one[0] not in ("limit", "offset")], {})
        first, most = int(request.query.get("offset", 0)), int(request.query.get("limit", 0))
        page = rows[first:][: most or None]
        headers = {"Content-Range": f"items {first}-{first + len(page) - 1}/{len(rows)}"}
        return web.json_response(page, headers=headers)

    def _rest_value(self, path: str, extra: dict[str, Any]) -> Any:
        """What a GET returns; None for a path that there is not."""
        names = extra.get("properties")
        if path == "/system/version":
            return _VERSIONS[self.release]
        if path == "/pool":
            return [shapes.pool(self.zfs, name) for name in self.zfs.status]
        if path == ("/zfs/snapshot" if self.release < "25.04" else "/pool/snapshot"):
            return self._old_snapshots(names, holds=bool(extra.get("holds")))
        if path == "/pool/dataset":
            return [shapes.old_dataset(self.zfs, one, self.release, names, children=True) for one in self._nodes()]
        if path.startswith("/pool/dataset/id/"):
            node = self.zfs.nodes.get(unquote(path.removeprefix("/pool/dataset/id/")))
            return node and shapes.old_dataset(self.zfs, node, self.release, names, children=True)
        kind = path[1:].replace("/", ".")
        return self._shares_of(kind) if kind in _SHARES else None

    # --- JSON-RPC -----------------------------------------------------------------------------------------------------

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(max_msg_size=64 * 1024)
        await socket.prepare(request)
        self.connections += 1
        session = {"login": False, "calls": 0}
        tasks: set[asyncio.Task[None]] = set()
        note = json.dumps({"jsonrpc": "2.0", "method": "collection_update", "params": {"fields": "x" * 1000}})
        with contextlib.suppress(ConnectionResetError):
            while self.flood and not socket.closed:
                await socket.send_str(note)
                # A lost transport swallows what is written to it, and nobody hears of it who does not let the loop run.
                await asyncio.sleep(0)
                if request.transport is None or request.transport.is_closing():
                    break
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                break
            if len(message.data) > (64 if session["login"] else 8) * 1024:
                await socket.close(code=WSCloseCode.MESSAGE_TOO_BIG)
                break
            session["calls"] += 1
            self.most_at_once = max(self.most_at_once, session["calls"])
            if session["calls"] > 2 * self.max_calls:
                await socket.close(code=WSCloseCode.POLICY_VIOLATION)
                break
            task = asyncio.create_task(self._one(socket, message.data, session))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        for task in tasks:
            task.cancel()
        return socket

    async def _one(self, socket: web.WebSocketResponse, text: str, session: dict[str, Any]) -> None:
        try:
            call = json.loads(text)
            answer = {"jsonrpc": "2.0", "id": call["id"]}
            method = call["method"]
            try:
                if session["calls"] > self.max_calls:
                    self.busy += 1
                    raise Refused(-32000, "Maximum number of concurrent calls has exceeded.")
                await asyncio.sleep(self.latency_seconds)
                if method in self.closing:
                    await socket.close(code=WSCloseCode.GOING_AWAY)
                if method in self.silent:
                    await self._ended.wait()
                if method in self.raw:
                    self.calls[method] += 1
                    text = json.dumps(answer)[:-1] + f', "result": {self.raw[method]}}}'
                else:
                    text = json.dumps(answer | {"result": self._called(method, call.get("params", []), session)})
            except Refused as error:
                text = json.dumps(answer | {"error": error.error})
        finally:
            # The call is over before its answer is on the way, so that the next one never finds it under way.
            session["calls"] -= 1
        self.largest_answer = max(self.largest_answer, len(text))
        with contextlib.suppress(ConnectionResetError):
            await socket.send_str(text)

    def _limit_logins(self) -> None:
        """20 logins or calls without one in 60 s; then nothing for ten minutes."""
        now = time.monotonic()
        while self._attempts and now - self._attempts[0] > 60:
            self._attempts.popleft()
        self._attempts.append(now)
        if len(self._attempts) > 20:
            raise Refused(-32001, "Method call error", error=16, errname="EBUSY", reason="Rate Limit Exceeded")

    def _called(self, method: str, params: list[Any], session: dict[str, Any]) -> Any:
        self.calls[method] += 1
        if method.startswith("auth.login"):
            self._limit_logins()
            self.logins += 1
            return self._login(method, params, session)
        if method == "core.ping":
            return "pong"
        if not session["login"]:
            self._limit_logins()
            reason = "[ENOTAUTHENTICATED] Not authenticated"
            raise Refused(-32001, "Method call error", error=207, errname="ENOTAUTHENTICATED", reason=reason)
        if method in self.refused:
            raise self.refused[method]
        handler = self._handlers().get(method)
        if handler is None:
            raise Refused(-32601, "Method does not exist")
        return handler(*params)

    def _login(self, method: str, params: list[Any], session: dict[str, Any]) -> Any:
        if method == "auth.login_with_api_key":
            session["login"] = params == [KEY]
            return session["login"]
        (given,) = params
        if given.get("mechanism") != "API_KEY_PLAIN":
            raise Refused(-32602, "Invalid params", error=22, errname="EINVAL", reason="mechanism", extra=[])
        if (given["username"], given["api_key"]) != (USERNAME, KEY):
            return {"response_type": "AUTH_ERR"}
        if self.login_response != "SUCCESS":
            more = {"urls": ["https://other.example"]} if self.login_response == "REDIRECT" else {}
            return {"response_type": self.login_response, **more}
        session["login"] = True
        user = {"pw_name": USERNAME, "privilege": {"roles": {"$set": ["READONLY_ADMIN"]}}}
        return {"response_type": "SUCCESS", "user_info": user, "authenticator": "LEVEL_1", "reconnect_token": None}

    def _handlers(self) -> dict[str, Callable[..., Any]]:
        found: dict[str, Callable[..., Any]] = {
            "system.version": lambda: _VERSIONS[self.release],
            "auth.me": lambda: {"pw_name": USERNAME},
            "pool.query": self._query(lambda _extra: [shapes.pool(self.zfs, name) for name in self.zfs.status]),
            "pool.dataset.query": self._query(self._datasets),
        }
        snapshots = "pool.snapshot.query" if self.release >= "25.04" else "zfs.snapshot.query"
        found[snapshots] = self._query(self._snapshots)
        if self.release >= "26":
            found["zfs.resource.query"] = self._resources
            found["zfs.resource.snapshot.query"] = self._resource_snapshots
        for kind in _SHARES:
            found[f"{kind}.query"] = self._query(partial(self._share_rows, kind))
        return found

    def _query(self, rows: Callable[[dict[str, Any]], list[dict[str, Any]]]) -> Callable[..., Any]:
        def query(filters: list[Any] | None = None, options: dict[str, Any] | None = None) -> Any:
            options = options or {}
            if set(options) - _QUERY_OPTIONS:
                raise Refused(-32602, "Invalid params", error=22, errname="EINVAL", reason=str(options), extra=[])
            select = set(options.get("select") or ())
            extra = {**options.get("extra", {}), "nested": not select or "children" in select}
            return _filtered(rows(extra), filters or [], options)

        return query

    def _nodes(self) -> list[Node]:
        return [self.zfs.nodes[name] for name in sorted(self.zfs.nodes) if self._imported(name)]

    def _imported(self, name: str) -> bool:
        return self.zfs.status[name.partition("/")[0]] in ("ONLINE", "DEGRADED")

    def _snaps(self) -> list[Snap]:
        return [snap for snap in self.zfs.snaps.values() if self._imported(snap.id)]

    def _datasets(self, extra: dict[str, Any]) -> list[dict[str, Any]]:
        nodes = [node for node in self._nodes() if extra.get("flat", True) or "/" not in node.id]
        names = extra.get("properties")
        return [shapes.old_dataset(self.zfs, one, self.release, names, children=extra["nested"]) for one in nodes]

    def _snapshots(self, extra: dict[str, Any]) -> list[dict[str, Any]]:
        found = self._old_snapshots(extra.get("properties"), holds=bool(extra.get("holds")))
        if self.release >= "26":
            # Made of zfs.resource.snapshot.query there, without user properties.
            for entry in found:
                entry["properties"] = {k: v for k, v in entry["properties"].items() if ":" not in k}
        return found

    def _old_snapshots(self, names: list[str] | None, *, holds: bool) -> list[dict[str, Any]]:
        return [shapes.old_snapshot(self.zfs, snap, self.release, names, holds=holds) for snap in self._snaps()]

    def _resources(self, data: dict[str, Any]) -> list[dict[str, Any]]:
        _check_keys(data, _RESOURCE)
        paths, deep = data.get("paths") or [], data.get("get_children") or data.get("max_depth")
        if deep and any(one.startswith(f"{other}/") for one in paths for other in paths):
            raise Refused(-32602, "Invalid params", error=22, errname="EINVAL", reason="Paths must be non-overlapping")
        roots = paths or [name for name in self.zfs.status if self._imported(name)]
        nodes = [
            node
            for root in roots
            if root in self.zfs.nodes
            for node in (self.zfs.below(root) if deep else (self.zfs.nodes[root],))
        ]
        user = bool(data.get("get_user_properties"))
        return [shapes.new_dataset(self.zfs, node, data.get("properties", []), user=user) for node in nodes]

    def _resource_snapshots(self, data: dict[str, Any]) -> list[dict[str, Any]]:
        _check_keys(data, _RESOURCE_SNAPSHOT)
        roots = data.get("paths") or []
        for root in roots:
            if root not in self.zfs.nodes:
                reason = f"{root!r} not found"
                raise Refused(-32602, "Invalid params", error=2, errname="ENOENT", reason=reason, extra=[])
        deep, user, holds = (bool(data.get(key)) for key in ("recursive", "get_user_properties", "get_holds"))
        names = data.get("properties", [])
        below = tuple(f"{root}/" for root in roots) or ("",)
        return [
            shapes.new_snapshot(self.zfs, snap, names, user=user, holds=holds)
            for snap in self._snaps()
            if snap.dataset in roots or (deep and snap.dataset.startswith(below))
        ]

    def _share_rows(self, kind: str, _extra: dict[str, Any]) -> list[dict[str, Any]]:
        return self._shares_of(kind)

    def _shares_of(self, kind: str) -> list[dict[str, Any]]:
        return [{k: v for k, v in share.items() if k != "kind"} for share in self.shares if share["kind"] == kind]

    async def serve(self, context: ssl.SSLContext, ready: threading.Event) -> None:
        """Serve until stopped."""
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self.answer)
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        self.url = f"https://127.0.0.1:{runner.addresses[0][1]}"
        ready.set()
        await self._ended.wait()
        await runner.cleanup()


def _check_keys(data: dict[str, Any], known: set[str]) -> None:
    if set(data) - known:
        raise Refused(-32602, "Invalid params", error=22, errname="EINVAL", reason=f"{set(data) - known}", extra=[])


def _filtered(rows: list[dict[str, Any]], filters: list[Any], options: dict[str, Any]) -> Any:
    """Query filters and options, as far as clients here use them."""
    compare: dict[str, Callable[[Any, Any], bool]] = {
        "=": lambda value, wanted: value == wanted,
        "!=": lambda value, wanted: value != wanted,
        "^": lambda value, wanted: value.startswith(wanted),
        "in": lambda value, wanted: value in wanted,
    }
    for name, operator, wanted in filters:
        rows = [row for row in rows if compare[operator](row.get(name), wanted)]
    rows = rows[options.get("offset") or 0 :][: options.get("limit") or None]
    if options.get("select"):
        rows = [{key: row[key] for key in options["select"] if key in row} for row in rows]
    if options.get("count"):
        return len(rows)
    return rows[0] if options.get("get") else rows


@contextlib.contextmanager
def running(box: TrueNas, folder: Path) -> Iterator[TrueNas]:
    """Run the box in a thread of its own; `url` and `ca_file` are set."""
    authority = certificates.authority("box")
    pair = certificates.issue("truenas", authority=authority, addresses=["127.0.0.1"])
    path = folder / "box.pem"
    path.write_bytes(pair.key_pem + pair.certificate_pem)
    box.ca_file = str(folder / "box-ca.pem")
    Path(box.ca_file).write_bytes(authority.certificate_pem)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(path)
    ready = threading.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def main() -> None:
        loops.append(asyncio.get_running_loop())
        await box.serve(context, ready)

    thread = threading.Thread(target=asyncio.run, args=(main(),), name="truenas")
    thread.start()
    try:
        assert ready.wait(60), "the box did not start"
        yield box
    finally:
        if loops:
            loops[0].call_soon_threadsafe(box._ended.set)
        thread.join(60)
        assert not thread.is_alive(), "the box did not stop"


def box_of(zfs: Zfs, shares: list[dict[str, Any]], release: str, *, parents: tuple[str, ...] = ()) -> Box:
    """What a complete reading of a box of this release gives, without a network between."""
    source = TrueNas(zfs, shares, release=release, transports=("jsonrpc", "rest"))
    handlers, transport = source._handlers(), "jsonrpc"
    number = questions.release_of(_VERSIONS[release])

    def rows(way: list[questions.Question]) -> list[Any]:
        return [row for one in way for row in one.rows(json.loads(json.dumps(handlers[one.method](*one.params))))]

    datasets = rows(questions.datasets(number, transport, ())[0])
    snapshots = rows(questions.snapshots(number, transport, parents)[0])
    return Box(
        url="https://box.example",
        version=_VERSIONS[release],
        transport=transport,
        pools=tuple(rows([questions.POOLS])),
        datasets={one.id: one for one in datasets},
        snapshots={one.id: one for one in snapshots},
        shares=tuple(rows(list(questions.SHARES))),
        clones=clones_of(datasets),
        parts={name: Part(complete=True, seconds=0.0) for name in PARTS},
    )
