"""The action writes summary.json, shows and logs the table, and answers with what the playbook needs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.kubestress.core.plugins.action import report
from ansible_collections.kubestress.core.plugins.module_utils.results.folder import (
    RunFolder,
    next_attempt,
    read_json,
    write_json,
)
from ansible_collections.kubestress.core.plugins.module_utils.results.table import Line
from helpers.example_batches import RUN, batch, counts


@pytest.fixture(autouse=True)
def shown(monkeypatch) -> list[Line]:
    lines: list[Line] = []
    monkeypatch.setattr(report, "show_lines", lines.extend)
    return lines


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    made = next_attempt(tmp_path, "r1")
    made.write_run(RUN)
    return made


def run(*, check_mode: bool = False, **arguments: Any) -> dict[str, Any]:
    task = SimpleNamespace(
        args=arguments, async_val=0, check_mode=check_mode, diff=False, action="kubestress.core.report"
    )
    connection = SimpleNamespace(transport="local", _shell=SimpleNamespace(tmpdir=None))
    return report.ActionModule(task, connection, SimpleNamespace(), None, None, None).run(task_vars={})


def test_summary_table_log_and_statistics(folder, shown):
    write_json(folder.batches_dir / "001-x.json", batch())
    result = run(results_dir=str(folder.attempt_dir))
    assert (result["verdict"], result["reasons"], result["changed"]) == ("passed", [], True)
    written = read_json(folder.root / "summary.json")
    assert result["summary_path"] == str(folder.root / "summary.json")
    assert written == read_json(folder.attempt_dir / "summary.json")
    assert result["ansible_stats"] == {"data": {"kubestress_summary": written}, "per_host": False, "aggregate": False}
    assert "histogram" not in result["summary"]["requests"]["create"]["Job"]
    assert [line.text for line in shown] == result["table"]
    assert folder.log_file.read_text().splitlines() == result["table"]
    assert result["table"][-1] == f"  results   {folder.root / 'summary.json'}"


def test_a_bad_verdict_is_an_answer_and_no_failure(folder):
    write_json(folder.batches_dir / "001-x.json", batch(objects={"Deployment": counts(30, ready=29)}, jobs={}))
    result = run(results_dir=str(folder.attempt_dir))
    assert (result["verdict"], result.get("failed")) == ("failed", None)


def test_the_plays_error_is_the_reason_where_nothing_was_measured(folder):
    result = run(results_dir=str(folder.attempt_dir), error="the API server cannot be reached")
    assert (result["verdict"], result["reasons"]) == ("aborted", ["the API server cannot be reached"])


def test_statistics_can_be_left_out_and_the_log_can_be_elsewhere(folder, tmp_path):
    log = tmp_path / "mine.log"
    log.write_text("first\n")
    result = run(results_dir=str(folder.attempt_dir), set_stats=False, log_file=str(log))
    assert "ansible_stats" not in result
    assert log.read_text().splitlines() == ["first", *result["table"]]
    assert not folder.log_file.exists()


def test_check_mode_is_skipped_and_writes_nothing(folder):
    result = run(check_mode=True, results_dir=str(folder.attempt_dir))
    assert result["skipped"]
    assert not (folder.root / "summary.json").exists()


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("r1", "report: .*r1 is not the folder of an attempt"),
        ("r1/attempts/7", "report: cannot read .*attempts/7/run.json: No such file"),
    ],
)
def test_a_wrong_folder_is_named_in_one_line(tmp_path, place, message):
    with pytest.raises(AnsibleActionFail, match=message):
        run(results_dir=str(tmp_path / place))


def test_a_log_that_cannot_be_written_names_its_setting(folder, tmp_path):
    with pytest.raises(AnsibleActionFail, match=r"cannot write .*no/such.log \(run_log_file\): No such file"):
        run(results_dir=str(folder.attempt_dir), log_file=str(tmp_path / "no" / "such.log"))


def test_unknown_options_are_refused(folder):
    with pytest.raises(AnsibleActionFail, match="Unsupported parameters"):
        run(results_dir=str(folder.attempt_dir), surprise=1)
