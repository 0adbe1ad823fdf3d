# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard's thresholds, as the option `guard` of the module `batch` has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..settings.roles.guard import ROLE, SIGNS, STOP

GUARD_ARGUMENTS: dict[str, dict[str, Any]] = {
    "guard": {
        "type": "dict",
        "apply_defaults": True,
        "options": {setting.name.removeprefix("guard_"): setting.argument_spec() for setting in ROLE.settings},
    }
}


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """`of_signs`: the figure of each sign from which on it counts; a sign that is never judged is not in it.

    `stops`: a sign that counts ends the load; else it is only told.
    """

    stops: bool = True
    window_seconds: float = ROLE["guard_window"].default
    of_signs: Mapping[str, float] = field(
        default_factory=lambda: {sign.name: sign.default for sign in SIGNS if sign.default}
    )

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Thresholds | None:
        """From the module's options; None where the guard is off. Raises SettingError."""
        for setting in ROLE.settings:
            option = setting.name.removeprefix("guard_")
            setting.check(f"guard.{option}", options[option])
        if not options["enabled"]:
            return None
        return cls(
            stops=options["action"] == STOP,
            window_seconds=options["window"],
            of_signs={sign.name: options[sign.name] for sign in SIGNS if options[sign.name]},
        )
