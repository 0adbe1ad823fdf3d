# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible's filters that templates can use beside Jinja2's own. Pure.

Templates are compiled where a module runs, and ansible-core's filters are on the controller only. So those that depend
on nothing but their input are made here, with the arguments and results that they have there; a test compares both.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean


class DataText(str):
    """Data as text, from filters such as to_json; as a whole unquoted YAML value, it is the data itself."""

    __slots__ = ("value",)
    value: Any

    def __new__(cls, text: str, value: Any) -> DataText:
        """Keep the data beside their text."""
        made = super().__new__(cls, text)
        made.value = value
        return made


def _to_json(value: Any, **options: Any) -> DataText:
    return DataText(json.dumps(value, **options), value)


def _to_nice_json(value: Any, indent: int = 4, sort_keys: bool = True) -> DataText:
    return _to_json(value, indent=indent, sort_keys=sort_keys, separators=(",", ": "))


def _to_yaml(value: Any, *, default_flow_style: bool | None = None, **options: Any) -> DataText:
    import yaml

    text = yaml.safe_dump(value, allow_unicode=True, default_flow_style=default_flow_style, **options)
    return DataText(text, value)


def _to_nice_yaml(value: Any, indent: int = 4) -> DataText:
    return _to_yaml(value, indent=indent, default_flow_style=False)


def _from_yaml(text: str) -> Any:
    import yaml

    return yaml.safe_load(text)


def _b64encode(text: Any, encoding: str = "utf-8", urlsafe: bool = False) -> str:
    encode = base64.urlsafe_b64encode if urlsafe else base64.b64encode
    return encode(str(text).encode(encoding)).decode()


def _b64decode(text: str, encoding: str = "utf-8", urlsafe: bool = False) -> str:
    decode = base64.urlsafe_b64decode if urlsafe else base64.b64decode
    return decode(text).decode(encoding)


def _hash(data: Any, hashtype: str = "sha1") -> str:
    # What a user names a hash for is the user's; nothing is protected by it here.
    return hashlib.new(hashtype, str(data).encode(), usedforsecurity=False).hexdigest()


def _flags(*, ignorecase: bool, multiline: bool) -> int:
    return (re.IGNORECASE if ignorecase else 0) | (re.MULTILINE if multiline else 0)


def _regex_replace(
    value: Any = "",
    pattern: str = "",
    replacement: str = "",
    ignorecase: bool = False,
    multiline: bool = False,
    count: int = 0,
) -> str:
    flags = _flags(ignorecase=ignorecase, multiline=multiline)
    return re.sub(pattern, replacement, str(value), count=count, flags=flags)


def _regex_findall(value: Any, regex: str, multiline: bool = False, ignorecase: bool = False) -> list[Any]:
    return re.findall(regex, str(value), _flags(ignorecase=ignorecase, multiline=multiline))


def _regex_search(value: Any, regex: str, *groups: str, ignorecase: bool = False, multiline: bool = False) -> Any:
    """The match, or a list of the groups that are asked for as in a replacement; None if nothing matches."""
    match = re.search(regex, str(value), _flags(ignorecase=ignorecase, multiline=multiline))
    if match is None or not groups:
        return match and match.group()
    return [match.expand(group) for group in groups]


def _regex_escape(value: Any) -> str:
    return re.escape(str(value))


def _ternary(value: Any, true_val: Any, false_val: Any, none_val: Any = None) -> Any:
    if value is None and none_val is not None:
        return none_val
    return true_val if value else false_val


def _dict2items(value: Mapping[Any, Any], key_name: str = "key", value_name: str = "value") -> list[dict[str, Any]]:
    return [{key_name: key, value_name: entry} for key, entry in value.items()]


def _items2dict(value: list[Any], key_name: str = "key", value_name: str = "value") -> dict[Any, Any]:
    return {entry[key_name]: entry[value_name] for entry in value}


FILTERS: dict[str, Callable[..., Any]] = {
    "b64decode": _b64decode,
    "b64encode": _b64encode,
    "bool": boolean,
    "dict2items": _dict2items,
    "from_json": json.loads,
    "from_yaml": _from_yaml,
    "hash": _hash,
    "items2dict": _items2dict,
    "regex_escape": _regex_escape,
    "regex_findall": _regex_findall,
    "regex_replace": _regex_replace,
    "regex_search": _regex_search,
    "ternary": _ternary,
    "to_json": _to_json,
    "to_nice_json": _to_nice_json,
    "to_nice_yaml": _to_nice_yaml,
    "to_yaml": _to_yaml,
}
