"""The action plugin of `storage_watch` completes the connection, and passes everything else on."""

from __future__ import annotations

from ansible_collections.kubestress.core.plugins.action.storage_watch import ActionModule
from helpers.actions import act, check_connection


def test_the_modules_answer_is_the_tasks() -> None:
    given, result = act(ActionModule, {"dest": "/w"}, execute=lambda **_options: {"changed": True, "pid": 7})
    assert given["module_args"] == {"dest": "/w"}
    assert result["pid"] == 7


def test_the_connections_variables_go_to_the_module_unless_the_task_says_otherwise() -> None:
    check_connection(ActionModule)
