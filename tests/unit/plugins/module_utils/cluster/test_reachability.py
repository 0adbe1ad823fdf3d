"""When an API server counts as out of reach, how long that is sat out, and what is said of it; in simulated time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from ansible_collections.kubestress.core.plugins.module_utils.cluster.clock import HeldClock
from ansible_collections.kubestress.core.plugins.module_utils.cluster.connection import Connection
from ansible_collections.kubestress.core.plugins.module_utils.cluster.errors import (
    Forbidden,
    TransientError,
    Unauthorized,
    Unreachable,
)
from ansible_collections.kubestress.core.plugins.module_utils.cluster.proof import document_of, object_of
from ansible_collections.kubestress.core.plugins.module_utils.cluster.retries import RetryPolicy
from helpers.fake_server import cluster_on, status
from helpers.memory_api import Answer, MemoryApi, MemoryCluster, answer, failure
from helpers.virtual_time import in_virtual_time

PATH = "/api/v1/namespaces/n/configmaps/c"
RETRY = RetryPolicy(deadline_seconds=20, first_pause_seconds=0.1, max_pause_seconds=5)
REFUSED = TransientError("memory: connection refused", cause="connection")


class Server:
    """An API server in memory that cannot be reached for some time, with a Cluster that has had one answer of it."""

    def __init__(self, fault: Any = REFUSED) -> None:
        self.api = MemoryApi()
        self.api.put("configmaps", {"metadata": {"name": "c", "namespace": "n"}})
        self.fault = fault
        self.lines: list[str] = []

    def leave(self) -> None:
        def refuse(_method: str, path: str) -> Answer | None:
            found = self.fault(path) if callable(self.fault) else self.fault
            if isinstance(found, Exception):
                raise found
            return found

        self.api.refuse = refuse

    def come_back(self) -> None:
        self.api.refuse = lambda _method, _path: None

    @asynccontextmanager
    async def cluster(
        self, *, limit: float | None = 300, away: tuple[float, float], retry: RetryPolicy = RETRY
    ) -> AsyncIterator[MemoryCluster]:
        loop = asyncio.get_running_loop()
        async with MemoryCluster(self.api, retry=retry, outage_limit_seconds=limit) as cluster:
            cluster.reachability.on_change = self.lines.append
            await cluster.get(PATH, decode=object_of)
            loop.call_at(away[0], self.leave)
            loop.call_at(away[1], self.come_back)
            await asyncio.sleep(away[0] + 0.01 - loop.time())
            yield cluster


FAULTS = {
    "connection": REFUSED,
    "503": failure(503, "ServiceUnavailable"),
    "foreign": answer("<html>Log in</html>"),
    "interrupted": answer('{"kind": "ConfigMap", "metad'),
}


@pytest.mark.parametrize("cause", FAULTS)
@in_virtual_time
async def test_what_is_asked_while_nobody_answers_is_answered_afterwards(cause: str):
    server = Server(FAULTS[cause])
    async with server.cluster(away=(10, 70)) as cluster:
        found = await asyncio.gather(*(cluster.get(PATH, decode=object_of) for _number in range(50)))
        assert len(found) == 50
        assert 70 <= asyncio.get_running_loop().time() < 72
        figures: Any = cluster.reachability.figures()
    assert (figures["number"], figures["list"][0]["cause"], figures["list"][0]["over"]) == (1, cause, True)
    assert figures["seconds"] == figures["list"][0]["seconds"] == pytest.approx(60.5, abs=1)
    assert server.lines[0].startswith("the API server cannot be reached (")
    assert server.lines[1].startswith("the API server answers again, after an outage of 1 min")


@in_virtual_time
async def test_an_outage_beyond_the_limit_ends_every_request_at_once():
    async with Server().cluster(limit=30, away=(10, 10_000)) as cluster:
        answers = await asyncio.gather(*(cluster.get(PATH) for _number in range(20)), return_exceptions=True)
        assert 40 <= asyncio.get_running_loop().time() < 42
        assert {type(error) for error in answers} == {Unreachable}
        text = "the API server memory could not be reached for 30 s, the longest outage that is sat out (outage limit)"
        assert str(answers[0]) == f"{text}: memory: connection refused"
        with pytest.raises(Unreachable):
            await cluster.get(PATH)
        assert asyncio.get_running_loop().time() < 42
        figures: Any = cluster.reachability.figures()
        assert (figures["number"], figures["list"][0]["over"]) == (1, False)


@in_virtual_time
async def test_a_watch_that_goes_on_removes_a_doubt_but_ends_no_outage():
    """As behind a proxy that takes no new connections and keeps those that are open."""
    async with Server().cluster(limit=30, away=(10, 10_000)) as cluster:
        reach = cluster.reachability
        asking = asyncio.create_task(cluster.get(PATH))
        await asyncio.sleep(0.2)
        assert reach.is_doubted
        reach.heard()
        assert not reach.is_doubted
        await asyncio.sleep(5)
        assert reach.is_outage
        while not reach.given_up:
            reach.heard()
            assert reach.is_outage
            await asyncio.sleep(1)
        assert 40 <= asyncio.get_running_loop().time() < 45
        with pytest.raises(Unreachable):
            await asking


@in_virtual_time
async def test_after_an_outage_the_pauses_between_tries_begin_anew():
    """An outage of a minute takes about 10 tries; a failure after it must not cost a pause of up to a minute."""
    server, failures = Server(), iter(range(20))

    def starting(_method: str, path: str) -> Answer | None:
        is_refused = path == PATH and next(failures, None) is not None
        return failure(503, "ServiceUnavailable") if is_refused else None

    retry = RetryPolicy(deadline_seconds=2, first_pause_seconds=0.1, max_pause_seconds=60)
    async with server.cluster(away=(10, 70), retry=retry) as cluster:
        asyncio.get_running_loop().call_at(70.001, setattr, server.api, "refuse", starting)
        await asyncio.gather(*(cluster.get(PATH, decode=object_of) for _number in range(20)))
        assert asyncio.get_running_loop().time() < 73


@in_virtual_time
async def test_without_patience_any_outage_is_too_long():
    async with Server().cluster(limit=0, away=(10, 10_000)) as cluster:
        with pytest.raises(Unreachable):
            await cluster.get(PATH)
        assert asyncio.get_running_loop().time() < 12


@in_virtual_time
async def test_where_no_outage_is_sat_out_the_deadline_holds():
    async with Server().cluster(limit=None, away=(10, 10_000)) as cluster:
        with pytest.raises(TransientError, match="gave up after"):
            await cluster.get(PATH)
        assert 25 <= asyncio.get_running_loop().time() < 31
        assert cluster.reachability.figures() == {"number": 0, "seconds": 0, "list": []}


@in_virtual_time
async def test_a_deadline_of_the_callers_own_holds_in_an_outage():
    async with Server().cluster(away=(10, 10_000)) as cluster:
        with pytest.raises(TransientError, match="gave up after"):
            await cluster.get(PATH, deadline_seconds=5)
        assert asyncio.get_running_loop().time() < 16


@in_virtual_time
async def test_a_server_that_has_never_answered_is_not_waited_for():
    server = Server()
    server.leave()
    async with MemoryCluster(server.api, retry=RETRY, outage_limit_seconds=300) as cluster:
        with pytest.raises(TransientError, match="gave up after"):
            await cluster.get(PATH)
        assert asyncio.get_running_loop().time() < 21


def one_path(path: str) -> Answer | None:
    """Only this object cannot be had, such as one behind an extension that is down."""
    return failure(503, "ServiceUnavailable") if path == PATH else None


@in_virtual_time
async def test_what_the_server_cannot_answer_while_it_is_ready_is_no_outage():
    async with Server(one_path).cluster(away=(10, 10_000)) as cluster:
        with pytest.raises(TransientError, match="gave up after"):
            await cluster.get(PATH)
        assert 20 <= asyncio.get_running_loop().time() < 31
        assert cluster.reachability.figures() == {"number": 0, "seconds": 0, "list": []}


def not_ready(path: str) -> Answer | None:
    """No etcd: the server is there, and can do nothing."""
    return answer({"gitVersion": "v1.36.3"}) if path == "/version" else failure(500, "", "[-]etcd failed")


@in_virtual_time
async def test_a_server_that_says_it_is_not_ready_is_as_good_as_none():
    def frozen(path: str) -> Answer | None:
        return not_ready(path) if path.startswith(("/readyz", "/version")) else failure(504, "Timeout", "timeout")

    async with Server(frozen).cluster(away=(10, 70)) as cluster:
        await cluster.get(PATH, decode=object_of)
        assert 70 <= asyncio.get_running_loop().time() < 72


@pytest.mark.parametrize("ready", [failure(403, "Forbidden"), failure(404, "NotFound"), answer({"kind": "Other"})])
@in_virtual_time
async def test_where_readiness_may_not_be_asked_for_the_version_will_do(ready: Answer):
    def refuse(path: str) -> Answer | None:
        if path == "/version":
            return answer({"gitVersion": "v1.36.3"})
        return ready if path == "/readyz" else one_path(path)

    async with Server(refuse).cluster(away=(10, 10_000)) as cluster:
        with pytest.raises(TransientError, match="gave up after"):
            await cluster.get(PATH)
        assert asyncio.get_running_loop().time() < 31


@in_virtual_time
async def test_clocks_stand_still_from_the_last_answer_on():
    clock = HeldClock()
    async with Server().cluster(away=(10, 70)) as cluster:
        with cluster.reachability.holding(clock):
            await cluster.get(PATH, decode=object_of)
        held = clock.stood_still_seconds
        await asyncio.sleep(5)
    assert (clock.is_held, clock.stood_still_seconds) == (False, held)
    assert held == pytest.approx(60.5, abs=1)


@in_virtual_time
async def test_an_outage_is_found_where_nothing_is_asked_for():
    clock = HeldClock()
    async with Server().cluster(away=(100, 160)) as cluster:
        with cluster.reachability.holding(clock):
            async with cluster.reachability.attended():
                await asyncio.sleep(100)
        figures: Any = cluster.reachability.figures()
    assert figures["number"] == 1
    assert 55 <= figures["seconds"] < 165


@in_virtual_time
async def test_before_anything_is_given_up_it_is_asked_whether_anybody_answers():
    async with Server().cluster(away=(10, 70)) as cluster:
        await asyncio.sleep(1)
        assert not await cluster.reachability.can_be_reached()
        await asyncio.sleep(70)
        assert await cluster.reachability.can_be_reached()


@in_virtual_time
async def test_short_outages_are_retries():
    async with Server().cluster(away=(10, 10.3)) as cluster:
        await cluster.get(PATH, decode=object_of)
        assert cluster.reachability.figures()["number"] == 0
        assert sum(cluster.traffic.retries.values()) >= 1


# --- over real HTTP ---------------------------------------------------------------------------------------------------


async def test_a_credential_that_was_taken_and_is_refused_for_a_while_is_an_outage():
    """A token that is being rotated: for a moment neither the old nor the new one is taken."""
    valid = {"token": "old"}

    async def handler(request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != valid["token"]:
            return status(401, reason="Unauthorized")
        return web.Response(text="ok") if request.path == "/readyz" else web.json_response({"kind": "ConfigMap"})

    known = {"token": "old"}

    async def renewed() -> Connection:
        return Connection(host=cluster.connection.host, headers=(("Authorization", known["token"]),))

    async with cluster_on(
        handler, retry=RetryPolicy(deadline_seconds=0.3), renew=renewed, outage_limit_seconds=30
    ) as cluster:
        cluster.connection = await renewed()
        await cluster.get("/x")
        valid["token"] = "new"
        asyncio.get_running_loop().call_later(2, known.update, {"token": "new"})
        found = await asyncio.gather(*(cluster.get("/x") for _number in range(20)))
        assert len(found) == 20
        figures: Any = cluster.reachability.figures()
        assert (figures["number"], figures["list"][0]["cause"]) == (1, "401")


async def test_a_credential_that_never_was_taken_is_refused_at_once():
    async def handler(_request: web.Request) -> web.StreamResponse:
        return status(401, reason="Unauthorized")

    async with cluster_on(handler, outage_limit_seconds=30) as cluster:
        with pytest.raises(Unauthorized):
            await cluster.get("/x")


async def test_what_hangs_when_an_outage_has_lasted_too_long_is_cut():
    """A frozen server: the connection stands, and nothing comes."""
    frozen = asyncio.Event()

    async def handler(_request: web.Request) -> web.StreamResponse:
        if frozen.is_set():
            await asyncio.sleep(60)
        return web.json_response({})

    loop = asyncio.get_running_loop()
    async with cluster_on(handler, request_timeout_seconds=60, outage_limit_seconds=7) as cluster:
        await cluster.get("/x")
        frozen.set()
        began = loop.time()
        async with cluster.reachability.attended():
            with pytest.raises(Unreachable, match="could not be reached for 7 s"):
                await cluster.get("/x")
        assert loop.time() - began < 40, "the answer itself would come after 60 s"


async def test_a_server_that_has_just_started_is_asked_again():
    asked: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        if len(asked) == 1:
            return status(
                403, reason="Forbidden", message='namespaces "n" is forbidden: not yet ready to handle request'
            )
        return status(403, reason="Forbidden", message="no right") if len(asked) == 3 else web.json_response({})

    async with cluster_on(handler) as cluster:
        await cluster.request("POST", "/x", body=b"{}", decode=document_of)
        assert cluster.traffic.retries == {"starting": 1}
        with pytest.raises(Forbidden):
            await cluster.request("POST", "/x", body=b"{}", decode=document_of)
