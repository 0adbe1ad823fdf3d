"""The action plugin shows the module's table, keeps its findings with the run, and passes everything else on."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.action import preflight
from ansible_collections.kubestress.core.plugins.module_utils.results.folder import RunFolder, next_attempt
from ansible_collections.kubestress.core.plugins.module_utils.results.table import GOOD, HEADING, Line
from ansible_collections.kubestress.core.plugins.plugin_utils import plan_action
from helpers.actions import act, check_connection

FOUND = {
    "rows": [{"name": "pods at peak", "verdict": "ok"}],
    "table": ["title", "  pods at peak"],
    "tones": [HEADING, GOOD],
    "problems": [],
    "cautions": [],
    "demand": {"pods_at_peak": 9},
    "existing": {"own": [], "allowed": []},
    "cluster": {"version": "v1.36.3"},
}


@pytest.fixture
def shown(monkeypatch) -> list[Line]:
    lines: list[Line] = []
    monkeypatch.setattr(plan_action, "show_lines", lines.extend)
    return lines


def run(answer: dict[str, Any], *, check_mode: bool = False, async_val: int = 0, **arguments: Any) -> dict[str, Any]:
    given, result = act(
        preflight.ActionModule,
        arguments,
        execute=lambda **_options: dict(answer),
        check_mode=check_mode,
        async_val=async_val,
    )
    assert given["module_args"] == arguments
    assert given["wrap_async"] is bool(async_val)
    return result


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    made = next_attempt(tmp_path, "r1")
    made.write_run({"schema": 1, "settings": {"a": 1}})
    return made


def test_the_table_is_shown_and_the_findings_are_kept(shown, folder):
    result = run(FOUND, results_dir=str(folder.attempt_dir))
    assert shown == [Line("title", HEADING), Line("  pods at peak", GOOD)]
    assert "tones" not in result
    kept = folder.read_run()
    assert kept["settings"] == {"a": 1}
    assert kept["cluster"] == {"version": "v1.36.3"}
    assert kept["preflight"]["demand"] == {"pods_at_peak": 9}


def test_it_is_shown_and_kept_as_well_when_the_run_must_not_start(shown, folder):
    result = run({**FOUND, "failed": True, "problems": ["no"], "msg": "no"}, results_dir=str(folder.attempt_dir))
    assert result["failed"]
    assert len(shown) == 2
    assert folder.read_run()["preflight"]["problems"] == ["no"]


def test_the_connections_variables_go_to_the_module():
    check_connection(preflight.ActionModule)


def test_check_mode_writes_nothing(shown, folder):
    run(FOUND, check_mode=True, results_dir=str(folder.attempt_dir))
    assert len(shown) == 2
    assert "preflight" not in folder.read_run()


@pytest.mark.parametrize(
    ("answer", "async_val"), [({"failed": True, "msg": "unreachable"}, 0), ({"ansible_job_id": "1"}, 60)]
)
def test_without_a_table_the_answer_is_passed_on(shown, folder, answer, async_val):
    assert run(answer, async_val=async_val, results_dir=str(folder.attempt_dir)).items() >= answer.items()
    assert shown == []


def test_a_run_json_that_cannot_be_written_is_a_failure_with_its_path(shown, tmp_path):
    result = run(FOUND, results_dir=str(tmp_path / "gone" / "attempts" / "1"))
    assert result["failed"]
    assert "gone/attempts/1 has no run.json" in result["msg"]
