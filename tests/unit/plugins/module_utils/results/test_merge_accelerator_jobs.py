"""What batches saw of their accelerator jobs, merged, and where people see it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.results.accelerator_facts import accelerator_facts
from ansible_collections.kubestress.core.plugins.module_utils.results.merge_accelerator_jobs import (
    merged_accelerator_jobs,
)
from ansible_collections.kubestress.core.plugins.plugin_utils.page.accelerator_tables import accelerator_sections
from helpers.example_accelerators import cause, pool, restarts, wait, with_jobs


@pytest.fixture
def merged() -> dict[str, Any]:
    found = merged_accelerator_jobs(
        [
            with_jobs(
                waits=[wait(1, 1, 1), wait(priority="low", waiting=2, longest=40.0)],
                pools=[pool("a", pods=8), pool("b", pods=0, at_once=0)],
                restarts=[restarts(times=2, failed=2, c1=2)],
                unschedulable=[cause(told=4, pending=4, longest=30.0), cause(told=2, pending=2, by="queue")],
            ),
            with_jobs(
                waits=[wait(9)],
                pools=[pool("a", pods=4, at_once=2)],
                restarts=[restarts(times=0, failed=1, c137=1)],
                unschedulable=[cause(told=1, pending=0, longest=50.0)],
                workloads_cause="forbidden",
            ),
            {"accelerator_jobs": None},
        ]
    )
    assert found is not None
    return found


def test_no_jobs_no_figures():
    assert merged_accelerator_jobs([{"accelerator_jobs": None}, {}]) is None
    assert accelerator_facts(None) == []
    assert accelerator_sections({"accelerator_jobs": None}) == []


def test_percentiles_come_from_all_batches_by_queue_and_priority(merged: dict[str, Any]):
    high, low = merged["waits"]
    admitted = high["stages"]["admitted"]
    assert (high["jobs"], admitted["count"], admitted["max_s"]) == (4, 4, 9)
    assert 0.98 < admitted["p50_s"] < 1.02
    assert (low["priority"], low["waiting"], low["waiting_longest_s"], low["stages"]) == ("low", 2, 40.0, {})


def test_counts_are_added_and_peaks_are_the_largest(merged: dict[str, Any]):
    assert [(row["pool"], row["pods"], row["slices"], row["slices_at_once"]) for row in merged["pools"]] == [
        ("a", 12, 3, 2),
        ("b", 0, 0, 0),
    ]
    (row,) = merged["restarts"]
    assert (row["restarts"], row["failed_pods"], row["exit_codes"]) == (2, 3, {"1": 2, "137": 1})
    tpu = merged["unschedulable"][0]
    assert (tpu["told"], tpu["pending"], tpu["longest_s"], tpu["example"]) == (
        5,
        4,
        50.0,
        "Insufficient google.com/tpu (1)",
    )
    assert merged["workloads_cause"] == "forbidden"


def test_a_peak_that_one_batch_does_not_know_is_unknown():
    found = merged_accelerator_jobs(
        [with_jobs(pools=[pool("a", pods=4)]), with_jobs(pools=[pool("a", pods=4, at_once=None)])]
    )
    assert found is not None
    assert found["pools"][0]["slices_at_once"] is None


def test_the_lines_on_the_screen(merged: dict[str, Any]):
    lines = accelerator_facts(merged)
    assert [line[:2] for line in lines] == [
        (
            "waits",
            (
                "accelerator_jobs, queue team, priority high: admitted p50 1 s, p99 9 s (4); "
                "first admitted at 00:00:01 UTC, last at 00:00:09 UTC"
            ),
        ),
        (
            "",
            "accelerator_jobs, queue team, priority low: 2 still waiting, the longest for 40 s; 1 evicted (Preempted)",
        ),
        ("pending", "4 pods of accelerator_jobs: Insufficient google.com/tpu, the longest for 50 s"),
        ("", "2 jobs of accelerator_jobs: insufficient unused quota"),
        ("pools", "a 12 pods, 3 slices"),
        ("", "empty: b"),
        ("restarts", "accelerator_jobs: 2 restarts of 1 of 8 jobs; 3 pods failed (exit code 1 2, exit code 137 1)"),
    ]


def test_nodes_without_a_pool_are_no_empty_pool():
    merged = merged_accelerator_jobs([with_jobs(pools=[pool("", pods=0, at_once=None), pool("b", pods=0)])])
    assert [text for _name, text, _tone in accelerator_facts(merged)] == ["empty: b"]


def test_the_tables_of_the_page(merged: dict[str, Any]):
    (section,) = accelerator_sections({"finished": "2026-01-01T00:00:00Z", "accelerator_jobs": merged})
    assert section.lead == "2 jobs still waited for nodes when the load ended."
    tables = {table.id: [[cell.text for cell in row] for row in table.rows] for table in section.tables}
    assert tables["job-waits"][0][:5] == ["accelerator_jobs", "team", "high", "admitted", "4"]
    assert tables["jobs-waiting"] == [
        ["accelerator_jobs", "team", "high", "4", "0", "", "00:00:01 UTC", "00:00:09 UTC", ""],
        ["accelerator_jobs", "team", "low", "2", "2", "40.00 s", "", "", "1 × Preempted"],
    ]
    assert tables["unschedulable"][0][1:6] == ["scheduler", "Insufficient google.com/tpu", "5", "4", "50.00 s"]
    assert tables["job-pools"][1] == ["accelerator_jobs", "b", "tpu-v5-lite-podslice 4x4", "4", "0", "0", "0", "0"]
    assert tables["job-restarts"][0][-1] == "2 × exit code 1, 1 × exit code 137"


def test_a_page_of_a_run_that_goes_on_speaks_of_now(merged: dict[str, Any]):
    (section,) = accelerator_sections({"finished": None, "accelerator_jobs": merged})
    assert (section.lead, section.tone) == ("2 jobs wait for nodes.", "")


def test_what_was_not_seen_has_its_cause_on_the_page():
    found = merged_accelerator_jobs([with_jobs(cause="nobody waited", pools_cause="nodes is forbidden")])
    (section,) = accelerator_sections({"finished": "x", "accelerator_jobs": found})
    texts = {table.id: table.empty for table in section.tables}
    assert texts["jobs-waiting"] == "No data: nobody waited."
    assert texts["job-pools"] == "No data: nodes is forbidden."


def test_pods_of_unread_nodes_are_not_said_to_have_no_pool():
    found = merged_accelerator_jobs([with_jobs(pools=[pool("", pods=4)], pools_cause="nodes is forbidden")])
    assert [text for name, text, _tone in accelerator_facts(found) if name == "pools"] == [
        "(pool not known) 4 pods, 1 slice"
    ]
    (section,) = accelerator_sections({"finished": "x", "accelerator_jobs": found})
    (table,) = [table for table in section.tables if table.id == "job-pools"]
    assert "(not known)" in [cell.text for cell in table.rows[0]]
