"""The action reads the summaries, shows the table and answers with it; a summary that is not there is one line."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.kubestress.core.plugins.action import side_by_side
from ansible_collections.kubestress.core.plugins.module_utils.results.table import Line


@pytest.fixture(autouse=True)
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Line]:
    lines: list[Line] = []
    monkeypatch.setattr(side_by_side, "show_lines", lines.extend)
    return lines


def run(*runs: dict[str, str], check_mode: bool = False) -> dict[str, Any]:
    task = SimpleNamespace(
        args={"runs": list(runs)},
        async_val=0,
        check_mode=check_mode,
        diff=False,
        action="kubestress.core.side_by_side",
    )
    connection = SimpleNamespace(transport="local", _shell=SimpleNamespace(tmpdir=None))
    return side_by_side.ActionModule(task, connection, SimpleNamespace(), None, None, None).run(task_vars={})


def written(folder: Path, name: str, *, fork_failures: int) -> dict[str, str]:
    path = folder / f"{name}.json"
    causes = {"fork failed": fork_failures} if fork_failures else {}
    document = {
        "run_id": name,
        "verdict": "failed" if fork_failures else "passed",
        "started": "2026-01-15T10:00:00Z",
        "finished": "2026-01-15T10:01:00Z",
        "jobs": {"complete": 1, "failed": 0},
        "pods": {"succeeded": 1, "failed": fork_failures, "causes": causes, "startup_p99_s": None},
        "processes": {"per_build_pod": {"max": None}},
    }
    path.write_text(json.dumps(document))
    return {"name": name, "summary_path": str(path)}


@pytest.mark.parametrize("check_mode", [False, True])
def test_table_and_figures(tmp_path: Path, shown: list[Line], check_mode: bool) -> None:
    runs = [written(tmp_path, "limited", fork_failures=17), written(tmp_path, "fixed", fork_failures=0)]
    result = run(*runs, check_mode=check_mode)
    assert (result["changed"], result["fork_failures"], result["fork_events"]) == (False, [17, 0], [None, None])
    assert {"what": "verdict", "values": ["failed", "passed"]} in result["rows"]
    assert [line.text for line in shown] == result["table"]


def test_a_missing_summary_is_named(tmp_path: Path) -> None:
    with pytest.raises(AnsibleActionFail, match=r"side_by_side: .*none\.json"):
        run({"name": "a", "summary_path": str(tmp_path / "none.json")})


def test_no_run_at_all_is_refused() -> None:
    with pytest.raises(AnsibleActionFail, match="runs is empty"):
        run()
