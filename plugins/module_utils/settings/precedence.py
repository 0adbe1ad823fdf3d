# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a setting's value comes from. The one place that knows the order of the sources.

Extra vars and the inventory come first: their order is Ansible's own. Ansible uses role defaults last of all, and those
of our roles are a lookup of what stands behind them: environment, profile, default.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .names import is_unset
from .setting import Setting

_FROM_ENVIRONMENT = "environment variable "


@dataclass(frozen=True)
class Found:
    """A value, and its source as messages name it: "" for extra vars, the inventory and the default."""

    value: Any
    source: str = ""

    @property
    def environment(self) -> str:
        """The environment variable that gave the value; "" if none did."""
        return self.source.removeprefix(_FROM_ENVIRONMENT) if self.source.startswith(_FROM_ENVIRONMENT) else ""


@dataclass(frozen=True, kw_only=True)
class Fallback:
    """What counts for a setting that neither extra vars nor the inventory give. Without profile, `profile` is "".

    `defaults` are a playbook's own, in the place of the table's.
    """

    environment: Mapping[str, str]
    profile: str = ""
    profile_values: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)

    def find(self, name: str, *, environment: str | None = None, default: Any = None) -> Found:
        """The environment variable, if it is set and not empty; else the profile's value; else the default."""
        text = self.environment.get(environment or "")
        if not is_unset(text):
            return Found(text, _FROM_ENVIRONMENT + str(environment))
        value = self.profile_values.get(name)
        if not is_unset(value):
            return Found(value, f"profile {self.profile}")
        return Found(self.defaults.get(name, default))


def find(
    setting: Setting, variables: Mapping[str, Any], fallback: Fallback, *, template: Callable[[Any], Any]
) -> Found:
    """The setting's value: from Ansible's `variables` if extra vars or the inventory give it, else the fallback's.

    `template` resolves Ansible's expressions. What is empty or null counts as not given.
    """
    raw = variables.get(setting.name)
    if not is_unset(raw) and raw != setting.role_default:
        value = template(raw)
        if not is_unset(value):
            return Found(value)
    if not setting.of_run:
        return Found(setting.default)
    return fallback.find(setting.name, environment=setting.environment, default=setting.default)
