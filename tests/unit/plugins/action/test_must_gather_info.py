"""The action hands paths over as they are meant, shows the table, and writes the two files if it is to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.action import must_gather_info
from ansible_collections.kubestress.core.plugins.module_utils.must_gather.must_gather_info import run_module
from ansible_collections.kubestress.core.plugins.module_utils.results.table import Line
from helpers import gather_maker as maker
from helpers.actions import act


@pytest.fixture(autouse=True)
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Line]:
    lines: list[Line] = []
    monkeypatch.setattr(must_gather_info, "show_lines", lines.extend)
    return lines


def read(*, module_args: dict[str, Any], **_options: Any) -> dict[str, Any]:
    """What the module answers."""
    return run_module({"window": 7200, "compare": "", "rules_file": "", **module_args})


@pytest.fixture
def gather(tmp_path: Path) -> Path:
    return maker.archive(tmp_path / "later.tar", maker.later_files())


def test_files_and_table(gather: Path, tmp_path: Path, shown: list[Line]) -> None:
    given, result = act(
        must_gather_info.ActionModule, {"path": str(gather), "dest": str(tmp_path / "a" / "b")}, execute=read
    )
    assert given["module_args"] == {"path": str(gather)}
    assert result["changed"] is True
    document, page = (Path(name) for name in result["files"])
    assert json.loads(document.read_text())["first_failure"]["time"] == "2026-01-01T00:05:00Z"
    assert "First failure at 00:05:00" in page.read_text()
    assert [line.text for line in shown] == result["table"]
    assert any("containerd" in line and "+50.0 %" in line for line in result["table"])
    assert result["failures"] == ["1 × fork failed, first at 2026-01-01T00:05:00Z"]
    assert "minutes" not in result["gather"]


def test_a_second_time_changes_nothing_unless_the_gather_has(gather: Path, tmp_path: Path) -> None:
    arguments = {"path": str(gather), "dest": str(tmp_path / "told")}
    changes = []
    for _time in range(2):
        _given, result = act(must_gather_info.ActionModule, arguments, execute=read)
        changes.append(result["changed"])
    files = maker.later_files()
    files.popitem()
    maker.archive(gather, files)
    _given, result = act(must_gather_info.ActionModule, arguments, execute=read)
    assert [*changes, result["changed"]] == [True, False, True]


def test_check_mode_writes_nothing_and_says_what_it_would(gather: Path, tmp_path: Path) -> None:
    arguments = {"path": str(gather), "dest": str(tmp_path / "results")}
    _given, result = act(must_gather_info.ActionModule, arguments, execute=read, check_mode=True)
    assert result["changed"] is True
    wanted = f"check mode: would write must-gather.json and must-gather.html to {tmp_path}/results"
    assert result["msg"] == wanted
    assert not (tmp_path / "results").exists()


def test_without_dest_nothing_is_written(gather: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    _given, result = act(must_gather_info.ActionModule, {"path": str(gather)}, execute=read)
    assert (result["changed"], result["files"]) == (False, [])
    assert sorted(tmp_path.rglob("*")) == before


def test_paths_are_the_users_where_the_module_runs_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = {"path": "x.tar", "compare": "", "rules_file": "~/rules.yml"}
    here, _result = act(must_gather_info.ActionModule, arguments)
    assert here["module_args"]["path"] == str(tmp_path / "x.tar")
    assert here["module_args"]["compare"] == ""
    assert here["module_args"]["rules_file"].startswith("/")
    there, _result = act(must_gather_info.ActionModule, arguments, transport="ssh")
    assert there["module_args"] == arguments


def test_failure_of_the_module_is_the_tasks() -> None:
    failed = {"failed": True, "msg": "path: /x is no gather"}
    _given, result = act(must_gather_info.ActionModule, {"path": "/x", "dest": "/y"}, execute=lambda **_options: failed)
    assert (result["failed"], result["msg"]) == (True, "path: /x is no gather")


def test_folder_that_cannot_be_written_is_named(gather: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    arguments = {"path": str(gather), "dest": str(tmp_path / "file" / "results")}
    _given, result = act(must_gather_info.ActionModule, arguments, execute=read)
    assert result["failed"] is True
    assert result["msg"].startswith("dest (must_gather_dest): ")
