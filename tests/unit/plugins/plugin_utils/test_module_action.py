"""Every action plug-in that runs a module runs it the same way; Python's collector rests meanwhile, and only then."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.plugin_utils.module_action import ModuleAction
from helpers.actions import act, check_connection


@pytest.fixture(autouse=True)
def collector_at_work() -> Iterator[None]:
    yield
    gc.enable()


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_is_afterwards_as_it_was(enabled: bool) -> None:
    seen = []

    def execute(**_options: Any) -> dict[str, Any]:
        seen.append(gc.isenabled())
        return {"changed": True}

    (gc.enable if enabled else gc.disable)()
    assert act(ModuleAction, {}, execute=execute)[1]["changed"] is True
    assert (seen, gc.isenabled()) == ([False], enabled)


def test_also_after_a_failure() -> None:
    def execute(**_options: Any) -> dict[str, Any]:
        raise RuntimeError("no interpreter")

    with pytest.raises(RuntimeError, match="no interpreter"):
        act(ModuleAction, {}, execute=execute)
    assert gc.isenabled()


def test_the_connections_variables_go_to_the_module_unless_the_task_says_otherwise() -> None:
    check_connection(ModuleAction)
