# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module, shows its table, and writes must-gather.json and must-gather.html if a folder is named."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.kubestress.core.plugins.module_utils.must_gather.rules import FAILURES
from ansible_collections.kubestress.core.plugins.module_utils.must_gather.table import gather_lines
from ansible_collections.kubestress.core.plugins.module_utils.results.folder import ResultsError
from ansible_collections.kubestress.core.plugins.plugin_utils.module_action import ModuleAction
from ansible_collections.kubestress.core.plugins.plugin_utils.page.gather import render_gather
from ansible_collections.kubestress.core.plugins.plugin_utils.show import show_lines
from ansible_collections.kubestress.core.plugins.plugin_utils.written_files import write_changed

FILES = ("must-gather.json", "must-gather.html")
#: Options that are paths where the module runs, which with a local connection is here.
_PATHS = ("path", "compare", "rules_file")
#: Files named in the task's result; all of them are in must-gather.json.
_NAMED_FILES = 100


class ActionModule(ModuleAction):
    """Reading is the module's; the files are written where the playbook runs."""

    # What is to be done with the module's answer would be lost.
    _supports_async = False

    def module_arguments(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        """The module's arguments, without those that are for this plug-in."""
        del task_vars
        arguments = {name: value for name, value in self._task.args.items() if name != "dest"}
        if getattr(self._connection, "transport", "") == "local":
            for name in _PATHS:
                if arguments.get(name):
                    # A module's own working directory is not the user's.
                    arguments[name] = os.path.abspath(os.path.expanduser(str(arguments[name])))
        return arguments

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """The module's result with the paths of the files; failed if they cannot be written."""
        result = super().run(tmp, task_vars)
        gather = result.get("gather")
        if result.get("failed") or gather is None:
            return result
        dest = self._task.args.get("dest")
        folder = Path(os.path.abspath(Path(str(dest)).expanduser())) if dest else None
        files = [str(folder / name) for name in FILES] if folder else []
        result["failures"] = failures_of(gather)
        try:
            if folder:
                # The page comes second: one that cannot be made must not lose the figures.
                texts = (lambda: json.dumps(gather, indent=2, ensure_ascii=False) + "\n", lambda: render_gather(gather))
                named = dict(zip(FILES, texts, strict=True))
                result["changed"] = write_changed(folder, named, check_mode=self._task.check_mode)
        except ResultsError as error:
            result.update(failed=True, msg=f"dest (must_gather_dest): {error}")
            return result
        lines = gather_lines(gather, **dict(zip(("path", "page"), files, strict=False)))
        if folder and self._task.check_mode:
            result["msg"] = f"check mode: would write {' and '.join(FILES)} to {folder}"
        show_lines(lines)
        result.update(files=files, table=[line.text for line in lines], gather=_shortened(gather))
        return result


def failures_of(gather: Mapping[str, Any]) -> list[str]:
    """A line for each kind of failure that the gather shows."""
    errors = gather["totals"]["errors"]
    found = [kind for kind in FAILURES if errors.get(kind)]
    return [f"{errors[kind]:,} × {kind}" + _since(gather["first_by_kind"].get(kind)) for kind in found]


def _since(first: Mapping[str, Any] | None) -> str:
    return f", first at {first['time']}" if first else ", without a time"


def _shortened(gather: Mapping[str, Any]) -> dict[str, Any]:
    """The document without its long parts."""
    short = {name: value for name, value in gather.items() if name != "minutes"}
    for name in ("read", "unread"):
        largest = sorted(gather[name].items(), key=lambda item: (-item[1], item[0]))
        short[name] = dict(largest[:_NAMED_FILES])
    short["builds"] = {name: value for name, value in gather["builds"].items() if name != "timeline"}
    return short
