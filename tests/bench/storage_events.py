"""An API server that tells what happens to claims: `python -m bench.storage_events FOLDER CLAIMS EVENTS`.

Served like bench.stub. There are as many volumes and pods as claims. Once the client asks for nothing more, EVENTS are
sent as fast as they are taken: mostly pods whose status changes, as in a cluster; some that are replaced, and claims
that are expanded, or only annotated. The last event expands a claim.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aiohttp import web

from bench import stub
from bench.storage_objects import claim, pod, volume

_PREFIX = "watched"
_CREATED = "2026-01-01T00:00:00Z"
#: Each tenth event is an expansion, each tenth an annotation, two of ten are a pod that is replaced.
TURN = ("status", "status", "status", "gone", "new", "status", "annotation", "status", "status", "expansion")
#: Of each turn.
OBJECT_CHANGES = TURN.count("expansion")
#: Seconds without a request after which the client has read everything, and judged it.
_QUIET_SECONDS = 4.0
#: Events in one write; as many as a busy server has at hand.
_AT_ONCE = 100


def whole(obj: dict[str, Any], number: int, version: int) -> dict[str, Any]:
    """The object as a server has stored it."""
    metadata = {**obj["metadata"], "uid": f"{obj['kind']}-{number:08d}", "creationTimestamp": _CREATED}
    metadata |= {"resourceVersion": str(version), "managedFields": _managed(obj)}
    return {**obj, "metadata": metadata}


def _managed(obj: dict[str, Any]) -> list[dict[str, Any]]:
    fields = {"f:metadata": stub.fields_of(obj["metadata"]), "f:spec": stub.fields_of(obj["spec"])}
    return [{"manager": "bench", "operation": "Update", "apiVersion": obj["apiVersion"], "fieldsV1": fields}]


def claim_of(number: int, version: int, *, size: int = 1, note: str = "") -> dict[str, Any]:
    """A claim that is bound."""
    found = claim(number, _PREFIX)
    found["metadata"]["annotations"]["note"] = note
    found["status"] = {"phase": "Bound", "capacity": {"storage": f"{size}Gi"}}
    return whole(found, number, version)


def volume_of(number: int, version: int) -> dict[str, Any]:
    """Its volume."""
    found = volume(number, _PREFIX, f"PersistentVolumeClaim-{number:08d}")
    found["status"] = {"phase": "Bound"}
    return whole(found, number, version)


def pod_of(number: int, version: int, *, ready: bool = True) -> dict[str, Any]:
    """A pod that has it."""
    found = pod(number, _PREFIX)
    found["spec"]["nodeName"] = f"node-{number % 100}"
    conditions = [
        {"type": kind, "status": str(ready), "lastTransitionTime": _CREATED} for kind in ("Ready", "Initialized")
    ]
    found["status"] = {"phase": "Running", "conditions": conditions, "podIP": "10.0.0.1"}
    return whole(found, number, version)


def events(claims: int, count: int) -> Iterator[tuple[str, bytes]]:
    """(list, line) of each event."""
    for number in range(count):
        what, version = TURN[number % len(TURN)], number + 10
        passed, which = divmod(number // len(TURN), claims)
        if what == "expansion":
            yield "persistentvolumeclaims", _line("MODIFIED", claim_of(which, version, size=2 + passed))
        elif what == "annotation":
            yield (
                "persistentvolumeclaims",
                _line("MODIFIED", claim_of(which, version, size=1 + passed, note=str(number))),
            )
        else:
            type_ = {"gone": "DELETED", "new": "ADDED"}.get(what, "MODIFIED")
            yield "pods", _line(type_, pod_of(which, version, ready=number % 2 == 0))


def _line(type_: str, obj: dict[str, Any]) -> bytes:
    return json.dumps({"type": type_, "object": obj}, separators=(",", ":")).encode() + b"\n"


class Server:
    """The lists, and one run of events."""

    def __init__(self, claims: int, count: int) -> None:
        self._claims, self._count = claims, count
        self._makers = {"persistentvolumeclaims": claim_of, "persistentvolumes": volume_of, "pods": pod_of}
        self._watching: dict[str, web.StreamResponse] = {}
        self._asked = 0.0
        self._sending: asyncio.Task[None] | None = None

    def application(self) -> web.Application:
        """The server's routes."""
        app = web.Application()
        app.router.add_get("/version", self._version)
        app.router.add_get("/apis", self._groups)
        app.router.add_get("/{path:.*}", self._list_or_watch)
        return app

    async def _version(self, _request: web.Request) -> web.Response:
        return web.json_response({"major": "1", "minor": "36", "gitVersion": "v1.36.0-events"})

    async def _groups(self, _request: web.Request) -> web.Response:
        return web.json_response({"kind": "APIGroupList", "groups": [{"name": name} for name in ("apps", "batch")]})

    async def _list_or_watch(self, request: web.Request) -> web.StreamResponse:
        plural = request.path.rpartition("/")[2]
        self._asked = time.monotonic()
        if self._sending is None:
            self._sending = asyncio.create_task(self._send())
        if "watch" in request.query:
            return await self._watch(request, plural)
        make, begin, limit = (
            self._makers.get(plural),
            int(request.query.get("continue", "0")),
            int(request.query["limit"]),
        )
        end = min(begin + limit, self._claims) if make else 0
        items = [make(number, 1) for number in range(begin, end)] if make else []
        metadata = {"resourceVersion": "1", **({"continue": str(end)} if make and end < self._claims else {})}
        return web.json_response({"kind": "List", "apiVersion": "v1", "metadata": metadata, "items": items})

    async def _watch(self, request: web.Request, plural: str) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        self._watching[plural] = response
        await asyncio.Event().wait()
        return response

    async def _send(self) -> None:
        """In portions, so that the lists' events come about as they happened."""
        while not self._makers.keys() <= self._watching.keys() or time.monotonic() - self._asked < _QUIET_SECONDS:
            await asyncio.sleep(0.1)
        kept: dict[str, list[bytes]] = {}
        for number, (plural, line) in enumerate(events(self._claims, self._count), 1):
            kept.setdefault(plural, []).append(line)
            if number % _AT_ONCE == 0 or number == self._count:
                for each in sorted(kept, reverse=True):  # pods before the claim that ends the watch
                    await self._watching[each].write(b"".join(kept[each]))
                kept.clear()
                await asyncio.sleep(0)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.storage_events", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("claims", type=int)
    parser.add_argument("events", type=int)
    chosen = parser.parse_args()
    asyncio.run(stub.serve(chosen.folder, Server(chosen.claims, chosen.events).application()))


if __name__ == "__main__":
    main()
