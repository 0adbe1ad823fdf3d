"""The comparison on the screen: verdict and cause first, what changed, what did not, and what limits it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.compare.document import document_of
from ansible_collections.kubestress.core.plugins.module_utils.compare.sources import read_group
from ansible_collections.kubestress.core.plugins.module_utils.compare.table import comparison_lines, message_of
from ansible_collections.kubestress.core.plugins.module_utils.results.table import BAD, GOOD, WIDTH
from helpers.example_runs import run_document, summary, write_run


def compared(folder: Path, before: str, after: str) -> dict[str, Any]:
    return document_of(read_group("x", [before], str(folder)), read_group("x", [after], str(folder)), {})


@pytest.fixture
def fix(tmp_path: Path) -> dict[str, Any]:
    write_run(tmp_path / "limited", summary("limited", failed=7), run_document())
    write_run(tmp_path / "fixed", summary("fixed", started="2026-02-15T10:00:00Z"), run_document())
    return compared(tmp_path, "limited", "fixed")


def test_verdict_rows_and_files(fix: dict[str, Any]) -> None:
    lines = comparison_lines(fix, path="/x/comparison.json", page="/x/comparison.html")
    text = [line.text for line in lines]
    assert text[0].startswith("── compare limited with fixed ──")
    assert text[1].startswith(
        "  verdict   improved: runs that did not pass 1 → 0; Jobs failed 7 → 0; pods failed 7 → 0"
    )
    assert lines[1].tone == GOOD
    assert "  before    limited (failed)" in text
    (row,) = [line.split() for line in text if line.startswith("  pods failed  ")]
    assert row == ["pods", "failed", "7", "0", "-100", "%", "50", "%", "?", "improved"]
    (first,) = [line.split() for line in text if line.startswith("  first failure after")]
    assert first[3:6] == ["12", "s", "none"]
    (still,) = [line.split() for line in text if line.startswith("  Job duration, mean")]
    assert still[-1] == "same"
    assert text[-2:] == ["  figures   /x/comparison.json", "  page      /x/comparison.html"]
    assert all(len(one) <= WIDTH for one in text)


def test_messages_are_one_line(fix: dict[str, Any]) -> None:
    assert message_of({**fix, "verdict": "same", "reasons": []}).startswith("same: no metric that decides")
    assert message_of({**fix, "verdict": "not comparable"}).startswith("not comparable: no metric that decides")
    assert "\n" not in message_of(fix)


def test_worse_is_red(tmp_path: Path) -> None:
    write_run(tmp_path / "quick", summary("quick"), run_document())
    write_run(tmp_path / "slow", summary("slow", start_seconds=60), run_document())
    lines = comparison_lines(compared(tmp_path, "quick", "slow"))
    assert lines[1].tone == BAD
    assert "regressed: pod start-up p99, all pods 2 s → 1 min" in lines[1].text
    assert [line.tone for line in lines if line.text.startswith("  start-up p50, job: started")] == [BAD]
