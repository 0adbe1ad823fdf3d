# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What users gave, from the variables of a task, and what to do if it is refused."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleError
from ansible.utils.display import Display
from ansible_collections.kubestress.core.plugins.module_utils.cluster.connection import AUTH_ENVIRONMENT
from ansible_collections.kubestress.core.plugins.module_utils.settings.check import Checked, Given
from ansible_collections.kubestress.core.plugins.module_utils.settings.environment import (
    SWITCH,
    environment_that_counts,
)
from ansible_collections.kubestress.core.plugins.module_utils.settings.precedence import Fallback, Found, find
from ansible_collections.kubestress.core.plugins.module_utils.settings.setting import Setting, SettingError
from ansible_collections.kubestress.core.plugins.plugin_utils import setting_files

display = Display()


def given_of(
    task_vars: dict[str, Any],
    *,
    loader: Any,
    template: Callable[[Any], Any],
    extra_vars: Mapping[str, Any],
    values: Mapping[str, Any] | None = None,
    values_from: str = "option values of the task",
    defaults: Mapping[str, Any] | None = None,
) -> Given:
    """What users gave. `values` come before everything; messages say that they are `values_from`.

    `defaults` stand in the place of the table's, for settings of a run.

    `template` resolves Ansible's expressions. Raises SettingError for a profile that is unknown or cannot be read.
    """

    def resolved(name: str, raw: Any) -> Any:
        try:
            return template(raw)
        except AnsibleError as error:
            raise SettingError(f"{name}: {_one_line(error)}") from error

    profile = resolved("profile", task_vars.get("profile"))
    path = setting_files.profile_path(profile, basedir=loader.get_basedir())
    name, profile_values = path.stem if path else "", setting_files.load_profile(path)
    environment = environment_that_counts(
        os.environ, task_vars, profile_values, template=lambda raw: resolved(SWITCH.name, raw)
    )
    fallback = Fallback(environment=environment, profile=name, profile_values=profile_values, defaults=defaults or {})
    first = values or {}

    def value_of(setting: Setting) -> Found:
        if setting.name in first:
            return Found(first[setting.name], values_from)
        return find(setting, task_vars, fallback, template=lambda raw: resolved(setting.name, raw))

    return Given(
        value_of=value_of,
        profile=name,
        profile_values=profile_values,
        profiles=setting_files.profile_names(),
        present=task_vars,
        extra_vars=extra_vars,
        connection_options=tuple(AUTH_ENVIRONMENT),
    )


def accepted(checked: Checked) -> Checked:
    """Show the warnings. Raises SettingError with a line for each problem."""
    for warning in checked.warnings:
        display.warning(warning)
    if len(checked.problems) == 1:
        raise SettingError(checked.problems[0])
    if checked.problems:
        heading = f"{len(checked.problems)} settings are refused, and nothing was created:"
        raise SettingError("\n".join([heading, *checked.problems]))
    return checked


def _one_line(error: AnsibleError) -> str:
    return " ".join(str(getattr(error, "message", None) or error).split())
