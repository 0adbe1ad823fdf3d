# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action plug-in of `image`: shows the builder's lines as they come, and what came of it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.common.validation import check_type_dict
from ansible_collections.kubestress.core.plugins.module_utils.results.table import PLAIN, Line
from ansible_collections.kubestress.core.plugins.module_utils.settings.names import is_unset
from ansible_collections.kubestress.core.plugins.plugin_utils.module_action import VARIABLE_PREFIX
from ansible_collections.kubestress.core.plugins.plugin_utils.progress_action import ProgressAction
from ansible_collections.kubestress.core.plugins.plugin_utils.show import show_lines
from ansible_collections.kubestress.core.plugins.plugin_utils.sources import with_sources

_JOB = "job"
#: Options that name something on the user's machine, relative to the user's working directory.
_PATHS = ("context", "log_file", "credentials_file", "cache_dir", "binaries_dir")


class ActionModule(ProgressAction):
    """The folder is named where the playbook runs, and the pinned Go modules are this collection's."""

    def module_arguments(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        """The module's arguments with absolute paths, and with the folder of the Go modules.

        :raises AnsibleActionFail: on another machine, where this collection's files are not.
        """
        transport = getattr(self._connection, "transport", "")
        arguments = with_sources(self._task.args, transport=transport, module="image")
        if transport == "local":
            # A module's own working directory is not the user's.
            for option in _PATHS:
                if arguments.get(option):
                    arguments[option] = os.path.abspath(os.path.expanduser(str(arguments[option])))
        if arguments.get("builder") == _JOB:
            arguments["job"] = self._with_cluster(arguments.get("job") or {}, task_vars, transport)
        return arguments

    def _with_cluster(self, given: Any, task_vars: dict[str, Any], transport: str) -> Any:
        """The option `job` with the cluster that the variables kubestress_* name, as all modules know them."""
        if isinstance(given, str):
            # As AWX gives it. What is no dictionary the module refuses.
            with contextlib.suppress(TypeError):
                given = check_type_dict(given)
        if not isinstance(given, Mapping):
            return given
        job = dict(given)
        for option in ("kubeconfig", "context"):
            value = task_vars.get(VARIABLE_PREFIX + option)
            if not job.get(option) and not is_unset(value) and not is_unset(value := self._templar.template(value)):
                job[option] = value
        if job.get("kubeconfig") and transport == "local":
            job["kubeconfig"] = os.path.abspath(os.path.expanduser(str(job["kubeconfig"])))
        return job

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """The module's result; its message is shown, because Ansible shows none of a task that went well."""
        result = super().run(tmp, task_vars)
        if result.get("msg") and not result.get("failed"):
            show_lines([Line(str(result["msg"]), PLAIN)])
        return result
