# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which TrueNAS is read, and how: the options, checked before anything is sent."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from .errors import BadOption

AUTO, JSON_RPC, REST = "auto", "jsonrpc", "rest"
TRANSPORTS = (AUTO, JSON_RPC, REST)
POOLS, DATASETS, SNAPSHOTS, SHARES = "pools", "datasets", "snapshots", "shares"
PARTS = (POOLS, DATASETS, SNAPSHOTS, SHARES)

#: Option -> environment variable, for credentials that AWX injects.
ENVIRONMENT: dict[str, str] = {
    "url": "TRUENAS_URL",
    "username": "TRUENAS_USERNAME",
    "api_key": "TRUENAS_API_KEY",
    "ca_cert": "TRUENAS_CA_CERT",
    "validate_certs": "TRUENAS_VALIDATE_CERTS",
}
#: What the box reads before a login is at most 8 KiB, and key and user name are not all of it.
_MAX_CREDENTIAL = 4096
_MAX_PARENTS = 100
#: ZFS' own rule for names: components of these characters, 255 bytes in all. The driver and ZFS itself use % too.
_COMPONENT = "[A-Za-z0-9_.:% -]+"
_DATASET = re.compile(rf"{_COMPONENT}(/{_COMPONENT})*")
_SNAPSHOT = re.compile(rf"{_COMPONENT}(/{_COMPONENT})*@{_COMPONENT}")
_DATASET_RULE = "POOL/DATASET such as tank/k8s/v: letters, digits, '_', '-', '.' and ':', at most 255 characters"


@dataclass(frozen=True, kw_only=True)
class BoxOptions:
    """How one box is read. `url` is https://HOST[:PORT], without credentials or a path.

    `volume_parents` and `detached_parents` are the driver's datasetParentName and detachedSnapshotsDatasetParentName.
    `instance_id` is the driver's, if it has one. `connect_timeout` is for connection and login, `timeout` for one
    reading of the whole box, in seconds. `parts` are those of PARTS that are read.
    """

    url: str
    username: str
    api_key: str = field(repr=False)
    ca_cert: str | None = None
    validate_certs: bool = True
    transport: str = AUTO
    volume_parents: tuple[str, ...] = ()
    detached_parents: tuple[str, ...] = ()
    instance_id: str | None = None
    connect_timeout: float = 10.0
    timeout: float = 120.0
    parts: tuple[str, ...] = PARTS

    @property
    def parents(self) -> tuple[str, ...]:
        """All configured parents."""
        return self.volume_parents + self.detached_parents


def box_options(params: Mapping[str, Any], *, prefix: str = "") -> BoxOptions:
    """The checked options. `prefix` stands before their names in messages, such as "truenas." Raises BadOption."""

    def text(name: str) -> str:
        return str(params.get(name) or "").strip()

    def refuse(name: str, rest: str) -> BadOption:
        return BadOption(f"{prefix}{name}: {rest}")

    transport = text("transport") or AUTO
    if transport not in TRANSPORTS:
        raise refuse("transport", f"{transport!r}; allowed are {', '.join(TRANSPORTS)}")
    url = _url(text("url"), refuse)
    key, username = text("api_key"), text("username")
    if not key:
        raise refuse("api_key", f"missing; give it or set {ENVIRONMENT['api_key']}")
    if not (key.isascii() and key.isprintable()) or " " in key or len(key) > _MAX_CREDENTIAL:
        raise refuse("api_key", f"not an API key: allowed are printable ASCII characters, at most {_MAX_CREDENTIAL}")
    if not username and transport != REST:
        raise refuse(
            "username", "missing; JSON-RPC needs the user that the API key belongs to (transport=rest does not)"
        )
    if not username.isprintable() or len(username) > _MAX_CREDENTIAL:
        raise refuse("username", f"not a user name: allowed are printable characters, at most {_MAX_CREDENTIAL}")
    ca_cert = os.path.expanduser(text("ca_cert")) or None
    if ca_cert and not os.path.isfile(ca_cert):
        raise refuse("ca_cert", f"no file at {ca_cert}")
    validate = params.get("validate_certs")
    return BoxOptions(
        url=url,
        username=username,
        api_key=key,
        ca_cert=ca_cert,
        validate_certs=True if validate is None else bool(validate),
        transport=transport,
        volume_parents=_parents("volume_parents", params, refuse),
        detached_parents=_parents("detached_parents", params, refuse),
        instance_id=text("instance_id") or None,
        connect_timeout=_seconds("connect_timeout", params, refuse, default=10.0, most=120.0),
        timeout=_seconds("timeout", params, refuse, default=120.0, most=3600.0),
        parts=tuple(params.get("parts") or PARTS),
    )


def _url(given: str, refuse: Any) -> str:
    """The address as https://HOST[:PORT]. The texts never repeat what could hold a password."""
    if not given:
        raise refuse("url", f"missing; give https://HOST or set {ENVIRONMENT['url']}")
    try:
        found = urlsplit(given)
        port, host = found.port, found.hostname
    except ValueError:
        raise refuse("url", "not a URL; allowed is https://HOST[:PORT]") from None
    if found.username is not None or found.password is not None:
        raise refuse("url", "holds a user name or a password; use the options username and api_key")
    if found.scheme in ("http", "ws"):
        raise refuse(
            "url",
            f"{found.scheme}://{host} is not encrypted, and TrueNAS revokes an API key that comes that way; "
            "allowed is https://HOST[:PORT]",
        )
    if found.scheme not in ("https", "wss") or not host or not given.isprintable() or " " in given:
        raise refuse("url", f"{given[:200]!r}; allowed is https://HOST[:PORT]")
    if found.path.rstrip("/") not in ("", "/api/current", "/api/v2.0") or found.query or found.fragment:
        raise refuse("url", f"{given[:200]!r} has a path; allowed is https://HOST[:PORT]")
    name = f"[{host}]" if ":" in host else host
    return f"https://{name}" + (f":{port}" if port else "")


def _parents(name: str, params: Mapping[str, Any], refuse: Any) -> tuple[str, ...]:
    given: Sequence[Any] = params.get(name) or ()
    found = tuple(dict.fromkeys(str(parent).strip().rstrip("/") for parent in given))
    if len(found) > _MAX_PARENTS:
        raise refuse(name, f"{len(found)} datasets; allowed are {_MAX_PARENTS}")
    for parent in found:
        if not is_dataset(parent):
            raise refuse(name, f"{parent[:200]!r}; allowed is {_DATASET_RULE}")
    return found


def _seconds(name: str, params: Mapping[str, Any], refuse: Any, *, default: float, most: float) -> float:
    value = default if params.get(name) is None else float(params[name])
    if not 0.1 <= value <= most:
        raise refuse(name, f"{value:g}; allowed are 0.1 to {most:g} seconds")
    return value


def is_dataset(name: str) -> bool:
    """Whether ZFS could have a dataset or zvol of this name."""
    return len(name) <= 255 and bool(_DATASET.fullmatch(name)) and not {".", ".."} & set(name.split("/"))


def is_snapshot(name: str) -> bool:
    """Whether ZFS could have a snapshot of this full name, with one @."""
    return len(name) <= 255 and bool(_SNAPSHOT.fullmatch(name)) and is_dataset(name.partition("@")[0])
