# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole check: from values as users give them to typed settings, or to lines that say what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
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
    """The settings in their types; they hold if there are no `problems`. Problems and warnings are one line each."""

    settings: dict[str, Any]
    problems: list[str]
    warnings: list[str]


def check_run(given: Given) -> Checked:
    """Check the settings of a run, which are those of all roles."""
    settings, sources, problems = _converted(given, RUN_SETTINGS.values())
    problems += [_with_source(line, sources) for line in problems_of(settings)]
    if settings.get("run_profile_required") and not given.profile:
        listed = ", ".join(given.profiles)
        problems.append(f"profile: none is given; -e profile=NAME with one of {listed}, or the path of a .yml file")
    return _with_unknown_names(given, settings, problems, policy=settings.get("run_unknown_variables", "refuse"))


def check_role(given: Given, role: Role) -> Checked:
    """Check the variables of a role that works without a run, and those of other roles that it reads."""
    policy = SETTINGS["run_unknown_variables"]
    needed = [*role.settings, *(SETTINGS[name] for name in role.reads), policy]
    settings, sources, problems = _converted(given, needed)
    # Not those of other roles: the rule of run_id is for new runs, and here it names one that the module batch may have
    # made, which allows more.
    own = {setting.name: settings[setting.name] for setting in role.settings if setting.name in settings}
    problems += [_with_source(line, sources) for line in problems_of(own)]
    missing = [name for name in role.requires if name in settings and not settings[name]]
    problems += [f"{name}: none is given; name one, as in -e {name}=…" for name in missing]
    return _with_unknown_names(given, settings, problems, policy=settings.pop(policy.name, "refuse"))


def _converted(given: Given, wanted: Collection[Setting]) -> tuple[dict[str, Any], dict[str, str], list[str]]:
    """The values that can be converted, by name; the sources of all values; and the problems of the others."""
    settings: dict[str, Any] = {}
    sources: dict[str, str] = {}
    problems: list[str] = []
    for setting in wanted:
        try:
            found = given.value_of(setting)
            sources[setting.name] = found.source
            settings[setting.name] = converted(setting, found.value)
        except SettingError as error:
            problems.append(_with_source(str(error), sources))
    return settings, sources, problems


def _with_source(line: str, sources: Mapping[str, str]) -> str:
    """A user who never wrote the variable's name must see where its value was found."""
    source = sources.get(line.partition(":")[0], "")
    return f"{line} (from the {source})" if source else line


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
