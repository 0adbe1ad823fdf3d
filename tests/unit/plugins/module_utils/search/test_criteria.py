"""Each criterion at its threshold and above it; what was not measured breaks none."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.search.criteria import CRITERIA, judged, verdict_row
from ansible_collections.kubestress.core.plugins.module_utils.settings.table import SETTINGS
from helpers.example_searches import figures, search

#: Criterion -> figures at the default threshold, figures above it, and what is said of these.
EDGES: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "failed forks": (
        {"fork_failures": 0},
        {"fork_failures": 1},
        "1 pods and Warnings report that a process could not be started (fork failed); 0 are allowed",
    ),
    "threads of a node": (
        {"threads_percent": 90.0},
        {"threads_percent": 97.1, "threads_peak": 31818},
        "31,818 of 32,768 processes and threads on node-1, 97.1 %; 90 % are allowed",
    ),
    "pressure": (
        {"pressure": []},
        {"pressure": ["PIDPressure on node-1"]},
        "nodes under pressure: PIDPressure on node-1",
    ),
    "failed sandboxes": (
        {"sandbox_failures": 0},
        {"sandbox_failures": 4},
        "4 Warnings that a pod's sandbox or network could not be set up; 0 are allowed",
    ),
    "failed pods": (
        {"pods_failed": 0},
        {"pods_failed": 3, "failed_by_cause": {"OOMKilled": 1, "fork failed": 2}},
        "3 failed pods (2 × fork failed, 1 × OOMKilled); 0 are allowed",
    ),
    "pod start-up p99": (
        {"startup_p99_s": 10},
        {"startup_p99_s": 12.5, "startup_slowest": "12 of 13 s from created to scheduled"},
        "p99 of the pods' start-up is 12.5 s; 10 s are allowed (the slowest pod: 12 of 13 s from created to scheduled)",
    ),
    "API p99": (
        {"api_p99_ms": 1000},
        {"api_p99_ms": 1500.4},
        "p99 of requests that create or change an object is 1,500 ms; 1,000 ms are allowed",
    ),
}


def row_of(name: str, found: dict[str, Any], **changed: Any) -> dict[str, Any]:
    return next(row for row in judged(figures(**found), search(**changed).limits) if row["name"] == name)


@pytest.mark.parametrize("name", EDGES)
def test_at_the_threshold_and_above(name: str) -> None:
    at, above, told = EDGES[name]
    assert (row_of(name, at)["met"], row_of(name, at)["reason"]) == (True, "")
    assert (row_of(name, above)["met"], row_of(name, above)["reason"]) == (False, told)


def test_every_criterion_is_in_the_table_above() -> None:
    assert {one.name for one in CRITERIA} == {*EDGES, "failed pods by cause"}


@pytest.mark.parametrize("name", EDGES)
def test_what_was_not_measured_breaks_nothing(name: str) -> None:
    at, _above, _told = EDGES[name]
    row = row_of(name, dict.fromkeys(at))
    assert (row["met"], row["figure"], row["reason"]) == (None, None, "")


@pytest.mark.parametrize("name", EDGES)
def test_each_can_be_switched_off(name: str) -> None:
    setting = next(one.setting for one in CRITERIA if one.name == name)
    off = True if SETTINGS[setting].type == "bool" else -1
    _at, above, _told = EDGES[name]
    row = row_of(name, above, **{setting.removeprefix("capacity_"): off})
    assert (row["met"], row["limit"]) == (None, None)


def test_a_cause_with_a_number_of_its_own_does_not_count_among_the_others() -> None:
    found = {"pods_failed": 5, "failed_by_cause": {"OOMKilled": 4, "Evicted": 1}}
    allowed = {"max_failed_pods": 1, "max_failed_pods_by_cause": {"OOMKilled": 4}}
    assert row_of("failed pods", found, **allowed)["figure"] == 1
    assert row_of("failed pods", found, **allowed)["met"] is True
    assert row_of("failed pods by cause", found, **allowed)["met"] is True
    tighter = allowed | {"max_failed_pods_by_cause": {"OOMKilled": 3}}
    assert row_of("failed pods by cause", found, **tighter)["reason"] == (
        "1 failed pods above what their causes allow (4 × OOMKilled, 1 × Evicted)"
    )
    unlimited = allowed | {"max_failed_pods_by_cause": {"OOMKilled": -1}}
    assert row_of("failed pods by cause", found, **unlimited)["met"] is True


def test_the_runs_own_verdict() -> None:
    limits = search().limits
    assert verdict_row("passed", [], limits)["met"] is True
    row = verdict_row("failed", ["Job: 1 of 4 failed", "and\nmore"], limits)
    assert (row["met"], row["reason"]) == (False, "the run failed: Job: 1 of 4 failed; and more")
    assert verdict_row("failed", [], search(require_passed=False).limits)["met"] is None
