"""Every action plug-in that runs a module runs it the same way; Python's collector rests meanwhile, and only then."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.plugin_utils.module_action import ModuleAction, with_connection
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


@pytest.mark.parametrize(
    ("arguments", "variables", "expected"),
    [
        ({"a": 1}, {}, {"a": 1}),
        ({}, {"kubestress_kubeconfig": "/k"}, {"kubeconfig": "<</k>>"}),
        ({}, {"kubestress_validate_certs": False}, {"validate_certs": "<<False>>"}),
        ({}, {"kubestress_kubeconfig": "", "kubestress_host": None}, {}),
        ({"kubeconfig": "/mine"}, {"kubestress_kubeconfig": "/k"}, {"kubeconfig": "/mine"}),
        ({"ssl_ca_cert": "/mine"}, {"kubestress_ca_cert": "/k"}, {"ssl_ca_cert": "/mine"}),
        ({}, {"kubestress_settings": {}, "kubestress_other": 1}, {}),
    ],
)
def test_connection_variables_complete_the_arguments_and_never_override_them(arguments, variables, expected):
    assert with_connection(arguments, variables, template=lambda value: f"<<{value}>>") == expected


def test_a_connection_variable_that_renders_empty_is_not_set():
    assert with_connection({}, {"kubestress_context": "{{ x }}"}, template=lambda _value: "") == {}
