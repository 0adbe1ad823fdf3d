"""A token goes to Google's registries only, and the user's own logins stay."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.images.errors import BadOption
from ansible_collections.kubestress.core.plugins.module_utils.images.login import is_googles, logged_in


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("gcr.io", True),
        ("eu.gcr.io", True),
        ("europe-west4-docker.pkg.dev", True),
        ("gcr.io.example", False),
        ("evilgcr.io", False),
        ("docker.pkg.dev.example", False),
        ("localhost:5000", False),
        ("", False),
    ],
)
def test_whose_registry(host: str, expected: bool) -> None:
    assert is_googles(host) is expected


def test_the_users_logins_stay(tmp_path: Path) -> None:
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    theirs.mkdir()
    ours.mkdir()
    given = {"auths": {"ghcr.io": {"auth": "x"}}, "credsStore": "desktop", "credHelpers": {"gcr.io": "gcloud"}}
    (theirs / "config.json").write_text(json.dumps(given))
    environ = logged_in({"DOCKER_CONFIG": str(theirs), "A": "b"}, ours, hosts={"gcr.io"}, token="secret")
    assert environ == {"DOCKER_CONFIG": str(ours), "A": "b"}
    made = json.loads((ours / "config.json").read_text())
    assert base64.b64decode(made["auths"].pop("gcr.io")["auth"]) == b"oauth2accesstoken:secret"
    # An empty helper says that there is none for this host, so that the file is asked.
    assert made == {**given, "credHelpers": {"gcr.io": ""}}
    assert (ours / "config.json").stat().st_mode & 0o777 == 0o600
    assert json.loads((theirs / "config.json").read_text()) == given


def test_a_user_without_logins(tmp_path: Path) -> None:
    logged_in({"HOME": "/nowhere"}, tmp_path, hosts={"gcr.io"}, token="t")
    assert set(json.loads((tmp_path / "config.json").read_text())["auths"]) == {"gcr.io"}


@pytest.mark.parametrize("content", ["{password", "[]"])
def test_a_file_that_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(BadOption) as caught:
        logged_in({"DOCKER_CONFIG": str(tmp_path)}, tmp_path, hosts={"gcr.io"}, token="t")
    assert str(caught.value).startswith("DOCKER_CONFIG: ")
    assert "password" not in str(caught.value)
