# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares two groups of runs, shows the table, and writes comparison.json and comparison.html. Runs on the controller.

There is no module code: everything that is read lies where the playbook runs.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.kubestress.core.plugins.module_utils.compare.document import document_of
from ansible_collections.kubestress.core.plugins.module_utils.compare.sources import (
    CompareError,
    Source,
    read_group,
    refuse_repeats,
)
from ansible_collections.kubestress.core.plugins.module_utils.compare.table import comparison_lines, message_of
from ansible_collections.kubestress.core.plugins.module_utils.results.folder import ResultsError
from ansible_collections.kubestress.core.plugins.plugin_utils.page.comparison import render_comparison
from ansible_collections.kubestress.core.plugins.plugin_utils.show import show_lines
from ansible_collections.kubestress.core.plugins.plugin_utils.written_files import write_changed

FILES = ("comparison.json", "comparison.html")
#: Named in messages as the option and as the role's variable.
_BEFORE, _AFTER = "before (compare_before)", "after (compare_after)"
_ARGUMENTS: dict[str, Any] = {
    "before": {"type": "list", "elements": "str", "required": True},
    "after": {"type": "list", "elements": "str", "required": True},
    "tolerances": {"type": "dict", "default": {}},
    "run_results_dir": {"type": "path", "default": "kubestress-results"},
    "dest": {"type": "path"},
}


class ActionModule(ActionBase):
    """A bad verdict is a result, not a failure of this task; the play decides what to do about it."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Verdict, changed metrics, table and paths of the files; failed if something cannot be read or written."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        del tmp
        _checked, options = self.validate_argument_spec(argument_spec=_ARGUMENTS)
        try:
            groups = {
                _BEFORE: read_group(_BEFORE, options["before"], options["run_results_dir"]),
                _AFTER: read_group(_AFTER, options["after"], options["run_results_dir"]),
            }
            refuse_repeats(groups)
            before, after = groups[_BEFORE], groups[_AFTER]
            document = document_of(before, after, options["tolerances"])
            folder = Path(os.path.abspath(Path(options["dest"]).expanduser())) if options["dest"] else None
            texts = _texts(document, before, after)
            changed = write_changed(folder, texts, check_mode=self._task.check_mode) if folder else False
        except CompareError as error:
            # Not raised: before 2.19 Ansible would call it an exception and show its last line first.
            result.update(failed=True, msg=str(error))
            return result
        except ResultsError as error:
            result.update(failed=True, msg=f"dest (compare_dest): {error}")
            return result
        files = [str(folder / name) for name in FILES] if folder else []
        lines = comparison_lines(document, **dict(zip(("path", "page"), files, strict=False)))
        show_lines(lines)
        if folder and self._task.check_mode:
            result["msg"] = f"check mode: would write {' and '.join(FILES)} to {folder}"
        result.update(
            changed=changed,
            verdict=document["verdict"],
            message=message_of(document),
            reasons=document["reasons"],
            metrics=_named(document),
            notes=document["warnings"],
            files=files,
            table=[line.text for line in lines],
        )
        return result


def _named(document: Mapping[str, Any]) -> dict[str, Any]:
    """The metrics that made the verdict, and those that are always shown."""
    rows = {row["name"]: row for row in document["metrics"]}
    return {name: row for name, row in rows.items() if row["key"] or name in document["reasons"]}


def _texts(
    document: Mapping[str, Any], before: Sequence[Source], after: Sequence[Source]
) -> dict[str, Callable[[], str]]:
    """The page comes second: one that cannot be made must not lose the figures."""
    timelines = [[source.timeline for source in group] for group in (before, after)]
    texts = (
        lambda: json.dumps(document, indent=2, ensure_ascii=False) + "\n",
        lambda: render_comparison(document, before=timelines[0], after=timelines[1]),
    )
    return dict(zip(FILES, texts, strict=True))
