# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the API server's /metrics before, during and after a load, and estimate the skew of its clock.

It never harms the load: if the metrics cannot be read, the observation has "no data" with the cause, and after a
refusal they are not read again. These requests pass the load's limits but are not counted in its figures.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime
from typing import Any

from ..cluster.client import Cluster, Reply
from ..cluster.connection import Connection
from ..cluster.errors import ClusterError, Forbidden, NotFound, PermanentError, TransientError, Unauthorized
from ..cluster.node_proxy import OneTry
from ..measure.exposition import Selection, Series
from ..measure.kubelet import Unreadable
from ..measure.server_metrics import METRICS_READ, Scrape, ServerFigures, parse_scrape

METRICS = "/metrics"
_SERVERS = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes"
#: Timeout of one read of /metrics, which has megabytes. Together with the request for the number of servers it has to
#: stay below the time that the observer allows before the load.
_TIMEOUT_SECONDS = 7.0
_SHORT_TIMEOUT_SECONDS = 2.0
#: Connections that are used at the same time to reach several servers, so that each is likely to answer.
_MAX_CONNECTIONS = 5
#: A cause is cut here: some answers are a page of HTML.
_MAX_CAUSE = 160
#: Seconds of error that are good enough: Kubernetes' own times are whole seconds.
_ENOUGH_SECONDS = 0.02
#: The first requests follow within a second each; after these, or once the error is small enough, one per minute.
_QUICK = 10
_PAUSE_SECONDS = 60.0


class ClockSkew:
    """The server's clock minus ours. All times passed in are seconds since 1970 by this machine's clock."""

    def __init__(self) -> None:
        self._low = -math.inf
        self._high = math.inf
        self._quick = 0
        self._fastest = math.inf
        self.samples = 0
        #: How often an answer contradicted the earlier ones, which were then dropped.
        self.contradictions = 0

    def observe(self, date: str | None, *, sent: float, received: float) -> float | None:
        """Add one answer. Returns its date in seconds since 1970, or None if it has no valid one."""
        try:
            server_time = parsedate_to_datetime(date).timestamp() if date else None
        except (TypeError, ValueError):
            server_time = None
        if server_time is None:
            return None
        self.samples += 1
        self._fastest = min(self._fastest, received - sent)
        low, high = max(self._low, server_time - received), min(self._high, server_time + 1 - sent)
        if low > high:
            # A clock was set or has drifted, or there are several servers: the newest answer counts.
            self.contradictions += 1
            low, high = server_time - received, server_time + 1 - sent
        self._low, self._high = low, high
        return server_time

    @property
    def error_seconds(self) -> float:
        """Half of the range that is still possible."""
        return (self._high - self._low) / 2

    def pause_seconds(self, now: float) -> float:
        """How long to wait before the next request, so that its answer narrows the range the most."""
        if not self.samples:
            return _PAUSE_SECONDS
        if self.error_seconds <= _ENOUGH_SECONDS or self._quick >= _QUICK:
            return _PAUSE_SECONDS
        self._quick += 1
        # If the middle of the range is right, the server's clock reaches a full second while it answers.
        ahead = (self._low + self._high) / 2 + self._fastest / 2
        return math.ceil(now + ahead) - ahead - now

    def figures(self) -> dict[str, Any]:
        """`skew` of an observation: `estimate_ms` plus or minus `error_ms`; None if no answer had a date."""
        if not self.samples:
            return {"estimate_ms": None, "error_ms": None, "samples": 0, "contradictions": 0}
        return {
            "estimate_ms": round((self._low + self._high) * 500, 1),
            "error_ms": round(self.error_seconds * 1000, 1),
            "samples": self.samples,
            "contradictions": self.contradictions,
        }


class ApiServerPart:
    """The Part with `api_server` and `skew`.

    It has its own session, so that its requests are not counted as load in `cluster.traffic`.
    """

    def __init__(self, cluster: Cluster, *, interval_seconds: float, started: float) -> None:
        """`interval_seconds` 0 reads only before and after. `started` is the origin of the series' times, monotonic."""
        self._cluster = cluster
        self._interval_seconds = interval_seconds
        self._observer = Cluster(
            cluster.connection,
            retry=OneTry(deadline_seconds=_TIMEOUT_SECONDS),
            request_timeout_seconds=_TIMEOUT_SECONDS,
            admission=cluster.admission,
            renew=self._renewed,
        )
        self._open = False
        #: Whether the first read failed for good.
        self._refused = False
        self._connections = 1
        self._figures = ServerFigures(origin=started)
        self._known_series: dict[Series, Series] = {}
        self._document = self._figures.document()
        #: The thread of a cancelled read may still run when the last read begins.
        self._adding = threading.Lock()
        self._failed: Counter[str] = Counter()
        self._skew = ClockSkew()
        self.warnings: list[str] = []

    # -- the part ----------------------------------------------------------------------------------------------------

    async def begin(self) -> None:
        """Count the servers behind the address, and read each of them once."""
        await self._observer.__aenter__()
        self._open = True
        self._figures.servers = await self._count_servers()
        self._connections = max(1, min(self._figures.servers or 1, _MAX_CONNECTIONS))
        await self._read()

    async def run(self) -> None:
        """Read once per interval, and in between send the requests that measure the skew of the clock."""
        if not self._interval_seconds:
            return
        if not self._refused:
            await asyncio.gather(self._read_regularly(), self._measure_skew())
            return
        # The dates of other answers tell the clock's skew, also to who may not read the metrics.
        await self._ask_for_date()
        await self._measure_skew()

    async def end(self) -> None:
        """Read once more."""
        if not self._open:
            return
        try:
            if not self._refused and not self._cluster.reachability.given_up:
                await self._read()
        finally:
            await self._observer.__aexit__(None, None, None)
            self._open = False

    def document(self) -> dict[str, Any]:
        """`api_server` and `skew` as they are now."""
        document = dict(self._document)
        if not self._figures.scrapes:
            document["cause"] = self._failed.most_common(1)[0][0] if self._failed else "the metrics were not read yet"
        return {"api_server": document | {"failed_scrapes": dict(self._failed)}, "skew": self._skew.figures()}

    # -- reading -----------------------------------------------------------------------------------------------------

    async def _read_regularly(self) -> None:
        while True:
            await asyncio.sleep(self._interval_seconds)
            if not self._cluster.reachability.is_outage:
                await self._read()

    async def _measure_skew(self) -> None:
        while True:
            await asyncio.sleep(self._skew.pause_seconds(time.time()))
            await self._ask_for_date()

    async def _ask_for_date(self) -> None:
        with contextlib.suppress(ClusterError):  # the figures have the number of answers
            await self._ask("/version", timeout_seconds=_SHORT_TIMEOUT_SECONDS)

    async def _read(self) -> None:
        """One round: as many concurrent reads as there are servers."""
        answers = await asyncio.gather(*(self._scrape() for _connection in range(self._connections)))
        scrapes = [answer for answer in answers if answer is not None]
        if scrapes:
            # In a thread: it takes some ten milliseconds, which would appear in the load's latencies.
            self._document = await asyncio.to_thread(self._add, scrapes)

    def _add(self, scrapes: list[Scrape]) -> dict[str, Any]:
        with self._adding:
            self._figures.add_round(scrapes)
            return self._figures.document()

    async def _scrape(self) -> Scrape | None:
        try:
            reply, date = await self._ask(METRICS, timeout_seconds=_TIMEOUT_SECONDS, read=_selected)
            at_seconds, taken = time.monotonic(), time.time()
            if self._figures.began is None:
                self._figures.began = date
            return await asyncio.to_thread(
                parse_scrape, reply.body, at_seconds=at_seconds, taken=taken, known=self._known_series
            )
        except (ClusterError, Unreadable) as error:
            self._failed[_cause(error)] += 1
            if not self._figures.scrapes:
                self._refused = _is_final(error)
            return None

    async def _count_servers(self) -> int | None:
        """Number of addresses of the Service `kubernetes`; None if unknown, because not all servers register theirs."""
        try:
            reply, _date = await self._ask(_SERVERS, timeout_seconds=_SHORT_TIMEOUT_SECONDS)
            endpoints = json.loads(reply.body)["endpoints"] or []
            return len({address for one in endpoints for address in one["addresses"]}) or None
        except (ClusterError, ValueError, TypeError, KeyError):
            return None

    async def _ask(self, path: str, *, timeout_seconds: float, **arguments: Any) -> tuple[Reply, float | None]:
        """One GET with the date of its answer in seconds since 1970; `arguments` as of request. Raises ClusterError."""
        # The load's client renews its credentials; use the current ones.
        self._observer.connection = self._cluster.connection
        reply = await self._observer.request("GET", path, deadline_seconds=timeout_seconds, **arguments)
        received = time.time()
        return reply, self._skew.observe(reply.date, sent=received - reply.seconds, received=received)

    async def _renewed(self) -> Connection:
        await self._cluster.renew_credentials(self._observer.connection)
        return self._cluster.connection


async def _selected(pieces: AsyncIterator[bytes]) -> bytes:
    selection = Selection(*METRICS_READ)
    async for piece in pieces:
        selection.add(piece)
    return selection.text()


def _is_final(error: Exception) -> bool:
    """Whether another try would fail the same way. Not 401: the load renews the credentials."""
    return isinstance(error, (PermanentError, Unreadable)) and not isinstance(error, Unauthorized)


def _cause(error: Exception) -> str:
    """Why the read failed, in a few words; always the same words for the same cause, because causes are counted."""
    # The client's message ends with the number of tries, pointless here.
    origin = error.__cause__ if isinstance(error.__cause__, ClusterError) else error
    if isinstance(error, Forbidden):
        cause = f"the user may not get {METRICS}"
    elif isinstance(error, NotFound):
        cause = f"the API server has no {METRICS}"
    elif isinstance(error, Unreadable):
        cause = f"{METRICS}: the answer is {error}"
    elif isinstance(error, TransientError) and error.cause == "timeout":
        cause = f"no answer within {_TIMEOUT_SECONDS:g} s"
    else:
        cause = f"{METRICS}: {' '.join(str(origin).split())}"
    return cause[:_MAX_CAUSE]
