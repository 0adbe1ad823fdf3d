# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the action plug-ins of modules with fragments share: templates are read where the playbook runs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleFileNotFound
from ansible_collections.kubestress.core.plugins.module_utils.results.folder import ResultsError, RunFolder
from ansible_collections.kubestress.core.plugins.module_utils.results.table import Line
from ansible_collections.kubestress.core.plugins.plugin_utils.module_action import ModuleAction
from ansible_collections.kubestress.core.plugins.plugin_utils.places import user_folders
from ansible_collections.kubestress.core.plugins.plugin_utils.show import show_lines


class PlanAction(ModuleAction):
    """The module sees the templates' text only; it may run on another host than the one that has the files."""

    def module_arguments(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        """The task's arguments, with each fragment's `template` files read into `content`."""
        return self.with_texts(super().module_arguments(task_vars))

    def with_texts(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """The arguments with the text of each fragment's templates. Raises AnsibleActionFail if one is missing."""
        fragments = arguments.get("fragments")
        if not isinstance(fragments, list):
            return arguments  # the module says what is wrong, as for every other option
        arguments["fragments"] = [self._with_texts(fragment) for fragment in fragments]
        return arguments

    def _with_texts(self, fragment: Any) -> Any:
        if not isinstance(fragment, dict) or not isinstance(fragment.get("steps"), list):
            return fragment
        steps = [
            [self._with_text(item) for item in step] if isinstance(step, list) else self._with_text(step)
            for step in fragment["steps"]
        ]
        return {**fragment, "steps": steps}

    def _with_text(self, item: Any) -> Any:
        if not isinstance(item, dict) or "template" not in item:
            return item
        name = str(item["template"])
        try:
            return {**item, "content": self._found(name).read_text(encoding="utf-8")}
        except OSError as error:
            raise AnsibleActionFail(f"fragments: template {name}: {error.strerror or error}") from error
        except UnicodeDecodeError as error:
            raise AnsibleActionFail(f"fragments: template {name}: it is not UTF-8 text ({error.reason})") from error

    def _found(self, name: str) -> Path:
        """The file of a template: where Ansible looks for it, then beside the user's playbook, then where they stand.

        In each folder, the one called `templates` in it comes first. Raises AnsibleActionFail with all places.
        """
        try:
            return Path(self._find_needle("templates", name))
        except AnsibleFileNotFound as error:
            places = [str(place) for place in error.paths or ()]
        if not os.path.isabs(name) and not name.startswith("~"):
            for folder in user_folders():
                for path in (folder / "templates" / name, folder / name):
                    if path.is_file():
                        return path
                    places.append(str(path))
        looked = ", ".join(dict.fromkeys(os.path.normpath(place) for place in places)) or os.path.expanduser(name)
        raise AnsibleActionFail(f"fragments: template {name}: there is no such file; looked for {looked}")

    def keep_preflight(self, found: Mapping[str, Any], *, into: Any) -> None:
        """Put what preflight found into run.json of the attempt's folder, if there is one. Raises ResultsError."""
        if not into or self._task.check_mode:
            return
        names = ("rows", "problems", "cautions", "demand", "existing")
        findings = {name: found[name] for name in names}
        RunFolder.of_attempt(str(into)).update_run(cluster=found["cluster"], preflight=findings)

    def write_rbac(self, found: dict[str, Any], *, path: Any) -> None:
        """Write the Roles that were asked for; their text goes out of the result. Raises ResultsError.

        In check mode too: the file is what was asked for, and no part of what the run would make.
        """
        text = found.pop("rbac", None)
        if text is None:
            return
        try:
            Path(str(path)).expanduser().write_text(text, encoding="utf-8")
        except OSError as error:
            raise ResultsError(f"cannot write {path} (rbac_out): {error.strerror or error}") from error


def show_table(found: dict[str, Any]) -> None:
    """Show the table of a preflight; its tones are for the screen alone and go out of the result."""
    show_lines(Line(text, tone) for text, tone in zip(found["table"], found.pop("tones"), strict=True))


__all__ = ["PlanAction", "ResultsError", "show_table"]
