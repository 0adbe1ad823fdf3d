# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the objects of a plan as YAML. Runs on the controller; there is no module code, and no cluster is asked."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.kubestress.core.plugins.module_utils.errors import KubestressError
from ansible_collections.kubestress.core.plugins.module_utils.plan.arguments import (
    PLAN_ARGUMENTS,
    PLAN_RULES,
    check_namespaces,
    context_of,
    fragments_of,
    namespaces_of,
)
from ansible_collections.kubestress.core.plugins.module_utils.plan.manifest import manifest_of
from ansible_collections.kubestress.core.plugins.module_utils.results.table import FAINT, PLAIN, Line
from ansible_collections.kubestress.core.plugins.plugin_utils.plain_yaml import yaml_text
from ansible_collections.kubestress.core.plugins.plugin_utils.plan_action import PlanAction, ResultsError
from ansible_collections.kubestress.core.plugins.plugin_utils.show import show_lines
from ansible_collections.kubestress.core.plugins.plugin_utils.written_files import write_changed

ARGUMENTS: dict[str, Any] = {
    **PLAN_ARGUMENTS,
    "dest": {"type": "path", "default": ""},
    "notes": {"type": "list", "elements": "str", "default": []},
}

_RUN = "Run "
_FIRST_LINE = f"# {_RUN}".encode()


class ActionModule(PlanAction):
    """The file is what was asked for, and no part of what a run would make: check mode writes it, too."""

    _requires_connection = False
    _supports_async = False

    def module_arguments(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        """The task's own arguments, checked; those of a connection have no meaning here."""
        del task_vars
        _checked, options = self.validate_argument_spec(argument_spec=ARGUMENTS, **PLAN_RULES)
        # As a module would get them: Ansible's own kinds of text and containers become Python's.
        plain: dict[str, Any] = json.loads(json.dumps(options))
        return self.with_texts(plain)

    def execute(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """The objects by kind and the file's text written; failed with one line for what cannot be rendered."""
        del task_vars
        try:
            documents = _documents(arguments)
            path = _written_to(arguments["dest"])
            text = text_of(documents, notes=[f"{_RUN}{arguments['run_id']}.", *arguments["notes"]])
            changed = path is not None and _write(path, text)
        except (KubestressError, ResultsError) as error:
            return {"failed": True, "msg": f"manifest: {error}"}
        kinds = Counter(document["kind"] for document in documents)
        where = f"in {path}" if path else "not written, since no file is named"
        show_lines(
            [_line(kinds, arguments["run_id"], where), *(Line(f"  {note}", FAINT) for note in arguments["notes"])]
        )
        return {
            "changed": changed,
            "dest": str(path) if path else "",
            "objects": dict(kinds),
        }


def _documents(arguments: dict[str, Any]) -> list[dict[str, Any]]:
    """Raises PlanError or TemplateError."""
    fragments = fragments_of(arguments, context_of(arguments))
    namespaces = namespaces_of(arguments)
    check_namespaces(fragments, namespaces)
    return list(manifest_of(fragments, namespaces, existing=arguments["existing_namespaces"]))


def _written_to(dest: str) -> Path | None:
    """The file; None if none is wanted. Raises ResultsError for a folder, and for a file that is no such manifest."""
    if not dest:
        return None
    path = Path(dest).expanduser().absolute()
    if path.is_dir():
        raise ResultsError(f"dest: {path} is a folder; name a file in it")
    if path.exists() and not _is_ours(path):
        raise ResultsError(f"dest: {path} is there, and is no manifest of a run; name another file, or remove it")
    return path


def _is_ours(path: Path) -> bool:
    """Whether a manifest may be written over the file. Raises ResultsError if it cannot be read."""
    try:
        with path.open("rb") as file:
            beginning = file.read(len(_FIRST_LINE))
    except OSError as error:
        raise ResultsError(f"dest: {path} cannot be read: {error.strerror or error}") from error
    return beginning in (b"", _FIRST_LINE)


def _write(path: Path, text: str) -> bool:
    """Whether the file said something else before. Raises ResultsError, which names the option."""
    try:
        return write_changed(path.parent, {path.name: lambda: text}, check_mode=False)
    except ResultsError as error:
        raise ResultsError(f"dest: {error}") from error


def text_of(documents: Iterable[dict[str, Any]], *, notes: Sequence[str] = ()) -> str:
    """The file: the notes as comments, then a YAML document for each object."""
    comments = "".join(f"# {line}\n" for note in notes for line in note.splitlines())
    return comments + "".join(map(yaml_text, documents))


def _line(kinds: Counter[str], run_id: str, where: str) -> Line:
    counted = ", ".join(f"{number:,} {kind}" for kind, number in kinds.items()) or "nothing"
    return Line(f"  manifest  {counted} of run {run_id}, {where}", PLAIN)
