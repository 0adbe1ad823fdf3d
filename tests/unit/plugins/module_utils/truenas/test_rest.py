"""REST: what is asked of boxes that have nothing else, and what is said of their refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from ansible_collections.kubestress.core.plugins.module_utils.truenas import rest
from ansible_collections.kubestress.core.plugins.module_utils.truenas.errors import BoxError, Broken
from ansible_collections.kubestress.core.plugins.module_utils.truenas.options import box_options
from ansible_collections.kubestress.core.plugins.module_utils.truenas.reader import read_box
from helpers.fake_server import serving
from helpers.truenas import KEY, Refused

Start = Callable[..., Any]


async def test_auto_falls_back_to_rest_where_that_is_all_there_is(site: Start) -> None:
    here = site(release="24.10")
    box = await read_box(box_options(here.params()))
    assert (box.transport, box.version, box.cause) == ("rest", "TrueNAS-SCALE-24.10.2.4", None)
    assert here.box.calls["/zfs/snapshot"] == 1
    assert here.box.calls["/pool/dataset/id/tank"] == 1


async def test_a_box_without_rest_says_so(site: Start) -> None:
    here = site(release="26.0")
    with pytest.raises(BoxError, match=r"has no /api/v2\.0/system/version"):
        await read_box(box_options(here.params(transport="rest")))


async def test_a_wrong_key(site: Start) -> None:
    here = site(release="24.10")
    wrong = KEY[:-1] + "X"
    with pytest.raises(BoxError, match="refuses the API key") as refused:
        await read_box(box_options(here.params(api_key=wrong)))
    assert wrong not in str(refused.value)


async def test_what_the_key_may_not_read_is_incomplete(site: Start) -> None:
    here = site(release="24.10")
    here.box.refused["/zfs/snapshot"] = Refused(0, f"no role for {KEY}")
    box = await read_box(box_options(here.params()))
    cause = str(box.parts["snapshots"].cause)
    assert "/zfs/snapshot: not allowed (HTTP 403)" in cause
    assert KEY not in cause
    assert box.parts["datasets"].complete is True


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ('{"id": 5}', "at `$.id`"),
        ("[]", "Expected `object`"),
        ("<html>login</html>", "cannot be read"),
        ("", "cannot be read"),
    ],
)
async def test_an_answer_of_another_form_makes_its_part_incomplete(site: Start, answer: str, said: str) -> None:
    here = site(release="24.10")
    here.box.raw["/pool/dataset/id"] = answer
    box = await read_box(box_options(here.params()))
    assert said in str(box.parts["datasets"].cause)
    assert box.parts["snapshots"].complete is True


async def test_an_answer_that_is_too_large(site: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "MAX_ANSWER_BYTES", 2**20)
    here = site(release="24.10")
    here.box.raw["/pool/dataset/id"] = json.dumps("x" * 2**21)
    box = await read_box(box_options(here.params()))
    assert "is larger than 1 MiB" in str(box.parts["datasets"].cause)


class Plain:
    """A session of the right form for an address that options would refuse: the server of a test has no TLS."""

    url = ""
    api_key = KEY
    connect_timeout = 5.0


async def test_a_redirect_is_not_followed_and_the_key_stays_here() -> None:
    seen: list[str] = []

    async def other(request: web.Request) -> web.StreamResponse:
        seen.append(str(request.headers))
        return web.json_response("TrueNAS-24.10")

    async with serving(other) as elsewhere:

        async def answer(_request: web.Request) -> web.StreamResponse:
            raise web.HTTPFound(f"{elsewhere}/api/v2.0/system/version")

        async with serving(answer) as url:
            await _ask_refused(url, f"redirects to {elsewhere}")
    assert seen == []


async def test_an_endless_answer_ends_at_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "MAX_ANSWER_BYTES", 2**20)

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 65536)

    async with serving(endless) as url:
        await _ask_refused(url, "is larger than 1 MiB")


async def test_a_busy_box_is_asked_again() -> None:
    statuses = [503, 429, 200]

    async def busy(_request: web.Request) -> web.StreamResponse:
        return web.json_response("TrueNAS-24.10", status=statuses.pop(0))

    import aiohttp
    from ansible_collections.kubestress.core.plugins.module_utils.truenas import questions

    async with serving(busy) as url, aiohttp.ClientSession() as session:
        options: Any = Plain()
        options.url = url
        assert await rest.Rest(options, session).ask(questions.VERSION) == "TrueNAS-24.10"
    assert statuses == []


async def _ask_refused(url: str, said: str) -> None:
    import aiohttp
    from ansible_collections.kubestress.core.plugins.module_utils.truenas import questions

    options: Any = Plain()
    options.url = url
    async with aiohttp.ClientSession() as session:
        with pytest.raises(Broken, match=r"redirects|larger") as refused:
            await rest.Rest(options, session).ask(questions.VERSION)
    assert said in str(refused.value)
    assert KEY not in str(refused.value)
