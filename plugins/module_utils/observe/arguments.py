# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is observed, and how often: the options that the modules `batch` and `observe` share, and their ranges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import KubestressError

#: More often than once a second no kubelet counts, and no API server sums up.
_INTERVAL_SECONDS = (1, 3600)

INTERVAL_OPTIONS: dict[str, dict[str, Any]] = {
    "api_interval": {"type": "float", "default": 15.0},
    "node_interval": {"type": "float", "default": 5.0},
    "events": {"type": "bool", "default": True},
}

#: The option `observe` of a module that observes beside its own work.
OBSERVE_ARGUMENTS: dict[str, dict[str, Any]] = {
    "observe": {
        "type": "dict",
        "apply_defaults": True,
        "options": {"enabled": {"type": "bool", "default": True}, **INTERVAL_OPTIONS},
    }
}


class ObserveError(KubestressError):
    """An option is wrong, or nothing can be observed; one line, fit for the user."""


@dataclass(frozen=True, kw_only=True)
class Intervals:
    """How often what is read. `api_seconds` 0 is only before and after, `node_seconds` 0 is never."""

    api_seconds: float = 15.0
    node_seconds: float = 5.0
    events: bool = True

    @classmethod
    def of(cls, options: Mapping[str, Any], *, prefix: str = "") -> Intervals:
        """From a module's options; `prefix` goes before their names in an error. Raises ObserveError."""
        least, most = _INTERVAL_SECONDS
        for name, zero in (("api_interval", "only before and after"), ("node_interval", "never")):
            value = options[name]
            if value != 0 and not least <= value <= most:
                raise ObserveError(f"{prefix}{name}: {value:g}; allowed are {least} to {most}, or 0 for {zero}")
        return cls(api_seconds=options["api_interval"], node_seconds=options["node_interval"], events=options["events"])
