"""The action plugin of `runs_info` completes the connection and passes everything else on."""

from __future__ import annotations

from ansible_collections.kubestress.core.plugins.action.runs_info import ActionModule
from helpers.actions import act, check_connection


def test_the_modules_answer_is_the_tasks() -> None:
    given, result = act(ActionModule, {"older_than": 3}, execute=lambda **_options: {"changed": False, "runs": []})
    assert given["module_args"] == {"older_than": 3}
    assert result["runs"] == []


def test_the_connections_variables_go_to_the_module_unless_the_task_says_otherwise() -> None:
    check_connection(ActionModule)
