"""Every action plug-in that runs a module runs it the same way; Python's collector rests meanwhile, and only then."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.plugin_utils.module_action import ModuleAction, with_connection
from helpers.actions import act, check_connection
from helpers.example_batches import failure


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


def test_what_fails_is_in_the_runs_log_as_an_error(tmp_path: Path) -> None:
    log = tmp_path / "run.log"
    play = {"kubestress_run": {"log_file": str(log)}, "kubestress_settings": {"run_log_level": "ERROR"}}
    row = failure("Deployment", "web-1", message="exceeded quota: q,\n used 9")
    result = {"failed": True, "msg": "3 of 9 objects failed\nsee there", "first_failures": [row]}
    result["failures"] = {"total": 3, "by_reason": {"QuotaExceeded": 3}}
    act(ModuleAction, {}, execute=lambda **_options: dict(result), task_vars=play, check_mode=True)
    act(ModuleAction, {}, execute=lambda **_options: {"changed": True}, task_vars=play)
    assert not log.exists()
    act(ModuleAction, {}, execute=lambda **_options: dict(result), task_vars=play)
    assert [line.partition(" ")[2] for line in log.read_text().splitlines()] == [
        "ERROR Deployment n-1/web-1: create failed: QuotaExceeded: exceeded quota: q, used 9",
        "ERROR and 2 more failures, all in failures.jsonl",
        "ERROR 3 of 9 objects failed",
        "ERROR see there",
    ]


# -- a module whose process was killed ---------------------------------------------------------------------------------


def unread(code: Any) -> dict[str, Any]:
    """What Ansible returns where a module wrote nothing."""
    return {
        "failed": True,
        "msg": "Module result deserialization failed.\nSee stdout/stderr for the returned output.",
        "exception": "(traceback unavailable)",
        "module_stdout": "",
        "module_stderr": "Killed\n",
        "rc": code,
    }


@pytest.mark.parametrize("code", [137, -9], ids=["behind a shell", "without one"])
def test_a_killed_module_is_told_of_by_its_signal_and_the_likely_cause(code: int) -> None:
    _given, result = act(ModuleAction, {}, execute=lambda **_options: unread(code))
    assert result["failed"]
    assert result["aborted"] == (
        "the module's process was killed by SIGKILL (exit code 137), probably because memory ran out (the kernel's log "
        "or the container's events tell)"
    )
    assert result["msg"] == f"kubestress.core.module_action: {result['aborted']}"
    assert "exception" not in result
    assert result["module_stderr"] == "Killed\n"


def test_other_signals_are_named_without_a_guess() -> None:
    _given, result = act(ModuleAction, {}, execute=lambda **_options: unread(139))
    assert result["aborted"] == "the module's process was killed by SIGSEGV (exit code 139)"


@pytest.mark.parametrize(
    "answer", [unread(1), unread(128), unread(255), unread(None), {"failed": True, "msg": "no", "rc": 137}], ids=str
)
def test_a_module_that_ended_by_itself_keeps_its_result(answer: dict[str, Any]) -> None:
    _given, result = act(ModuleAction, {}, execute=lambda **_options: dict(answer))
    assert result == answer
