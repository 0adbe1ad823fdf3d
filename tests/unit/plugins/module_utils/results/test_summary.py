"""summary.json, its verdict and its schema, from whatever a run left behind."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.results.evidence import Evidence, read_evidence
from ansible_collections.kubestress.core.plugins.module_utils.results.folder import RunFolder, next_attempt, write_json
from ansible_collections.kubestress.core.plugins.module_utils.results.summary import (
    MAX_STATISTICS_BYTES,
    bounded,
    build_summary,
    statistics,
)
from helpers.example_accelerators import cause, pool, restarts, wait, with_jobs
from helpers.example_batches import (
    RUN,
    batch,
    check_of_services,
    counts,
    durations,
    failure,
    guarded,
    latencies,
    outages,
    silent,
)
from helpers.example_observations import api_server, node, nodes, observation, silent_node, sli, warning
from jsonschema import Draft202012Validator, FormatChecker

CHECKOUT = Path(__file__).resolve().parents[5]
SCHEMA = json.loads((CHECKOUT / "docs" / "summary.schema.json").read_text())
# The names that other tools build on, in their order.
CONTRACT = [
    *("schema", "run_id", "attempt", "profile", "verdict", "reasons", "stopped_by"),
    *("started", "finished", "settings_hash"),
    *(
        "objects",
        "requests",
        "rate",
        "outages",
        "controllers",
        "guard",
        "client",
        "jobs",
        "statefulsets",
        "pods",
        "connectivity",
        "volumes",
        "accelerator_jobs",
        "processes",
        "api_server",
        "nodes",
    ),
    *("network_operations", "events", "skew", "namespaces", "expected", "slo", "validity", "phases"),
]


def valid(summary: dict) -> dict:
    """Return the summary, which the shipped schema takes."""
    Draft202012Validator(SCHEMA, format_checker=FormatChecker()).validate(summary)
    return summary


def judged(*batches, error="", stopped=(), observations=(), slo_required=False, run=RUN):
    evidence = Evidence(run=run, batches=[*batches], observations=[*observations], stopped=[*stopped])
    return valid(build_summary(evidence, error=error, slo_required=slo_required))


def summarize(folder: RunFolder, **options) -> dict:
    return valid(build_summary(read_evidence(folder), **options))


def test_the_schema_is_a_schema_and_says_no_to_what_is_not_a_summary():
    Draft202012Validator.check_schema(SCHEMA)
    validator = Draft202012Validator(SCHEMA)
    summary = judged(batch())
    several: list[dict] = [{"verdict": "fine"}, {"attempt": 0}, {"jobs": {}}, {"unknown": 1}, {"objects": {"Job": {}}}]
    for broken in several:
        assert not validator.is_valid({**summary, **broken})


def test_outages_and_silent_controllers_of_all_batches_are_told():
    first = batch(outages=outages(62.4, 5.0), controllers=silent("kube-scheduler"))
    summary = judged(first, batch(outages=outages(3.0), controllers=None))
    assert summary["verdict"] == "passed"
    found = summary["outages"]
    assert (found["number"], found["seconds"], len(found["list"])) == (3, 70.4, 3)
    assert [row["controller"] for row in summary["controllers"]["silences"]] == ["kube-scheduler"]
    unknown = judged(batch(outages=None, controllers=None))
    assert (unknown["outages"], unknown["controllers"]) == (None, None)


def test_accelerator_jobs_of_all_batches_are_there():
    first = with_jobs(
        waits=[wait(1), wait(waiting=2, longest=4.0, priority="low")],
        pools=[pool("a", pods=4), pool("b", pods=0, at_once=None)],
        restarts=[restarts(times=1, failed=1, c1=1)],
        unschedulable=[cause(told=1, pending=1, longest=4.0), cause(told=1, pending=0, by="queue")],
    )
    summary = judged(batch(**first), batch(**with_jobs(waits=[wait(2)])), batch())
    assert [row["jobs"] for row in summary["accelerator_jobs"]["waits"]] == [2, 2]
    assert judged(batch())["accelerator_jobs"] is None
    small = bounded(judged(batch(**with_jobs(pools=[pool(f"p-{n}", pods=4) for n in range(30)]))))
    assert len(small["accelerator_jobs"]["pools"]) == 20


def test_a_run_in_which_all_went_well():
    summary = judged(batch())
    assert list(summary) == CONTRACT
    assert (summary["verdict"], summary["reasons"]) == ("passed", [])
    assert (summary["started"], summary["finished"]) == ("2026-11-21T04:00:00.000Z", "2026-11-21T04:01:02.500Z")
    assert summary["phases"] == [{"role": "deployments", "seconds": 2.0}, {"role": "build_jobs", "seconds": 58.0}]
    assert summary["settings_hash"] == "abc"
    assert {level["met"] for level in summary["slo"] if level["name"] != "pod start-up"} == {None}


def test_the_same_run_again_changes_nothing_and_passes():
    again = batch(objects={"Deployment": counts(30, unchanged=30), "Job": counts(4, unchanged=4)})
    assert judged(again)["verdict"] == "passed"


def life(state: str, **results: int) -> dict:
    """Return the measurements of a batch on 40 ConfigMaps."""
    row = counts(40, created=results.pop("created", 0), unchanged=results.pop("unchanged", 0)) | results
    verb = {"present": "create", "patched": "patch", "absent": "delete"}[state]
    requests = {"get": {"ConfigMap": latencies(1)}, verb: {"ConfigMap": latencies(1, 2)}}
    if state == "absent":
        row["ready"] = None
    elif state == "patched":
        row["ready"] = 40
    return batch(state=state, objects={"ConfigMap": row}, requests=requests, jobs={}, namespaces=[])


def test_what_is_made_patched_and_deleted_is_counted_as_such():
    steps = [life("present", created=40), *[life("patched", patched=40)] * 3, life("absent", deleted=40)]
    summary = judged(*steps)
    assert (summary["verdict"], summary["reasons"]) == ("passed", [])
    assert summary["objects"]["ConfigMap"] == {
        "requested": 200, "created": 40, "patched": 120, "deleted": 40, "unchanged": 0, "failed": 0,
        "ready": 160, "not_ready": 0,
    }  # fmt: skip
    # The same steps in a loop: found, patched to what it is already, and gone already.
    again = [life("present", unchanged=40), life("patched", unchanged=40), life("absent", unchanged=40)]
    assert judged(*steps, *again)["verdict"] == "passed"
    assert judged(life("absent", unchanged=40))["verdict"] == "passed"


def test_what_was_not_patched_or_deleted_is_named_so():
    halves = [life("patched", patched=30, failed=4), life("absent", deleted=35)]
    assert judged(*halves)["reasons"][:2] == [
        "ConfigMap: 4 of 80 could not be patched or deleted",
        "ConfigMap: 11 of 80 were never sent",
    ]


def test_readiness_that_nobody_waited_for_is_unknown():
    jobs = dict.fromkeys(("complete", "failed", "peak_active_pods", "ceiling_active_pods"))
    blind = batch(objects={"Deployment": counts(30, ready=None), "Job": counts(4, ready=None)}, jobs=jobs)
    summary = judged(blind)
    assert (summary["verdict"], summary["objects"]["Deployment"]["not_ready"]) == ("passed", None)
    assert judged(blind, batch(objects={"Deployment": counts(30, unchanged=30, ready=29)}, jobs={}))["reasons"] == [
        "Deployment: 1 of 30 not ready"
    ]


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
        "Deployment: 2 of 30 could not be created",
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
    assert judged(batch(jobs=jobs))["reasons"] == ["Job pods: 7 active at once, above the ceiling of 6"]


def test_a_pod_that_failed_in_a_job_that_completed_is_told_but_fails_nothing():
    pods = {**batch()["pods"], "failed": 1, "causes": {"OOMKilled": 1}}
    died = failure("Pod", "b-1-x", operation="run", reason="OOMKilled", message="exit 137")
    summary = judged(batch(pods=pods, first_failures=[died], failures={"total": 1, "by_reason": {"OOMKilled": 1}}))
    assert (summary["verdict"], summary["reasons"]) == ("passed", [])
    assert summary["pods"]["causes"] == {"OOMKilled": 1}


def test_reasons_are_bounded_and_say_how_many_more_there_are():
    entries = [
        {"kind": "Deployment", "namespace": "n-1", "name": f"w-{i}", "cause": f"0 of {i} pods"}
        for i in range(500, 1000)
    ]
    summary = judged(batch(objects={"Deployment": counts(500, ready=0)}, jobs={}, not_ready=entries))
    assert len(summary["reasons"]) == 22
    assert summary["reasons"][-1] == "and 480 more, all in failures.jsonl"


def test_each_cause_is_told_once_with_the_objects_that_have_it():
    entries = [
        {"kind": "Deployment", "namespace": f"n-{i}", "name": "web", "cause": f"pod web-{i}/n-{i}: image not found"}
        for i in range(1, 21)
    ]
    summary = judged(batch(objects={"Deployment": counts(30, ready=10)}, jobs={}, not_ready=entries))
    assert summary["reasons"] == [
        "Deployment: 20 of 30 not ready",
        *(f"Deployment n-{i}/web: not ready: pod web-{i}/n-{i}: image not found" for i in range(1, 21)),
    ]
    for entry in entries:
        entry["cause"] = f"pod of {entry['namespace']}/web: image not found"
    assert judged(batch(objects={"Deployment": counts(30, ready=10)}, jobs={}, not_ready=entries))["reasons"] == [
        "Deployment: 20 of 30 not ready",
        "Deployment n-1/web, n-2/web, n-3/web and 17 more: not ready: pod of n-1/web: image not found",
    ]


def test_effects_are_counted_after_their_causes():
    broken = batch(
        objects={"Namespace": counts(2, failed=1), "Job": counts(9000, failed=4500)},
        jobs={},
        first_failures=[failure("Namespace", "n-1", namespace="", reason="NotOurs", message="not made by kubestress")],
        failures={"total": 4501, "by_reason": {"NotOurs": 1, "DependencyFailed": 4500}},
    )
    assert judged(broken)["reasons"] == [
        "Namespace: 1 of 2 could not be created",
        "Job: 4,500 of 9,000 could not be created",
        "Namespace n-1: create failed: NotOurs: not made by kubestress",
        "4,500 objects were not sent, because something they need has failed",
    ]


def test_a_refusal_of_preflight_is_told_whole_though_its_message_was_short():
    run = RUN | {"preflight": {"problems": ["a" * 900, "b" * 900]}}
    summary = judged(run=run, error="preflight: 2 reasons not to start: (1) aaa…")
    assert summary["reasons"] == ["preflight: " + "a" * 900, "preflight: " + "b" * 900]


def test_an_interrupted_batch_is_aborted_with_what_it_measured():
    summary = judged(batch(aborted="interrupted by SIGTERM", objects={"Job": counts(4, created=1)}, jobs={}))
    assert summary["verdict"] == "aborted"
    assert summary["reasons"] == ["deployments, build_jobs: interrupted by SIGTERM", "Job: 3 of 4 were never sent"]
    assert summary["objects"]["Job"]["created"] == 1


def test_who_stopped_a_run_is_told_and_what_its_guard_saw():
    aborted = "guard: pods that failed: 1 within 60 s, at or above the threshold of 1 (guard_failed_pods); OOMKilled 1"
    first, second = guarded(peak=3), guarded(peak=1, crossed="2026-11-21T04:00:40.000Z")
    summary = judged(batch(guard=first), batch(aborted=aborted, stopped_by="guard", guard=second))
    assert (summary["verdict"], summary["stopped_by"]) == ("aborted", "guard")
    assert summary["reasons"] == [f"deployments, build_jobs: {aborted}"]
    assert summary["guard"]["stopped"]["sign"] == "failed_pods"
    row = next(row for row in summary["guard"]["signs"] if row["name"] == "failed_pods")
    assert (row["peak"], row["crossed"], row["threshold"]) == (3, "2026-11-21T04:00:30.000Z", 1)
    assert summary["guard"]["sources"]["nodes"] == "the user may not watch nodes"


def test_without_a_guard_there_is_nothing_of_it():
    assert judged(batch())["guard"] is None
    assert judged(batch())["stopped_by"] is None


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
        f"no batch left measurements in {folder.batches_dir}: the run ended before its first batch"
    ]
    assert summary["rate"]["objects_per_second"] is None
    assert summary["jobs"]["complete"] is None


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
        "deployments, build_jobs: the batch did not finish; its measurements up to then are included",
        "Job: 1 of 4 were never sent",
    ]
    assert summary["finished"] > "2026-11-21T04:01"
    assert summary["stopped_by"] == "killed"


def test_a_batch_whose_process_was_killed_says_of_what_also_where_objects_are_missing(folder):
    death = "the module's process was killed by SIGKILL"
    cut = batch(finished=None, aborted=death, objects={"Job": counts(4, created=3)}, jobs={})
    write_json(folder.batches_dir / "001-x.json", cut)
    summary = summarize(folder, error=f"kubestress.core.batch: {death}")
    assert (summary["verdict"], summary["reasons"][0]) == (
        "aborted",
        f"deployments, build_jobs: {death}; its measurements up to then are included",
    )


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


# --- what goes to Ansible and AWX ------------------------------------------------------------------------------------


def many_namespaces(*, failed: int) -> list[dict]:
    return [
        {"name": f"deploy-test-{number}", "jobs_complete": 20, "jobs_failed": 0, "pods_succeeded": 200}
        | {
            "pods_failed": int(number < failed),
            "failed_pods": [{"name": f"p-{pod}", "reason": "x"} for pod in range(9)],
        }
        for number in range(1000)
    ]


def large_run(*, failed: int) -> dict:
    """Return the summary of a run of 1,000 namespaces on a busy cluster with many nodes."""
    kinds = ("Namespace", "ConfigMap", "Secret", "Deployment", "StatefulSet", "Service", "Job", "NetworkPolicy")
    spread = [1.07**step for step in range(150)]
    stages = ("scheduled", "initialized", "started", "ready", "total", "watched")
    pods = {
        **batch()["pods"],
        "startup": {
            group: {stage: durations(*range(1, 60)) for stage in stages}
            for group in ("stateless", "stateful", "job", "other")
        },
    }
    for row in (rows := many_namespaces(failed=failed)):
        if not row["pods_failed"]:
            row["failed_pods"] = []
    one = batch(requests={"create": {kind: latencies(*spread) for kind in kinds}}, pods=pods, namespaces=rows)
    calls = [sli("POST", f"resources{number}", 5, 6, 7, 8, 9, 10) for number in range(150)]
    seen = observation(
        api_server=api_server(sli=calls),
        nodes=nodes(*(node(f"worker-{number}.example.org") for number in range(200))),
        events={"source": "watch", "total": 9, "warnings": [warning(f"Reason{n}", n) for n in range(50)]},
    )
    return judged(one, observations=[seen])


def test_what_goes_back_to_ansible_is_bounded():
    summary = large_run(failed=500)
    small = bounded(summary)
    assert len(small["namespaces"]) == 20
    assert {len(row["failed_pods"]) for row in small["namespaces"]} == {5}
    assert "histogram" not in small["requests"]["create"]["Job"]
    assert "buckets" not in small["api_server"]["sli"][0]
    assert len(json.dumps(small)) < 50_000
    assert len(summary["namespaces"]) == 1000


def test_statistics_are_the_whole_summary_of_a_run_of_usual_size():
    summary = judged(batch(), observations=[observation()])
    assert statistics(summary) == summary


@pytest.mark.parametrize("failed", [0, 1000])
def test_statistics_of_a_large_run_stay_small_and_say_what_they_lack(failed):
    summary = large_run(failed=failed)
    whole = len(json.dumps(summary))
    kept = valid(statistics(summary))
    assert len(json.dumps(kept)) <= MAX_STATISTICS_BYTES < whole
    assert kept["left_out"][0] == "namespaces without failures"
    assert (kept["verdict"], kept["validity"]) == (summary["verdict"], summary["validity"])
    assert "left_out" not in summary


# --- what observers saw ----------------------------------------------------------------------------------------------


def test_an_observation_is_part_of_the_summary_without_its_series():
    summary = judged(batch(), observations=[observation()])
    assert summary["verdict"] == "passed"
    assert summary["api_server"]["sli"][0]["resource"] == "pods"
    assert "series" not in summary["api_server"]
    assert "series" not in summary["nodes"]
    assert [row["name"] for row in summary["nodes"]["nodes"]] == ["n-1", "n-2"]
    assert summary["events"]["warnings"][0]["reason"] == "FailedScheduling"
    assert summary["skew"]["estimate_ms"] == 12.0
    assert summary["processes"]["per_build_pod"]["median"] == 72
    assert {level["name"]: level["met"] for level in summary["slo"]} == {
        "mutating API calls": True, "read-only API calls": True, "pod start-up": True,
    }  # fmt: skip
    assert summary["validity"]["trust"] == "good"


def test_without_an_observer_there_is_no_data_and_no_nought():
    summary = judged(batch())
    assert [summary[name] for name in ("api_server", "nodes", "network_operations", "events", "skew")] == [None] * 5
    states = {one["about"]: one["state"] for one in summary["validity"]["statements"]}
    assert {states[name] for name in ("API server", "kubelets", "events", "clock skew")} == {"no data"}


SLOW = api_server(sli=[sli("POST", "pods", 0, 0, 0, 10, 90, 100)])


def test_a_missed_service_level_is_told_and_fails_only_where_it_is_required():
    told = judged(batch(), observations=[observation(api_server=SLOW)])
    assert told["verdict"] == "passed"
    assert False in [level["met"] for level in told["slo"]]
    required = judged(batch(), observations=[observation(api_server=SLOW)], slo_required=True)
    assert required["verdict"] == "failed"
    (reason,) = required["reasons"]
    assert reason.startswith("service level missed: p99 of POST pods (namespace) was more than 5 s over 100 calls")


def test_required_service_levels_that_nobody_could_judge_fail_with_the_cause():
    nothing = {"source": "none", "cause": "/metrics: HTTP 403", "servers": None, "instances": [], "scrapes": 0}
    unmeasured = batch(pods={})
    summary = judged(unmeasured, observations=[observation(api_server=nothing)], slo_required=True)
    assert summary["reasons"] == ["report_slo_required: no service level could be judged: /metrics: HTTP 403"]
    assert judged(unmeasured, slo_required=True)["verdict"] == "failed"
    assert judged(unmeasured)["verdict"] == "passed"


def test_an_observation_alone_is_a_run_of_its_own(folder):
    (folder.batches_dir).rmdir()
    folder.observations_dir.mkdir()
    course = {"timeline": batch()["timeline"], "watch_breaks": {"connection": 2}}
    alone = observation(pods=batch()["pods"], jobs={"complete": 2, "failed": 0}, **course)
    write_json(folder.observations_dir / "001-theirs.json", alone)
    summary = summarize(folder)
    assert (summary["verdict"], summary["reasons"]) == ("passed", [])
    assert summary["finished"] == "2026-11-21T04:01:03.000Z"
    assert (summary["objects"], summary["jobs"]["complete"], summary["pods"]["succeeded"]) == ({}, 2, 8)
    assert (summary["rate"]["objects_per_second"], summary["rate"]["watch_breaks"]) == (None, {"connection": 2})


def test_of_jobs_that_may_not_be_watched_an_observation_alone_has_no_figures(folder):
    folder.observations_dir.mkdir()
    pods = {name: value for name, value in batch()["pods"].items() if name != "worst"}
    course = {**batch()["timeline"], "series": {"pods_running": [1, 2, 3]}}
    alone = observation(
        pods=pods, jobs=None, statefulsets=None, timeline=course, warnings=["Jobs cannot be watched: no"]
    )
    write_json(folder.observations_dir / "001-theirs.json", alone)
    summary = summarize(folder)
    assert (summary["jobs"]["complete"], summary["jobs"]["duration"], summary["statefulsets"]) == (None, None, None)
    assert summary["pods"]["succeeded"] == 8
    assert summary["validity"]["statements"][-1]["text"] == "Jobs cannot be watched: no."
    assert summary["validity"]["statements"][1] == {
        "about": "load generator", "state": "no data", "text": "How busy the load generator was is not known.",
    }  # fmt: skip


def test_an_observation_alone_that_was_killed_is_an_aborted_run(folder):
    folder.observations_dir.mkdir()
    write_json(folder.observations_dir / "001-theirs.json", observation(finished=None, name="theirs"))
    summary = summarize(folder)
    assert summary["verdict"] == "aborted"
    assert summary["reasons"] == ["observation theirs: did not finish; its readings up to then are included"]


@pytest.mark.parametrize("text", ['{"schema": 1, "start', "{}"])
def test_beside_a_whole_batch_a_lost_observation_is_a_doubt_and_no_failure(folder, text):
    write_json(folder.batches_dir / "001-x.json", batch())
    folder.observations_dir.mkdir()
    (folder.observations_dir / "001-x.json").write_text(text)
    write_json(folder.observations_dir / "002-y.json", observation(finished=None))
    summary = summarize(folder)
    assert (summary["verdict"], summary["reasons"]) == ("passed", [])
    assert summary["validity"]["trust"] == "poor"
    told = summary["validity"]["statements"][0]["text"]
    assert "001-x.json" in told
    assert "did not finish" in told


def test_what_ended_the_play_is_known_to_a_later_report(folder):
    write_json(folder.batches_dir / "001-x.json", batch())
    folder.update_run(ended={"error": "the API server cannot be reached", "at": "2026-11-21T04:09:00.000Z"})
    summary = summarize(folder)
    assert (summary["verdict"], summary["reasons"]) == ("aborted", ["the API server cannot be reached"])
    assert summary["finished"] == "2026-11-21T04:09:00.000Z"


def test_a_killed_run_ended_when_it_was_last_heard_of_and_not_when_it_is_reported(folder):
    path = folder.batches_dir / "001-x.json"
    write_json(path, batch(finished=None))
    os.utime(path, (1_795_233_700, 1_795_233_700.25))
    assert summarize(folder)["finished"] == "2026-11-21T04:01:40.250Z"


def test_simulated_nodes_are_those_that_the_runs_pods_were_on():
    both = {**RUN, "cluster": {"nodes": {"kinds": [{"simulated": True, "count": 9}, {"simulated": False, "count": 1}]}}}

    def statement(*rows, **changed):
        summary = judged(batch(), observations=[observation(nodes=nodes(*rows, **changed))], run=both)
        return [one["text"] for one in summary["validity"]["statements"] if one["about"] == "simulated nodes"]

    simulated = silent_node("kwok-1", simulated=True)
    assert statement(node("real-1")) == []
    assert statement(simulated)[0].startswith("This run's pods were on simulated nodes only: they ran nothing")
    assert statement(simulated, node("real-1"))[0].startswith(
        "Of 2 nodes with this run's pods at least 1 are simulated:"
    )


def test_warnings_of_batches_and_observers_are_told_once():
    summary = judged(
        batch(warnings=["Pods cannot be watched"]), observations=[observation(warnings=["Pods cannot be watched", "b"])]
    )
    told = [one["text"] for one in summary["validity"]["statements"] if one["about"] == "warning"]
    assert told == ["Pods cannot be watched.", "b."]


def test_the_check_of_services_is_in_the_summary_and_its_schema():
    found = judged(batch(connectivity=check_of_services(fast=3, slow=0)))["connectivity"]
    assert (found["requests"], found["phases"]["total"]["count"], found["phases"]["connect"]) == (3, 3, None)
