# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each run of a capacity search is given, and the check of all of them before the first begins."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.kubestress.core.plugins.module_utils.search.progress import Search
from ansible_collections.kubestress.core.plugins.module_utils.search.steps import Step
from ansible_collections.kubestress.core.plugins.module_utils.settings.check import Given, check_run
from ansible_collections.kubestress.core.plugins.module_utils.settings.names import is_unset
from ansible_collections.kubestress.core.plugins.module_utils.settings.roles.namespaces import ROLE as NAMESPACES
from ansible_collections.kubestress.core.plugins.module_utils.settings.roles.run import ROLE as RUN
from ansible_collections.kubestress.core.plugins.module_utils.settings.run import settings_hash
from ansible_collections.kubestress.core.plugins.module_utils.settings.setting import SettingError

#: Values for the check, and what messages say of where they come from.
GivenWith = Callable[[Mapping[str, Any], str], Given]


@dataclass(frozen=True, kw_only=True)
class RunValues:
    """The settings by which the runs of a search are told apart. Without `prefix`, namespaces have fixed names."""

    prefix: str | None

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> RunValues:
        """From the role's settings."""
        named = settings["namespaces_names"] or settings["namespaces_existing"]
        return cls(prefix=None if named else settings["namespaces_prefix"])

    def of_run(self, search: Search, step: Step, number: int) -> dict[str, Any]:
        """The values that come before all others in this run."""
        own: dict[str, Any] = {
            "run_id": search.run_id(step, number),
            # The search cleans up, after it has settled and collected.
            "cleanup_on_completion": False,
        }
        if self.prefix is not None:
            own["namespaces_prefix"] = f"{self.prefix}-{search.run_name(step, number)}"
        return {**own, **step.variables}


def checked_search(search: Search, settings: Mapping[str, Any], *, given_with: GivenWith) -> tuple[Search, RunValues]:
    """The search with profile and hash of its runs' settings, once the settings of every step are checked.

    Raises SettingError with all problems of the first step that has any.
    """
    values = RunValues.of(settings)
    plain = given_with({}, "")
    _refuse_what_the_search_gives(search, plain)
    checked: dict[str, Any] = {}
    for step in search.steps:
        of_run = values.of_run(search, step, search.runs)
        found = check_run(given_with(of_run, f"step {step.label} of capacity_steps"))
        if found.problems:
            heading = [f"{len(found.problems)} settings are refused, and nothing was created:"]
            raise SettingError("\n".join([*(heading if len(found.problems) > 1 else ()), *found.problems]))
        checked = found.settings
    own = {"run_id", "namespaces_prefix", *search.variables}
    shared = {name: value for name, value in checked.items() if name not in own}
    return dataclasses.replace(search, profile=plain.profile, settings_hash=settings_hash(shared)), values


def _refuse_what_the_search_gives(search: Search, plain: Given) -> None:
    """Raise SettingError for variables that users gave and that would have no effect."""
    if plain.value_of(RUN["run_id"]).value:
        raise SettingError(
            "run_id: a search gives each of its runs an id of its own; capacity_id names the search, and resumes it"
        )
    for name in search.variables:
        if not is_unset(plain.extra_vars.get(name)):
            raise SettingError(
                f"{name}: {plain.extra_vars[name]} is given, and it is what the steps of the search vary; leave it out"
            )
    if "namespaces_total" in search.variables and plain.value_of(NAMESPACES["namespaces_names"]).value:
        raise SettingError("capacity_knob: namespaces_total has no effect where namespaces_names lists the namespaces")
