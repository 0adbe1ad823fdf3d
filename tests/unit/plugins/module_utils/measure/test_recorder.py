"""The recorder: every outcome counted, every failure on disk the moment it happens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible_collections.kubestress.core.plugins.module_utils.measure.recorder import (
    DEPENDENCY_FAILED,
    KEPT_FAILURES,
    Recorder,
)

FAILURE: dict[str, Any] = {
    "operation": "create",
    "kind": "Secret",
    "namespace": "a-1",
    "role": "deployments",
    "reason": "Forbidden",
    "message": 'no "secrets"\nfor you',
    "attempts": 1,
}


def test_outcomes_are_counted_by_kind():
    recorder = Recorder(None)
    for result in ("created", "created", "unchanged", "deleted"):
        recorder.outcome(kind="Secret", result=result)
    recorder.outcome(kind="Job", result="patched")
    recorder.failed_operation(kind="Job")

    assert recorder.done == 6
    assert recorder.changes == 4
    assert recorder.by_kind == {
        "Secret": {"created": 2, "unchanged": 1, "deleted": 1},
        "Job": {"patched": 1, "failed": 1},
    }


def test_effects_leave_the_memory_to_their_causes(tmp_path: Path):
    recorder = Recorder(tmp_path)
    for number in range(KEPT_FAILURES + 5):
        recorder.failure(**{**FAILURE, "reason": DEPENDENCY_FAILED}, name=f"e-{number}")
    recorder.failure(**FAILURE, name="cause")
    recorder.close()
    assert [row["name"] for row in recorder.first_failures] == ["cause"]
    assert recorder.failures[DEPENDENCY_FAILED] == KEPT_FAILURES + 5
    assert len((tmp_path / "failures.jsonl").read_text().splitlines()) == KEPT_FAILURES + 6


def test_every_failure_is_on_disk_at_once_and_the_first_ones_in_memory(tmp_path: Path):
    recorder = Recorder(tmp_path)
    for number in range(KEPT_FAILURES + 5):
        recorder.failure(**FAILURE, name=f"s-{number}")
        lines = (tmp_path / "failures.jsonl").read_text().splitlines()
        assert len(lines) == number + 1
    recorder.close()

    rows = [json.loads(line) for line in lines]
    assert [row["name"] for row in rows] == [f"s-{number}" for number in range(KEPT_FAILURES + 5)]
    assert all(row.items() >= FAILURE.items() for row in rows)
    assert [row["name"] for row in recorder.first_failures] == [f"s-{number}" for number in range(KEPT_FAILURES)]
    assert recorder.failures == {"Forbidden": KEPT_FAILURES + 5}


def test_a_second_batch_of_the_same_attempt_adds_to_the_file(tmp_path: Path):
    for name in ("one", "two"):
        recorder = Recorder(tmp_path)
        recorder.failure(**FAILURE, name=name)
        recorder.close()
    assert len((tmp_path / "failures.jsonl").read_text().splitlines()) == 2


def test_without_failures_there_is_no_file(tmp_path: Path):
    recorder = Recorder(tmp_path)
    recorder.outcome(kind="Secret", result="created")
    recorder.close()
    assert list(tmp_path.iterdir()) == []
