"""summary.json, its verdict and its schema, from whatever a run left behind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.results.folder import RunFolder, next_attempt, write_json
from ansible_collections.kubestress.core.plugins.module_utils.results.summary import (
    bounded,
    build_summary,
    notes_on,
    summarize,
)
from helpers.example_batches import RUN, batch, counts, failure
from jsonschema import Draft202012Validator, FormatChecker

CHECKOUT = Path(__file__).resolve().parents[5]
SCHEMA = json.loads((CHECKOUT / "docs" / "summary.schema.json").read_text())
# The names that other tools build on, in their order.
CONTRACT = [
    *("schema", "run_id", "attempt", "profile", "verdict", "reasons", "started", "finished", "settings_hash"),
    *("objects", "requests", "rate", "jobs", "pods", "processes", "namespaces", "slo", "phases"),
]


def judged(*batches, error="", stopped=()):
    summary = build_summary(RUN, batches, stopped=stopped, error=error)
    Draft202012Validator(SCHEMA, format_checker=FormatChecker()).validate(summary)
    return summary


def test_the_schema_is_a_schema_and_says_no_to_what_is_not_a_summary():
    Draft202012Validator.check_schema(SCHEMA)
    validator = Draft202012Validator(SCHEMA)
    summary = judged(batch())
    several: list[dict] = [{"verdict": "fine"}, {"attempt": 0}, {"jobs": {}}, {"unknown": 1}, {"objects": {"Job": {}}}]
    for broken in several:
        assert not validator.is_valid({**summary, **broken})


def test_a_run_in_which_all_went_well():
    summary = judged(batch())
    assert list(summary) == CONTRACT
    assert (summary["verdict"], summary["reasons"]) == ("passed", [])
    assert (summary["started"], summary["finished"]) == ("2026-11-21T04:00:00.000Z", "2026-11-21T04:01:02.500Z")
    assert summary["phases"] == [{"role": "deployments", "seconds": 2.0}, {"role": "build_jobs", "seconds": 58.0}]
    assert (summary["settings_hash"], summary["slo"]) == ("abc", [])


def test_the_same_run_again_changes_nothing_and_passes():
    again = batch(objects={"Deployment": counts(30, unchanged=30), "Job": counts(4, unchanged=4)})
    assert judged(again)["verdict"] == "passed"


def test_what_could_not_be_made_fails_and_names_each_object():
    broken = batch(
        objects={"Deployment": counts(30, failed=2)},
        jobs={},
        first_failures=[failure("Deployment", "web-1"), failure("Deployment", "web-2", message="line\nbreak")],
        failures={"total": 2, "by_reason": {"QuotaExceeded": 2}},
    )
    summary = judged(broken)
    assert summary["verdict"] == "failed"
    assert summary["reasons"] == [
        "Deployment: 2 of 30 could not be made",
        "Deployment n-1/web-1: create failed: QuotaExceeded: exceeded quota: q",
        "Deployment n-1/web-2: create failed: QuotaExceeded: line break",
    ]


def test_what_is_not_ready_fails_with_its_cause_once():
    entry = {"kind": "Deployment", "namespace": "n-1", "name": "web-1", "cause": "ImagePullBackOff: no such image"}
    late = failure("Deployment", "web-1", operation="become ready", message="not ready after 600 s")
    broken = batch(objects={"Deployment": counts(30, ready=29)}, jobs={}, not_ready=[entry], first_failures=[late])
    assert judged(broken)["reasons"] == [
        "Deployment: 1 of 30 not ready",
        "Deployment n-1/web-1: not ready: ImagePullBackOff: no such image",
    ]


def test_a_namespace_that_did_not_become_ready_is_named_too():
    late = failure("Namespace", "n-1", namespace="", operation="become ready", message="not ready after 60 s")
    broken = batch(
        objects={"Namespace": counts(2, ready=1), "Job": counts(4, created=2)},
        jobs={"complete": 2, "failed": 0},
        first_failures=[late],
    )
    assert judged(broken)["reasons"] == [
        "Namespace: 1 of 2 not ready",
        "Job: 2 of 4 were never sent",
        "Namespace n-1: not ready after 60 s",
    ]


def test_jobs_that_failed_or_never_ended():
    jobs = {"complete": 1, "failed": 2, "peak_active_pods": 6, "ceiling_active_pods": 6}
    broken = batch(objects={"Job": counts(4, ready=1)}, jobs=jobs)
    assert judged(broken)["reasons"] == ["Job: 2 of 4 failed", "Job: 1 of 4 neither complete nor failed"]


def test_more_pods_than_the_ceiling_break_a_promise():
    jobs = {"complete": 4, "failed": 0, "peak_active_pods": 7, "ceiling_active_pods": 6}
    assert judged(batch(jobs=jobs))["reasons"] == ["Job pods: 7 were active at once, above the ceiling of 6"]


def test_a_pod_that_failed_in_a_job_that_completed_is_told_but_fails_nothing():
    pods = {**batch()["pods"], "failed": 1, "causes": {"OOMKilled": 1}}
    died = failure("Pod", "b-1-x", operation="run", reason="OOMKilled", message="exit 137")
    summary = judged(batch(pods=pods, first_failures=[died], failures={"total": 1, "by_reason": {"OOMKilled": 1}}))
    assert (summary["verdict"], summary["reasons"]) == ("passed", [])
    assert summary["pods"]["causes"] == {"OOMKilled": 1}


def test_reasons_are_bounded_and_say_how_many_more_there_are():
    entries = [{"kind": "Deployment", "namespace": "n-1", "name": f"w-{i}", "cause": "Pending"} for i in range(500)]
    summary = judged(batch(objects={"Deployment": counts(500, ready=0)}, jobs={}, not_ready=entries))
    assert len(summary["reasons"]) == 22
    assert summary["reasons"][-1] == "and 480 more, all in failures.jsonl"


def test_an_interrupted_batch_is_aborted_with_what_it_measured():
    summary = judged(batch(aborted="interrupted by SIGTERM", objects={"Job": counts(4, created=1)}, jobs={}))
    assert summary["verdict"] == "aborted"
    assert summary["reasons"] == ["deployments, build_jobs: interrupted by SIGTERM", "Job: 3 of 4 were never sent"]
    assert summary["objects"]["Job"]["created"] == 1


# --- the error that ended the play -----------------------------------------------------------------------------------


def test_the_plays_error_counts_where_the_measurements_tell_no_reason():
    summary = judged(batch(), error="Task failed:\n disk full")
    assert (summary["verdict"], summary["reasons"]) == ("aborted", ["Task failed: disk full"])


def test_the_plays_error_adds_nothing_to_what_the_measurements_tell():
    jobs = {"complete": 3, "failed": 1, "peak_active_pods": 6, "ceiling_active_pods": 6}
    summary = judged(batch(jobs=jobs), error="1 not ready, first Job …")
    assert (summary["verdict"], summary["reasons"]) == ("failed", ["Job: 1 of 4 failed"])


# --- from files ------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    made = next_attempt(tmp_path, "r1")
    made.write_run(RUN)
    return made


def test_nothing_was_measured(folder):
    summary = summarize(folder)
    assert summary["verdict"] == "aborted"
    assert summary["reasons"] == [
        f"no batch has left measurements in {folder.batches_dir}: the run ended before its first one"
    ]
    assert summary["rate"]["objects_per_second"] is None
    assert summary["jobs"]["complete"] is None
    Draft202012Validator(SCHEMA).validate(summary)


def test_with_the_plays_error_at_hand_that_is_the_reason(folder):
    assert summarize(folder, error="the API server cannot be reached")["reasons"] == [
        "the API server cannot be reached"
    ]


def test_a_killed_batch_left_a_snapshot(folder):
    write_json(
        folder.batches_dir / "001-x.json",
        batch(
            finished=None, aborted="still at work when this was written", objects={"Job": counts(4, created=3)}, jobs={}
        ),
    )
    summary = summarize(folder)
    assert summary["verdict"] == "aborted"
    assert summary["reasons"] == [
        "deployments, build_jobs: the batch did not come to its end; what it measured until then is here",
        "Job: 1 of 4 were never sent",
    ]
    assert summary["finished"] > "2026-11-21T04:01"


@pytest.mark.parametrize("text", ['{"schema": 1, "start', "[]", '{"schema": 2, "started": "x"}', "{}"])
def test_measurements_that_cannot_be_read_are_a_reason_and_the_others_still_count(folder, text):
    write_json(folder.batches_dir / "001-x.json", batch())
    (folder.batches_dir / "002-y.json").write_text(text)
    summary = summarize(folder)
    assert summary["verdict"] == "aborted"
    assert len(summary["reasons"]) == 1
    assert summary["reasons"][0].startswith("measurements are lost: ")
    assert "002-y.json" in summary["reasons"][0]
    assert summary["objects"]["Deployment"]["created"] == 30


def test_batches_are_taken_in_the_order_of_their_time(folder):
    later = batch(started="2026-11-21T05:00:00.000Z", phases=[{"role": "late", "seconds": 1.0}])
    write_json(folder.batches_dir / "001-a.json", later)
    write_json(folder.batches_dir / "002-b.json", batch(phases=[{"role": "early", "seconds": 1.0}]))
    assert [phase["role"] for phase in summarize(folder)["phases"]] == ["early", "late"]


def test_what_goes_back_to_ansible_is_bounded():
    rows = [
        {"name": f"n-{number}", "jobs_complete": 0, "jobs_failed": number % 2, "pods_succeeded": 0, "pods_failed": 9}
        | {"failed_pods": [{"name": f"p-{pod}", "reason": "x"} for pod in range(9)]}
        for number in range(1000)
    ]
    small = bounded(judged(batch(namespaces=rows)))
    assert len(small["namespaces"]) == 20
    assert {len(row["failed_pods"]) for row in small["namespaces"]} == {5}
    assert "histogram" not in small["requests"]["create"]["Job"]
    assert len(json.dumps(small)) < 20_000


def test_notes_tell_of_simulated_nodes_and_the_batches_warnings(folder):
    folder.update_run(cluster={"nodes": {"kinds": [{"simulated": True, "count": 10}]}})
    write_json(folder.batches_dir / "001-x.json", batch(warnings=["Pods cannot be watched"]))
    first, second = notes_on(folder)
    assert first.startswith("nodes are simulated: their pods ran nothing, nothing was really killed")
    assert second == "Pods cannot be watched"
