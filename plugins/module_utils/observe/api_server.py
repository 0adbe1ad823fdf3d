# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the API server's own /metrics before, beside and after a load, and its clock on the way.

It never harms the load: an API server that tells nothing is "no data" with the cause, and where it refuses, it is not
asked again. Its requests are no part of the load's figures, but they pass its limits.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections import Counter
from email.utils import parsedate_to_datetime
from typing import Any

from ..cluster.client import Cluster, Reply
from ..cluster.connection import Connection
from ..cluster.errors import ClusterError, Forbidden, NotFound, PermanentError, TransientError, Unauthorized
from ..cluster.node_proxy import OneTry
from ..measure.kubelet import Unreadable
from ..measure.server_metrics import Scrape, ServerFigures, parse_scrape

#: Seconds of error below which nobody gains by knowing it better: Kubernetes' own times are whole seconds.
_ENOUGH_SECONDS = 0.02
#: Questions that may follow one another within a second each; after that, and once it is enough, one a minute.
_QUICK = 10
_PAUSE_SECONDS = 60.0


class ClockSkew:
    """The server's clock minus ours. Times given to it are seconds since 1970 by this machine's clock."""

    def __init__(self) -> None:
        self._low = -math.inf
        self._high = math.inf
        self._quick = 0
        self._fastest = math.inf
        self.samples = 0
        #: Times at which an answer did not go with those before, which were then forgotten.
        self.contradictions = 0

    def observe(self, date: str | None, *, sent: float, received: float) -> float | None:
        """Take in one answer. Returns its date in seconds since 1970; None where it has none that can be read."""
        try:
            told = parsedate_to_datetime(date).timestamp() if date else None
        except (TypeError, ValueError):
            told = None
        if told is None:
            return None
        self.samples += 1
        self._fastest = min(self._fastest, received - sent)
        low, high = max(self._low, told - received), min(self._high, told + 1 - sent)
        if low > high:
            # A clock was set, or drifted in a long run, or there are several servers: the newest answer is believed.
            self.contradictions += 1
            low, high = told - received, told + 1 - sent
        self._low, self._high = low, high
        return told

    @property
    def error_seconds(self) -> float:
        """Half of what is still possible."""
        return (self._high - self._low) / 2

    def pause_seconds(self, now: float) -> float:
        """How long to wait before asking again, so that the answer tells the most."""
        if not self.samples:
            return _PAUSE_SECONDS
        if self.error_seconds <= _ENOUGH_SECONDS or self._quick >= _QUICK:
            return _PAUSE_SECONDS
        self._quick += 1
        # If the middle of what is possible is the truth, the server's second turns while it answers.
        ahead = (self._low + self._high) / 2 + self._fastest / 2
        return math.ceil(now + ahead) - ahead - now

    def figures(self) -> dict[str, Any]:
        """`skew` of an observation: `estimate_ms` give or take `error_ms`, None where no answer had a date."""
        if not self.samples:
            return {"estimate_ms": None, "error_ms": None, "samples": 0, "contradictions": 0}
        return {
            "estimate_ms": round((self._low + self._high) * 500, 1),
            "error_ms": round(self.error_seconds * 1000, 1),
            "samples": self.samples,
            "contradictions": self.contradictions,
        }


METRICS = "/metrics"
_SERVERS = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes"
#: Seconds for one reading of /metrics, which has megabytes. With the question for the servers it has to stay below
#: what the observer allows for its beginning.
_TIMEOUT_SECONDS = 7.0
_SHORT_TIMEOUT_SECONDS = 2.0
#: Connections over which several servers are asked at the same time, so that each is likely to be among them.
_MAX_CONNECTIONS = 5
#: Of a cause no more is kept: some come with a page of HTML.
_MAX_CAUSE = 160


class ApiServerPart:
    """`api_server` and `skew` of an observation; a Part.

    It has a session of its own, so that its requests are not taken for the load's in `cluster.traffic`.
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
        #: Why asking again is of no use, once that is known.
        self._refused = False
        self._connections = 1
        self._figures = ServerFigures(origin=started)
        self._told = self._figures.document()
        #: A cancelled reading's thread may still be at work when the last reading comes.
        self._digesting = threading.Lock()
        self._failed: Counter[str] = Counter()
        self._skew = ClockSkew()
        self.warnings: list[str] = []

    # -- life --------------------------------------------------------------------------------------------------------

    async def begin(self) -> None:
        """Count the servers behind the address, and read all of them once."""
        await self._observer.__aenter__()
        self._open = True
        self._figures.servers = await self._count_servers()
        self._connections = max(1, min(self._figures.servers or 1, _MAX_CONNECTIONS))
        await self._read()

    async def run(self) -> None:
        """One reading after each interval, and in between questions that bound the difference of the clocks."""
        if not self._interval_seconds or self._refused:
            return
        await asyncio.gather(self._keep_reading(), self._keep_time())

    async def end(self) -> None:
        """Read for the last time."""
        if not self._open:
            return
        try:
            if not self._refused:
                await self._read()
        finally:
            await self._observer.__aexit__(None, None, None)
            self._open = False

    def document(self) -> dict[str, Any]:
        """`api_server` and `skew` as they are now."""
        told = dict(self._told)
        if not self._figures.scrapes:
            told["cause"] = self._failed.most_common(1)[0][0] if self._failed else "the metrics were not read yet"
        return {"api_server": told | {"failed_scrapes": dict(self._failed)}, "skew": self._skew.figures()}

    # -- reading -----------------------------------------------------------------------------------------------------

    async def _keep_reading(self) -> None:
        while True:
            await asyncio.sleep(self._interval_seconds)
            await self._read()

    async def _keep_time(self) -> None:
        while True:
            await asyncio.sleep(self._skew.pause_seconds(time.time()))
            try:
                await self._ask("/version", timeout_seconds=_SHORT_TIMEOUT_SECONDS)
            except ClusterError:
                continue  # one answer less: how many there were is in the figures

    async def _read(self) -> None:
        """One round: as many readings side by side as there are servers."""
        answers = await asyncio.gather(*(self._scrape() for _connection in range(self._connections)))
        told = [answer for answer in answers if answer is not None]
        if told:
            # Beside the load's own loop: some ten milliseconds for each are a pause that its latencies would show.
            self._told = await asyncio.to_thread(self._digest, told)

    def _digest(self, told: list[Scrape]) -> dict[str, Any]:
        with self._digesting:
            self._figures.add_round(told)
            return self._figures.document()

    async def _scrape(self) -> Scrape | None:
        try:
            reply, date = await self._ask(METRICS, timeout_seconds=_TIMEOUT_SECONDS)
            at_seconds, taken = time.monotonic(), time.time()
            if self._figures.began is None:
                self._figures.began = date
            return await asyncio.to_thread(parse_scrape, reply.body, at_seconds=at_seconds, taken=taken)
        except (ClusterError, Unreadable) as error:
            self._failed[_cause(error)] += 1
            if not self._figures.scrapes:
                self._refused = _is_final(error)
            return None

    async def _count_servers(self) -> int | None:
        """Addresses behind the Service `kubernetes`; None where nobody tells, as with servers that don't enter them."""
        try:
            reply, _date = await self._ask(_SERVERS, timeout_seconds=_SHORT_TIMEOUT_SECONDS)
            endpoints = reply.json()["endpoints"] or []
            return len({address for one in endpoints for address in one["addresses"]}) or None
        except (ClusterError, ValueError, TypeError, KeyError):
            return None

    async def _ask(self, path: str, *, timeout_seconds: float) -> tuple[Reply, float | None]:
        """One GET with the date of its answer in seconds since 1970. Raises ClusterError."""
        # The load's own cluster renews credentials; these requests follow.
        self._observer.connection = self._cluster.connection
        reply = await self._observer.request("GET", path, deadline_seconds=timeout_seconds)
        received = time.time()
        return reply, self._skew.observe(reply.date, sent=received - reply.seconds, received=received)

    async def _renewed(self) -> Connection:
        await self._cluster.renew_credentials(self._observer.connection)
        return self._cluster.connection


def _is_final(error: Exception) -> bool:
    """Whether another try would say the same. Credentials are renewed by others, so 401 may pass."""
    return isinstance(error, (PermanentError, Unreadable)) and not isinstance(error, Unauthorized)


def _cause(error: Exception) -> str:
    """Why there is no reading, in a few words; the same words for the same cause, because they are counted."""
    # What the client gave up names its tries; one was all there was.
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
