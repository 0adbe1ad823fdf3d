# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module `gke_credentials`: how a cluster of Google's is reached, by REST."""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ..errors import ModuleFailed
from ..libraries import GOOGLE, YAML, check_libraries
from .credentials import credentials
from .errors import BadOption, GcpError, plain
from .kubeconfig import merged, read_config, write_config
from .project import PROJECT, PROJECT_RULE
from .session import Session, endpoint

CONTAINER_URL = "https://container.googleapis.com"
PUBLIC, PRIVATE, DNS = "public", "private", "dns"
ADDRESSES = (PUBLIC, PRIVATE, DNS)
_NAME = re.compile(r"[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?")
_LOCATION = re.compile(r"[a-z]+(?:-[a-z0-9]+)+")

ARGUMENTS: dict[str, dict[str, Any]] = {
    "project": {"type": "str", "required": True},
    "location": {"type": "str", "required": True},
    "name": {"type": "str", "required": True},
    "address": {"type": "str", "choices": list(ADDRESSES), "default": PUBLIC},
    "credentials_file": {"type": "path"},
    "endpoints": {"type": "dict", "options": {"container": {"type": "str"}, "token": {"type": "str", "no_log": False}}},
    "ca_file": {"type": "path"},
    "kubeconfig": {"type": "path"},
    "context": {"type": "str"},
    "current_context": {"type": "bool", "default": False},
}


def run_module(
    params: Mapping[str, Any], *, check_mode: bool, environ: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Run the module. Raises ModuleFailed; no token is in its text."""
    environ = os.environ if environ is None else environ
    check_libraries(*GOOGLE, YAML)
    try:
        result = _connection(params, environ)
        result["changed"] = _written(params, result, check_mode=check_mode)
    except GcpError as error:
        raise ModuleFailed(f"gke_credentials: {error}") from error
    return result


def context_name(project: str, location: str, name: str) -> str:
    """The name of our entries in a kubeconfig. gcloud's, gke_PROJECT_LOCATION_NAME, are the user's and stay."""
    return f"kubestress_{project}_{location}_{name}"


def _connection(params: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    project = _checked(params, "project", PROJECT, PROJECT_RULE)
    location = _checked(
        params,
        "location",
        _LOCATION,
        "is not a location; allowed is a region or zone such as europe-west4 or us-east1-b",
    )
    name = _checked(
        params, "name", _NAME, "is not the name of a cluster; allowed are up to 40 lower-case letters, digits and -"
    )
    given = params["endpoints"] or {}
    url = endpoint(given.get("container"), option="container", default=CONTAINER_URL)
    token_url = endpoint(given["token"], option="token", default="") if given.get("token") else ""
    file = Path(params["credentials_file"]) if params["credentials_file"] else None
    about = f"cluster {name} in {location} of project {project}"
    found = credentials(file, token_url=token_url, environ=environ)
    with contextlib.closing(Session(found, on_token=lambda _token: None)) as session:
        place = f"{url}/v1/projects/{quote(project, safe=':')}/locations/{location}/clusters/{name}"
        cluster = session.document(session.call("GET", place, about=about), about=about)
        token, expires = session.token()
    host, authority = _reached(cluster, params["address"], about)
    return {
        "host": host,
        "ca_data": authority,
        "api_key": token,
        "expires": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(expires)) if expires else None,
        "context": (params["context"] or "").strip() or context_name(project, location, name),
        "version": str(cluster.get("currentMasterVersion") or ""),
        "status": str(cluster.get("status") or ""),
    }


def _checked(params: Mapping[str, Any], option: str, pattern: re.Pattern[str], rule: str) -> str:
    value = str(params[option]).strip()
    if not pattern.fullmatch(value):
        raise BadOption(f"{option}: {plain(value)!r} {rule}")
    return value


def _reached(cluster: Mapping[str, Any], address: str, about: str) -> tuple[str, str]:
    """(URL of the API server, PEM of its issuer; empty where any machine knows it). Raises GcpError."""
    ways = cluster.get("controlPlaneEndpointsConfig") or {}
    if address == DNS:
        found = (ways.get("dnsEndpointConfig") or {}).get("endpoint")
    elif address == PRIVATE:
        found = (ways.get("ipEndpointsConfig") or {}).get("privateEndpoint")
        found = found or (cluster.get("privateClusterConfig") or {}).get("privateEndpoint")
    else:
        found = cluster.get("endpoint")
    if not found:
        raise GcpError(f"{about} has no {address} endpoint; its status is {plain(cluster.get('status')) or 'unknown'}")
    host = f"https://[{found}]" if ":" in str(found) else f"https://{found}"
    if address == DNS:
        # Its certificate is of a public issuer.
        return host, ""
    try:
        pem = base64.b64decode((cluster.get("masterAuth") or {})["clusterCaCertificate"], validate=True).decode("ascii")
    except (KeyError, TypeError, binascii.Error, UnicodeDecodeError) as error:
        raise GcpError(f"{about}: the answer has no certificate of its issuer") from error
    return host, pem


def _written(params: Mapping[str, Any], result: dict[str, Any], *, check_mode: bool) -> bool:
    """Write what is asked for; whether that changes anything. Says in `msg` what was done, and adds `ca_cert`."""
    changes = []
    if params["ca_file"] and result["ca_data"]:
        path = Path(params["ca_file"])
        result["ca_cert"] = str(path)
        if _write_authority(path, result["ca_data"], check_mode=check_mode):
            changes.append(f"the issuer's certificate to {path}")
    if params["kubeconfig"]:
        path = Path(params["kubeconfig"])
        before = read_config(path)
        after = merged(
            before,
            name=result["context"],
            cluster=_cluster(result),
            user={"token": result["api_key"]},
            current=params["current_context"],
        )
        if after != before:
            changes.append(f"context {result['context']} to {path}")
            if not check_mode:
                write_config(path, after)
    verb = "would write" if check_mode else "wrote"
    written = f"{verb} {' and '.join(changes)}" if changes else "nothing was to be written"
    result["msg"] = f"{result['host']}: {written}"
    return bool(changes)


def _cluster(result: Mapping[str, Any]) -> dict[str, str]:
    if not result["ca_data"]:
        return {"server": result["host"]}
    data = base64.b64encode(result["ca_data"].encode()).decode()
    return {"server": result["host"], "certificate-authority-data": data}


def _write_authority(path: Path, pem: str, *, check_mode: bool) -> bool:
    try:
        # As bytes: what is there now need not be text.
        if path.is_file() and path.read_bytes() == pem.encode():
            return False
        if not check_mode:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(pem)
    except OSError as error:
        raise BadOption(f"ca_file: {path} cannot be written: {error.strerror or error}") from error
    return True
