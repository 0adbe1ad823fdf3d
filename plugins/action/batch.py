# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action plug-in of `batch`: reads the templates where the playbook runs, and shows progress while the module works."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible_collections.kubestress.core.plugins.plugin_utils.progress_action import ProgressAction


class ActionModule(ProgressAction):
    """The module sees the templates' text only; it may run on another host than the one that has the files."""

    def module_arguments(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        """The task's arguments, with each fragment's `template` files read into `content`."""
        arguments = super().module_arguments(task_vars)
        fragments = arguments.get("fragments")
        if not isinstance(fragments, list):
            return arguments  # the module says what is wrong, as for every other option
        arguments["fragments"] = [self._with_texts(fragment) for fragment in fragments]
        return arguments

    def _with_texts(self, fragment: Any) -> Any:
        if not isinstance(fragment, dict) or not isinstance(fragment.get("steps"), list):
            return fragment
        steps = [
            [self._with_text(item) for item in step] if isinstance(step, list) else step for step in fragment["steps"]
        ]
        return {**fragment, "steps": steps}

    def _with_text(self, item: Any) -> Any:
        if not isinstance(item, dict) or "template" not in item:
            return item
        name = str(item["template"])
        try:
            path = self._find_needle("templates", name)
        except Exception as error:
            raise AnsibleActionFail(f"fragments: template {name}: {error}") from error
        with open(path, encoding="utf-8") as file:
            return {**item, "content": file.read()}
