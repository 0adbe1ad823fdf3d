# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the table of settings is made of: a setting with its range, and the role that it belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import KubestressError

DAY_SECONDS = 86_400
WEEK_SECONDS = 7 * DAY_SECONDS


class SettingError(KubestressError, ValueError):
    """A setting that is refused. The text is one line: variable or option, value, and what is allowed."""


@dataclass(frozen=True)
class Range:
    """The numbers that are allowed: `low` to `high`, both included.

    `above`: `low` itself is not allowed. `special` is one more number that is allowed, because it means `meaning`.
    """

    low: float
    high: float
    above: bool = False
    special: float | None = None
    meaning: str = ""

    def allows(self, value: float) -> bool:
        """Whether the number is in the range."""
        if self.special is not None and value == self.special:
            return True
        return (value > self.low if self.above else value >= self.low) and value <= self.high

    def problem(self, name: str, value: float) -> str | None:
        """The line that refuses the value of a variable or of a module's option; None if it is allowed."""
        return None if self.allows(value) else f"{name}: {value} is not allowed; it must be {self}"

    def check(self, name: str, value: float | None) -> None:
        """Raise SettingError unless the value is allowed, or is not given."""
        if value is not None and (problem := self.problem(name, value)):
            raise SettingError(problem)

    def __str__(self) -> str:
        """Such as "1 to 3,600, or 0 for never"."""
        low, high = _number(self.low), _number(self.high)
        text = f"more than {low}, up to {high}" if self.above else f"{low} to {high}"
        return text if self.special is None else f"{text}, or {_number(self.special)} for {self.meaning}"


def _number(value: float) -> str:
    return f"{int(value):,}" if float(value).is_integer() else f"{value:g}"


@dataclass(frozen=True)
class Setting:
    """One variable of one role.

    - `type`, `elements`, `choices` and `options` are those of Ansible's argument specs.
    - `synonyms`: other words for the choices, in lower case.
    - `default` None: the variable is unset by default.
    - `allowed`: the range of a number.
    - `environment`, `old_flags`: how the scripts that this collection replaces called it.
    - `secret`: its value, or a part of it, is shown nowhere. The result of the check is without it; the role hands the
      variable on itself.
    - `of_run`: whether it is one of the settings of a run, which environment and profiles can give as well.
    - `meaning`: Ansible's markup; a newline separates paragraphs. Leave out range and environment variable, which the
      documentation adds.
    """

    name: str
    type: str
    default: Any = None
    allowed: Range | None = None
    environment: str | None = None
    old_flags: tuple[str, ...] = ()
    elements: str | None = None
    choices: tuple[str, ...] = ()
    synonyms: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Mapping[str, Any]] | None = None
    of_run: bool = True
    secret: bool = False
    meaning: str = ""

    @property
    def role_default(self) -> Any:
        """What the role's defaults/main.yml says: the lookup of a setting of a run, else the default itself."""
        if not self.of_run:
            return self.default
        arguments = [repr(self.name)]
        if self.environment:
            arguments.append(f"env={self.environment!r}")
        if self.default is not None:
            literal = str(self.default).lower() if isinstance(self.default, bool) else repr(self.default)
            arguments.append(f"default={literal}")
        return f"{{{{ lookup('kubestress.core.setting', {', '.join(arguments)}) }}}}"

    def argument_spec(self) -> dict[str, Any]:
        """The entry of an argument spec: type, default, elements, choices and inner options."""
        spec: dict[str, Any] = {"type": self.type}
        if self.default is not None:
            spec["default"] = float(self.default) if self.type == "float" else self.default
        if self.elements:
            spec["elements"] = self.elements
        if self.choices:
            spec["choices"] = list(self.choices)
        if self.options:
            # A module describes its inner options in its documentation.
            spec["options"] = {
                name: {key: value for key, value in inner.items() if key != "description"}
                for name, inner in self.options.items()
            }
        return spec

    def check(self, option: str, value: float | None) -> None:
        """Raise SettingError unless this setting's range allows the value of a module's option."""
        if self.allowed:
            self.allowed.check(option, value)


@dataclass(frozen=True)
class Entry:
    """An entry point of a role, with the variables that it adds. A newline separates paragraphs of the description."""

    name: str
    summary: str
    description: str
    settings: tuple[Setting, ...] = ()


@dataclass(frozen=True)
class Role:
    """A role's entry points.

    `alone`: it also works without a run. Then `reads` are the variables of other roles that it takes, and `requires`
    those without which it can do nothing; `instead` is one that takes their place.
    """

    name: str
    entries: tuple[Entry, ...]
    alone: bool = False
    reads: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    instead: str = ""

    @property
    def settings(self) -> tuple[Setting, ...]:
        """The variables of all entry points."""
        return tuple(setting for entry in self.entries for setting in entry.settings)

    def __getitem__(self, name: str) -> Setting:
        """The setting of that name. Raises KeyError."""
        for setting in self.settings:
            if setting.name == name:
                return setting
        raise KeyError(name)


def plan_entry(summary: str) -> Entry:
    """The entry point `plan` of a workload."""
    return Entry(
        "plan",
        summary,
        "Adds the role's fragment to C(kubestress_plan) and sends nothing; the options are those of the entry C(main).",
    )
