"""The action plugin of `storage_info` completes the connection and passes everything else on."""

from __future__ import annotations

import pytest
from ansible_collections.kubestress.core.plugins.action.storage_info import ActionModule
from helpers.actions import act, check_connection


def test_the_modules_answer_is_the_tasks() -> None:
    given, result = act(ActionModule, {"top": 3}, execute=lambda **_options: {"changed": False, "findings": []})
    assert given["module_args"] == {"top": 3}
    assert result["findings"] == []


def test_the_connections_variables_go_to_the_module_unless_the_task_says_otherwise() -> None:
    check_connection(ActionModule)


@pytest.mark.parametrize("async_val", [0, 60])
def test_it_may_run_in_the_background(async_val: int) -> None:
    assert act(ActionModule, {}, async_val=async_val)[0]["wrap_async"] is bool(async_val)
