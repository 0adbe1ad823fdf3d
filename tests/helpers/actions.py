"""Run an action plugin as a task would, with a function in place of the module's execution."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ansible.plugins.action import ActionBase

#: Tasks for which no progress can be shown.
SILENT = [{"transport": "ssh"}, {"async_val": 60}, {"check_mode": True}]


def act(
    plugin: type[ActionBase],
    arguments: Mapping[str, Any],
    *,
    execute: Callable[..., dict[str, Any]] | None = None,
    task_vars: Mapping[str, Any] | None = None,
    transport: str = "local",
    async_val: int = 0,
    check_mode: bool = False,
    become: bool = False,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return (the module's arguments, the task's result); `execute` returns the module's result."""
    given: dict[str, Any] = {}

    class Plugin(plugin):  # type: ignore[valid-type,misc]
        def _execute_module(self, **options: Any) -> dict[str, Any]:
            given.update(options)
            return execute(**options) if execute else {"changed": False}

    name = plugin.__module__.rpartition(".")[2]
    task = SimpleNamespace(
        args=dict(arguments), async_val=async_val, check_mode=check_mode, diff=False, action=f"kubestress.core.{name}"
    )
    connection = SimpleNamespace(transport=transport, _shell=SimpleNamespace(tmpdir=None))
    templar = SimpleNamespace(template=lambda value: value)
    made = Plugin(task, connection, SimpleNamespace(become=become), None, templar, None)
    return given, made.run(task_vars=dict(task_vars or {}))


def check_progress(plugin: type[ActionBase]) -> None:
    """The module gets its arguments and a progress file, which is removed afterwards."""

    def execute(*, module_args: dict[str, Any], **_options: Any) -> dict[str, Any]:
        assert Path(module_args["progress_file"]).exists()
        return {"changed": False, "msg": "done"}

    given, result = act(plugin, {"run_id": "r1"}, execute=execute)
    assert given["module_args"]["run_id"] == "r1"
    assert not Path(given["module_args"]["progress_file"]).exists()
    assert result["msg"] == "done"


def check_silence(plugin: type[ActionBase], where: dict[str, Any]) -> None:
    """Without progress, the module gets its arguments only."""
    given, _result = act(plugin, {"run_id": "r1"}, **where)
    assert given["module_args"] == {"run_id": "r1"}
    assert given["wrap_async"] is bool(where.get("async_val"))


def check_connection(plugin: type[ActionBase]) -> None:
    """The connection variables go to the module, unless the task sets the option."""
    variables = {"kubestress_kubeconfig": "/k", "kubestress_context": "c"}
    given, _result = act(plugin, {"context": "mine"}, task_vars=variables)
    assert given["module_args"] == {"kubeconfig": "/k", "context": "mine"}
