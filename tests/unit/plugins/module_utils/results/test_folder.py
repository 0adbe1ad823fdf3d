"""Folders and files of a run."""

from __future__ import annotations

import json
import os
import threading

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.results.folder import (
    ResultsError,
    RunFolder,
    attempts_of,
    next_attempt,
    read_json,
    runs_in,
    write_json,
)


def test_every_attempt_gets_its_own_folder_and_the_first_is_number_one(tmp_path):
    first = next_attempt(tmp_path, "r1")
    second = next_attempt(tmp_path, "r1")
    other = next_attempt(tmp_path, "r2")
    assert [folder.attempt for folder in (first, second, other)] == [1, 2, 1]
    assert first.attempt_dir == tmp_path / "r1" / "attempts" / "1"
    assert second.batches_dir.is_dir()
    assert RunFolder.of_attempt(second.attempt_dir) == second


def test_check_mode_says_the_number_and_writes_nothing(tmp_path):
    next_attempt(tmp_path, "r1")
    before = sorted(tmp_path.rglob("*"))
    assert next_attempt(tmp_path, "r1", create=False).attempt == 2
    assert next_attempt(tmp_path / "no" / "such", "r1", create=False).attempt == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_two_that_start_at_once_never_share_an_attempt(tmp_path):
    numbers: list[int] = []
    threads = [
        threading.Thread(target=lambda: numbers.append(next_attempt(tmp_path, "same").attempt)) for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == list(range(1, 17))


def test_a_relative_path_and_a_tilde_become_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert next_attempt("out", "r1").root == tmp_path / "out" / "r1"
    assert next_attempt("~/out", "r1").root == tmp_path / "home" / "out" / "r1"


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "out").write_text("I am a file")
    with pytest.raises(ResultsError, match=r"cannot create the results folder .*out/r1: (Not a directory|File exists)"):
        next_attempt(tmp_path / "out", "r1")


def test_run_json_is_at_the_top_and_in_the_attempt_and_can_be_added_to(tmp_path):
    first, second = next_attempt(tmp_path, "r1"), next_attempt(tmp_path, "r1")
    first.write_run({"schema": 1, "attempt": 1})
    second.write_run({"schema": 1, "attempt": 2})
    second.update_run(cluster={"version": "v1.36.3"})
    assert first.read_run() == {"schema": 1, "attempt": 1}
    assert read_json(tmp_path / "r1" / "run.json") == {"schema": 1, "attempt": 2, "cluster": {"version": "v1.36.3"}}


def test_the_top_shows_the_newest_summary_and_failures_and_the_older_ones_stay(tmp_path):
    first = next_attempt(tmp_path, "r1")
    first.failures_file.write_text('{"name": "a"}\n')
    assert first.write_summary({"attempt": 1}) == tmp_path / "r1" / "summary.json"
    assert (tmp_path / "r1" / "failures.jsonl").read_text() == '{"name": "a"}\n'
    second = next_attempt(tmp_path, "r1")
    second.write_summary({"attempt": 2})
    assert read_json(tmp_path / "r1" / "summary.json") == {"attempt": 2}
    assert read_json(first.attempt_dir / "summary.json") == {"attempt": 1}
    assert (tmp_path / "r1" / "failures.jsonl").read_text() == ""
    assert (tmp_path / "r1" / "attempts" / "2" / "failures.jsonl").read_text() == ""
    assert not list((tmp_path / "r1").glob(".*.tmp"))


def test_an_older_attempt_reported_again_leaves_the_top_to_the_newest(tmp_path):
    first, second = next_attempt(tmp_path, "r1"), next_attempt(tmp_path, "r1")
    second.write_summary({"attempt": 2})
    second.write_run({"attempt": 2})
    second.failures_file.write_text("")
    first.failures_file.write_text('{"name": "a"}\n')
    first.write_run({"attempt": 1})
    assert (first.is_newest, second.is_newest) == (False, True)
    assert first.write_summary({"attempt": 1}) == first.attempt_dir / "summary.json"
    assert first.write_report("junit.xml", "<x/>") == first.attempt_dir / "junit.xml"
    assert read_json(tmp_path / "r1" / "summary.json") == read_json(tmp_path / "r1" / "run.json") == {"attempt": 2}
    assert not (tmp_path / "r1" / "junit.xml").exists()
    assert (tmp_path / "r1" / "failures.jsonl").read_text() == ""


def test_a_report_is_in_the_attempt_and_at_the_top(tmp_path):
    folder = next_attempt(tmp_path, "r1")
    assert folder.write_report("metrics.prom", "# EOF\n") == tmp_path / "r1" / "metrics.prom"
    assert {path.read_text() for path in (tmp_path / "r1").rglob("metrics.prom")} == {"# EOF\n"}
    assert len(list((tmp_path / "r1").rglob("metrics.prom"))) == 2


def test_the_runs_that_are_there_are_those_with_attempts(tmp_path):
    next_attempt(tmp_path, "r1")
    next_attempt(tmp_path, "r2")
    (tmp_path / "notes").mkdir()
    assert sorted(runs_in(tmp_path)) == ["r1", "r2"]
    assert (attempts_of(tmp_path / "r1"), attempts_of(tmp_path / "r9")) == ([1], [])
    with pytest.raises(ResultsError, match=r"cannot read .*none: No such file"):
        runs_in(tmp_path / "none")


def test_a_failed_write_leaves_the_old_text_and_no_rest(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    write_json(path, {"old": True})

    def full_disk(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(ResultsError, match=r"cannot write .*x\.json: No space left on device"):
        write_json(path, {"new": "x" * 100})
    assert json.loads(path.read_text()) == {"old": True}
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.json"]


def test_a_text_that_utf_8_cannot_hold_is_written_all_the_same(tmp_path):
    write_json(tmp_path / "x.json", {"message": "half a pair: \ud800"})
    assert read_json(tmp_path / "x.json") == {"message": "half a pair: ?"}


@pytest.mark.parametrize(
    ("text", "message"),
    [(None, "cannot read .*x.json: No such file"), ('{"a": ', "is not valid JSON"), ("[1]", "is not a JSON object")],
)
def test_reading_says_what_is_wrong(tmp_path, text, message):
    path = tmp_path / "x.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ResultsError, match=message):
        read_json(path)


def test_a_path_that_is_no_attempt_is_refused(tmp_path):
    with pytest.raises(ResultsError, match="is not the folder of an attempt"):
        RunFolder.of_attempt(tmp_path / "r1")
