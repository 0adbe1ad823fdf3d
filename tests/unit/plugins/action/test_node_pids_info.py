"""The action plugin of `node_pids_info` completes the connection and passes everything else on."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.action import node_pids_info


def run(*, async_val: int = 0, task_vars: dict[str, Any] | None = None, **arguments: Any) -> tuple[dict[str, Any], Any]:
    """Run the plugin in place of a task; what the module was given, and what came back."""
    given: dict[str, Any] = {}

    class Plugin(node_pids_info.ActionModule):
        def _execute_module(self, **options: Any) -> dict[str, Any]:
            given.update(options)
            return {"changed": False, "pods": []}

    task = SimpleNamespace(
        args=arguments, async_val=async_val, check_mode=False, diff=False, action="kubestress.core.node_pids_info"
    )
    connection = SimpleNamespace(transport="local", _shell=SimpleNamespace(tmpdir=None))
    templar = SimpleNamespace(template=lambda value: value)
    plugin = Plugin(task, connection, SimpleNamespace(become=False), None, templar, None)
    return given, plugin.run(task_vars=task_vars or {})


def test_the_modules_answer_is_the_tasks() -> None:
    given, result = run(top=3)
    assert given["module_args"] == {"top": 3}
    assert result["pods"] == []


def test_the_connections_variables_go_to_the_module_unless_the_task_says_otherwise() -> None:
    variables = {"kubestress_kubeconfig": "/k", "kubestress_context": "c"}
    given, _result = run(task_vars=variables, context="mine")
    assert given["module_args"] == {"kubeconfig": "/k", "context": "mine"}


@pytest.mark.parametrize("async_val", [0, 60])
def test_it_may_run_in_the_background(async_val: int) -> None:
    assert run(async_val=async_val)[0]["wrap_async"] is bool(async_val)
