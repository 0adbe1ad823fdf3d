"""Expected beside seen, as summary.json has it: what adds up, and the cause of what was not seen."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.results.evidence import STILL_AT_WORK, Evidence
from ansible_collections.kubestress.core.plugins.module_utils.results.summary import build_summary
from helpers.example_batches import RUN, batch
from helpers.example_observations import node, nodes, observation

EXPECTED = {
    "pods": 80, "pods_at_once": 6, "rounds": 16, "first_job_rounds": 4,
    "first_busy_s": {"earliest": 7, "likely": 9, "latest": 20},
    "first_finished_s": {"earliest": 29, "likely": 45, "latest": 88},
    "first_job_s": {"earliest": 116, "likely": 240, "latest": 352},
    "all_finished_s": {"earliest": 464, "likely": 1000, "latest": 1408},
    "processes_busy": 72, "processes_mean": 25.9,
}  # fmt: skip
SEEN = {"first_pod_s": 2.52, "first_finished_s": 48.0, "all_finished_s": 1100.0, "first_removed_s": 372.0}
STARTUP = {"job": {"watched": {"count": 3, "p50_s": 1.5}, "total": {"count": 3, "p50_s": 2}}}
COUNTED = {
    "per_build_pod": {
        "min": 70, "median": 72, "max": 75, "plateaus": {"72": 3}, "samples": 9, "source": "kubelet",
        "first": "2026-11-21T04:00:15.000Z", "interval_seconds": 5,
    }
}  # fmt: skip


def builds(**changed: Any) -> dict[str, Any]:
    row = {"role": "build_jobs", "began": "2026-11-21T04:00:04.000Z", "cause": None}
    return {**row, "expected": EXPECTED, "seen": SEEN, **changed}


def expected_of(*rows: dict[str, Any], observed: dict[str, Any] | None = None, **changed: Any) -> Any:
    document = batch(builds=list(rows), **changed)
    document["pods"] = {**document["pods"], "startup": STARTUP}
    run = {**RUN, "settings": {"build_jobs_ttl": 300}}
    observations = [observed] if observed else []
    return build_summary(Evidence(run=run, batches=[document], observations=observations))["expected"]


def by_name(found: Any) -> dict[str, Any]:
    (role,) = found["roles"]
    return {row["name"]: row for row in role["milestones"]}


def test_the_start_up_of_each_round_is_added():
    found = expected_of(builds(), observed=observation(processes=COUNTED))
    assert (found["startup_p50_s"], found["startup_stage"]) == (1.5, "watched")
    rows = by_name(found)
    assert (rows["first_pod"]["likely_s"], rows["first_pod"]["seen_s"]) == (1.5, 2.5)
    assert (rows["first_busy"]["likely_s"], rows["first_busy"]["seen_s"]) == (10.5, 11)
    assert (rows["first_finished"]["earliest_s"], rows["first_finished"]["seen_s"]) == (30.5, 48)
    assert (rows["all_finished"]["likely_s"], rows["all_finished"]["seen_s"]) == (1000 + 16 * 1.5, 1100)
    assert (rows["first_removed"]["likely_s"], rows["first_removed"]["seen_s"]) == (240 + 4 * 1.5 + 300, 372)
    assert [row["documented_s"] for row in rows.values()] == [5, 10, 60, None, 300]
    assert {row["cause"] for row in rows.values()} == {None}


def test_what_was_not_seen_has_a_cause():
    silent = {"per_build_pod": {"min": None, "median": None, "max": None, "plateaus": {}, "samples": 0,
                                "source": "none", "cause": "n1: simulated node"}}  # fmt: skip
    nothing = dict.fromkeys(SEEN)
    rows = by_name(expected_of(builds(seen=nothing), observed=observation(processes=silent)))
    assert {name: row["cause"] for name, row in rows.items()} == {
        "first_pod": "no pod was seen running",
        "first_busy": "n1: simulated node",
        "first_finished": "no pod was seen to succeed",
        "all_finished": "not all Jobs ended",
        "first_removed": "the run ended before any TTL",
    }
    rows = by_name(expected_of(builds(cause="pods were not watched", seen=nothing)))
    assert rows["first_busy"]["cause"] == rows["first_pod"]["cause"] == "pods were not watched"


@pytest.mark.parametrize("end", [{"finished": None, "aborted": STILL_AT_WORK}, {"aborted": "interrupted by SIGTERM"}])
def test_of_a_batch_that_was_cut_short_the_last_end_so_far_is_not_the_end(end: dict[str, Any]):
    rows = by_name(expected_of(builds(), **end))
    assert rows["all_finished"]["seen_s"] is None
    assert rows["all_finished"]["cause"]
    assert rows["first_finished"]["seen_s"] == 48


def test_processes_of_a_node():
    told = node("n1", build_pods_peak=6, threads_low=300, threads_peak=800, max_threads=32768)
    seen = observation(processes=COUNTED, nodes=nodes(told, node("n2", build_pods_peak=None)))
    (row,) = expected_of(builds(), observed=seen)["nodes"]
    assert row == {
        "name": "n1", "build_pods_peak": 6, "likely": 155, "most": 432,
        "threads_low": 300, "threads_peak": 800, "rise": 500, "max_threads": 32768,
    }  # fmt: skip


def test_without_start_up_nothing_is_expected_and_without_builds_there_is_nothing():
    document = batch(builds=[builds()])
    document["pods"] = {**document["pods"], "startup": {}}
    found = build_summary(Evidence(run=RUN, batches=[document]))["expected"]
    assert by_name(found)["all_finished"]["likely_s"] is None
    assert build_summary(Evidence(run=RUN, batches=[batch()]))["expected"] is None
    assert build_summary(Evidence(run=RUN))["expected"] is None


def test_a_run_that_goes_on_has_no_verdict_and_no_end():
    document = batch(finished=None, aborted=STILL_AT_WORK)
    summary = build_summary(Evidence(run=RUN, batches=[document], stopped=["build_jobs: did not finish"]), running=True)
    assert (summary["verdict"], summary["reasons"], summary["finished"]) == ("running", [], None)
    assert "did not finish" not in str(summary["validity"])
