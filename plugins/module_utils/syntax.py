# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kubernetes' documented syntax of names, labels and quantities: the only place that has a pattern of them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any

LABEL_LENGTH = 63
#: RFC 1123, as Kubernetes wants it of namespaces.
_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_DNS_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL_PART = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_QUANTITY = re.compile(r"(?P<number>[+-]?(\d+(\.\d*)?|\.\d+))(?P<suffix>[eE][+-]?\d+|[KMGTPE]i|[numkMGTPE]?)")
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)\s*([smhdw]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_EXPONENT_OF_1000 = {"n": -3, "u": -2, "m": -1, "": 0, "k": 1, "M": 2, "G": 3, "T": 4, "P": 5, "E": 6}
_EXPONENT_OF_1024 = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}

DNS_LABEL_RULE = "lower-case letters, digits and hyphens, first and last a letter or digit, at most 63 characters"
LABEL_VALUE_RULE = "letters, digits, '-', '_' and '.', first and last a letter or digit, at most 63 characters"
SERVICE_ACCOUNT_RULE = "NAMESPACE/NAME of a ServiceAccount, such as team-a/load"
QUANTITY_RULE = "a Kubernetes quantity such as 250m, 1.5 or 64Mi"
DURATION_RULE = "a number of seconds, or with a unit such as 90m, 24h, 7d or 2w"


def is_dns_label(text: str) -> bool:
    """Whether this can be the name of a namespace."""
    return len(text) <= LABEL_LENGTH and bool(_DNS_LABEL.fullmatch(text))


def is_dns_subdomain(text: str) -> bool:
    """Whether this can be the name of most other objects, Secrets among them."""
    return len(text) <= 253 and bool(_DNS_SUBDOMAIN.fullmatch(text))


def is_service_account(text: str) -> bool:
    """Whether this names a ServiceAccount and its namespace."""
    namespace, _slash, name = text.partition("/")
    return is_dns_label(namespace) and is_dns_subdomain(name)


def is_label_value(text: str) -> bool:
    """Whether this can be the value of a label; empty is allowed."""
    return not text or (len(text) <= LABEL_LENGTH and bool(_LABEL_PART.fullmatch(text)))


def is_label_key(text: str) -> bool:
    """Whether this can be the key of a label or an annotation: a name, or prefix/name."""
    prefix, slash, name = text.rpartition("/")
    return len(name) <= LABEL_LENGTH and bool(_LABEL_PART.fullmatch(name)) and (not slash or is_dns_subdomain(prefix))


@lru_cache(maxsize=4096)
def quantity(text: str | float) -> Decimal | None:
    """The number that a quantity stands for; None if it is none.

    The kubernetes library has this too, but the controller may lack it, and loading it takes 0.4 s.
    """
    found = _QUANTITY.fullmatch(str(text).strip())
    if not found:
        return None
    number, suffix = Decimal(found["number"]), found["suffix"]
    if suffix in _EXPONENT_OF_1024:
        return number * Decimal(1024) ** _EXPONENT_OF_1024[suffix]
    if suffix in _EXPONENT_OF_1000:
        return number * Decimal(1000) ** _EXPONENT_OF_1000[suffix]
    return number.scaleb(int(suffix[1:]))


def duration_seconds(text: str | float) -> float | None:
    """The seconds that a duration such as 7d stands for; None if it is none."""
    found = _DURATION.fullmatch(str(text).strip())
    return None if found is None else float(found[1]) * _SECONDS[found[2]]


def cpu_milli(text: str | float) -> int:
    """A CPU quantity in thousandths of a core, rounded up as the scheduler does. Raises ValueError."""
    return math.ceil(_number(text) * 1000)


def whole(text: str | float) -> int:
    """A quantity of bytes or of things, rounded up. Raises ValueError."""
    return math.ceil(_number(text))


def cpu_and_memory(resources: Mapping[str, Any] | None) -> tuple[int, int]:
    """(thousandths of a core, bytes) of `requests` or `limits`; what they leave out is 0. Raises ValueError."""
    resources = resources or {}
    return cpu_milli(resources.get("cpu") or 0), whole(resources.get("memory") or 0)


def _number(text: str | float) -> Decimal:
    number = quantity(text)
    if number is None:
        raise ValueError(f"{text!r} is not {QUANTITY_RULE}")
    return number
