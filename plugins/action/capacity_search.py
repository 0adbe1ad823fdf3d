# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps the books of a capacity search: what comes next, what a run has shown, what was found. It starts no run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.vars import load_extra_vars
from ansible_collections.kubestress.core.plugins.module_utils.measure.recorder import now_rfc3339
from ansible_collections.kubestress.core.plugins.module_utils.results.folder import ResultsError
from ansible_collections.kubestress.core.plugins.module_utils.search import document as books
from ansible_collections.kubestress.core.plugins.module_utils.search.document import Document, Upcoming
from ansible_collections.kubestress.core.plugins.module_utils.search.progress import Search
from ansible_collections.kubestress.core.plugins.module_utils.search.table import (
    plan_lines,
    search_lines,
    step_line,
)
from ansible_collections.kubestress.core.plugins.module_utils.settings.check import check_role
from ansible_collections.kubestress.core.plugins.module_utils.settings.run import new_run_id
from ansible_collections.kubestress.core.plugins.module_utils.settings.setting import SettingError
from ansible_collections.kubestress.core.plugins.module_utils.settings.table import ROLES
from ansible_collections.kubestress.core.plugins.plugin_utils.given_settings import accepted, given_of
from ansible_collections.kubestress.core.plugins.plugin_utils.search_files import SearchFolder, result_of
from ansible_collections.kubestress.core.plugins.plugin_utils.search_plan import RunValues, checked_search
from ansible_collections.kubestress.core.plugins.plugin_utils.show import show_lines

STATES = ("begun", "judged", "closed", "planned", "ended", "broken_off")
ARGUMENTS: dict[str, Any] = {
    "state": {"type": "str", "choices": list(STATES), "required": True},
    "capacity_id": {"type": "str", "default": ""},
    "run_id": {"type": "str", "default": ""},
    "gather": {"type": "str", "default": ""},
    "error": {"type": "str", "default": ""},
    "checks": {"type": "list", "elements": "dict", "default": []},
}


class ActionModule(ActionBase):
    """Each state is one step of the role's tasks; between them all that is known lies in capacity.json."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """What comes next and what is known; failed with one line for settings that are refused."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        del tmp
        _checked, options = self.validate_argument_spec(argument_spec=ARGUMENTS)
        try:
            result.update(getattr(self, f"_{options['state']}")(options, task_vars or {}))
        except (SettingError, ResultsError) as error:
            # Not raised: before 2.19 Ansible would call it an exception and show its last line first.
            result.update(failed=True, msg=str(error))
        return result

    # -- the states --------------------------------------------------------------------------------------------------

    def _begun(self, options: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Check everything before anything is created, and begin the search or resume it."""
        settings = self._settings(task_vars)
        named = options["capacity_id"] or settings["capacity_id"]
        search, values = checked_search(
            Search.of(settings, search_id=named or new_run_id(datetime.now(UTC))),
            settings,
            given_with=lambda given, source: self._given(task_vars, given, source),
        )
        folder = SearchFolder.of(settings["run_results_dir"], search.id)
        document = folder.read()
        if document is None:
            document = books.new_document(search, now=now_rfc3339(), named=bool(named))
        elif document["state"] == books.ENDED and not books.reopens(document, search):
            books.refresh(document, search)
        else:
            books.resumed(document, search)
        if self._task.check_mode:
            return {
                **self._answer(document, search, folder, values),
                "changed": False,
                "plan": _plan(document, search, values),
            }
        folder.claim()
        begun = self._go_on(document, search, folder)
        return {**self._answer(document, search, folder, values), "changed": begun}

    def _judged(self, options: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Judge the run by its files."""
        search, folder, document, values = self._known(options, task_vars)
        run_id = options["run_id"]
        books.judge(document, search, run_id, result_of(folder.runs_dir, run_id))
        more = books.upcoming(document, search, done=run_id) is not None
        folder.write(document)
        settle = search.settle_seconds if more or search.gather else 0
        return {**self._answer(document, search, folder, values), "changed": False, "settle": settle}

    def _closed(self, options: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Note that the run is gone, and go on to the next."""
        search, folder, document, values = self._known(options, task_vars)
        if options["gather"]:
            books.record_of(document, options["run_id"])["gather"] = options["gather"]
        books.close(document, search, options["run_id"], now=now_rfc3339())
        self._go_on(document, search, folder)
        return {**self._answer(document, search, folder, values), "changed": False}

    def _planned(self, options: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """In check mode: show what would be run."""
        search, folder, _document, _values = self._planned_search(options, task_vars)
        lines = plan_lines(search, options["checks"], folder=str(folder.path))
        show_lines(lines)
        return {"changed": False, "table": [line.text for line in lines]}

    def _ended(self, options: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Show what was found."""
        search, folder, document, values = self._known(options, task_vars)
        return {**self._shown(document, search, folder, values), "changed": False}

    def _broken_off(self, options: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Note what ended the play, and show what was found until then."""
        search, folder, document, values = self._known(options, task_vars)
        books.break_off(document, search, error=options["error"], now=now_rfc3339())
        folder.write(document)
        return {**self._shown(document, search, folder, values), "changed": False}

    # -- what they share ---------------------------------------------------------------------------------------------

    def _settings(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        checked = check_role(self._given(task_vars, {}, ""), ROLES["capacity"])
        # Said once, not with each of the search's tasks.
        first = self._task.args["state"] == "begun"
        return accepted(checked if first else dataclasses.replace(checked, warnings=[])).settings

    def _given(self, task_vars: dict[str, Any], values: Mapping[str, Any], source: str) -> Any:
        return given_of(
            task_vars,
            loader=self._loader,
            template=self._templar.template,
            extra_vars=load_extra_vars(self._loader),
            values=values,
            values_from=source,
        )

    def _planned_search(
        self, options: dict[str, Any], task_vars: dict[str, Any]
    ) -> tuple[Search, SearchFolder, Document | None, RunValues]:
        settings = self._settings(task_vars)
        search = Search.of(settings, search_id=options["capacity_id"])
        folder = SearchFolder.of(settings["run_results_dir"], search.id)
        return search, folder, folder.read(), RunValues.of(settings)

    def _known(
        self, options: dict[str, Any], task_vars: dict[str, Any]
    ) -> tuple[Search, SearchFolder, Document, RunValues]:
        """The search of a task before this one. Raises ResultsError if its file is gone."""
        search, folder, document, values = self._planned_search(options, task_vars)
        if document is None:
            raise ResultsError(f"{folder.path / 'capacity.json'} is gone; something else removed it during the search")
        known = dataclasses.replace(search, profile=document["profile"], settings_hash=document["settings_hash"])
        return known, folder, document, values

    def _go_on(self, document: Document, search: Search, folder: SearchFolder) -> bool:
        """Note that the next run begins, and show it; whether there is one."""
        following = books.upcoming(document, search)
        if following is None:
            if document["state"] != books.ENDED:
                books.end(document, search, now=now_rfc3339())
            folder.write(document)
            return False
        books.begin(document, search, following)
        folder.write(document)
        show_lines([step_line(document, search, following)])
        return True

    def _shown(self, document: Document, search: Search, folder: SearchFolder, values: RunValues) -> dict[str, Any]:
        lines = search_lines(document, search, files=folder.files)
        show_lines(lines)
        answer = self._answer(document, search, folder, values)
        # The same result as of set_stats: AWX keeps it as an artifact of the job.
        data = {"kubestress_capacity": {name: answer[name] for name in _ARTIFACT}}
        return {
            **answer,
            "table": [line.text for line in lines],
            "ansible_stats": {"data": data, "per_host": False, "aggregate": False},
        }

    def _answer(self, document: Document, search: Search, folder: SearchFolder, values: RunValues) -> dict[str, Any]:
        following = books.upcoming(document, search)
        return {
            "capacity_id": search.id,
            "state": document["state"],
            "results_dir": str(folder.path),
            "next": None if following is None else _run_of(following, search, values),
            "rounds": books.rounds(document, search),
            "gather": search.gather,
            "answered": books.is_answered(document),
            "answer": document["answer"],
            "cause": document["cause"],
            "highest_safe": document["highest_safe"],
            "broke_at": document["broke_at"],
            "steps": [{name: step[name] for name in _STEP} for step in document["steps"]],
            "message": _message(document),
        }


_ARTIFACT = ("capacity_id", "state", "answered", "answer", "cause", "highest_safe", "broke_at", "steps")
_STEP = ("value", "label", "runs", "verdict", "reasons", "figures")


def _message(document: Document) -> str:
    """The one line of a play that fails."""
    cause = document["error"] or document["cause"]
    return document["answer"] + (f" {cause}" if cause else "")


def _run_of(run: Upcoming, search: Search, values: RunValues) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "label": run.step.label,
        "clean_first": run.clean_first,
        "clean_only": run.clean_only,
        "values": values.of_run(search, run.step, run.number),
    }


def _plan(document: Document, search: Search, values: RunValues) -> list[dict[str, Any]]:
    """The runs that are known before the search: those of the given steps that are not finished."""
    verdicts = books.verdicts_of(document)
    return [
        _run_of(Upcoming(step=step, number=number, run_id=search.run_id(step, number)), search, values)
        for step in search.steps
        if verdicts.get(step.position) is None
        for number in range(1, search.runs + 1)
    ]
