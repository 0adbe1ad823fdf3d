# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One cluster in a kubeconfig file: merged in, so that everything else in the file stays."""

from __future__ import annotations

import copy
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import BadOption

_OPTION = "kubeconfig"


def merged(
    config: Mapping[str, Any], *, name: str, cluster: Mapping[str, Any], user: Mapping[str, Any], current: bool
) -> dict[str, Any]:
    """A kubeconfig's document with a cluster, a user and a context of that name. Those of other names stay.

    The context stays the current one if it is, and becomes it if `current`, or if there is none. What else a context of
    that name has, such as a namespace, stays too.
    """
    result = {"apiVersion": "v1", "kind": "Config", **copy.deepcopy(dict(config))}
    _put(result, "clusters", name, "cluster", cluster)
    _put(result, "users", name, "user", user)
    before = next((one.get("context") or {} for one in result.get("contexts") or () if one.get("name") == name), {})
    _put(result, "contexts", name, "context", {**before, "cluster": name, "user": name})
    if current or not result.get("current-context"):
        result["current-context"] = name
    return result


def _put(config: dict[str, Any], kind: str, name: str, key: str, value: Mapping[str, Any]) -> None:
    entries = list(config.get(kind) or ())
    entry = {"name": name, key: dict(value)}
    for number, one in enumerate(entries):
        if one.get("name") == name:
            entries[number] = entry
            break
    else:
        entries.append(entry)
    config[kind] = entries


def read_config(path: Path) -> dict[str, Any]:
    """A file's document, empty if there is no file. Raises BadOption; nothing of the file is in the text."""
    import yaml

    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}
    except OSError as error:
        raise BadOption(f"{_OPTION}: {path} cannot be read: {error.strerror or error}") from error
    except (yaml.YAMLError, UnicodeDecodeError):
        raise BadOption(f"{_OPTION}: {path} is not YAML") from None
    found = {} if found is None else found
    kinds = ("clusters", "users", "contexts")
    if not isinstance(found, dict) or not all(_is_list_of_named(found.get(kind)) for kind in kinds):
        raise BadOption(f"{_OPTION}: {path} is not a kubeconfig")
    return found


def _is_list_of_named(value: object) -> bool:
    return value is None or (isinstance(value, list) and all(isinstance(one, dict) and "name" in one for one in value))


def write_config(path: Path, config: Mapping[str, Any]) -> None:
    """Write the document at once or not at all, readable by its owner only.

    A file that another program changes now is not touched: kubectl holds the same lock.

    :raises BadOption: if it cannot be written.
    """
    import yaml

    # The file that a link names, not the link.
    target = Path(os.path.realpath(path))
    lock = target.with_name(f"{target.name}.lock")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        raise BadOption(f"{_OPTION}: another program changes {target} now; if none does, remove {lock}") from None
    except OSError as error:
        raise BadOption(f"{_OPTION}: {target} cannot be written: {error.strerror or error}") from error
    made = ""
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=target.parent, prefix=target.name, delete=False
        ) as file:
            made = file.name
            yaml.safe_dump(dict(config), file, sort_keys=False, allow_unicode=True)
        os.replace(made, target)
        made = ""
    except OSError as error:
        raise BadOption(f"{_OPTION}: {target} cannot be written: {error.strerror or error}") from error
    finally:
        if made:
            # It may have the token.
            os.unlink(made)
        lock.unlink()
