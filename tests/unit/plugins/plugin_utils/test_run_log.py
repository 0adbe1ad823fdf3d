"""Lines carry time and level, and only those that were asked for are written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible_collections.kubestress.core.plugins.plugin_utils.run_log import RunLog


@pytest.mark.parametrize(("least", "written"), [("DEBUG", 3), ("INFO", 2), ("WARNING", 1), ("ERROR", 0)])
def test_least_level(tmp_path, least, written):
    log = RunLog(path=tmp_path / "new" / "run.log", least=least)
    for level in ("DEBUG", "INFO", "WARNING"):
        log.add(level, [f"line of {level}"])
    lines = log.path.read_text().splitlines() if log.path.exists() else []
    assert len(lines) == written
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ ([A-Z]+) line of \1", line) for line in lines)


def test_log_of_the_play():
    task_vars = {"kubestress_run": {"log_file": "/x/run.log"}, "kubestress_settings": {"run_log_level": "INFO"}}
    assert RunLog.of_play(task_vars) == RunLog(path=Path("/x/run.log"), least="INFO")
    assert RunLog.of_play({}) is None
