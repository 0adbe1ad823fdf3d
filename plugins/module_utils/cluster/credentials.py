# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""By which credential a connection was made, and where that is from: said when the API server refuses it. No secrets.

It is looked up only then, so it follows the same order as connection.py: options, kubeconfig, service account.
"""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Iterator, Mapping
from typing import Any

from ..text import duration_text
from .connection import AUTH_ENVIRONMENT, kubeconfig_paths
from .errors import Unauthorized

_LIKELY = "it has likely expired, or is for another cluster"


def refused(host: str, options: Mapping[str, Any], error: Unauthorized) -> Unauthorized:
    """The error for a user: address, which credential was sent, from where, and what is likely wrong with it."""
    what, likely = _credential({name: value for name, value in options.items() if value not in (None, "", [])})
    said = f"{host}: {error}: the API server does not accept {what}; {likely}"
    named = Unauthorized(said, status=error.status, reason=error.reason)
    named.attempts, named.maybe_done_before = error.attempts, error.maybe_done_before
    return named


def _credential(options: Mapping[str, Any]) -> tuple[str, str]:
    """Which credential it is, and what is likely wrong with it."""
    if "username" in options:
        return f"the password of user {options['username']!r} ({_source('username', options)})", "it is likely wrong"
    if "api_key" in options:
        return f"the token of {_source('api_key', options)}", _likely(str(options["api_key"]))
    if "client_cert" in options:
        return f"the client certificate {options['client_cert']} ({_source('client_cert', options)})", _LIKELY
    if "host" in options and "kubeconfig" not in options and "context" not in options:
        return "a connection without credentials", "give api_key, client_cert or a kubeconfig"
    given = options.get("kubeconfig")
    paths = [] if isinstance(given, Mapping) else kubeconfig_paths(given)
    documents = [("the option kubeconfig", given)] if isinstance(given, Mapping) else list(_read(paths))
    if not documents:
        return "the token of this pod's service account", _LIKELY
    return _of_kubeconfig(documents, options.get("context"))


def _source(option: str, options: Mapping[str, Any]) -> str:
    variable = AUTH_ENVIRONMENT[option]
    return variable if os.environ.get(variable) == options[option] else f"the option {option}"


def _read(paths: list[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    import yaml

    for path in paths:
        try:
            with open(path, encoding="utf-8") as file:
                document = yaml.safe_load(file)
        except (OSError, ValueError, yaml.YAMLError):
            continue  # it was readable when the connection was made; for the message, the others are enough
        if isinstance(document, Mapping):
            yield path, document


def _of_kubeconfig(documents: list[tuple[str, Any]], context: str | None) -> tuple[str, str]:
    """The user of the context, and the kind of its credential. What comes first counts, as kubectl merges files."""
    context = context or next((doc["current-context"] for _path, doc in documents if doc.get("current-context")), None)
    _where, found = _entry(documents, "contexts", context)
    user = (found.get("context") or {}).get("user")
    path, entry = _entry(documents, "users", user)
    what, likely = _kind(entry.get("user") or {})
    return f"{what} of user {user!r} in {path or documents[0][0]}", likely


def _entry(documents: list[tuple[str, Any]], part: str, name: str | None) -> tuple[str, Mapping[str, Any]]:
    for path, document in documents:
        for entry in document.get(part) or ():
            if isinstance(entry, Mapping) and entry.get("name") == name:
                return path, entry
    return "", {}


def _kind(user: Mapping[str, Any]) -> tuple[str, str]:
    if user.get("exec"):
        command = (user["exec"] or {}).get("command") or "?"
        return f"the credential of the exec plug-in {os.path.basename(command)}", "log in again with it"
    if user.get("token"):
        return "the token", _likely(str(user["token"]))
    if user.get("tokenFile"):
        return f"the token in {user['tokenFile']}", _LIKELY
    if user.get("client-certificate") or user.get("client-certificate-data"):
        return "the client certificate", _LIKELY
    if user.get("username"):
        return "the password", "it is likely wrong"
    if user.get("auth-provider"):
        return f"the credential of the provider {(user['auth-provider'] or {}).get('name')}", "log in again with it"
    return "the missing credential", "the kubeconfig has none for it"


def _likely(token: str) -> str:
    """A JSON web token says itself when it expires."""
    parts = token.split(".")
    try:
        payload = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        ago = time.time() - float(payload["exp"])
    except (IndexError, KeyError, TypeError, ValueError):
        return _LIKELY
    return f"it expired {duration_text(ago)} ago" if ago > 0 else "it has not expired, so it is for another cluster"
