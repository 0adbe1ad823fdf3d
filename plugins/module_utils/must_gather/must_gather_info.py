# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module `must_gather_info`: check its parameters, read the gathers, make the document."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import ModuleFailed
from ..settings.roles.must_gather import WINDOW
from .document import document_of
from .gather import read_gather
from .reference import with_other, with_reference
from .rules import RuleBook, user_rules

#: The options as messages name them: the module's, and the role's variable.
_PATH, _COMPARE, _RULES = (
    "path (must_gather_path)",
    "compare (must_gather_compare)",
    "rules_file (must_gather_rules)",
)
#: A file of rules larger than that is none.
_MAX_RULES = 1024 * 1024
#: Processes that read at once; more do not help one disk.
_MAX_WORKERS = 8


def run_module(params: Mapping[str, Any]) -> dict[str, Any]:
    """Run the module. Raises ModuleFailed: one line with the option, its value and what is allowed."""
    problem = WINDOW.problem("window", params["window"])
    if problem:
        raise ModuleFailed(problem)
    rules = RuleBook(_rules(params["rules_file"])) if params["rules_file"] else RuleBook()
    workers = min(_MAX_WORKERS, _processors())
    document = _document(_PATH, params["path"], rules, params["window"], workers)
    document["reference"] = with_reference(document)
    if params["compare"]:
        other = _document(_COMPARE, params["compare"], rules, params["window"], workers)
        document["comparison"] = with_other(document, other)
    return {"changed": False, "gather": document}


def _processors() -> int:
    """Those that this process may use; macOS knows only how many there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _document(option: str, path: str, rules: RuleBook, window: int, workers: int) -> dict[str, Any]:
    absolute = os.path.abspath(os.path.expanduser(path))
    return document_of(read_gather(absolute, rules, option=option, workers=workers), path=absolute, window=window)


def _rules(path: str) -> list[Any]:
    import yaml

    try:
        file = Path(path).expanduser()
        if file.stat().st_size > _MAX_RULES:
            raise ModuleFailed(f"{_RULES}: {path} is larger than {_MAX_RULES // 1024} KiB, which no file of rules is")
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModuleFailed(f"{_RULES}: cannot read {path}: {error.strerror or error}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ModuleFailed(f"{_RULES}: {path} is not YAML: {' '.join(str(error).split())}") from error
    return user_rules(document, option=_RULES)
