"""The action plugin of `wait` shows progress where it can be had, and passes everything else on."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.action import wait


def run(*, transport: str = "local", async_val: int = 0, check_mode: bool = False) -> tuple[dict[str, Any], Any]:
    """Run the plugin in place of a task; what the module was given, and what came back."""
    given: dict[str, Any] = {}

    class Plugin(wait.ActionModule):
        def _execute_module(self, **options: Any) -> dict[str, Any]:
            given.update(options)
            progress = options["module_args"].get("progress_file")
            given["progress_existed"] = bool(progress) and Path(progress).exists()
            return {"changed": False, "msg": "done"}

    task = SimpleNamespace(
        args={"run_id": "r1"}, async_val=async_val, check_mode=check_mode, diff=False, action="kubestress.core.wait"
    )
    connection = SimpleNamespace(transport=transport, _shell=SimpleNamespace(tmpdir=None))
    context = SimpleNamespace(become=False)
    templar = SimpleNamespace(template=lambda value: value)
    return given, Plugin(task, connection, context, None, templar, None).run(task_vars={})


def test_the_module_gets_its_arguments_and_a_file_for_progress() -> None:
    given, result = run()
    assert given["module_args"]["run_id"] == "r1"
    assert given["progress_existed"]
    assert not Path(given["module_args"]["progress_file"]).exists()
    assert result["msg"] == "done"


@pytest.mark.parametrize(
    "where", [{"transport": "ssh"}, {"async_val": 60}, {"check_mode": True}], ids=["remote", "async", "check mode"]
)
def test_it_is_silent_where_progress_cannot_be_had(where: dict[str, Any]) -> None:
    given, result = run(**where)
    assert given["module_args"] == {"run_id": "r1"}
    assert given["wrap_async"] is bool(where.get("async_val"))
    assert result["msg"] == "done"
