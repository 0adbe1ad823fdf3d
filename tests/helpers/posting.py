"""A load of a single kind of request, with the reader of the API server's metrics running next to it."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from typing import Any

from ansible_collections.kubestress.core.plugins.module_utils.cluster.client import Cluster
from ansible_collections.kubestress.core.plugins.module_utils.observe.api_server import ApiServerPart


async def posted(namespace: str, *, count: int, **auth: Any) -> tuple[list[float], dict[str, Any]]:
    """POST ConfigMaps, five at a time, with an ApiServerPart: returns the client's seconds, sorted, and the document.

    `auth` are options of the collection's modules, such as kubeconfig and host.
    """
    async with await Cluster.open(auth) as cluster:
        part = ApiServerPart(cluster, interval_seconds=1, started=time.monotonic())
        await part.begin()
        beside = asyncio.create_task(part.run())
        places = asyncio.Semaphore(5)

        group = secrets.token_hex(3)

        async def post(number: int) -> float:
            body = json.dumps({"metadata": {"name": f"posted-{group}-{number}"}}).encode()
            async with places:
                reply = await cluster.request("POST", f"/api/v1/namespaces/{namespace}/configmaps", body=body)
                assert reply.status == 201
                return reply.seconds

        seconds = await asyncio.gather(*(post(number) for number in range(count)))
        beside.cancel()
        await asyncio.gather(beside, return_exceptions=True)
        await part.end()
        return sorted(seconds), part.document()


def row_of(api_server: dict[str, Any]) -> dict[str, Any]:
    """Return the row of POST configmaps."""
    assert api_server["source"] == "metrics", api_server["cause"]
    (row,) = [one for one in api_server["sli"] if (one["verb"], one["resource"]) == ("POST", "configmaps")]
    return row
