"""A reverse proxy in front of a real API server that counts requests, and misbehaves on demand.

It takes one Fault of helpers/faults.py; what else it can do is said by Faults.

Plain HTTP on loopback towards the client; towards the server whatever its kubeconfig says. It runs in a thread of its
own, so the code under test keeps its main thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import re
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from ansible_collections.kubestress.core.plugins.module_utils.cluster.connection import Connection, open_connection

from helpers.faults import MUTATING, Call, Fault, dropped, status

_NODE = re.compile(r"/api/v1/nodes/(?P<name>[^/]+)(?:/proxy/(?P<endpoint>stats/summary|configz))?")
_NOT_PASSED_ON = frozenset({"host", "authorization", "content-length", "transfer-encoding", "connection"})


@dataclass(frozen=True, kw_only=True)
class Faults:
    """Faults of the proxy.

    `refuse_every`: each n-th mutating request is answered 429 (with Retry-After 0) and 503 in turn, without reaching
    the server. `lose_every`: each n-th mutating request reaches it, but its answer is lost with the connection.
    `delay_seconds`: extra duration of each request. `cut_watches_seconds`: mean time after which a watch's connection
    is dropped, even in the middle of an event. `expire_watches`: this many watches are answered 410.
    `die_after`: from the n-th request on, each is dropped, to watch included; watches that are open go on.
    `processes`: every node looks real, and its kubelet reports this many processes in each pod.
    `metrics`: what /metrics returns instead of figures: "missing", "garbage" or "silence".
    """

    refuse_every: int = 0
    lose_every: int = 0
    delay_seconds: float = 0.0
    cut_watches_seconds: float = 0.0
    expire_watches: int = 0
    die_after: int = 0
    processes: int = 0
    metrics: str = ""


class CountingProxy:
    """`in_flight` and `peak_in_flight` exclude watches. `stored` counts creations that the server confirmed."""

    def __init__(self, connection: Connection, faults: Faults, fault: Fault) -> None:
        self._connection = connection
        self._fault = fault
        self._faults = faults
        self._draw = random.Random(1)
        self._session: Any = None
        self.url = ""
        self.in_flight = self.peak_in_flight = 0
        self.methods: Counter[str] = Counter()
        self.answers: Counter[int] = Counter()
        self.stored: Counter[tuple[str, str]] = Counter()
        self.lost = self.cut = self.watches = self.kubelets_asked = 0
        self._mutations = 0
        self._expired = 0

    async def serve(self, ready: threading.Event, stop: asyncio.Event) -> None:
        """Serve until stopped."""
        application = web.Application(client_max_size=16 * 1024**2)
        application.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        connector = aiohttp.TCPConnector(limit=0, ssl=self._connection.ssl_context or False)
        async with aiohttp.ClientSession(
            connector=connector, timeout=aiohttp.ClientTimeout(total=None), auto_decompress=False
        ) as self._session:
            ready.set()
            await stop.wait()
            await runner.cleanup()

    def _ask(self, request: web.Request, body: bytes | None) -> Any:
        headers = [(name, value) for name, value in request.headers.items() if name.lower() not in _NOT_PASSED_ON]
        return self._session.request(
            request.method,
            self._connection.host + request.path_qs,
            data=body or None,  # an empty body would get a Content-Type, which the server rejects on a GET
            headers=[*headers, *self._connection.headers[1:]],
        )

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if self._faults.die_after and self.methods.total() >= self._faults.die_after:
            return dropped(request)
        if "watch" in request.query:
            return await self._watch(request)
        self.in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)
        self.methods[request.method] += 1
        try:
            answer = await self._answer(request)
        finally:
            # Before the response is sent, so the client cannot have started its next request.
            self.in_flight -= 1
        self.answers[answer.status] += 1
        return answer

    async def _answer(self, request: web.Request) -> web.Response:
        body = await request.read()
        if self._faults.delay_seconds:
            await asyncio.sleep(self._faults.delay_seconds)
        if self._faults.metrics and request.path == "/metrics":
            return await self._metrics()
        if self._faults.processes and (node := _NODE.fullmatch(request.path)):
            return await self._node(node["name"], node["endpoint"])
        name = _name(body)
        return await self._fault.answer(Call(request, body, name, lambda: self._forward(request, body, name)))

    async def _forward(self, request: web.Request, body: bytes, name: str) -> web.Response:
        try:
            return await self._forwarded(request, body, name)
        except aiohttp.ClientError:
            return dropped(request)  # as if it had been asked itself

    async def _forwarded(self, request: web.Request, body: bytes, name: str) -> web.Response:
        lose = False
        if request.method in MUTATING:
            self._mutations += 1
            every = self._faults.refuse_every
            if every and self._mutations % every == 0:
                return _refusal(429 if self._mutations // every % 2 else 503)
            lose = bool(self._faults.lose_every) and self._mutations % self._faults.lose_every == 0
        async with self._ask(request, body) as answer:
            data = await answer.read()
            # Access reviews are answered with 201 as well, but they have no name and are not stored.
            if request.method == "POST" and answer.status == 201 and name:
                self.stored[request.path, name] += 1
            if lose and request.transport is not None:
                self.lost += 1
                request.transport.abort()
            return web.Response(status=answer.status, body=data, headers=_passed_back(answer))

    async def _node(self, name: str, endpoint: str | None) -> web.Response:
        if endpoint is None:
            port = {"kubeletEndpoint": {"Port": 10250}}
            return web.json_response({"metadata": {"name": name}, "status": {"daemonEndpoints": port}})
        if endpoint == "configz":
            return web.json_response({"kubeletconfig": {"podPidsLimit": 4096}})
        self.kubelets_asked += 1
        url = f"{self._connection.host}/api/v1/pods?fieldSelector=spec.nodeName={name}"
        async with self._session.get(url, headers=self._connection.headers) as answer:
            pods = (await answer.json())["items"]
        count = {"process_count": self._faults.processes}
        names = ("namespace", "name", "uid")
        rows = [{"podRef": {key: pod["metadata"][key] for key in names}, "process_stats": count} for pod in pods]
        return web.json_response({"node": {"nodeName": name}, "pods": rows})

    async def _metrics(self) -> web.Response:
        if self._faults.metrics == "missing":
            return status(404, "NotFound", "the server could not find the requested resource")
        if self._faults.metrics == "silence":
            await asyncio.Event().wait()  # until the client disconnects
        return web.Response(body=b"<html>not what you asked for</html>")

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        self.watches += 1
        if self._expired < self._faults.expire_watches:
            self._expired += 1
            return status(410, "Expired", "too old resource version")
        if (refusal := self._fault.refuses_watch(request)) is not None:
            return refusal
        mean = self._faults.cut_watches_seconds
        seconds = self._draw.expovariate(1 / mean) if mean else None
        response = web.StreamResponse()
        try:
            async with asyncio.timeout(seconds), self._ask(request, None) as answer:
                response.set_status(answer.status)
                response.headers.update(_passed_back(answer))
                await response.prepare(request)
                if answer.status != 200:
                    await response.write(await answer.read())
                    return response
                async for line in self._fault.lines(request, _lines(answer)):
                    # In two pieces, so that a cut can also fall into the middle of an event.
                    await response.write(line[: len(line) // 2])
                    await asyncio.sleep(0)
                    await response.write(line[len(line) // 2 :])
        except TimeoutError:
            self.cut += 1
            dropped(request)
        except aiohttp.ClientError:
            dropped(request)
        return response


def _name(body: bytes) -> str:
    """Return the name of the object in a request's body; "" if it has none."""
    name: str = ((json.loads(body) if body else {}).get("metadata") or {}).get("name") or ""
    return name


async def _lines(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """Yield a watch's lines, of any length."""
    rest = b""
    async for chunk in answer.content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line + b"\n"
    if rest:
        yield rest


def _passed_back(answer: aiohttp.ClientResponse) -> dict[str, str]:
    return {name: answer.headers[name] for name in ("Content-Type", "Content-Encoding") if name in answer.headers}


def _refusal(code: int) -> web.Response:
    if code == 429:
        return status(429, "TooManyRequests", "come back later", **{"Retry-After": "0"})
    return status(503, "ServiceUnavailable", "not now")


@contextlib.contextmanager
def counting_proxy(kubeconfig: Path, fault: Fault | None = None, **faults: Any) -> Iterator[CountingProxy]:
    """Yield a running proxy in front of the kubeconfig's API server; `faults` are the fields of Faults."""
    ready = threading.Event()
    running: dict[str, Any] = {}

    async def main() -> None:
        connection = await open_connection({"kubeconfig": str(kubeconfig)})
        running["proxy"] = CountingProxy(connection, Faults(**faults), fault or Fault())
        running["loop"], running["stop"] = asyncio.get_running_loop(), asyncio.Event()
        await running["proxy"].serve(ready, running["stop"])

    thread = threading.Thread(target=asyncio.run, args=(main(),), name="counting-proxy")
    thread.start()
    try:
        assert ready.wait(60), "the proxy did not start"
        yield running["proxy"]
    finally:
        if "loop" in running:
            running["loop"].call_soon_threadsafe(running["stop"].set)
        thread.join(60)
        assert not thread.is_alive(), "the proxy did not stop"
