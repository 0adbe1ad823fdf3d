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
from ansible_collections.kubestress.core.plugins.plugin_utils import report_files
from helpers.example_batches import RUN, batch, counts
from helpers.example_observations import api_server, observation, sli


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


def run(*, check_mode: bool = False, task_vars: dict[str, Any] | None = None, **arguments: Any) -> dict[str, Any]:
    task = SimpleNamespace(
        args=arguments, async_val=0, check_mode=check_mode, diff=False, action="kubestress.core.report"
    )
    connection = SimpleNamespace(transport="local", _shell=SimpleNamespace(tmpdir=None))
    return report.ActionModule(task, connection, SimpleNamespace(), None, None, None).run(task_vars=task_vars or {})


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
    # A results folder of the user's own is part of the command.
    where = f"-e run_results_dir={folder.root.parent}"
    assert result["table"][-4:] == [
        f"  results   {folder.root / 'summary.json'}",
        f"  page      {folder.root / 'report.html'}",
        f"  report    ansible-playbook kubestress.core.report -e run_id=r1 {where}",
        "  clean up  ansible-playbook kubestress.core.cleanup -e run_id=r1",
    ]
    assert result["commands"]["clean up"] == "ansible-playbook kubestress.core.cleanup -e run_id=r1"


def test_a_bad_verdict_is_an_answer_and_no_failure(folder):
    write_json(folder.batches_dir / "001-x.json", batch(objects={"Deployment": counts(30, ready=29)}, jobs={}))
    result = run(results_dir=str(folder.attempt_dir))
    assert (result["verdict"], result.get("failed")) == ("failed", None)


def test_the_plays_error_is_the_reason_where_nothing_was_measured(folder):
    result = run(results_dir=str(folder.attempt_dir), error="the API server cannot be reached")
    assert (result["verdict"], result["reasons"]) == ("aborted", ["the API server cannot be reached"])


def test_a_single_reason_keeps_what_to_do_about_it(folder):
    error = f"https://api.example:6443: {'TLS failed ' * 20}; give the right ca_cert or kubeconfig"
    assert run(results_dir=str(folder.attempt_dir), error=error)["message"] == f"aborted: {error}"


def test_statistics_can_be_left_out_and_the_log_can_be_elsewhere(folder, tmp_path):
    log = tmp_path / "mine.log"
    log.write_text("first\n")
    result = run(results_dir=str(folder.attempt_dir), set_stats=False, log_file=str(log))
    assert "ansible_stats" not in result
    assert log.read_text().splitlines() == ["first", *result["table"]]
    assert not folder.log_file.exists()


def test_a_verdict_other_than_passed_is_an_error_in_the_log(folder):
    play = {"kubestress_run": {"log_file": str(folder.log_file)}, "kubestress_settings": {"run_log_level": "ERROR"}}
    play["kubestress_settings"]["run_results_dir"] = "kubestress-results"
    run(task_vars=play, results_dir=str(folder.attempt_dir), error="the API server cannot be reached")
    assert folder.log_file.read_text().endswith("Z ERROR aborted: the API server cannot be reached\n")


def test_every_file_is_in_the_attempt_and_at_the_top(folder):
    write_json(folder.batches_dir / "001-x.json", batch())
    result = run(results_dir=str(folder.attempt_dir))
    names = ("summary.json", "timeline.json", "report.html", "junit.xml", "metrics.prom")
    for name in names:
        assert (folder.root / name).read_text() == (folder.attempt_dir / name).read_text()
    assert result["files"] == {
        "html": str(folder.root / "report.html"),
        "junit": str(folder.root / "junit.xml"),
        "metrics": str(folder.root / "metrics.prom"),
    }
    assert (result["problems"], result["trust"]) == ([], "good")
    assert read_json(folder.root / "timeline.json")["load"]["bin_seconds"] == 1
    assert (folder.root / "report.html").read_text().startswith("<!")


def test_only_the_formats_that_were_asked_for_are_made_and_none_of_an_older_attempt_stays(folder, tmp_path):
    run(results_dir=str(folder.attempt_dir))
    second = next_attempt(tmp_path, "r1")
    second.write_run({**RUN, "attempt": 2})
    result = run(results_dir=str(second.attempt_dir), formats=["metrics"])
    assert list(result["files"]) == ["metrics"]
    assert {path.name for path in second.root.iterdir() if path.is_file()} == {
        "run.json", "summary.json", "timeline.json", "failures.jsonl", "metrics.prom",
    }  # fmt: skip
    assert (folder.attempt_dir / "report.html").exists()
    assert run(results_dir=str(second.attempt_dir), formats=[])["files"] == {}
    with pytest.raises(AnsibleActionFail, match=r"formats must be one or more of: html, junit, metrics. .*pdf"):
        run(results_dir=str(folder.attempt_dir), formats=["pdf"])


def test_a_page_that_cannot_be_drawn_costs_nothing_else(folder, monkeypatch):
    def broken(**_documents):
        raise KeyError("nodes")

    warnings: list[str] = []
    monkeypatch.setattr(report_files, "render_page", broken)
    monkeypatch.setattr(report.display, "warning", warnings.append)
    write_json(folder.batches_dir / "001-x.json", batch())
    result = run(results_dir=str(folder.attempt_dir))
    assert result["problems"] == warnings == ["report.html could not be created: KeyError('nodes')"]
    assert (result["verdict"], list(result["files"])) == ("passed", ["junit", "metrics"])
    assert read_json(folder.root / "summary.json")["verdict"] == "passed"
    assert not any(line.startswith("  page ") for line in result["table"])


def test_service_levels_fail_the_run_only_where_they_are_required(folder):
    write_json(folder.batches_dir / "001-x.json", batch())
    folder.observations_dir.mkdir()
    slow = api_server(sli=[sli("POST", "pods", 0, 0, 0, 10, 90, 100)])
    write_json(folder.observations_dir / "001-x.json", observation(api_server=slow))
    assert run(results_dir=str(folder.attempt_dir))["verdict"] == "passed"
    # As AWX surveys send it.
    result = run(results_dir=str(folder.attempt_dir), slo_required="true", formats="junit,metrics")
    assert result["verdict"] == "failed"
    assert result["reasons"][0].startswith("service level missed: p99 of POST pods")
    assert "service level missed" in (folder.root / "junit.xml").read_text()


def test_what_ended_the_play_is_kept_for_later_reports(folder):
    write_json(folder.batches_dir / "001-x.json", batch())
    first = run(results_dir=str(folder.attempt_dir), error="disk full")
    again = run(results_dir=str(folder.attempt_dir))
    assert (first["verdict"], first["reasons"]) == (again["verdict"], again["reasons"]) == ("aborted", ["disk full"])
    # The end is that of the play, however often it is reported.
    assert run(results_dir=str(folder.attempt_dir))["summary"]["finished"] == again["summary"]["finished"]


def test_a_run_is_found_by_its_id_and_its_newest_attempt_is_taken(folder, tmp_path):
    second = next_attempt(tmp_path, "r1")
    second.write_run({**RUN, "attempt": 2})
    newest = run(run_id="r1", run_results_dir=str(tmp_path))
    assert newest["summary"]["attempt"] == 2
    assert newest["summary_path"] == str(folder.root / "summary.json")
    first = run(run_id="r1", run_results_dir=str(tmp_path), attempt="1")
    assert first["summary"]["attempt"] == 1
    assert first["summary_path"] == str(folder.attempt_dir / "summary.json")
    assert read_json(folder.root / "summary.json")["attempt"] == 2
    assert len(list((folder.root / "attempts").iterdir())) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"run_id": "r9"}, "run_id: no run 'r9' in .*; runs there: r1"),
        ({"run_id": "../r1"}, "run_id: no run '../r1' in "),
        ({"run_id": ""}, "run_id is missing; name the run"),
        ({"run_id": "r1", "attempt": 7}, "report_attempt: run r1 has no attempt 7; its attempts: 1"),
        ({"run_id": "r1", "run_results_dir": "/no/such"}, "run_results_dir: folder /no/such does not exist"),
        ({"run_id": "r1", "results_dir": "/x"}, "mutually exclusive"),
        ({}, "one of the following is required: results_dir, run_id"),
    ],
)
def test_a_run_that_is_not_there_is_named_with_those_that_are(folder, tmp_path, options, message):
    del folder
    place = {} if "results_dir" in options or not options else {"run_results_dir": str(tmp_path)}
    with pytest.raises(AnsibleActionFail, match=message):
        run(**{**place, **options})


def test_an_empty_results_folder_says_that_it_has_no_run(tmp_path):
    with pytest.raises(AnsibleActionFail, match=r"no run 'r1' in .*; runs there: none"):
        run(run_id="r1", run_results_dir=str(tmp_path))


def test_check_mode_is_skipped_and_writes_nothing(folder):
    result = run(check_mode=True, results_dir=str(folder.attempt_dir))
    assert result["skipped"]
    assert not (folder.root / "summary.json").exists()


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("r1", "report: .*r1 is not the folder of an attempt"),
        (
            "r1/attempts/7",
            "report: .*attempts/7 has no run.json; the role kubestress.core.run writes it .* alone does not$",
        ),
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
