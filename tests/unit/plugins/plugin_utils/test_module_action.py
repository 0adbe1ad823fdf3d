"""Every action plug-in that runs a module runs it the same way; Python's collector rests meanwhile, and only then."""

from __future__ import annotations

import gc
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.plugin_utils.module_action import ModuleAction


def plugin(execute: Any) -> ModuleAction:
    """Return the plug-in in place of a task, with `execute` for Ansible's way to run a module."""
    task = SimpleNamespace(args={"a": 1}, async_val=0, check_mode=False, diff=False, action="kubestress.core.x")
    connection = SimpleNamespace(transport="local", _shell=SimpleNamespace(tmpdir=None))
    templar = SimpleNamespace(template=lambda value: value)
    made = ModuleAction(task, connection, SimpleNamespace(become=False), None, templar, None)
    made._execute_module = execute
    return made


@pytest.fixture(autouse=True)
def collector_at_work():
    yield
    gc.enable()


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_is_afterwards_as_it_was(enabled: bool) -> None:
    seen = []

    def execute(**_options: Any) -> dict[str, Any]:
        seen.append(gc.isenabled())
        return {"changed": True}

    (gc.enable if enabled else gc.disable)()
    assert plugin(execute).run(task_vars={})["changed"] is True
    assert (seen, gc.isenabled()) == ([False], enabled)


def test_also_after_a_failure() -> None:
    def execute(**_options: Any) -> dict[str, Any]:
        raise RuntimeError("no interpreter")

    with pytest.raises(RuntimeError, match="no interpreter"):
        plugin(execute).run(task_vars={})
    assert gc.isenabled()


def test_the_connections_variables_go_to_the_module() -> None:
    given: dict[str, Any] = {}

    def execute(**options: Any) -> dict[str, Any]:
        given.update(options)
        return {}

    plugin(execute).run(task_vars={"kubestress_context": "c"})
    assert given == {
        "module_args": {"a": 1, "context": "c"},
        "task_vars": {"kubestress_context": "c"},
        "wrap_async": False,
    }
