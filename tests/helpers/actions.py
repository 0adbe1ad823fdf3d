"""Run an action plug-in that only shows progress, without Ansible around it."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any


def act(
    plugin: ModuleType, *, transport: str = "local", async_val: int = 0, check_mode: bool = False
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run `plugin` in place of a task; (what the module was given, what came back)."""
    given: dict[str, Any] = {}

    class Plugin(plugin.ActionModule):  # type: ignore[name-defined,misc]
        def _execute_module(self, **options: Any) -> dict[str, Any]:
            given.update(options)
            progress = options["module_args"].get("progress_file")
            given["progress_existed"] = bool(progress) and Path(progress).exists()
            return {"changed": False, "msg": "done"}

    task = SimpleNamespace(
        args={"run_id": "r1"},
        async_val=async_val,
        check_mode=check_mode,
        diff=False,
        action=f"kubestress.core.{plugin.__name__.rpartition('.')[2]}",
    )
    connection = SimpleNamespace(transport=transport, _shell=SimpleNamespace(tmpdir=None))
    templar = SimpleNamespace(template=lambda value: value)
    return given, Plugin(task, connection, SimpleNamespace(become=False), None, templar, None).run(task_vars={})


#: Where no progress can be shown.
SILENT = [{"transport": "ssh"}, {"async_val": 60}, {"check_mode": True}]


def check_progress(plugin: ModuleType) -> None:
    """The module gets its arguments and a file for progress, which is gone afterwards."""
    given, result = act(plugin)
    assert given["module_args"]["run_id"] == "r1"
    assert given["progress_existed"]
    assert not Path(given["module_args"]["progress_file"]).exists()
    assert result["msg"] == "done"


def check_silence(plugin: ModuleType, where: dict[str, Any]) -> None:
    """Where progress cannot be had, the module gets its arguments alone."""
    given, result = act(plugin, **where)
    assert given["module_args"] == {"run_id": "r1"}
    assert given["wrap_async"] is bool(where.get("async_val"))
    assert result["msg"] == "done"
