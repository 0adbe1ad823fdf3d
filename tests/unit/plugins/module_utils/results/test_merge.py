"""Several batches become one, and what nobody measured stays unknown."""

from __future__ import annotations

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.results.merge import (
    largest,
    merged_client,
    merged_jobs,
    merged_namespaces,
    merged_objects,
    merged_pods,
    merged_rate,
    merged_requests,
    merged_statefulsets,
    total,
)
from helpers.example_batches import batch, counts, durations, latencies


@pytest.mark.parametrize(
    ("values", "summed", "most"), [([], None, None), ([None, None], None, None), ([None, 3, 0], 3, 3), ([0], 0, 0)]
)
def test_unknown_is_not_nought(values, summed, most):
    assert (total(values), largest(values)) == (summed, most)


def test_objects_add_up_by_kind():
    merged = merged_objects([batch(), batch(objects={"Job": counts(6, failed=2), "Secret": counts(2, ready=None)})])
    assert merged["Deployment"]["created"] == 30
    done = {"created": 8, "patched": 0, "deleted": 0, "unchanged": 0}
    assert merged["Job"] == {"requested": 10, **done, "failed": 2, "ready": 8, "not_ready": 0}
    assert merged["Secret"]["ready"] is None


def test_latencies_are_read_from_all_measurements_together():
    one, other = latencies(*[10.0] * 98), latencies(500.0, 700.0, errors=1)
    merged = merged_requests([batch(requests={"create": {"Job": one}}), batch(requests={"create": {"Job": other}})])
    row = merged["create"]["Job"]
    assert (row["count"], row["errors"], row["max_ms"]) == (100, 1, 700.0)
    assert row["p90_ms"] == pytest.approx(10.0, rel=0.01)
    assert row["p50_ms"] == pytest.approx(10.0, rel=0.01)
    assert row["p99_ms"] == pytest.approx(500.0, rel=0.01)
    assert row["histogram"]["count"] == 100


def test_percentiles_without_histograms_cannot_be_merged_and_are_not_invented():
    rows = [{"count": 3, "p50_ms": 1.0, "p95_ms": 2.0, "p99_ms": 2.0, "max_ms": 2.0}] * 2
    alone = merged_requests([batch(requests={"get": {"Job": rows[0]}})])["get"]["Job"]
    assert (alone["p50_ms"], alone["max_ms"], alone["histogram"]) == (1.0, 2.0, None)
    both = merged_requests([batch(requests={"get": {"Job": row}}) for row in rows])["get"]["Job"]
    assert (both["count"], both["p50_ms"], both["p99_ms"], both["max_ms"]) == (6, None, None, 2.0)


def test_the_rate_is_that_of_all_objects_over_all_their_time():
    slow = batch(objects={"Job": counts(10)}, rate={"objects_per_second": 5.0, "peak_in_flight": 4, "max_in_flight": 9})
    merged = merged_rate([batch(), slow])
    assert merged["objects_per_second"] == pytest.approx((34 + 10) / (2 + 2))
    assert (merged["peak_in_flight"], merged["max_in_flight"], merged["retries"]) == (50, 50, {"429": 2})


def test_nothing_created_is_a_measured_nought_and_nothing_measured_is_unknown():
    again = batch(objects={"Job": counts(4, unchanged=4)}, rate={"objects_per_second": 0})
    assert merged_rate([again])["objects_per_second"] == 0
    assert merged_rate([])["objects_per_second"] is None


def test_waiting_on_our_own_limits_and_failures_add_up():
    merged = merged_rate([batch(), batch(), batch(rate={})])
    assert merged["limit_wait_seconds"] == {"in_flight": 3.0, "rate": 0.0}
    assert (merged["errors"], merged["requests"]) == ({"429": 4}, 180)
    assert merged_rate([batch(rate={})])["limit_wait_seconds"] == {"in_flight": None, "rate": None}


def test_the_load_generators_share_is_that_of_all_its_time():
    slow = {"cpu_seconds": 2.0, "wall_seconds": 40.0, "busy_seconds": 1, "loop_lag_p99_ms": 9.0, "loop_lag_max_ms": 9.0}
    merged = merged_client([batch(), batch(client=slow), batch(client=None)])
    assert merged == {
        "cpu_seconds": 20.0, "wall_seconds": 100.0, "cpu_share": 0.2, "busy_seconds": 1,
        "loop_lag_p99_ms": None, "loop_lag_max_ms": 30.0, "cores": 2,
    }  # fmt: skip
    assert merged_client([batch()]) == batch()["client"]
    assert merged_client([batch(client=None)]) is None


def test_jobs_how_long_they_took_and_their_ceiling():
    other = {"complete": 1, "failed": 2, "peak_active_pods": 9, "pods_retried": 3, "duration": durations(40)}
    merged = merged_jobs([batch(), batch(jobs=other)])
    duration = merged.pop("duration")
    assert merged == {
        "complete": 5, "failed": 2, "peak_active_pods": 9, "ceiling_active_pods": 6, "pods_retried": 3,
    }  # fmt: skip
    assert (duration["count"], duration["max_s"]) == (5, 40.0)
    assert duration["p50_s"] == pytest.approx(12, rel=0.01)
    assert merged_jobs([batch(jobs={})])["duration"] is None


def test_pods_that_never_were_ready_and_clocks_that_disagree_add_up():
    merged = merged_pods([batch(pods={"never_ready": 2, "clock_backwards": 1}), batch(pods={"never_ready": 3})])
    assert (merged["never_ready"], merged["clock_backwards"]) == (5, 1)
    unseen = merged_pods([batch(pods={})])
    assert (unseen["never_ready"], unseen["clock_backwards"]) == (None, None)


def test_kills_of_statefulsets_add_up():
    killed = {"pods_killed": 3, "restarts": 5, "oom_kills": 4}
    assert merged_statefulsets([batch(statefulsets=killed), batch(statefulsets=killed)]) == {
        "pods_killed": 6, "restarts": 10, "oom_kills": 8,
    }  # fmt: skip
    assert merged_statefulsets([batch(statefulsets=None)]) is None


def test_stages_of_start_up_merge_by_group_and_the_worst_pods_are_those_of_all():
    never = {"name": "stuck", "total_s": None, "cause": "Unschedulable"}
    slow = [{"name": f"slow-{seconds}", "total_s": seconds} for seconds in range(30, 10, -1)]
    pods = {
        "startup": {"stateless": {"total": durations(9)}, "other": {"total": durations(3)}},
        "worst": [*slow, never],
    }
    merged = merged_pods([batch(), batch(pods=pods), batch(pods={})])
    total_row = merged["startup"]["stateless"]["total"]
    assert (total_row["count"], total_row["max_s"]) == (4, 9.0)
    assert total_row["p99_s"] == pytest.approx(9, rel=0.01)
    assert list(merged["startup"]) == ["stateless", "job", "other"]
    assert merged["startup"]["job"] == batch()["pods"]["startup"]["job"]
    assert [pod["name"] for pod in merged["worst"]][:3] == ["stuck", "slow-30", "slow-29"]
    assert len(merged["worst"]) == 10


def test_stages_without_histograms_have_no_merged_percentiles():
    bare = {"count": 2, "p50_s": 1.0, "p99_s": 2.0, "max_s": 2.0}
    pods = {"startup": {"job": {"total": bare}}}
    alone = merged_pods([batch(pods=pods)])["startup"]["job"]["total"]
    assert (alone["p50_s"], alone["p90_s"], alone["histogram"]) == (1.0, None, None)
    both = merged_pods([batch(pods=pods), batch(pods=pods)])["startup"]["job"]["total"]
    assert (both["count"], both["p50_s"], both["max_s"]) == (4, None, 2.0)


def test_start_up_percentiles_come_from_all_pods():
    slow = latencies(*[4000.0] * 30)["histogram"]
    other = {**batch()["pods"], "startup_histogram": slow, "startup_p50_s": 4.0, "startup_p99_s": 4.0}
    merged = merged_pods([batch(), batch(pods=other)])
    assert merged["startup_p50_s"] == pytest.approx(4.0, rel=0.01)
    assert merged_pods([batch()])["startup_p50_s"] == 1.0
    assert merged_pods([])["startup_p99_s"] is None


def test_namespaces_keep_every_failed_pod():
    more = [{"name": "n-2", "jobs_complete": 0, "jobs_failed": 1, "pods_succeeded": 0, "pods_failed": 1}]
    more[0]["failed_pods"] = [{"name": "p", "reason": "OOMKilled"}]
    merged = merged_namespaces([batch(), batch(namespaces=more)])
    assert [row["name"] for row in merged] == ["n-1", "n-2"]
    assert (merged[1]["jobs_complete"], merged[1]["jobs_failed"]) == (2, 1)
    assert merged[1]["failed_pods"] == [{"name": "p", "reason": "OOMKilled"}]
