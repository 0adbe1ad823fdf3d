# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A login at a registry of Google for one build, beside those that the user has."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import BadOption

#: The user's name that goes with a token.
_USER = "oauth2accesstoken"
_GOOGLE = ("gcr.io", ".gcr.io", "-docker.pkg.dev")
_VARIABLE = "DOCKER_CONFIG"
_FILE = "config.json"


def is_googles(host: str) -> bool:
    """Whether a registry takes a token of Google Cloud. No other one may ever see one."""
    return host == _GOOGLE[0] or host.endswith(_GOOGLE[1:])


def logged_in(environ: Mapping[str, str], folder: Path, *, hosts: set[str], token: str) -> dict[str, str]:
    """The environment of a program that is logged in at these hosts, by a file in `folder`, which is ours.

    The user's other logins stay as they are. Raises BadOption if their file cannot be used.
    """
    given = Path(environ.get(_VARIABLE) or Path(environ.get("HOME", "~")).expanduser() / ".docker") / _FILE
    config = _read(given)
    password = base64.b64encode(f"{_USER}:{token}".encode()).decode()
    config["auths"] = {**(config.get("auths") or {}), **{host: {"auth": password} for host in sorted(hosts)}}
    # A helper, or a store for all hosts, would come before the login; an empty name says that there is none.
    config["credHelpers"] = {**(config.get("credHelpers") or {}), **dict.fromkeys(sorted(hosts), "")}
    target = folder / _FILE
    target.touch(mode=0o600)
    target.write_text(json.dumps(config), encoding="utf-8")
    return {**environ, _VARIABLE: str(folder)}


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except OSError as error:
        raise BadOption(_VARIABLE, f"{path} cannot be read: {error.strerror or error}") from error
    except ValueError:
        # The error's text has a piece of the file, which may be a password.
        raise BadOption(_VARIABLE, f"{path} is not JSON") from None
    if not isinstance(found, dict):
        raise BadOption(_VARIABLE, f"{path} has no logins")
    return found
