"""Requests with a token, against the stand-in: renewed, given to nobody else, and never told."""

from __future__ import annotations

import json
import os
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
from ansible_collections.kubestress.core.plugins.module_utils.gcp.session import Session, endpoint
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
    answer = session.call("GET", url, about="the buckets", params={"project": "p"})
    return session.document(answer, about="the buckets")


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
        ("{s3cret", "is not JSON"),
        ("[]", "is of type 'None'; allowed are service_account, authorized_user"),
        ("{}", "is of type 'None'; allowed are service_account, authorized_user"),
        ("", "is not JSON"),
        (
            json.dumps({"type": "service_account", "private_key": "s3cret"}),
            "is of type service_account, but has no client_email and no token_uri",
        ),
        (
            json.dumps({"type": "service_account", "client_email": "a", "token_uri": "b", "private_key": "s3cret"}),
            "is not a credentials file of Google Cloud (",
        ),
        (
            json.dumps({"type": "authorized_user", "refresh_token": "s3cret"}),
            "is of type authorized_user, but has no client_id and no client_secret",
        ),
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
        assert "s3cret" not in str(caught.value)


def test_an_answer_that_is_none(open_session: Callable[..., Session]) -> None:
    class Response:
        text = "<html>\nlogin"

        def json(self) -> Any:
            raise ValueError

    with pytest.raises(GcpError, match=r"the thing: the answer is not a JSON object: '<html> login'"):
        open_session().document(Response(), about="the thing")


def test_a_federated_identity_is_an_environments_only_and_named_where_it_cannot_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "key.json"
    path.write_text(json.dumps({"type": "external_account", "audience": "secret"}))
    with pytest.raises(BadOption, match=f"^credentials_file: {path} is of type 'external_account'; allowed are "):
        credentials(path, token_url="", environ={})
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    with pytest.raises(BadOption) as caught:
        credentials(None, token_url="", environ=os.environ)
    text = f"GOOGLE_APPLICATION_CREDENTIALS: {path} is of type 'external_account', but google-auth cannot use it ("
    assert str(caught.value).startswith(text)
    assert "secret" not in str(caught.value)


def test_a_folder_of_a_user_that_is_not_there() -> None:
    with pytest.raises(
        BadOption, match=r"GOOGLE_APPLICATION_CREDENTIALS: ~nobody-here/key.json cannot be read: No such"
    ):
        credentials(None, token_url="", environ={"GOOGLE_APPLICATION_CREDENTIALS": "~nobody-here/key.json"})


def test_what_a_service_says_back_is_not_told(open_session: Callable[..., Session], cloud: Cloud) -> None:
    """Its error has the header that it was asked with, its answer the token, and that for a token the signed claim."""
    cloud.echoes, cloud.refused = True, {"GET /storage": (403, "no right")}
    session = open_session()
    with pytest.raises(ServiceRefused) as refused:
        buckets(session, cloud)
    (token,) = cloud.tokens
    assert "Bearer ***" in str(refused.value)
    assert token[:10] not in str(refused.value)

    class Response:
        text = "x" * 190 + token

        def json(self) -> Any:
            return []

    with pytest.raises(GcpError) as none:
        session.document(Response(), about="the thing")
    assert token[:5] not in str(none.value)
    with pytest.raises(NoCredentials) as stranger:
        buckets(open_session(client_email="stranger@example.com"), cloud)
    assert "assertion=***" in str(stranger.value)
    # Nor is there anything behind it that a traceback would show.
    assert stranger.value.__cause__ is None
    assert stranger.value.__suppress_context__


def test_the_secrets_of_a_user_that_are_said_back_are_not_told(cloud: Cloud, tmp_path: Path) -> None:
    key = {"type": "authorized_user", "client_id": "id", "client_secret": "s3cret", "refresh_token": "1//r3fresh"}
    (tmp_path / "user.json").write_text(json.dumps(key))
    cloud.echoes = True
    session = Session(
        credentials(tmp_path / "user.json", token_url=f"{cloud.url}/token", environ={}), on_token=lambda _token: None
    )
    with pytest.raises(NoCredentials, match="the buckets: no token: invalid_grant: ") as caught:
        buckets(session, cloud)
    assert [one for one in ("s3cret", "1//r3fresh", "r3fresh") if one in str(caught.value)] == []


def test_a_proxy_gets_nothing_that_is_for_this_machine(
    open_session: Callable[..., Session], cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without TLS it would read the token."""
    for name in ("http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    session = open_session()
    assert buckets(session, cloud) == {}
    with pytest.raises(Unanswered, match="the thing: Connection refused"):
        # That is the proxy's refusal: all else goes there.
        session.call("GET", "https://storage.invalid/x", about="the thing")


def test_a_login_in_netrc_does_not_replace_the_token(
    open_session: Callable[..., Session], cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("default login anonymous password secret\n")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert buckets(open_session(), cloud) == {}
