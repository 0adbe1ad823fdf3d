"""The action plugin of `observe` completes the connection, passes everything else on, and refuses async."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.kubestress.core.plugins.action.observe import ActionModule
from helpers.actions import act, check_connection


def test_the_modules_answer_is_the_tasks() -> None:
    given, result = act(ActionModule, {"run_id": "r"}, execute=lambda **_options: {"changed": True, "pid": 7})
    assert given["module_args"] == {"run_id": "r"}
    assert result["pid"] == 7


def test_the_connections_variables_go_to_the_module_unless_the_task_says_otherwise() -> None:
    check_connection(ActionModule)


def test_async_is_refused() -> None:
    with pytest.raises(AnsibleActionFail, match="async"):
        act(ActionModule, {}, async_val=60)
