"""Bodies that are read piece by piece: an answer that is cut ends its connection, and one that is not keeps it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from ansible_collections.kubestress.core.plugins.module_utils.cluster.errors import Forbidden
from helpers.fake_server import cluster_on


class Enough(Exception):
    """The reader has what it wants."""


async def first_piece(pieces: AsyncIterator[bytes]) -> bytes:
    async for _piece in pieces:
        raise Enough
    return b""


async def all_pieces(pieces: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in pieces])


class Endless:
    """A server whose answers never end; `closed` is set when the other side has gone."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.closed = asyncio.Event()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=self.status)
        await response.prepare(request)
        try:
            while True:
                await response.write(b"more " * 10_000)
        except ConnectionError:
            self.closed.set()
        return response


async def test_whoever_has_enough_ends_the_connection() -> None:
    server = Endless()
    async with cluster_on(server.handle) as cluster:
        with pytest.raises(Enough):
            await cluster.request("GET", "/log", read=first_piece)
        await asyncio.wait_for(server.closed.wait(), 60)


async def test_an_endless_refusal_is_read_as_far_as_its_message_needs() -> None:
    server = Endless(status=403)
    async with cluster_on(server.handle) as cluster:
        with pytest.raises(Forbidden, match="more more"):
            await cluster.request("GET", "/log", read=all_pieces)
        await asyncio.wait_for(server.closed.wait(), 60)


async def test_an_answer_that_is_read_to_its_end_keeps_its_connection() -> None:
    ports = set()

    async def handle(request: web.Request) -> web.Response:
        assert request.transport is not None
        ports.add(request.transport.get_extra_info("peername")[1])
        return web.Response(text="a log")

    async with cluster_on(handle) as cluster:
        for _time in range(3):
            assert (await cluster.request("GET", "/log", read=all_pieces)).body == b"a log"
    assert len(ports) == 1
