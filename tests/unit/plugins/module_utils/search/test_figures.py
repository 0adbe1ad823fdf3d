"""The figures of a run, from summaries as results write them; and the worst of several runs."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.measure.latency import LatencySketch
from ansible_collections.kubestress.core.plugins.module_utils.search.figures import figures_of, worst_of
from helpers import example_page
from helpers.example_searches import figures


@pytest.fixture
def summary() -> dict[str, Any]:
    return example_page.summary_document()


def sketch(*milliseconds: float) -> dict[str, Any]:
    made = LatencySketch()
    for one in milliseconds:
        made.add(one / 1000)
    return {"count": made.count, "histogram": made.to_dict()}


def test_requests_that_change_something_are_merged(summary: dict[str, Any]) -> None:
    requests = {"create": {"Pod": sketch(*[10] * 98), "Job": sketch(500, 500)}, "list": {"Pod": sketch(9000)}}
    found = figures_of(summary | {"requests": requests})
    assert found["api_p50_ms"] == pytest.approx(10, rel=0.02)
    assert found["api_p99_ms"] == pytest.approx(500, rel=0.02)


def test_forks_are_counted_in_pods_and_warnings(summary: dict[str, Any]) -> None:
    pods = summary["pods"] | {"failed": 3, "causes": {"fork failed": 2, "OOMKilled": 1}}
    warnings = [
        {"reason": "FailedCreatePodSandBox", "kind": "Pod", "count": 7, "fork_failures": 5},
        {"reason": "BackOff", "kind": "Pod", "count": 2, "fork_failures": 0},
    ]
    found = figures_of(summary | {"pods": pods, "events": {"total": 9, "warnings": warnings}})
    assert (found["fork_failures"], found["sandbox_failures"], found["pods_failed"]) == (7, 7, 3)
    assert found["failed_by_cause"] == {"fork failed": 2, "OOMKilled": 1}


def test_the_node_that_came_closest_to_its_limit(summary: dict[str, Any]) -> None:
    rows = [
        {"name": "a", "threads_peak": 9000, "max_threads": 32768, "conditions": []},
        {"name": "b", "threads_peak": 600, "max_threads": 700, "conditions": [{"type": "PIDPressure"}]},
        {"name": "c", "threads_peak": 50000, "max_threads": None, "conditions": [{"type": "Ready"}]},
    ]
    found = figures_of(summary | {"nodes": {"nodes": rows}})
    assert (found["node"], found["threads_peak"], found["threads_limit"], found["threads_percent"]) == (
        "b", 600, 700, 85.7,
    )  # fmt: skip
    assert found["pressure"] == ["PIDPressure on b", "not Ready on c"]


def test_what_was_not_measured_is_none(summary: dict[str, Any]) -> None:
    pods = summary["pods"] | {"failed": None, "causes": {}, "startup_p99_s": None, "worst": []}
    found = figures_of(summary | {"requests": {}, "nodes": None, "events": None, "pods": pods})
    unknown = ("api_p99_ms", "threads_peak", "threads_percent", "pressure", "fork_failures", "sandbox_failures")
    assert {name: found[name] for name in unknown} == dict.fromkeys(unknown)


def test_the_worst_of_several_runs() -> None:
    runs = [
        figures(startup_p99_s=2.0, pods_failed=1, failed_by_cause={"a": 1}, jobs_complete=4, threads_percent=None,
                threads_peak=None, threads_limit=None, node=None, pressure=None),
        figures(startup_p99_s=9.0, failed_by_cause={"b": 2}, jobs_complete=3, pressure=["PIDPressure on n"],
                threads_percent=50.0, node="n", startup_slowest="slow"),
    ]  # fmt: skip
    found = worst_of(runs)
    assert (found["startup_p99_s"], found["startup_slowest"], found["jobs_complete"]) == (9.0, "slow", 3)
    assert (found["failed_by_cause"], found["pressure"]) == ({"a": 1, "b": 2}, ["PIDPressure on n"])
    assert (found["threads_percent"], found["node"]) == (50.0, "n")
    assert worst_of([]) == {}
