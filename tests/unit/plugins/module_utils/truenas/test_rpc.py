"""JSON-RPC over WebSocket: one login, its refusals, limits of calls and sizes, and a server that misbehaves."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from ansible_collections.kubestress.core.plugins.module_utils.truenas import questions, rpc, transport
from ansible_collections.kubestress.core.plugins.module_utils.truenas.errors import (
    BoxError,
    Broken,
    CallRefused,
    NotServed,
)
from ansible_collections.kubestress.core.plugins.module_utils.truenas.options import box_options
from ansible_collections.kubestress.core.plugins.module_utils.truenas.questions import Question
from ansible_collections.kubestress.core.plugins.module_utils.truenas.reader import open_box, read_box
from helpers.truenas import KEY, USERNAME, Refused

Start = Callable[..., Any]


def question(method: str, params: list[Any], kind: Any = Any) -> Question:
    return Question(method=method, params=params, path="", kind=kind, rows=lambda value: iter((value,)))


async def refusal(params: dict[str, Any]) -> str:
    """What is said of a box that cannot be read; never the key."""
    with pytest.raises(BoxError) as error:
        await read_box(box_options(params))
    text = str(error.value)
    assert KEY not in text
    assert text.isprintable()
    return text


async def test_one_connection_and_one_login_for_two_readings(site: Start) -> None:
    here = site(release="26.0")
    async with open_box(box_options(here.params())) as reader:
        first = await reader.read()
        here.driver.provision()
        second = await reader.read()
    assert (first.complete, second.complete) == (True, True)
    assert len(second.datasets) == len(first.datasets) + 1
    assert (here.box.connections, here.box.logins) == (1, 1)
    assert not any(KEY in headers for headers in here.box.headers)


@pytest.mark.parametrize(
    ("response", "message"),
    [
        ("EXPIRED", "says that the API key has expired"),
        ("DENIED", "a role such as READONLY_ADMIN is needed"),
        ("OTP_REQUIRED", "asks for a one-time password, which an API key cannot give"),
        ("REDIRECT", "sends the login to another host, which is not followed"),
        ("SOMETHING_NEW", "answers SOMETHING_NEW to the login"),
    ],
)
async def test_a_refused_login_says_why(site: Start, response: str, message: str) -> None:
    here = site()
    here.box.login_response = response
    assert message in await refusal(here.params())
    # No second try, and not over REST either: a box locks people out.
    assert here.box.logins == 1
    assert not any(path.startswith("/") for path in here.box.calls)


async def test_a_wrong_key_or_user(site: Start) -> None:
    here = site()
    wrong = KEY[:-1] + "X"
    text = await refusal(here.params(api_key=wrong))
    assert "refuses the API key: it is wrong, revoked, or not of the user that is given" in text
    assert wrong not in text
    assert "refuses the API key" in await refusal(here.params(username="nobody"))


async def test_a_box_that_locks_us_out_says_so(site: Start) -> None:
    here = site()
    for _number in range(20):
        here.box._attempts.append(time.monotonic())
    assert "refuses the login: auth.login_ex: EBUSY: Rate Limit Exceeded" in await refusal(here.params())


async def test_calls_at_once_stay_within_the_limit(site: Start) -> None:
    here = site(latency_seconds=0.02)
    async with rpc.json_rpc(box_options(here.params())) as box:
        answers = await asyncio.gather(*(box.ask(question("core.ping", [])) for _number in range(40)))
    assert answers == ["pong"] * 40
    assert 0 < here.box.most_at_once <= rpc.MAX_CALLS
    assert here.box.busy == 0


async def test_too_many_calls_are_made_again(site: Start) -> None:
    here = site(max_calls=5, latency_seconds=0.02)
    async with rpc.json_rpc(box_options(here.params())) as box:
        answers = await asyncio.gather(*(box.ask(question("core.ping", [])) for _number in range(30)))
    assert answers == ["pong"] * 30
    assert here.box.busy > 0


async def test_an_answer_of_more_than_4_mib(site: Start) -> None:
    here = site(release="26.0")
    name = "x" * 180
    here.box.raw["zfs.resource.query"] = json.dumps(
        [{"name": one, "type": "FILESYSTEM"} for one in ("tank", "tank/k8s", "tank/k8s/v", "tank/k8s/s")]
        + [{"name": f"tank/{name}{number}", "type": "FILESYSTEM"} for number in range(25_000)]
    )
    box = await read_box(box_options(here.params()))
    assert box.parts["datasets"].cause is None
    assert box.parts["datasets"].objects == 25_004
    assert here.box.largest_answer > 5 * 2**20


async def test_an_answer_that_is_too_large(site: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpc, "MAX_ANSWER_BYTES", 2**20)
    here = site(release="26.0")
    here.box.raw["zfs.resource.query"] = json.dumps("x" * 2**21)
    box = await read_box(box_options(here.params()))
    assert box.parts["datasets"].complete is False
    assert "an answer is larger than 1 MiB" in str(box.parts["datasets"].cause)


async def test_requests_keep_to_what_the_box_reads(site: Start) -> None:
    here = site(release="26.0")
    async with rpc.json_rpc(box_options(here.params())) as box:
        with pytest.raises(CallRefused, match=r"a request of 70,\d+ bytes; the box reads 65,536"):
            await box.ask(question("core.ping", ["x" * 70_000]))
        assert await box.ask(question("core.ping", ["x" * 60_000])) == "pong"
    # A login that is too long is not sent at all.
    long = await refusal(here.params(username="u" * 4096, api_key="k" * 4096))
    assert "the box reads 8,192" in long
    assert here.box.logins == 1


def test_many_parents_are_asked_for_in_several_requests() -> None:
    parents = [f"tank/{'x' * 200}{number}" for number in range(400)]
    (way, *_others) = questions.snapshots((26, 0), "jsonrpc", parents)
    assert len(way) > 1
    assert all(len(json.dumps(list(one.params))) < 60 * 1024 for one in way)
    assert sorted(path for one in way for path in one.params[0]["paths"]) == sorted(parents)


# --- a server that misbehaves ----------------------------------------------------------------------------------------


async def test_an_untrusted_certificate_gets_no_key(site: Start) -> None:
    here = site()
    text = await refusal(here.params(ca_cert=None))
    assert "its certificate is not trusted" in text
    assert "ca_cert" in text
    assert (here.box.headers, here.box.logins) == ([], 0)
    assert (await read_box(box_options(here.params(ca_cert=None, validate_certs=False)))).complete


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("chosen", ["auto", "jsonrpc"])
async def test_a_redirect_is_not_followed(site: Start, status: int, chosen: str) -> None:
    here, other = site(), site()
    location = f"{other.box.url}/api/current"
    here.box.upgrade = lambda _request: web.Response(status=status, headers={"Location": location})
    text = await refusal(here.params(transport=chosen))
    assert f"redirects to {location}, which is not followed" in text
    assert (other.box.headers, other.box.logins, here.box.logins) == ([], 0, 0)


async def test_an_upgrade_that_fails_is_no_reason_for_rest(site: Start) -> None:
    here = site()
    here.box.upgrade = lambda _request: web.Response(status=502)
    assert "answers the upgrade to WebSocket with HTTP 502" in await refusal(here.params())
    assert sum(here.box.calls.values()) == 0


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ('{"a": 1}', "Expected `array`"),
        ("[1, 2]", "Expected `object`"),
        ('[{"id": 5, "type": "VOLUME"}]', "at `$[0].id`"),
        ('[{"type": "VOLUME"}]', "missing required field `id`"),
        ("null", "Expected `array`"),
        ('[{"id": "tank/<script>", "type": "VOLUME"}]', "which ZFS cannot have"),
    ],
)
async def test_an_answer_of_another_form_makes_its_part_incomplete(site: Start, result: str, said: str) -> None:
    here = site(release="25.10")
    here.box.raw["pool.dataset.query"] = result
    box = await read_box(box_options(here.params()))
    assert said in str(box.parts["datasets"].cause)
    assert str(box.cause).isprintable()
    assert box.parts["pools"].complete is True


async def test_brackets_that_nest_without_end_are_no_answer(site: Start) -> None:
    here = site(release="25.10")
    here.box.raw["pool.dataset.query"] = "[" * 100_000 + "]" * 100_000
    box = await read_box(box_options(here.params()))
    assert "cannot be read" in str(box.parts["datasets"].cause)


async def test_what_the_box_says_is_shown_without_the_key(site: Start) -> None:
    here = site(release="25.10")
    echo = f"bad call\n\x1b[31m of {KEY} " + "x" * 5000
    here.box.refused["pool.query"] = Refused(-32001, "Method call error", error=14, errname="EFAULT", reason=echo)
    box = await read_box(box_options(here.params()))
    cause = str(box.parts["pools"].cause)
    assert cause.startswith("pool.query: EFAULT: bad call ?[31m of ***")
    assert KEY not in cause
    assert cause.isprintable()
    assert len(cause) < 400


async def test_an_endless_stream_ends_with_the_deadline(site: Start) -> None:
    here = site()
    here.box.flood = True
    text = await refusal(here.params(connect_timeout=0.5))
    assert text == f"{here.box.url}: no answer to the login within 0.5 s"


async def test_a_silent_box_is_incomplete_after_its_time(site: Start) -> None:
    here = site(release="26.0")
    here.box.silent = {"zfs.resource.snapshot.query"}
    box = await read_box(box_options(here.params(timeout=0.5)))
    assert box.parts["snapshots"].cause == "no answer within 0.5 s"
    # Snapshots come first, and their wait has taken all the time there was.
    assert box.parts["datasets"].cause == "no answer within 0.5 s"
    assert box.parts["pools"].complete is True


async def test_a_connection_that_ends_fails_every_call(site: Start) -> None:
    here = site()
    here.box.silent, here.box.closing = {"core.ping"}, {"pool.query"}
    async with rpc.json_rpc(box_options(here.params())) as box:
        waiting = [asyncio.create_task(box.ask(question("core.ping", []))) for _number in range(3)]
        waiting.append(asyncio.create_task(box.ask(questions.POOLS)))
        for task in waiting:
            with pytest.raises(Broken, match=r"has closed the connection \(code 1001\)"):
                await task
        with pytest.raises(Broken, match="has closed the connection"):
            await box.ask(question("system.version", []))


async def test_the_code_is_that_of_the_box_where_our_answer_to_it_comes_too_late(
    site: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The box has cut the connection behind its close frame, which a busy machine answers after that."""
    here = site()
    here.box.closing = {"pool.query"}

    async def too_late(*_arguments: Any) -> None:
        raise ConnectionResetError("Cannot write to closing transport")

    async with rpc.json_rpc(box_options(here.params())) as box:
        monkeypatch.setattr(box._socket._writer, "close", too_late)
        with pytest.raises(Broken, match=r"has closed the connection \(code 1001\)"):
            await box.ask(questions.POOLS)


async def test_an_unknown_method_is_not_served(site: Start) -> None:
    here = site()
    async with rpc.json_rpc(box_options(here.params())) as box:
        with pytest.raises(NotServed, match=r"has no method zfs\.nothing"):
            await box.ask(question("zfs.nothing", []))


def test_certificates_that_are_none(site: Start, tmp_path: Any) -> None:
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate")
    here = site()
    with pytest.raises(BoxError, match="ca_cert: "):
        transport._tls(box_options(here.params(ca_cert=str(broken))))


# --- an independent client accepts the stand-in ----------------------------------------------------------------------


@pytest.mark.parametrize("release", ["25.10", "26.0"])
def test_pytruenas_accepts_the_stand_in(site: Start, release: str) -> None:
    pytruenas = pytest.importorskip("pytruenas.connection")
    here = site(release=release)
    context = ssl.create_default_context(cafile=here.box.ca_file)
    uri = here.box.url.replace("https", "wss") + "/api/current"
    exceptions = pytest.importorskip("pytruenas.exceptions")
    with pytruenas.TrueNASWSConnection(uri, verify=context, keepalive=None) as box:
        with pytest.raises(exceptions.ClientException, match="Not authenticated"):
            box.call("pool.query")
        login = {"mechanism": "API_KEY_PLAIN", "username": USERNAME, "api_key": KEY}
        assert box.call("auth.login_ex", {**login, "api_key": "1-x"}) == {"response_type": "AUTH_ERR"}
        answer = box.call("auth.login_ex", login)
        assert answer["response_type"] == "SUCCESS"
        assert answer["user_info"]["privilege"]["roles"] == {"READONLY_ADMIN"}
        with pytest.raises(exceptions.ClientException, match="Method does not exist"):
            box.call("no.such.method")
        (pool,) = box.call("pool.query", [["name", "=", "tank"]])
        assert pool["status"] == "ONLINE"
        wanted = {one.id for one in here.driver.zfs.below("tank/k8s/v")}
        filters = [["id", "^", "tank/k8s/v"]]
        found = box.call("pool.dataset.query", filters, {"extra": {"flat": True}, "select": ["id", "creation"]})
        assert {row["id"] for row in found} == wanted
        assert found[0]["creation"]["parsed"].timestamp() == here.driver.zfs.clock
        if release == "26.0":
            given = {"paths": ["tank/k8s/v"], "get_children": True, "get_user_properties": True}
            assert {row["name"] for row in box.call("zfs.resource.query", given)} == wanted
            with pytest.raises(exceptions.ClientException):
                box.call("zfs.resource.query", {"nonsense": True})
        else:
            (snapshot,) = box.call("pool.snapshot.query", [["dataset", "^", "tank/k8s/v/"]], {"extra": {"holds": True}})
            assert snapshot["holds"] == {}
