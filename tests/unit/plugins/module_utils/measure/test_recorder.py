"""The recorder: every outcome counted, every failure on disk the moment it happens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible_collections.kubestress.core.plugins.module_utils.measure.recorder import KEPT_FAILURES, Recorder

FAILURE: dict[str, Any] = {
    "operation": "create",
    "kind": "Secret",
    "namespace": "a-1",
    "role": "deployments",
    "reason": "Forbidden",
    "message": 'no "secrets"\nfor you',
    "attempts": 1,
}


def test_outcomes_are_counted_by_kind_and_timed_by_verb():
    recorder = Recorder(None)
    for result, seconds in (("created", 0.01), ("created", 0.02), ("unchanged", 0.0), ("deleted", 0.3)):
        recorder.outcome(kind="Secret", result=result, seconds=seconds)
    recorder.failed_operation(kind="Job")

    assert recorder.done == 5
    assert recorder.by_kind == {"Secret": {"created": 2, "unchanged": 1, "deleted": 1}, "Job": {"failed": 1}}
    requests = recorder.requests(histograms=True)
    assert {verb: {kind: row["count"] for kind, row in kinds.items()} for verb, kinds in requests.items()} == {
        "create": {"Secret": 2},
        "delete": {"Secret": 1},
    }
    assert requests["create"]["Secret"]["max_ms"] == 20.0
    assert sum(requests["create"]["Secret"]["histogram"]["buckets"].values()) == 2
    assert "histogram" not in recorder.requests(histograms=False)["create"]["Secret"]


def test_an_object_that_an_earlier_try_made_has_no_latency_but_counts():
    recorder = Recorder(None)
    recorder.outcome(kind="Secret", result="created", seconds=0.0)
    assert recorder.by_kind["Secret"]["created"] == 1
    assert recorder.requests(histograms=False) == {}


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
    recorder.outcome(kind="Secret", result="created", seconds=0.01)
    recorder.close()
    assert list(tmp_path.iterdir()) == []
