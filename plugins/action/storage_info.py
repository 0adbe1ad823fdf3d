# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module, shows its table, and writes the files of its document if a folder is named."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.kubestress.core.plugins.module_utils.results.folder import ResultsError
from ansible_collections.kubestress.core.plugins.module_utils.settings.roles.storage import ROLE
from ansible_collections.kubestress.core.plugins.module_utils.storage.answer import message_of, problems_of
from ansible_collections.kubestress.core.plugins.module_utils.storage.options import unknown_suboption
from ansible_collections.kubestress.core.plugins.module_utils.storage.table import storage_lines
from ansible_collections.kubestress.core.plugins.plugin_utils.module_action import ModuleAction
from ansible_collections.kubestress.core.plugins.plugin_utils.show import show_lines
from ansible_collections.kubestress.core.plugins.plugin_utils.storage_files import (
    PAGE,
    names_of,
    write_storage,
)

#: Options that are for this plug-in; where they are wrong, nothing is scanned.
_OWN: dict[str, dict[str, Any]] = {
    "dest": {"type": "path"},
    **{name: ROLE[f"storage_{name}"].argument_spec() for name in ("formats", "metrics_per_object")},
}
#: The document, as the module writes it.
_DOCUMENT = "storage.json"
#: Rows of its lists that a module which runs elsewhere hands over, since its files are not here; and the default.
_ALL_ROWS = 100_000
_ROWS = ROLE["storage_top"].default
_LISTS = ("findings", "usage")
_KEYS = (
    "schema",
    "kind",
    "started",
    "finished",
    "seconds",
    "cluster",
    "options",
    "complete",
    "summary",
    "parts",
    "findings",
    "totals",
    "usage",
    "box",
    "warnings",
)


class ActionModule(ModuleAction):
    """Scanning is the module's; the files are written where the playbook runs.

    The long lists come as a file where the module runs here, because Ansible takes seconds for them as a result.
    """

    _scratch: str | None = None
    _is_whole = False

    def module_arguments(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        """The module's arguments with the connection, without those that are for this plug-in."""
        complete = super().module_arguments(task_vars)
        arguments = {name: value for name, value in complete.items() if name not in _OWN}
        if self._scratch:
            arguments.update(dest=self._scratch, formats=["json"])
        elif self._is_whole:
            arguments["top"] = _ALL_ROWS
        return arguments

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """The module's result with problems, table and paths of the files; failed if they cannot be written."""
        checked = ArgumentSpecValidator(_OWN).validate({n: v for n, v in self._task.args.items() if n in _OWN})
        if checked.error_messages:
            return {"failed": True, "msg": "; ".join(" ".join(text.split()) for text in checked.error_messages)}
        unknown = unknown_suboption(self._task.args)
        if unknown:
            return {"failed": True, "msg": unknown}
        own = checked.validated_parameters
        folder = Path(os.path.abspath(Path(own["dest"]).expanduser())) if own["dest"] else None
        if folder and self._task.async_val:
            why = "files are made from the module's answer; leave one out"
            return {"failed": True, "msg": f"dest: {own['dest']} is given beside async, and {why}"}
        self._is_whole = folder is not None and not self._task.check_mode
        with tempfile.TemporaryDirectory(prefix="kubestress-") as scratch:
            self._scratch = scratch if self._is_whole and self._is_here() else None
            result = super().run(tmp, task_vars)
            if "summary" not in result:
                return result
            text = (Path(scratch) / _DOCUMENT).read_text(encoding="utf-8") if self._scratch else ""
        document = json.loads(text) if text else _handed_over(result)
        files: list[str] = [str(folder / name) for name in names_of(own["formats"])] if folder else []
        try:
            if folder and self._is_whole:
                text = text or json.dumps(document, indent=1, ensure_ascii=False) + "\n"
                write_storage(folder, document, own["formats"], text=text, per_object=own["metrics_per_object"])
        except ResultsError as error:
            result.update(failed=True, msg=f"dest (storage_dest): {error}", files=[])
            return result
        lines = storage_lines(document, files=_shown(folder, own["formats"]))
        show_lines(lines)
        if folder and self._task.check_mode:
            result["msg"] = f"check mode: would write {', '.join(names_of(own['formats']))} to {folder}"
        result.update(
            _shortened(result, int(self._task.args.get("top", _ROWS))) if self._is_whole and not self._scratch else {},
            # The files are a report on the cluster, where nothing is changed.
            changed=False,
            files=files,
            failures=problems_of(document),
            message=message_of(document),
            table=[line.text for line in lines],
        )
        return result

    def _is_here(self) -> bool:
        """Whether the module runs on this machine as this user."""
        return getattr(self._connection, "transport", "") == "local" and not self._play_context.become


def _handed_over(result: Mapping[str, Any]) -> dict[str, Any]:
    """The document out of the module's result; Ansible keeps its warnings apart."""
    return {name: (result.get(name) or []) if name == "warnings" else result[name] for name in _KEYS}


def _shortened(result: Mapping[str, Any], rows: int) -> dict[str, Any]:
    """The long lists as the task asked for them."""
    lists = {name: result[name][:rows] for name in _LISTS}
    return {**lists, "totals": {name: found[:rows] for name, found in result["totals"].items()}}


def _shown(folder: Path | None, formats: Collection[str]) -> dict[str, str]:
    """What the table says of the files, and the page by itself, to be opened."""
    if folder is None:
        return {}
    others = [name for name in names_of(formats) if name != PAGE]
    shown = {"files": f"{folder}: {', '.join(others)}"} if others else {}
    return shown | ({"page": str(folder / PAGE)} if "html" in formats else {})
