# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands that report on a run again and clean it up, as somebody who ran it would type them. No secrets.

Shown before the load, because nothing of ours runs any more when a playbook is interrupted, and again at its end.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.kubestress.core.plugins.module_utils.cluster.arguments import AUTH_ARGUMENTS
from ansible_collections.kubestress.core.plugins.module_utils.results.table import FAINT, Line
from ansible_collections.kubestress.core.plugins.module_utils.settings.names import is_unset
from ansible_collections.kubestress.core.plugins.module_utils.settings.roles.run import ROLE as RUN

_PLAYBOOK = "ansible-playbook kubestress.core."
_CONNECTION = "kubestress_"
#: Variables that say in which namespaces an account may look.
_NAMESPACES = ("cleanup_namespaces", "namespaces_existing", "namespaces_names")


def commands(
    run_id: str, *, results_dir: str | None, task_vars: Mapping[str, Any], template: Callable[[Any], Any]
) -> dict[str, str]:
    """The commands by what they do: `report`, and `clean up` with the connection that the user gave by variables.

    `results_dir` is the folder of all runs, if it is another than the default. Values that are or may hold secrets are
    left out, and named after the command.
    """
    where = {} if results_dir in (None, RUN["run_results_dir"].default) else {"run_results_dir": results_dir}
    variables: dict[str, Any] = {}
    secret: list[str] = []
    for name in ("kubestress_hosts", *(_CONNECTION + option for option in AUTH_ARGUMENTS), *_NAMESPACES):
        value = task_vars.get(name)
        if is_unset(value) or is_unset(value := template(value)) or value == []:
            continue
        if _may_be_secret(name, value):
            secret.append(name)
        else:
            variables[name] = value
    left_out = f"   # and {', '.join(secret)} as before" if secret else ""
    return {
        "report": f"{_PLAYBOOK}report {_options({'run_id': run_id, **where})}",
        "clean up": f"{_PLAYBOOK}cleanup {_options({'run_id': run_id, **variables})}{left_out}",
    }


def command_lines(found: Mapping[str, str]) -> list[Line]:
    """Lines for the screen, never wrapped or cut: people copy them."""
    return [Line(f"  {what:<9} {command}", FAINT) for what, command in found.items()]


def _may_be_secret(name: str, value: Any) -> bool:
    option = name.removeprefix(_CONNECTION)
    # A URL may have a password in it, and a kubeconfig given as data has the credentials.
    return bool(
        AUTH_ARGUMENTS.get(option, {}).get("no_log")
        or (option == "kubeconfig" and not isinstance(value, str))
        or (option in ("host", "proxy") and "@" in str(value))
    )


def _options(values: Mapping[str, Any]) -> str:
    return " ".join(f"-e {_option(name, value)}" for name, value in values.items())


def _option(name: str, value: Any) -> str:
    if isinstance(value, bool):
        value = str(value).lower()
    if isinstance(value, list | dict) or any(mark in str(value) for mark in " \t'\"{"):
        # Ansible itself takes name=value apart at spaces and quotes.
        return shlex.quote(json.dumps({name: value}))
    return shlex.quote(f"{name}={value}")
