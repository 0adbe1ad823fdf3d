"""The action plugin of `observe` completes the connection, passes everything else on, and refuses async."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.kubestress.core.plugins.action import observe


def run(*, async_val: int = 0, task_vars: dict[str, Any] | None = None, **arguments: Any) -> tuple[dict[str, Any], Any]:
    """Run the plugin in place of a task; what the module was given, and what came back."""
    given: dict[str, Any] = {}

    class Plugin(observe.ActionModule):
        def _execute_module(self, **options: Any) -> dict[str, Any]:
            given.update(options)
            return {"changed": True, "pid": 7}

    task = SimpleNamespace(
        args=arguments, async_val=async_val, check_mode=False, diff=False, action="kubestress.core.observe"
    )
    connection = SimpleNamespace(transport="local", _shell=SimpleNamespace(tmpdir=None))
    templar = SimpleNamespace(template=lambda value: value)
    plugin = Plugin(task, connection, SimpleNamespace(become=False), None, templar, None)
    return given, plugin.run(task_vars=task_vars or {})


def test_the_modules_answer_is_the_tasks() -> None:
    given, result = run(run_id="r")
    assert given["module_args"] == {"run_id": "r"}
    assert result["pid"] == 7


def test_the_connections_variables_go_to_the_module_unless_the_task_says_otherwise() -> None:
    variables = {"kubestress_kubeconfig": "/k", "kubestress_context": "c"}
    given, _result = run(task_vars=variables, context="mine")
    assert given["module_args"] == {"kubeconfig": "/k", "context": "mine"}


def test_async_is_refused() -> None:
    with pytest.raises(AnsibleActionFail, match="async"):
        run(async_val=60)
