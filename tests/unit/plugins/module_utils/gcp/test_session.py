"""Requests with a token, against the stand-in: renewed, given to nobody else, and never told."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.gcp.credentials import credentials
from ansible_collections.kubestress.core.plugins.module_utils.gcp.errors import (
    BadOption,
    GcpError,
    NoCredentials,
    ServiceRefused,
    Unanswered,
)
from ansible_collections.kubestress.core.plugins.module_utils.gcp.session import Session, document, endpoint
from helpers.cloud import Cloud, running


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with running(Cloud()) as stand_in:
        yield stand_in


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def open_session(cloud: Cloud, tmp_path: Path, told: list[str]) -> Callable[..., Session]:
    """A function that opens a session with a key of the stand-in, changed where that is said."""

    def opened(*, token_url: str = "", **changes: Any) -> Session:
        key = cloud.key_file(tmp_path, **changes)
        return Session(credentials(key, token_url=token_url, environ={}), on_token=told.append)

    return opened


def buckets(session: Session, cloud: Cloud) -> Any:
    url = f"{cloud.url}/storage/v1/b"
    return document(session.call("GET", url, about="the buckets", params={"project": "p"}), about="the buckets")


def test_one_token_for_many_requests(open_session: Callable[..., Session], cloud: Cloud, told: list[str]) -> None:
    session = open_session()
    assert buckets(session, cloud) == buckets(session, cloud) == {}
    assert cloud.requests == ["POST /token", "GET /storage/v1/b", "GET /storage/v1/b"]
    # Who keeps secrets out of all output has got it.
    assert told == list(cloud.tokens)
    token, expires = session.token()
    assert (token, round((expires - time.time()) / 100)) == (told[0], 36)


def test_a_token_that_is_refused_is_renewed_once(open_session: Callable[..., Session], cloud: Cloud) -> None:
    session = open_session()
    buckets(session, cloud)
    cloud.tokens = dict.fromkeys(cloud.tokens, 0)
    assert buckets(session, cloud) == {}
    assert len(cloud.tokens) == 2
    cloud.uses_per_token = 0
    cloud.tokens = {}
    with pytest.raises(ServiceRefused, match="the buckets: HTTP 401: Request had invalid"):
        buckets(session, cloud)


def test_another_place_for_tokens(open_session: Callable[..., Session], cloud: Cloud) -> None:
    session = open_session(token_url=f"{cloud.url}/token", token_uri="https://nowhere.invalid/token")
    assert buckets(session, cloud) == {}


def test_a_key_that_nobody_knows(open_session: Callable[..., Session], cloud: Cloud, told: list[str]) -> None:
    session = open_session(client_email="stranger@example.com")
    with pytest.raises(NoCredentials) as caught:
        buckets(session, cloud)
    assert str(caught.value) == "the buckets: no token: invalid_grant: Invalid JWT Signature."
    assert told == []


def test_nobody_answers(open_session: Callable[..., Session]) -> None:
    session = open_session()
    with pytest.raises(Unanswered) as caught:
        session.call("GET", "http://127.0.0.1:1/x", about="the thing")
    assert str(caught.value) == "the thing: Connection refused"
    assert caught.value.is_transient


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("", "https://default.example"),
        (" https://x.example/ \n", "https://x.example"),
        ("https://x.example:8443/base", "https://x.example:8443/base"),
        ("http://127.0.0.1:80", "http://127.0.0.1:80"),
        ("http://[::1]:80", "http://[::1]:80"),
        ("http://localhost", "http://localhost"),
    ],
)
def test_endpoint(given: str, expected: str) -> None:
    assert endpoint(given, option="storage", default="https://default.example") == expected


@pytest.mark.parametrize(
    "given", ["http://x.example", "http://localhost.example", "x.example", "https://", "https://u:p@x.example"]
)
def test_an_endpoint_that_would_give_the_token_away(given: str) -> None:
    with pytest.raises(BadOption, match=r"^endpoints.storage: "):
        endpoint(given, option="storage", default="")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{secret", "is not JSON"),
        ("[]", "is of type 'None'; allowed are service_account, authorized_user"),
        ("{}", "is of type 'None'; allowed are service_account, authorized_user"),
        (json.dumps({"type": "service_account", "private_key": "secret"}), "is no file of credentials"),
        (json.dumps({"type": "authorized_user", "refresh_token": "secret"}), "is no file of credentials"),
    ],
)
def test_a_file_without_credentials_is_named_and_not_shown(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "key.json"
    path.write_text(content)
    for file, environ, option in (
        (path, {}, "credentials_file"),
        (None, {"GOOGLE_APPLICATION_CREDENTIALS": str(path)}, "GOOGLE_APPLICATION_CREDENTIALS"),
    ):
        with pytest.raises(BadOption) as caught:
            credentials(file, token_url="", environ=environ)
        assert str(caught.value).startswith(f"{option}: {path} {said}")
        assert "secret" not in str(caught.value)


def test_an_answer_that_is_none() -> None:
    class Response:
        text = "<html>\nlogin"

        def json(self) -> Any:
            raise ValueError

    with pytest.raises(GcpError, match=r"the thing: the answer is no JSON object: '<html> login'"):
        document(Response(), about="the thing")
