"""The options of a box: bad ones are refused in one line, before anything is sent, and without the key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.truenas.errors import BadOption
from ansible_collections.kubestress.core.plugins.module_utils.truenas.options import (
    box_options,
    is_dataset,
    is_snapshot,
)

GIVEN = {"url": "https://box.example", "username": "reader", "api_key": "1-secret"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("https://box.example", "https://box.example"),
        ("https://box.example:8443/", "https://box.example:8443"),
        ("wss://box.example/api/current", "https://box.example"),
        ("https://192.0.2.10/api/v2.0", "https://192.0.2.10"),
        ("https://[2001:db8::1]:444", "https://[2001:db8::1]:444"),
    ],
)
def test_an_address_has_one_form(given: str, expected: str) -> None:
    assert box_options(GIVEN | {"url": given}).url == expected


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("url", "", "url: missing; give https://HOST or set TRUENAS_URL"),
        ("url", "http://box.example", "url: http://box.example is not encrypted, and TrueNAS revokes an API key"),
        ("url", "ws://box.example/api/current", "url: ws://box.example is not encrypted"),
        ("url", "HTTP://box.example", "is not encrypted"),
        ("url", "box.example", "url: 'box.example'; allowed is https://HOST[:PORT]"),
        ("url", "https://", "allowed is https://HOST[:PORT]"),
        ("url", "https://box.example:x", "url: not a URL"),
        ("url", "https://[::1", "url: not a URL"),
        ("url", "https://root:hunter2@box.example", "url: holds a user name or a password"),
        ("url", "https://box.example/ui/", "has a path"),
        ("url", "https://box.example/?a=b", "has a path"),
        ("url", "https://box.example\nx", "allowed is https://HOST[:PORT]"),
        ("url", "file:///etc/passwd", "allowed is https://HOST[:PORT]"),
        ("username", "", "username: missing; JSON-RPC needs the user"),
        ("username", "a\nb", "username: not a user name"),
        ("api_key", "", "api_key: missing; give it or set TRUENAS_API_KEY"),
        ("api_key", "1-sec\r\nret", "api_key: not an API key"),
        ("api_key", "1-sécret", "api_key: not an API key"),
        ("api_key", "x" * 5000, "api_key: not an API key"),
        ("ca_cert", "/nowhere/ca.pem", "ca_cert: no file at /nowhere/ca.pem"),
        ("transport", "telnet", "transport: 'telnet'; allowed are auto, jsonrpc, rest"),
        ("volume_parents", ["/mnt/tank/k8s"], "volume_parents: '/mnt/tank/k8s'; allowed is POOL/DATASET"),
        ("volume_parents", ["tank/../boot"], "volume_parents: 'tank/../boot'; allowed is POOL/DATASET"),
        ("volume_parents", ["tank/<b>"], "volume_parents: 'tank/<b>'"),
        ("volume_parents", ["tank/a"] * 2 + [f"tank/{n}" for n in range(100)], "volume_parents: 101 datasets"),
        ("detached_parents", ["tank/" + "x" * 300], "at most 255 characters"),
        ("timeout", 0, "timeout: 0; allowed are 0.1 to 3600 seconds"),
        ("timeout", float("nan"), "timeout: nan; allowed are"),
        ("connect_timeout", 121, "connect_timeout: 121; allowed are 0.1 to 120 seconds"),
    ],
)
def test_bad_values_are_named(option: str, value: Any, message: str) -> None:
    with pytest.raises(BadOption) as refused:
        box_options(GIVEN | {option: value})
    text = str(refused.value)
    assert message in text
    assert "\n" not in text
    assert "hunter2" not in text
    assert not str(value) or option != "api_key" or str(value) not in text


def test_the_prefix_names_a_suboption() -> None:
    with pytest.raises(BadOption, match=r"^truenas\.url: missing"):
        box_options({}, prefix="truenas.")


def test_the_key_is_not_shown(tmp_path: Path) -> None:
    options = box_options(GIVEN)
    assert "1-secret" not in repr(options)
    assert options.validate_certs is True


def test_rest_needs_no_user() -> None:
    assert box_options(GIVEN | {"username": "", "transport": "rest"}).username == ""


@pytest.mark.parametrize(
    ("name", "valid"),
    [("tank", True), ("tank/k8s/v/pvc-1", True), ("tank/with space", True), ("", False), ("/tank", False),
     ("tank/", False), ("tank//x", False), ("tank/a@b", False), ("tank/a\nb", False), ("tank/<i>", False)],
)  # fmt: skip
def test_names_that_zfs_can_have(name: str, valid: bool) -> None:
    assert is_dataset(name) is valid
    assert is_snapshot(f"{name}@auto-2026.01:02_3") is valid
    assert not is_snapshot(f"{name}@a@b")
    assert not is_snapshot(name.replace("@", "/"))
