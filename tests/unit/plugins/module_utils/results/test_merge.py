"""Several batches become one, and what nobody measured stays unknown."""

from __future__ import annotations

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.results.merge import (
    largest,
    merged_jobs,
    merged_namespaces,
    merged_objects,
    merged_pods,
    merged_processes,
    merged_rate,
    merged_requests,
    total,
)
from helpers.example_batches import batch, counts, latencies


@pytest.mark.parametrize(
    ("values", "summed", "most"), [([], None, None), ([None, None], None, None), ([None, 3, 0], 3, 3), ([0], 0, 0)]
)
def test_unknown_is_not_nought(values, summed, most):
    assert (total(values), largest(values)) == (summed, most)


def test_objects_add_up_by_kind():
    merged = merged_objects([batch(), batch(objects={"Job": counts(6, failed=2), "Secret": counts(2, ready=None)})])
    assert merged["Deployment"]["created"] == 30
    assert merged["Job"] == {"requested": 10, "created": 8, "unchanged": 0, "failed": 2, "ready": 8}
    assert merged["Secret"]["ready"] is None


def test_latencies_are_read_from_all_measurements_together():
    one, other = latencies(*[10.0] * 98), latencies(500.0, 700.0)
    merged = merged_requests([batch(requests={"create": {"Job": one}}), batch(requests={"create": {"Job": other}})])
    row = merged["create"]["Job"]
    assert (row["count"], row["max_ms"]) == (100, 700.0)
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


def test_jobs_and_their_ceiling():
    merged = merged_jobs([batch(), batch(jobs={"complete": 1, "failed": 2, "peak_active_pods": 9})])
    assert merged == {"complete": 5, "failed": 2, "peak_active_pods": 9, "ceiling_active_pods": 6}


def test_start_up_percentiles_come_from_all_pods():
    slow = latencies(*[4000.0] * 30)["histogram"]
    other = {**batch()["pods"], "startup_histogram": slow, "startup_p50_s": 4.0, "startup_p99_s": 4.0}
    merged = merged_pods([batch(), batch(pods=other)])
    assert merged["startup_p50_s"] == pytest.approx(4.0, rel=0.01)
    assert merged_pods([batch()])["startup_p50_s"] == 1.0
    assert merged_pods([])["startup_p99_s"] is None


def test_processes_that_nobody_counted_have_no_figures():
    nothing = {"min": None, "median": None, "max": None, "samples": 0, "source": "none"}
    assert merged_processes([batch()]) == {"per_build_pod": nothing}
    counted = {"per_build_pod": {"min": 70, "median": 73, "max": 75, "samples": 12, "source": "kubelet"}}
    assert merged_processes([batch(processes=counted), batch()]) == counted


def test_why_processes_were_not_counted_is_told_once():
    silent = batch(processes={"per_build_pod": {"min": None, "samples": 0, "source": "none", "cause": "n1: simulated"}})
    assert merged_processes([silent, silent, batch()])["per_build_pod"] == {
        "min": None, "median": None, "max": None, "samples": 0, "source": "none", "cause": "n1: simulated",
    }  # fmt: skip


def test_processes_of_several_batches_are_those_of_all_their_pods():
    def counted(samples: int, **plateaus: int) -> dict:
        values = [int(name[1:]) for name, pods in plateaus.items() for _pod in range(pods)]
        figures = {"min": min(values), "median": values[len(values) // 2], "max": max(values)}
        by_value = {name[1:]: pods for name, pods in plateaus.items()}
        own = {**figures, "plateaus": by_value, "samples": samples, "source": "kubelet"}
        return batch(processes={"per_build_pod": own})

    merged = merged_processes([counted(9, p70=1, p72=3), counted(30, p80=5)])["per_build_pod"]
    assert merged == {"min": 70, "median": 80, "max": 80, "samples": 39, "source": "kubelet"}
    half = batch(processes={"per_build_pod": {"min": 60, "median": 61, "max": 62, "samples": 3, "source": "kubelet"}})
    merged = merged_processes([counted(9, p70=1), half])["per_build_pod"]
    assert (merged["min"], merged["median"], merged["max"]) == (60, None, 70)


def test_namespaces_keep_every_failed_pod():
    more = [{"name": "n-2", "jobs_complete": 0, "jobs_failed": 1, "pods_succeeded": 0, "pods_failed": 1}]
    more[0]["failed_pods"] = [{"name": "p", "reason": "OOMKilled"}]
    merged = merged_namespaces([batch(), batch(namespaces=more)])
    assert [row["name"] for row in merged] == ["n-1", "n-2"]
    assert (merged[1]["jobs_complete"], merged[1]["jobs_failed"]) == (2, 1)
    assert merged[1]["failed_pods"] == [{"name": "p", "reason": "OOMKilled"}]
