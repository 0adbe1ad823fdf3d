# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole check: from values as users give them to typed settings, or to lines that say what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .convert import converted
from .names import Findings, unknown_in_profile, unknown_names
from .precedence import Found
from .rules import problems_of
from .setting import Role, Setting, SettingError
from .table import ROLES, RUN_SETTINGS, SETTINGS

#: Followed by the name of a connection option: the variables by which playbooks and roles connect.
CONNECTION_PREFIX = "kubestress_"


@dataclass(frozen=True, kw_only=True)
class Given:
    """What users gave.

    - `value_of` finds a setting's value and may raise SettingError.
    - `present` are all variables of the host, `extra_vars` those of the command line or the AWX template.
    - `profiles` are the names to choose from.
    """

    value_of: Callable[[Setting], Found]
    profile: str
    profile_values: Mapping[str, Any]
    profiles: Sequence[str]
    present: Mapping[str, Any]
    extra_vars: Mapping[str, Any]
    connection_options: Sequence[str] = ()


@dataclass(frozen=True)
class Checked:
    """The settings in their types; they hold if there are no `problems`. Problems and warnings are one line each.

    `environment` has the settings of a run that an environment variable gave, with that variable's name.
    """

    settings: dict[str, Any]
    problems: list[str]
    warnings: list[str]
    environment: Mapping[str, str] = field(default_factory=dict)


def check_run(given: Given) -> Checked:
    """Check the settings of a run, which are those of all roles."""
    settings, sources, problems = _converted(given, RUN_SETTINGS.values())
    problems += [_with_source(line, sources) for line in problems_of(settings)]
    if settings.get("run_profile_required") and not given.profile:
        listed = ", ".join(given.profiles)
        problems.append(f"profile: none is given; -e profile=NAME with one of {listed}, or the path of a .yml file")
    fixed = settings.get("run_profile_fixed")
    if fixed and given.profile != fixed:
        problems.append(
            f"profile: {given.profile or 'none'} is given, but this playbook is for the profile {fixed}; "
            "the playbook kubestress.core.stress takes any"
        )
    checked = _with_unknown_names(given, settings, problems, policy=settings.get("run_unknown_variables", "refuse"))
    return replace(
        checked, environment={name: found.environment for name, found in sources.items() if found.environment}
    )


def check_role(given: Given, role: Role, *, complete: bool = True) -> Checked:
    """Check the variables of a role that works without a run, and those of other roles that it reads.

    `complete`: what the role cannot do without must be given.
    """
    policy = SETTINGS["run_unknown_variables"]
    needed = [*role.settings, *(SETTINGS[name] for name in role.reads), policy]
    settings, sources, problems = _converted(given, needed)
    # Not those of other roles: the rule of run_id is for new runs, and here it names one that the module batch may have
    # made, which allows more.
    own = {setting.name: settings[setting.name] for setting in role.settings if setting.name in settings}
    problems += [_with_source(line, sources) for line in problems_of(own)]
    if complete:
        problems += _missing(role, settings)
    return _with_unknown_names(given, settings, problems, policy=settings.pop(policy.name, "refuse"))


def _missing(role: Role, settings: Mapping[str, Any]) -> list[str]:
    """Lines on what the role requires, or on what is given beside that which takes its place."""
    if role.instead and settings.get(role.instead) is not None:
        both = [name for name in role.requires if settings.get(name)]
        return [f"{role.instead}: {settings[role.instead]} is given beside {name}; give one of them" for name in both]
    if role.instead and role.instead not in settings:
        return []  # it is given, and refused by itself
    missing = [name for name in role.requires if name in settings and not settings[name]]
    instead = f", or give {role.instead}" if role.instead else ""
    return [f"{name}: none is given; name one, as in -e {name}=…{instead}" for name in missing]


def _converted(given: Given, wanted: Collection[Setting]) -> tuple[dict[str, Any], dict[str, Found], list[str]]:
    """The values that can be converted, by name; where all values were found; and the problems of the others."""
    settings: dict[str, Any] = {}
    sources: dict[str, Found] = {}
    problems: list[str] = []
    for setting in wanted:
        try:
            found = given.value_of(setting)
            sources[setting.name] = found
            settings[setting.name] = converted(setting, found.value)
        except SettingError as error:
            problems.append(_with_source(str(error), sources))
    return settings, sources, problems


def _with_source(line: str, sources: Mapping[str, Found]) -> str:
    """A user who never wrote the variable's name must see where its value was found."""
    found = sources.get(line.partition(":")[0])
    if found is None or not found.source:
        return line
    switch = "; run_environment=false leaves such variables out" if found.environment else ""
    return f"{line} (from the {found.source}{switch})"


def _with_unknown_names(given: Given, settings: dict[str, Any], problems: list[str], *, policy: str) -> Checked:
    problems = [
        *problems,
        *unknown_in_profile(given.profile_values, SETTINGS, source=f"the profile {given.profile}"),
    ]
    unknown = Findings()
    if policy != "ignore":
        connection = {CONNECTION_PREFIX + option for option in given.connection_options}
        unknown = unknown_names(
            given.present,
            known={*SETTINGS, *connection, "profile"},
            prefixes={CONNECTION_PREFIX, *(f"{role}_" for role in ROLES)},
            extra_vars=given.extra_vars,
            refuse=policy == "refuse",
        )
    return Checked(settings, [*problems, *unknown.problems], list(unknown.warnings))
