# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is observed and how often: options and ranges that the modules `batch` and `observe` share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import KubestressError
from ..settings.roles.observe import ROLE as OBSERVE

#: Each interval with the setting that it is.
_INTERVALS = {"api_interval": OBSERVE["observe_api_interval"], "node_interval": OBSERVE["observe_node_interval"]}

INTERVAL_OPTIONS: dict[str, dict[str, Any]] = {
    **{option: setting.argument_spec() for option, setting in _INTERVALS.items()},
    "events": OBSERVE["observe_events"].argument_spec(),
}

#: The option `observe` of a module that observes during its own work.
OBSERVE_ARGUMENTS: dict[str, dict[str, Any]] = {
    "observe": {
        "type": "dict",
        "apply_defaults": True,
        "options": {"enabled": OBSERVE["observe_enabled"].argument_spec(), **INTERVAL_OPTIONS},
    }
}


class ObserveError(KubestressError):
    """An option is wrong, or nothing can be observed; one line for the user."""


@dataclass(frozen=True, kw_only=True)
class Intervals:
    """How often to read. `api_seconds` 0: only before and after. `node_seconds` 0: never."""

    api_seconds: float = OBSERVE["observe_api_interval"].default
    node_seconds: float = OBSERVE["observe_node_interval"].default
    events: bool = OBSERVE["observe_events"].default

    @classmethod
    def of(cls, options: Mapping[str, Any], *, prefix: str = "") -> Intervals:
        """From a module's options; `prefix` precedes their names in errors. Raises SettingError."""
        for option, setting in _INTERVALS.items():
            setting.check(prefix + option, options[option])
        return cls(api_seconds=options["api_interval"], node_seconds=options["node_interval"], events=options["events"])
