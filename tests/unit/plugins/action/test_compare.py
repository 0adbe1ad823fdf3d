"""The action reads, shows and writes; again changes nothing, check mode writes nothing, mistakes are one line."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.action import compare
from ansible_collections.kubestress.core.plugins.module_utils.results.table import Line
from helpers.example_runs import run_document, summary, write_run


@pytest.fixture(autouse=True)
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Line]:
    lines: list[Line] = []
    monkeypatch.setattr(compare, "show_lines", lines.extend)
    return lines


@pytest.fixture
def results(tmp_path: Path) -> Path:
    for name, failed in (("limited", 7), ("fixed", 0)):
        write_run(tmp_path / "results" / name, summary(name, failed=failed), run_document())
    return tmp_path / "results"


def run(results: Path, *, check_mode: bool = False, **given: Any) -> dict[str, Any]:
    args = {"before": ["limited"], "after": ["fixed"], "run_results_dir": str(results), **given}
    task = SimpleNamespace(args=args, async_val=0, check_mode=check_mode, diff=False, action="kubestress.core.compare")
    connection = SimpleNamespace(transport="local", _shell=SimpleNamespace(tmpdir=None))
    return compare.ActionModule(task, connection, SimpleNamespace(), None, None, None).run(task_vars={})


def test_without_a_folder_nothing_is_written(results: Path, shown: list[Line]) -> None:
    result = run(results)
    assert (result["changed"], result["files"], result["verdict"]) == (False, [], "improved")
    assert result["message"].startswith("improved: runs that did not pass 1 → 0")
    assert result["metrics"]["fork_failures"]["before"] == [7]
    assert "metrics" in result
    assert "request_p99[create Job]" not in result["metrics"], "what did not change is in the file"
    assert [line.text for line in shown] == result["table"]


def test_files_are_written_once(results: Path, tmp_path: Path) -> None:
    dest = tmp_path / "a" / "b"
    assert run(results, dest=str(dest), check_mode=True)["changed"] is True
    assert not dest.exists()
    first = run(results, dest=str(dest))
    assert (first["changed"], first["files"]) == (True, [str(dest / name) for name in compare.FILES])
    assert run(results, dest=str(dest))["changed"] is False
    (dest / "comparison.html").unlink()
    assert run(results, dest=str(dest), check_mode=True)["changed"] is True
    assert run(results, dest=str(dest))["changed"] is True


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"before": []}, "before (compare_before): the list is empty; name at least one run id"),
        ({"after": ["limited"]}, "after (compare_after): limited is there in before (compare_before) too"),
        ({"tolerances": {"x": 1}}, "tolerances (compare_tolerances): these runs have no metric 'x'"),
        ({"dest": "/dev/null/x"}, "dest (compare_dest): cannot make the folder /dev/null/x: Not a directory"),
    ],
)
def test_mistakes_are_one_line(results: Path, given: dict[str, Any], message: str) -> None:
    result = run(results, **given)
    assert result["failed"]
    assert result["msg"].startswith(message), result["msg"]
    assert "\n" not in result["msg"]
