"""Faults that a proxy in front of an API server brings about. Each counts how often it did."""

from __future__ import annotations

import json
import math
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

MUTATING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
LOGIN_PAGE = "<html><body>Please log in</body></html>"


@dataclass(frozen=True)
class Call:
    """A request that is no watch. `name`: of the object in its body. `forward` asks the API server."""

    request: web.Request
    body: bytes
    name: str
    forward: Callable[[], Awaitable[web.Response]]

    @property
    def mutates(self) -> bool:
        """Whether it may change something. Reviews of permissions do not."""
        return self.request.method in MUTATING and "/authorization.k8s.io/" not in self.request.path

    @property
    def lists(self) -> bool:
        """Whether it asks for a list of objects."""
        return self.request.method == "GET" and "limit" in self.request.query


class Fault:
    """No fault: everything passes. `injected` is how often the fault happened, `over` ends it."""

    def __init__(self) -> None:
        self.injected = 0
        self.is_over = False

    def over(self) -> None:
        """Let everything pass from now on."""
        self.is_over = True

    async def answer(self, call: Call) -> web.Response:
        """The answer to a request that is no watch."""
        return await call.forward()

    def refuses_watch(self, request: web.Request) -> web.Response | None:
        """The refusal of a watch; None lets it begin."""
        return None

    def lines(self, request: web.Request, lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """What the client gets of a watch's lines."""
        return lines

    def complaints(self) -> list[str]:
        """What the client did that it must not do; for faults that can see it."""
        return []


def dropped(request: web.Request) -> web.Response:
    """No answer: the connection is reset."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def status(code: int, reason: str, message: str, **headers: str) -> web.Response:
    """An answer of the API server that is no success."""
    document = {
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message
    }  # fmt: skip
    return web.json_response(document, status=code, headers=headers)


class Resets(Fault):
    """The connection of each n-th request is reset before the API server sees it."""

    def __init__(self, *, every: int) -> None:
        super().__init__()
        self._every, self._seen = every, 0

    async def answer(self, call: Call) -> web.Response:
        self._seen += 1
        if self.is_over or self._seen % self._every:
            return await call.forward()
        self.injected += 1
        return dropped(call.request)


class LostAnswers(Resets):
    """Each n-th request is carried out, and its answer is lost with the connection."""

    async def answer(self, call: Call) -> web.Response:
        self._seen += 1
        # Others are counted while this one is carried out.
        is_lost = not self._seen % self._every
        found = await call.forward()
        if self.is_over or not is_lost:
            return found
        self.injected += 1
        return dropped(call.request)


class TooMany(Fault):
    """The first attempt of each n-th change is answered 429; with `retry_after`, it may come back after that only."""

    def __init__(self, *, every: int, retry_after: int | None) -> None:
        super().__init__()
        self._every, self._retry_after, self._seen = every, retry_after, 0
        self._allowed_at: dict[tuple[str, str], float] = {}
        self._too_early = 0

    async def answer(self, call: Call) -> web.Response:
        key = call.request.path, call.name
        if not call.mutates or self.is_over:
            return await call.forward()
        if key in self._allowed_at:
            self._too_early += time.monotonic() < self._allowed_at[key]
            return await call.forward()
        self._seen += 1
        if self._seen % self._every:
            return await call.forward()
        self.injected += 1
        self._allowed_at[key] = time.monotonic() + (self._retry_after or 0)
        headers = {"Retry-After": str(self._retry_after)} if self._retry_after is not None else {}
        return status(429, "TooManyRequests", "the server has received too many requests", **headers)

    def complaints(self) -> list[str]:
        return [f"{self._too_early} requests came back before their Retry-After was over"] if self._too_early else []


class Period(Fault):
    """Happens from the n-th change on, for some seconds. Without an end, until `over`."""

    def __init__(self, *, after: int, seconds: float = math.inf) -> None:
        super().__init__()
        self._after, self._seconds = after, seconds
        self._changes = 0
        self._until = math.inf

    @property
    def is_now(self) -> bool:
        """Whether the fault holds at this moment."""
        return not self.is_over and self._changes >= self._after and time.monotonic() < self._until

    def count(self, call: Call) -> None:
        """Take a request into account, before it is answered."""
        self._changes += call.mutates
        if self._until == math.inf and self._changes >= self._after:
            self._until = time.monotonic() + self._seconds


class Burst(Period):
    """Every request of the period is answered 500, 502, 503 or 504 in turn."""

    async def answer(self, call: Call) -> web.Response:
        self.count(call)
        if not self.is_now:
            return await call.forward()
        self.injected += 1
        code, reason = (
            (500, "InternalError"), (502, "BadGateway"), (503, "ServiceUnavailable"), (504, "GatewayTimeout")
        )[self.injected % 4]  # fmt: skip
        return status(code, reason, "not now")


class Refused(Period):
    """Every request of the period is answered 401, as while a token is rotated."""

    async def answer(self, call: Call) -> web.Response:
        self.count(call)
        if not self.is_now:
            return await call.forward()
        self.injected += 1
        return status(401, "Unauthorized", "Unauthorized")


class Unreachable(Period):
    """In the period nothing gets through: requests are reset, and so are open watches at their next event."""

    async def answer(self, call: Call) -> web.Response:
        self.count(call)
        if not self.is_now:
            return await call.forward()
        self.injected += 1
        return dropped(call.request)

    def refuses_watch(self, request: web.Request) -> web.Response | None:
        if not self.is_now:
            return None
        self.injected += 1
        return dropped(request)

    async def lines(self, request: web.Request, lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for line in lines:
            if self.is_now:
                self.injected += 1
                dropped(request)
                return
            yield line


class CutBodies(Fault):
    """The first answers to each list end in the middle, with a Content-Length that fits."""

    def __init__(self, *, times: int) -> None:
        super().__init__()
        self._left: Counter[str] = Counter()
        self._times = times

    async def answer(self, call: Call) -> web.Response:
        found = await call.forward()
        key = call.request.path_qs
        if self.is_over or not call.lists or found.status != 200 or self._left[key] == self._times:
            return found
        self._left[key] += 1
        self.injected += 1
        assert isinstance(found.body, bytes)
        return web.Response(status=200, body=found.body[: len(found.body) // 2], content_type="application/json")


class Pages(Fault):
    """The first attempts to change each n-th object are answered by something that is no API server.

    `what`: "page" is a login page with 200, "empty" an empty body with 200, "redirect" a redirection to a login page.
    `times`: how many attempts; 0 is every one. `lists`: lists as well.
    """

    def __init__(self, *, what: str, every: int, times: int, lists: bool = False) -> None:
        super().__init__()
        self._what, self._every, self._times, self._lists = what, every, times, lists
        self._asked_for: set[tuple[str, str, str]] = set()
        #: By method, path and name of an object: how often it was answered with a page.
        self.pages: Counter[tuple[str, str, str]] = Counter()

    async def answer(self, call: Call) -> web.Response:
        if self.is_over or not self._hits(call):
            return await call.forward()
        self.injected += 1
        if self._what == "empty":
            return web.Response(body=b"", content_type="application/json")
        if self._what == "redirect":
            return web.Response(status=302, headers={"Location": "https://login.example/?to=here"})
        return web.Response(text=LOGIN_PAGE, content_type="text/html")

    def _hits(self, call: Call) -> bool:
        if not ((call.mutates and (call.name or call.request.method != "POST")) or (self._lists and call.lists)):
            return False
        key = call.request.method, call.request.path if call.mutates else call.request.path_qs, call.name
        if key not in self._asked_for:
            self._asked_for.add(key)
            if len(self._asked_for) % self._every == 0:
                self.pages[key] = 0
        if key not in self.pages or (self._times and self.pages[key] == self._times):
            return False
        self.pages[key] += 1
        return True


class NeverStored(Fault):
    """Each n-th ConfigMap is answered as if it were stored, and is not."""

    def __init__(self, *, every: int) -> None:
        super().__init__()
        self._every, self._seen = every, 0

    async def answer(self, call: Call) -> web.Response:
        if self.is_over or call.request.method != "POST" or not call.request.path.endswith("/configmaps"):
            return await call.forward()
        self._seen += 1
        if self._seen % self._every:
            return await call.forward()
        self.injected += 1
        made = json.loads(call.body)
        namespace = call.request.path.split("/")[4]
        made["metadata"] |= {"namespace": namespace, "uid": f"made-up-{self.injected}", "resourceVersion": "1"}
        return web.json_response(made, status=201)


class NullLists(Fault):
    """The first answers to each list are `null`."""

    def __init__(self, *, times: int) -> None:
        super().__init__()
        self._times = times
        self._given: Counter[str] = Counter()

    async def answer(self, call: Call) -> web.Response:
        key = call.request.path_qs
        if self.is_over or not call.lists or self._given[key] == self._times:
            return await call.forward()
        self._given[key] += 1
        self.injected += 1
        return web.Response(body=b"null", content_type="application/json")


class NoEvents(Fault):
    """After its first events, each of the first watches of a kind has a line that is JSON and no event."""

    LINES = (
        b'{"type": "ADDED", "object": null}\n', b"null\n", b"[]\n", b'{"type": "MODIFIED", "object": {"metadata": 1}}\n'
    )  # fmt: skip

    def __init__(self, *, after: int, watches: int) -> None:
        super().__init__()
        self._after, self._watches = after, watches
        self._opened: Counter[str] = Counter()

    async def lines(self, request: web.Request, lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        self._opened[request.path] += 1
        hit, seen = self._opened[request.path] <= self._watches, 0
        async for line in lines:
            yield line
            seen += 1
            if hit and seen == self._after and not self.is_over:
                yield self.LINES[self.injected % len(self.LINES)]
                self.injected += 1


class SilentWatches(Fault):
    """The first watches of each kind fall silent after their first lines, and are not closed.

    `plural`: of this kind alone.
    """

    def __init__(self, *, after: int, watches: int, plural: str = "") -> None:
        super().__init__()
        self._after, self._watches, self._plural = after, watches, plural
        self._opened: Counter[str] = Counter()

    async def lines(self, request: web.Request, lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        self._opened[request.path] += 1
        hit = self._opened[request.path] <= self._watches and request.path.endswith(self._plural)
        seen = 0
        async for line in lines:
            if hit and seen >= self._after and not self.is_over:
                self.injected += 1
                continue  # until the client closes it
            yield line
            seen += 1


class RefusedWatches(Period):
    """In the period, watches are answered 429, and those that are open end at their next event."""

    async def answer(self, call: Call) -> web.Response:
        self.count(call)
        return await call.forward()

    def refuses_watch(self, request: web.Request) -> web.Response | None:
        if not self.is_now:
            return None
        self.injected += 1
        return status(429, "TooManyRequests", "too many watches", **{"Retry-After": "1"})

    async def lines(self, request: web.Request, lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for line in lines:
            if self.is_now:
                self.injected += 1
                return
            yield line


class OldEvents(Fault):
    """After each event of an object, the watch sends the one before it again: doubled, and in the wrong order."""

    async def lines(self, request: web.Request, lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        before: dict[str, bytes] = {}
        async for line in lines:
            yield line
            event: dict[str, Any] = json.loads(line)
            uid = event["object"].get("metadata", {}).get("uid") or ""
            if not uid or self.is_over:
                continue
            for old in (before.get(uid), line):
                if old is not None:
                    self.injected += 1
                    yield old
            if uid in before:
                yield before[uid]
            before[uid] = line
