# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How roles and playbooks say which cluster they mean: variables named after the modules' connection options."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.kubestress.core.plugins.module_utils.cluster.arguments import AUTH_ARGUMENTS
from ansible_collections.kubestress.core.plugins.module_utils.settings.names import is_unset

VARIABLE_PREFIX = "kubestress_"


def with_connection(
    arguments: Mapping[str, Any], task_vars: Mapping[str, Any], *, template: Callable[[Any], Any]
) -> dict[str, Any]:
    """A task's arguments, completed with the connection that variables such as kubestress_kubeconfig name.

    Empty variables count as not set. The task's own arguments and its module_defaults win. It cannot be done by
    `module_defaults` with `default(omit)` in our roles: an omitted value there takes away the one that the user's own
    play sets, and the task would talk to another cluster.
    """
    complete = dict(arguments)
    for option, spec in AUTH_ARGUMENTS.items():
        if any(name in arguments for name in (option, *spec.get("aliases", ()))):
            continue
        value = task_vars.get(VARIABLE_PREFIX + option)
        if not is_unset(value) and not is_unset(value := template(value)):
            complete[option] = value
    return complete
