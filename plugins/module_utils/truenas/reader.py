# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a box: one login, then as many readings as are wanted. A part that cannot be read is named with its cause.

Snapshots are read before datasets: a clone that is there when its snapshot is listed is there when datasets are.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from . import questions
from .errors import BoxError, Broken, CallRefused, NotServed, plain
from .model import Box, Dataset, Part, Pool, Share, Snapshot, clones_of
from .options import DATASETS, JSON_RPC, POOLS, REST, SHARES, SNAPSHOTS, BoxOptions
from .questions import Question
from .rest import rest
from .rpc import json_rpc
from .transport import Transport

#: A pool of another status has no datasets that could be listed.
_IMPORTED = ("ONLINE", "DEGRADED")


class BoxReader:
    """A box to which a login exists."""

    def __init__(self, options: BoxOptions, transport: Transport) -> None:
        self._options = options
        self._transport = transport
        self._deadline = 0.0

    async def read(self) -> Box:
        """Everything that the options name. Raises BoxError if not even the version can be read."""
        loop = asyncio.get_running_loop()
        self._deadline = loop.time() + self._options.timeout
        version = await self._version()
        reading = _Reading(self._options, self._transport, questions.release_of(version), self._deadline)
        wanted = self._options.parts
        await asyncio.gather(reading.pools_and_datasets(wanted), reading.part(SHARES, reading.shares, wanted))
        return Box(
            url=self._options.url,
            version=version,
            transport=self._transport.name,
            pools=tuple(reading.found_pools),
            datasets={one.id: one for one in reading.found_datasets},
            snapshots={one.id: one for one in reading.found_snapshots},
            shares=tuple(reading.found_shares),
            clones=clones_of(reading.found_datasets),
            parts={name: reading.parts[name] for name in wanted},
        )

    async def _version(self) -> str:
        try:
            async with asyncio.timeout_at(self._deadline):
                return plain(await self._transport.ask(questions.VERSION))
        except TimeoutError:
            raise Broken(f"{self._options.url}: no answer within {self._options.timeout:g} s") from None


class _Reading:
    """One reading under way."""

    def __init__(self, options: BoxOptions, transport: Transport, release: tuple[int, int], deadline: float) -> None:
        self._options = options
        self._transport = transport
        self._release = release
        self._deadline = deadline
        self.found_pools: list[Pool] = []
        self.found_datasets: list[Dataset] = []
        self.found_snapshots: list[Snapshot] = []
        self.found_shares: list[Share] = []
        self.parts: dict[str, Part] = {}

    async def part(self, name: str, read: Callable[[], Awaitable[list[Any]]], wanted: Sequence[str]) -> None:
        """Read one part if it is wanted, and note how that went."""
        if name not in wanted:
            return
        began = time.monotonic()
        cause, objects = None, 0
        try:
            async with asyncio.timeout_at(self._deadline):
                objects = len(await read())
        except TimeoutError:
            cause = f"no answer within {self._options.timeout:g} s"
        except _Unfinished as error:
            cause, objects = str(error), error.objects
        except BoxError as error:
            cause = str(error)
        self.parts[name] = Part(cause is None, cause, objects, round(time.monotonic() - began, 3))

    async def pools_and_datasets(self, wanted: Sequence[str]) -> None:
        """Pools and snapshots, and then the datasets, which are compared with both."""
        await asyncio.gather(self.part(POOLS, self.pools, wanted), self.part(SNAPSHOTS, self.snapshots, wanted))
        await self.part(DATASETS, self.datasets, wanted)

    async def pools(self) -> list[Pool]:
        """The pools."""
        self.found_pools = await self._rows([[questions.POOLS]])
        return self.found_pools

    async def snapshots(self) -> list[Snapshot]:
        """The snapshots below the parents."""
        ways = questions.snapshots(self._release, self._transport.name, self._options.parents)
        self.found_snapshots = await self._rows(ways)
        return self.found_snapshots

    async def datasets(self) -> list[Dataset]:
        """All datasets. Raises _Unfinished if some must be missing."""
        pools = self.found_pools
        if not pools and self._transport.name == REST:
            # REST gives datasets by pool.
            pools = await self._rows([[questions.POOLS]])
        names = [pool.name for pool in pools if pool.status in _IMPORTED]
        self.found_datasets = await self._rows(questions.datasets(self._release, self._transport.name, names))
        there = {dataset.id for dataset in self.found_datasets}
        missing = [parent for parent in self._options.parents if parent not in there]
        absent = [f"{pool.name} ({pool.status})" for pool in self.found_pools if pool.name not in there]
        if absent:
            raise _Unfinished(f"pools whose datasets cannot be seen: {', '.join(absent)}", len(there))
        if missing:
            raise _Unfinished(f"{self._options.url} has no dataset {', '.join(missing)}", len(there))
        return self.found_datasets

    async def shares(self) -> list[Share]:
        """The shares of all kinds."""
        answers = await asyncio.gather(*(self._rows([[question]]) for question in questions.SHARES))
        self.found_shares = [share for answer in answers for share in answer]
        return self.found_shares

    async def _rows(self, ways: Iterable[Iterable[Question]]) -> list[Any]:
        """The rows of the first way that the box knows. Raises BoxError."""
        unknown: NotServed | None = None
        for way in ways:
            asked = list(way)
            try:
                answers = await asyncio.gather(*(self._transport.ask(question) for question in asked))
            except NotServed as error:
                unknown = unknown or error
                continue
            return [row for one, answer in zip(asked, answers, strict=True) for row in one.rows(answer)]
        raise CallRefused(str(unknown))


class _Unfinished(BoxError):
    """A part was read, but not all of it can be there."""

    def __init__(self, message: str, objects: int) -> None:
        super().__init__(message)
        self.objects = objects


@asynccontextmanager
async def open_box(options: BoxOptions) -> AsyncIterator[BoxReader]:
    """Log in, once. With transport auto, REST is used only where nobody speaks JSON-RPC. Raises BoxError."""
    async with AsyncExitStack() as stack:
        transport: Transport
        if options.transport == REST:
            transport = await stack.enter_async_context(rest(options))
        elif options.transport == JSON_RPC:
            transport = await stack.enter_async_context(json_rpc(options))
        else:
            transport = await _automatic(options, stack)
        yield BoxReader(options, transport)


async def _automatic(options: BoxOptions, stack: AsyncExitStack) -> Transport:
    try:
        return await stack.enter_async_context(json_rpc(options))
    except NotServed:
        return await stack.enter_async_context(rest(options))


async def read_box(options: BoxOptions) -> Box:
    """One reading of a box. Raises BoxError if there is no login, or not even the version can be read."""
    async with open_box(options) as reader:
        return await reader.read()
