# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what users write ("10", "false", "[]", 3) to the setting's type, by ansible-core's rules."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.validation import (
    check_type_bool,
    check_type_dict,
    check_type_float,
    check_type_int,
    check_type_list,
    check_type_str,
)

from .names import is_unset
from .setting import Setting, SettingError

_EXPECTED = {
    "bool": "true or false",
    "dict": "names with values (a dictionary, or its JSON)",
    "float": "a number",
    "int": "a whole number",
    "list": "a list (or its JSON, or text separated by commas)",
    "path": "text",
    "str": "text",
}
#: How much of a wrong value is shown.
_SHOWN = 80


def converted(setting: Setting, value: Any) -> Any:
    """`value` in the setting's type; None if it is unset and the setting has no default.

    Raises SettingError naming setting, value and what is allowed.
    """
    if is_unset(value):
        return "" if setting.type in ("str", "path") and setting.default is not None else None
    try:
        typed = _CONVERTERS.get(setting.type, _as_raw)(value)
    except (TypeError, ValueError) as error:
        allowed = f", {setting.allowed}" if setting.allowed else ""
        given = "its value" if setting.secret else shown(value)
        raise SettingError(f"{setting.name}: {given} is not {_EXPECTED[setting.type]}{allowed}") from error
    if setting.elements:
        typed = _elements(setting, typed)
    if setting.choices:
        typed = [_chosen(setting, one) for one in typed] if setting.type == "list" else _chosen(setting, typed)
    if setting.options:
        _check_options(setting, typed)
    return typed


def shown(value: Any) -> str:
    """A value as error messages show it: in quotes if it is text, on one line, not too long."""
    text = repr(str(value)) if isinstance(value, str) else " ".join(str(value).split())
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _as_bool(value: Any) -> bool:
    if isinstance(value, float) and not value.is_integer():
        raise ValueError
    return check_type_bool(value.strip() if isinstance(value, str) else value)


def _as_int(value: Any) -> int:
    _refuse_bool(value)
    return int(check_type_int(value))


def _as_float(value: Any) -> float:
    _refuse_bool(value)
    number = float(check_type_float(value))
    if not math.isfinite(number):
        raise ValueError
    return number


def _as_str(value: Any) -> str:
    # Python's text of a list or a dictionary is never what somebody meant.
    if isinstance(value, list | dict | tuple):
        raise TypeError
    return str(check_type_str(value))


def _as_list(value: Any) -> list[Any]:
    if isinstance(value, dict):
        raise TypeError
    if isinstance(value, str):
        text = value.strip()
        found = json.loads(text) if text.startswith(("[", "{")) else [part.strip() for part in text.split(",")]
        return found if isinstance(found, list) else [found]
    return list(check_type_list(value))


def _as_dict(value: Any) -> dict[str, Any]:
    # An empty dictionary as text is JSON to us and nothing to ansible-core.
    return {} if isinstance(value, str) and value.strip() == "{}" else dict(check_type_dict(value))


def _as_raw(value: Any) -> Any:
    return value


_CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "bool": _as_bool,
    "dict": _as_dict,
    "float": _as_float,
    "int": _as_int,
    "list": _as_list,
    "path": _as_str,
    "str": _as_str,
}


def _refuse_bool(value: Any) -> None:
    # To Python, True is the number 1; to a user who wrote `namespaces_total: yes` it is a mistake.
    if isinstance(value, bool):
        raise TypeError


def _elements(setting: Setting, values: list[Any]) -> list[Any]:
    type_name = setting.elements or "raw"
    elements = []
    for number, value in enumerate(values, start=1):
        try:
            elements.append(_CONVERTERS.get(type_name, _as_raw)(value))
        except (TypeError, ValueError) as error:
            given = f"entry {number}" if setting.secret else f"entry {number}, {shown(value)},"
            raise SettingError(f"{setting.name}: {given} is not {_EXPECTED[type_name]}") from error
    return elements


def _chosen(setting: Setting, value: Any) -> Any:
    """The choice that `value` names, in upper or lower case or by a synonym, as LOG_LEVEL=info always worked."""
    word = str(value).strip().lower()
    for choice in setting.choices:
        if word == choice.lower():
            return choice
    if word in setting.synonyms:
        return setting.synonyms[word]
    raise SettingError(f"{setting.name}: {shown(value)} is not allowed; choose one of {', '.join(setting.choices)}")


def _check_options(setting: Setting, value: Any) -> None:
    """Check the inner options of a dictionary, or of each dictionary of a list, with ansible-core's validator.

    Converts them in place.
    """
    validator = ArgumentSpecValidator(setting.options)
    for entry in value if isinstance(value, list) else [value]:
        result = validator.validate(entry)
        if result.error_messages:
            problems = "; ".join(" ".join(message.split()) for message in result.error_messages)
            raise SettingError(f"{setting.name}: {shown(entry)} is refused: {problems}")
        # To Kubernetes, an option that is left out differs from one that is null.
        given = {name: option for name, option in result.validated_parameters.items() if option is not None}
        entry.clear()
        entry.update(given)
