# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole check: values from where users put them to typed settings, or to lines that say what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .convert import converted
from .names import Findings, unknown_in_profile, unknown_names
from .rules import problems_of
from .variable import SettingError, Variable

#: Roles whose variables are no settings of a run. Their names count as known all the same.
NOT_OF_A_RUN = frozenset({"local_cluster"})
#: Variables that the play sets while it runs.
_OF_THE_PLAY = frozenset({"report_error"})

#: Behind kubestress_: the options of kubestress.core.auth, by which playbooks and roles connect.
CONNECTION_PREFIX = "kubestress_"


@dataclass(frozen=True, kw_only=True)
class Given:
    """What users gave. `value_of` returns a variable's value and whether extra vars or the inventory give it.

    `present` are all variables of the host, `extra_vars` those among them that win over everything.
    """

    variables: Mapping[str, Variable]
    profile: str
    profile_values: Mapping[str, Any]
    profiles: Sequence[str]
    environment: Mapping[str, str]
    present: Mapping[str, Any]
    extra_vars: Mapping[str, Any]
    value_of: Callable[[Variable], tuple[Any, bool]]
    connection_options: Sequence[str] = ()


def checked(given: Given) -> tuple[dict[str, Any], list[str], list[str]]:
    """Return the typed settings, the problems, and the warnings, one line each. Without problems the settings hold."""
    settings: dict[str, Any] = {}
    sources: dict[str, str] = {}
    problems: list[str] = []
    for variable in given.variables.values():
        if variable.role in NOT_OF_A_RUN or variable.name in _OF_THE_PLAY:
            continue
        try:
            value, by_user = given.value_of(variable)
            sources[variable.name] = "" if by_user else _source(given, variable)
            settings[variable.name] = converted(variable, value)
        except SettingError as error:
            problems.append(_with_source(str(error), sources))
    problems += [_with_source(line, sources) for line in problems_of(settings)]
    if settings.get("run_profile_required") and not given.profile:
        listed = ", ".join(given.profiles)
        problems.append(f"profile: none is given; -e profile=NAME with one of {listed}, or the path of a .yml file")
    problems += unknown_in_profile(given.profile_values, given.variables, source=f"the profile {given.profile}")
    strangers = _strangers(given, settings.get("run_unknown_variables", "refuse"))
    return settings, [*problems, *strangers.problems], list(strangers.warnings)


def _source(given: Given, variable: Variable) -> str:
    """Where the value comes from that neither extra vars nor the inventory give; "" for the collection's default."""
    if variable.environment and given.environment.get(variable.environment):
        return f"environment variable {variable.environment}"
    return f"profile {given.profile}" if variable.name in given.profile_values else ""


def _with_source(line: str, sources: Mapping[str, str]) -> str:
    """A user who never wrote the variable's name must see where its value was found."""
    source = sources.get(line.partition(":")[0], "")
    return f"{line} (from the {source})" if source else line


def _strangers(given: Given, policy: str) -> Findings:
    if policy == "ignore":
        return Findings()
    connection = {CONNECTION_PREFIX + option for option in given.connection_options}
    return unknown_names(
        given.present,
        known={*given.variables, *connection, "profile"},
        prefixes={CONNECTION_PREFIX, *(f"{variable.role}_" for variable in given.variables.values())},
        extra_vars=given.extra_vars,
        refuse=policy == "refuse",
    )
