"""A cluster to collect from, over real HTTP in a thread of its own: lists, logs and kubelets, hostile if wanted."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from aiohttp import web

from helpers.fake_server import serving, status

Answer = str | bytes | web.Response | Callable[[web.Request], Awaitable[web.StreamResponse]]
FORBIDDEN = 'nodes "n1" is forbidden: User "u" cannot get resource "nodes/proxy" in API group ""'
LINE = b"2025-04-19T23:56:44.000000000Z nothing to see in this line of a log that never ends\n"


class GatherSource:
    """`lists`: path -> objects. `answers`: path -> what is answered instead. `asked`: all requests."""

    def __init__(self) -> None:
        self.lists: dict[str, list[dict[str, Any]]] = {}
        self.answers: dict[str, Answer] = {"/version": '{"gitVersion": "v1.36.3"}'}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.in_flight = self.peak_in_flight = 0

    def add(self, path: str, name: str, **more: Any) -> dict[str, Any]:
        """Add an object to a list; its namespace follows from `more["namespace"]`."""
        metadata = {"name": name, **({"namespace": more.pop("namespace")} if "namespace" in more else {})}
        obj = {"metadata": metadata | more.pop("metadata", {}), **more}
        self.lists.setdefault(path, []).append(obj)
        return obj

    def node(self, name: str, *, port: int = 10250) -> None:
        """Add a node; without a port it is simulated."""
        self.add("/api/v1/nodes", name, status={"daemonEndpoints": {"kubeletEndpoint": {"Port": port}}})

    def pod(self, namespace: str, name: str, *, node: str = "n1", restarted: bool = False, **container: Any) -> None:
        """Add a pod with a container `c` that has started."""
        last = {"terminated": {"exitCode": 1}} if restarted else {}
        statuses = [{"name": "c", "state": {"running": {}}, "lastState": last}]
        spec = {"nodeName": node, "containers": [{"name": "c", **container}]}
        self.add("/api/v1/pods", name, namespace=namespace, spec=spec, status={"containerStatuses": statuses})

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer like an API server, as far as collecting needs it."""
        self.asked.append((request.path, dict(request.query)))
        self.in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)
        try:
            return await self._answer(request)
        finally:
            self.in_flight -= 1

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        if path in self.answers:
            found = self.answers[path]
            if callable(found):
                return await found(request)
            return found if isinstance(found, web.Response) else web.Response(body=found)
        if path in self.lists or path in ("/api/v1/nodes", "/api/v1/namespaces", "/api/v1/pods", "/api/v1/events"):
            return web.json_response({"kind": "List", "metadata": {}, "items": self.lists.get(path, [])})
        if path == "/apis/batch/v1/jobs":
            return web.json_response({"kind": "List", "metadata": {}, "items": []})
        return status(404, reason="NotFound", message=f"there is no {path}")

    async def endless(self, request: web.Request) -> web.StreamResponse:
        """Answer with a log that never ends."""
        response = web.StreamResponse()
        await response.prepare(request)
        block = LINE * 2000
        # Who has read enough closes the connection.
        with contextlib.suppress(ConnectionError):
            while True:
                await response.write(block)
        return response

    @contextlib.contextmanager
    def served(self) -> Iterator[str]:
        """Yield the URL; the code under test keeps its main thread."""
        ready = threading.Event()
        running: dict[str, Any] = {}

        async def main() -> None:
            running["loop"], running["ended"] = asyncio.get_running_loop(), asyncio.Event()
            async with serving(self.handle) as url:
                running["url"] = url
                ready.set()
                await running["ended"].wait()

        thread = threading.Thread(target=asyncio.run, args=(main(),), name="gather-source")
        thread.start()
        try:
            assert ready.wait(60), "the server did not start"
            yield running["url"]
        finally:
            running["loop"].call_soon_threadsafe(running["ended"].set)
            thread.join(60)
            assert not thread.is_alive(), "the server did not stop"


def listing(*names: str) -> str:
    """What a kubelet answers for a folder."""
    links = "\n".join(f'<a href="{name}">{name}</a>' for name in names)
    return f'<!doctype html>\n<meta name="viewport">\n<pre>\n{links}\n</pre>\n'
