# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the environment variables of the old scripts count. Their names are short, and others may use them too."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .convert import converted
from .precedence import Fallback, find
from .roles.run import ROLE as RUN

SWITCH = RUN["run_environment"]


def environment_that_counts(
    environment: Mapping[str, str],
    variables: Mapping[str, Any],
    profile_values: Mapping[str, Any],
    *,
    template: Callable[[Any], Any],
) -> Mapping[str, str]:
    """The environment, or nothing if extra vars, the inventory or the profile switch it off.

    `template` resolves Ansible's expressions. Raises SettingError if the switch is neither on nor off.
    """
    found = find(SWITCH, variables, Fallback(environment={}, profile_values=profile_values), template=template)
    return environment if converted(SWITCH, found.value) else {}
