"""Requests over real HTTP to a server that misbehaves: what is retried and how it is counted."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from ansible_collections.kubestress.core.plugins.module_utils.cluster.client import (
    Cluster,
    RetryPolicy,
)
from ansible_collections.kubestress.core.plugins.module_utils.cluster.connection import Connection
from ansible_collections.kubestress.core.plugins.module_utils.cluster.errors import (
    AlreadyExists,
    Forbidden,
    NotFound,
    PermanentError,
    TransientError,
    TrustError,
    Unauthorized,
)
from ansible_collections.kubestress.core.plugins.module_utils.cluster.limits import Limits
from ansible_collections.kubestress.core.plugins.module_utils.cluster.proof import object_of
from helpers.fake_server import QUICK, ThreeTries, cluster_on, serving, status

OK = {"kind": "ConfigMap"}
BRIEF = ThreeTries(first_pause_seconds=0.001)


def answering(*answers: web.Response | str):
    """Return a handler that gives these answers in turn ("cut": no answer), then 200; and when it was asked."""
    asked: list[float] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        number = len(asked)
        asked.append(time.monotonic())
        answer = answers[number] if number < len(answers) else web.json_response(OK)
        if isinstance(answer, str):
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        # A Response can be sent once only, and some tests give the same one many times.
        return web.Response(status=answer.status, body=answer.body, headers=answer.headers)

    return handler, asked


@pytest.mark.parametrize(
    ("answers", "retries"),
    [
        ([status(429)], {"429": 1}),
        ([status(500), status(502), status(503), status(504)], {"500": 1, "502": 1, "503": 1, "504": 1}),
        (["cut", "cut"], {"connection": 2}),
        ([status(500, message="etcdserver: leader changed")], {"etcd": 1}),
        ([status(409, reason="Conflict", message="cannot be fulfilled on resourcequotas")], {"conflict": 1}),
    ],
)
async def test_what_is_transient_is_tried_again_and_counted(answers: list, retries: dict[str, int]):
    handler, asked = answering(*answers)
    async with cluster_on(handler) as cluster:
        reply = await cluster.request("POST", "/x", body=b"{}")

    assert json.loads(reply.body) == OK
    assert reply.attempts == len(asked) == len(answers) + 1
    assert cluster.traffic.retries == Counter(retries)
    assert cluster.traffic.requests == len(asked)
    assert cluster.traffic.in_flight == 0
    assert reply.seconds <= reply.total_seconds


@pytest.mark.parametrize("code", [400, 401, 403, 404, 405, 409, 410, 415, 422])
async def test_what_is_final_is_asked_once(code: int):
    handler, asked = answering(*[status(code)] * 9)
    async with cluster_on(handler) as cluster:
        with pytest.raises(PermanentError) as failure:
            await cluster.request("POST", "/x", body=b"{}")
    assert len(asked) == failure.value.attempts == 1
    assert not cluster.traffic.retries


async def test_a_reply_tells_the_servers_clock_where_the_server_does():
    dated = web.json_response(OK, headers={"Date": "Sat, 01 Jan 2000 00:00:07 GMT"})
    handler, _asked = answering(dated)
    async with cluster_on(handler) as cluster:
        assert (await cluster.request("GET", "/x")).date == "Sat, 01 Jan 2000 00:00:07 GMT"


async def test_the_servers_wish_to_wait_is_granted():
    handler, asked = answering(status(429, **{"Retry-After": "1"}))
    async with cluster_on(handler) as cluster:
        await cluster.request("GET", "/x")
    assert 1.0 <= asked[1] - asked[0] < 20


async def test_no_wish_beyond_the_deadline_is_waited_for():
    handler, asked = answering(status(429, **{"Retry-After": "600"}))
    async with cluster_on(handler) as cluster:
        with pytest.raises(TransientError, match=r"gave up after 1 try in \d\.\d s"):
            await cluster.request("GET", "/x")
    assert len(asked) == 1


async def test_the_deadline_bounds_all_tries_together():
    handler, asked = answering(*[status(503, message="etcd is down")] * 1000)
    retry = RetryPolicy(deadline_seconds=0.5, first_pause_seconds=0.01, max_pause_seconds=0.05)
    began = time.monotonic()
    async with cluster_on(handler, retry=retry) as cluster:
        with pytest.raises(TransientError, match="etcd is down") as failure:
            await cluster.request("GET", "/x")
    assert time.monotonic() - began < 30, "a thousand answers with their pauses take longer"
    assert failure.value.attempts == len(asked) > 2
    assert (failure.value.cause, failure.value.status) == ("503", 503)


async def test_a_server_that_never_answers_is_a_timeout():
    async def handler(_request: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return web.Response()

    async with cluster_on(handler, retry=RetryPolicy(deadline_seconds=0.2), request_timeout_seconds=0.1) as cluster:
        with pytest.raises(TransientError, match="no answer in time") as failure:
            await cluster.request("GET", "/x")
    assert failure.value.cause == "timeout"


def test_pauses_grow_are_spread_and_have_a_ceiling():
    policy = RetryPolicy(first_pause_seconds=0.1, max_pause_seconds=2.0)
    for attempt, ceiling in ((1, 0.1), (2, 0.2), (5, 1.6), (6, 2.0), (10_000, 2.0)):
        drawn = [policy.pause_seconds(attempt, None) for _ in range(300)]
        assert 0 <= min(drawn) < ceiling * 0.1
        assert ceiling * 0.9 < max(drawn) <= ceiling
    assert all(3 <= policy.pause_seconds(1, 3.0) <= 3.75 for _ in range(100))


async def test_our_own_limits_do_not_use_up_the_deadline():
    """50 requests at 100 a second take half a second; none may fail for that with a deadline of 0.2 s."""
    handler, asked = answering()
    limits = Limits(max_in_flight=5, per_second=100, burst=1)
    retry = RetryPolicy(deadline_seconds=0.2)
    async with cluster_on(handler, retry=retry, admission=lambda: limits) as cluster:
        replies = await asyncio.gather(*(cluster.request("POST", "/x", body=b"{}") for _ in range(50)))
    assert [reply.status for reply in replies] == [200] * 50
    assert asked[-1] - asked[0] > 0.4
    assert cluster.traffic.peak_in_flight <= 5


@pytest.mark.parametrize(("first", "maybe_done"), [(status(429), False), ("cut", True), (status(504), True)])
async def test_only_a_lost_answer_leaves_it_open_who_made_the_object(first: web.Response | str, maybe_done: bool):
    handler, _asked = answering(first, status(409, reason="AlreadyExists"))
    async with cluster_on(handler) as cluster:
        with pytest.raises(AlreadyExists) as failure:
            await cluster.request("POST", "/x", body=b"{}")
    assert failure.value.attempts == 2
    assert failure.value.maybe_done_before is maybe_done


@pytest.mark.parametrize("valid_after", [1, None])
async def test_refused_credentials_are_renewed_once_for_all_who_were_refused(valid_after: int | None):
    renewals = 0

    async def handler(request: web.Request) -> web.Response:
        await asyncio.sleep(0.01)
        good = valid_after is not None and request.headers.get("Authorization") == f"Bearer {valid_after}"
        return web.json_response(OK) if good else status(401, reason="Unauthorized", message="token expired")

    async with serving(handler) as url:

        async def renew() -> Connection:
            nonlocal renewals
            renewals += 1
            await asyncio.sleep(0.01)
            return Connection(host=url, headers=(("Authorization", f"Bearer {renewals}"),))

        async with Cluster(Connection(host=url), retry=QUICK, renew=renew) as cluster:
            answers = await asyncio.gather(*(cluster.request("GET", "/x") for _ in range(20)), return_exceptions=True)
    if valid_after:
        assert [getattr(answer, "status", answer) for answer in answers] == [200] * 20
        assert renewals == 1
    else:
        assert {type(answer) for answer in answers} == {Unauthorized}
        assert renewals == 1


async def test_while_a_token_is_rotated_requests_wait_for_the_one_that_is_valid():
    renewals = refused = 0

    async def handler(request: web.Request) -> web.Response:
        nonlocal refused
        if request.path == "/before" or request.headers.get("Authorization") == "Bearer 4":
            return web.json_response(OK)
        refused += 1
        return status(401, reason="Unauthorized", message="token expired")

    async with serving(handler) as url:

        async def renew() -> Connection:
            nonlocal renewals
            renewals += 1
            return Connection(host=url, headers=(("Authorization", f"Bearer {renewals}"),))

        async with Cluster(Connection(host=url), retry=QUICK, renew=renew) as cluster:
            await cluster.request("GET", "/before")
            answers = await asyncio.gather(*(cluster.request("GET", "/x") for _ in range(20)))
    assert [answer.status for answer in answers] == [200] * 20
    assert renewals == 4
    assert refused >= 23


async def test_credentials_that_stay_refused_are_given_up_sooner_if_they_never_were_accepted():
    handler, asked = answering(web.json_response(OK), *[status(401, message="who are you?")] * 99)

    async def renew() -> Connection:
        return cluster.connection

    async with cluster_on(handler, retry=BRIEF, renew=renew) as cluster:
        await cluster.request("GET", "/x")
        with pytest.raises(Unauthorized) as failure:
            await cluster.request("GET", "/x")
        assert failure.value.attempts == 4
        never = Cluster(cluster.connection, retry=BRIEF, renew=renew)
        async with never:
            with pytest.raises(Unauthorized) as failure:
                await never.request("GET", "/x")
        assert failure.value.attempts == 2
    assert len(asked) == 1 + 4 + 2


LOGIN = web.Response(text="<html>Please log in</html>", content_type="text/html")


def json_text(text: str) -> web.Response:
    return web.Response(text=text, content_type="application/json")


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        pytest.param(LOGIN, "foreign", id="login page"),
        pytest.param(web.Response(), "foreign", id="nothing"),
        pytest.param(json_text("null"), "foreign", id="null"),
        pytest.param(json_text("[]"), "foreign", id="array"),
        pytest.param(json_text('{"kind": "ConfigM'), "interrupted", id="half"),
        pytest.param(json_text('{"a": ' + "[" * 100_000), "foreign", id="too deep"),
        pytest.param(web.Response(status=302, headers={"Location": "/login"}), "foreign", id="302"),
        pytest.param(web.Response(status=403, text="<h1>Blocked</h1>"), "foreign", id="403 page"),
        pytest.param(web.Response(status=404, text="<h1>Not here</h1>"), "foreign", id="404 page"),
        pytest.param(web.json_response({"error": "nothing here"}, status=404), "foreign", id="404 of another API"),
    ],
)
async def test_an_answer_that_is_not_the_api_servers_is_retried_and_counted(answer: web.Response, cause: str):
    handler, asked = answering(answer, answer)
    async with cluster_on(handler) as cluster:
        assert await cluster.get("/api/v1/namespaces/a") == OK
    assert len(asked) == 3
    assert cluster.traffic.retries == cluster.traffic.errors == {cause: 2}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (LOGIN, r"was answered by something that is no API server \(HTTP 200, text/html; charset=utf-8\)"),
        (web.Response(), r"no API server \(HTTP 200, no content type\): the answer is empty"),
        (
            web.Response(status=302, headers={"Location": "http://sso/login?state=secret"}),
            r"no API server \(HTTP 302 to http://sso/login, no content type\)",
        ),
        (
            json_text('{"kind": "ConfigM'),
            r": the answer is no whole JSON document \(HTTP 200, 17 bytes\): Unterminated",
        ),
    ],
)
async def test_what_never_answers_like_an_api_server_is_named_with_address_and_path(answer: web.Response, said: str):
    handler, asked = answering(*[answer] * 999)
    async with cluster_on(handler, retry=BRIEF) as cluster:
        with pytest.raises(
            TransientError, match=rf"^http://127\.0\.0\.1:\d+: GET /api/v1/x\b.*{said}.*gave up"
        ) as failure:
            await cluster.get("/api/v1/x")
    assert len(asked) == failure.value.attempts == 3


@pytest.mark.parametrize("status_code", [301, 302, 307])
async def test_a_redirection_is_neither_followed_nor_taken_for_success(status_code: int):
    paths = []

    async def handler(request: web.Request) -> web.Response:
        paths.append(request.path)
        return web.Response(status=status_code, headers={"Location": "/elsewhere"})

    async with cluster_on(handler, retry=BRIEF) as cluster:
        with pytest.raises(TransientError, match=f"HTTP {status_code} to /elsewhere"):
            await cluster.request("POST", "/x", body=b"{}")
        with pytest.raises(TransientError, match=f"HTTP {status_code} to /elsewhere"):
            async with cluster.stream("/y", query={"watch": "1"}, silence_seconds=5):
                pass
    assert set(paths) == {"/x", "/y"}


async def test_a_path_that_the_api_server_does_not_serve_is_not_found():
    handler, asked = answering(web.Response(status=404, text="404 page not found\n"))
    async with cluster_on(handler) as cluster:
        with pytest.raises(NotFound):
            await cluster.get("/apis/gone.example.com")
    assert len(asked) == 1


async def test_only_a_success_is_read_in_pieces():
    busy, ok = status(503), web.Response(body=b"x" * 100_000)
    handler, asked = answering(busy, ok)
    pieces: list[int] = []

    async def read(content: AsyncIterator[bytes]) -> bytes:
        pieces.extend([len(piece) async for piece in content])
        return b"read"

    async with cluster_on(handler) as cluster:
        reply = await cluster.request("GET", "/metrics", read=read)
    assert (reply.body, sum(pieces), len(asked)) == (b"read", 100_000, 2)


async def test_only_the_expected_status_of_success_counts():
    handler, asked = answering(web.json_response(OK, status=202), web.json_response(OK, status=201))
    async with cluster_on(handler) as cluster:
        reply = await cluster.request("POST", "/x", body=b"{}", expected_status=201)
    assert (reply.status, len(asked), cluster.traffic.retries) == (201, 2, {"foreign": 1})


async def test_a_lost_answer_leaves_it_open_who_made_the_object_and_so_does_a_login_page():
    handler, _asked = answering(LOGIN, status(409, reason="AlreadyExists"))
    async with cluster_on(handler) as cluster:
        with pytest.raises(AlreadyExists) as failure:
            await cluster.request("POST", "/x", body=b"{}", expected_status=201, decode=object_of)
    assert failure.value.maybe_done_before


async def test_the_time_it_takes_to_read_an_answer_is_not_the_servers():
    def slowly(body: bytes) -> bytes:
        time.sleep(0.2)
        return body

    handler, _asked = answering()
    async with cluster_on(handler) as cluster:
        reply = await cluster.request("GET", "/x", decode=slowly)
    assert reply.total_seconds - reply.seconds >= 0.2


async def test_a_server_that_is_no_api_server_is_named():
    handler, _asked = answering(*[LOGIN] * 999)
    async with cluster_on(handler, retry=BRIEF) as cluster:
        with pytest.raises(TransientError, match=r"GET /version was answered by something that is no API server"):
            await cluster.version()


async def test_an_unreachable_server_is_named_with_what_to_check():
    async with Cluster(Connection(host="http://127.0.0.1:9"), retry=QUICK) as cluster:
        with pytest.raises(TransientError, match=r"cannot be reached: http://127\.0\.0\.1:9.*check kubeconfig"):
            await cluster.version(deadline_seconds=0.2)


async def test_a_refusal_is_not_dressed_up_as_unreachable():
    handler, _asked = answering(*[status(403, message="not you")] * 3)
    async with cluster_on(handler) as cluster:
        with pytest.raises(Forbidden, match=r"^not you$"):
            await cluster.version()


async def test_https_to_a_server_without_tls_is_a_matter_of_trust_and_final():
    import ssl

    handler, _asked = answering()
    async with serving(handler) as url:
        connection = Connection(host=url.replace("http:", "https:"), ssl_context=ssl.create_default_context())
        async with Cluster(connection, retry=QUICK) as cluster:
            with pytest.raises(TrustError, match="TLS failed"):
                await cluster.request("GET", "/x")
    assert not cluster.traffic.retries


async def test_a_handshake_that_only_breaks_off_is_a_broken_connection():
    import ssl

    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        connection = Connection(host=f"https://127.0.0.1:{port}", ssl_context=ssl.create_default_context())
        retry = RetryPolicy(deadline_seconds=0.2, first_pause_seconds=0.01)
        async with Cluster(connection, retry=retry) as cluster:
            with pytest.raises(TransientError) as failure:
                await cluster.request("GET", "/x")
    assert failure.value.cause == "connection"
