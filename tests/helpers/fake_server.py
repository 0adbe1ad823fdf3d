"""A tiny server on loopback, and a Cluster connected to it over real HTTP."""

from __future__ import annotations

import asyncio
import json
import math
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from aiohttp import web
from ansible_collections.kubestress.core.plugins.module_utils.cluster.client import Cluster, RetryPolicy
from ansible_collections.kubestress.core.plugins.module_utils.cluster.connection import Connection

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
QUICK = RetryPolicy(deadline_seconds=5.0, first_pause_seconds=0.001, max_pause_seconds=0.01)


class ThreeTries(RetryPolicy):
    """Gives up after the third attempt, however fast or slow the machine is."""

    def pause_seconds(self, attempt: int, retry_after_seconds: float | None) -> float:
        """No pause, and then an endless one."""
        return super().pause_seconds(attempt, retry_after_seconds) if attempt < 3 else math.inf


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    """Yield the URL of a server that passes every request to the handler."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@contextmanager
def serving_beside(handler: Handler) -> Iterator[str]:
    """Yield the URL of the same in a thread of its own, for tests that wait for processes or browsers."""
    ready = threading.Event()
    running: dict[str, Any] = {}

    async def main() -> None:
        async with serving(handler) as url:
            running.update(url=url, loop=asyncio.get_running_loop(), ended=asyncio.Event())
            ready.set()
            await running["ended"].wait()

    thread = threading.Thread(target=asyncio.run, args=(main(),), name="fake-server")
    thread.start()
    try:
        assert ready.wait(10), "the server did not start"
        yield running["url"]
    finally:
        if ready.is_set():
            running["loop"].call_soon_threadsafe(running["ended"].set)
        thread.join(10)
        assert not thread.is_alive(), "the server did not stop"


@asynccontextmanager
async def cluster_on(handler: Handler, *, retry: RetryPolicy = QUICK, **settings: Any) -> AsyncIterator[Cluster]:
    """Yield a Cluster whose API server is the handler."""
    async with serving(handler) as url, Cluster(Connection(host=url), retry=retry, **settings) as cluster:
        yield cluster


def status(code: int, *, reason: str = "", message: str = "", **headers: str) -> web.Response:
    """Return an error response like the API server's."""
    document = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code}
    return web.json_response(document | {"reason": reason, "message": message}, status=code, headers=headers)


def events(*changes: tuple[str, dict[str, Any]]) -> bytes:
    """Return watch events as lines."""
    return b"".join(json.dumps({"type": kind, "object": obj}).encode() + b"\n" for kind, obj in changes)
