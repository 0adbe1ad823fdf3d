# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose tokens are used: a file that the user names, or what google-auth finds on this machine."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..libraries import GOOGLE, check_libraries
from .errors import BadOption, NoCredentials, plain

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
FILE_VARIABLE = "GOOGLE_APPLICATION_CREDENTIALS"
_OPTION = "credentials_file"
_ACCOUNT = "service_account"
#: Type of a file -> the keys that it must have.
_KEYS = {
    _ACCOUNT: ("client_email", "private_key", "token_uri"),
    "authorized_user": ("client_id", "client_secret", "refresh_token"),
}
_KINDS = tuple(_KEYS)


def credentials(file: Path | None, *, token_url: str, environ: Mapping[str, str]) -> Any:
    """Credentials of google-auth that have no token yet.

    `file` is the option; without it the file of GOOGLE_APPLICATION_CREDENTIALS, then what `gcloud auth
    application-default login` has left, then the metadata server. `token_url` replaces the address where tokens are
    given; empty is that of the credentials.

    :raises MissingLibrary: if google-auth is not installed.
    :raises BadOption: if the file cannot be used. Nothing of its content is in the text.
    :raises NoCredentials: if there are none.
    """
    check_libraries(*GOOGLE)
    named = environ.get(FILE_VARIABLE)
    if file is not None:
        found = _of_file(file, option=_OPTION)
    elif named:
        # Unlike Path.expanduser, it leaves a ~ as it is where there is no home folder.
        found = _of_file(Path(os.path.expanduser(named)), option=FILE_VARIABLE)
    else:
        found = _of_machine()
    if token_url:
        if not hasattr(found, "with_token_uri"):
            raise BadOption(f"endpoints.token: {type(found).__name__} has no address for tokens that could be replaced")
        found = found.with_token_uri(token_url)
    return found


def _of_machine() -> Any:
    import google.auth
    import google.auth.exceptions

    try:
        return google.auth.default(scopes=[SCOPE])[0]
    except google.auth.exceptions.GoogleAuthError as error:
        raise NoCredentials(
            f"no credentials for Google Cloud: give {_OPTION}, set {FILE_VARIABLE}, "
            "or use `gcloud auth application-default login`"
        ) from error


def _of_file(path: Path, *, option: str) -> Any:
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadOption(f"{option}: {path} cannot be read: {error.strerror or error}") from error
    except ValueError:
        # The error's text has a piece of the file.
        raise BadOption(f"{option}: {path} is not JSON; allowed is a credentials file of Google Cloud") from None
    kind = info.get("type") if isinstance(info, dict) else None
    if option == FILE_VARIABLE and isinstance(kind, str) and kind not in _KINDS:
        # Such as a federated identity, which google-auth knows how to use.
        return _of_other_file(path, kind)
    if kind not in _KINDS:
        raise BadOption(f"{option}: {path} is of type {plain(kind)!r}; allowed are {', '.join(_KINDS)}")
    missing = [key for key in _KEYS[str(kind)] if not info.get(key)]
    if missing:
        raise BadOption(f"{option}: {path} is of type {kind}, but has no {' and no '.join(missing)}")
    try:
        return _made(str(kind), info)
    except Exception as error:
        # Only its name: the text may say what is wrong with the key by showing it.
        raise BadOption(
            f"{option}: {path} is not a credentials file of Google Cloud ({type(error).__name__})"
        ) from None


def _of_other_file(path: Path, kind: str) -> Any:
    import google.auth

    try:
        return google.auth.default(scopes=[SCOPE])[0]
    except Exception as error:
        # Only its name, as above.
        raise BadOption(
            f"{FILE_VARIABLE}: {path} is of type {plain(kind)!r}, but google-auth cannot use it "
            f"({type(error).__name__})"
        ) from None


def _made(kind: str, info: Any) -> Any:
    if kind == _ACCOUNT:
        from google.oauth2 import service_account

        return service_account.Credentials.from_service_account_info(info, scopes=[SCOPE])
    from google.oauth2 import credentials as users

    return users.Credentials.from_authorized_user_info(info, scopes=[SCOPE])


def said_of(error: Exception) -> str:
    """Why no token was given, in the words of who gives them."""
    return str(error.args[0] if error.args else error)
