"""Which value comes next, and where a search ends, for every kind of step."""

from __future__ import annotations

import math
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.search import document as books
from ansible_collections.kubestress.core.plugins.module_utils.search.progress import (
    BROKE,
    MAX_DECIMAL_STEPS,
    REFUSED,
    SAFE,
    UNKNOWN,
    Search,
    most_runs,
    next_step,
)
from ansible_collections.kubestress.core.plugins.module_utils.settings.setting import SettingError
from helpers.example_searches import cluster_that_bears, search, searched, settings


def values(document: dict[str, Any]) -> list[Any]:
    """The values in the order in which they were run."""
    return [record["value"] for record in document["runs"]]


@pytest.mark.parametrize(
    ("bears", "ran", "safe", "broke"),
    [
        (2, [3], None, 3),
        (3, [3, 5], 3, 5),
        (7, [3, 5, 8], 5, 8),
        (100, [3, 5, 8, 10], 10, None),
    ],
)
def test_it_stops_at_the_first_that_breaks(bears: int, ran: list[int], safe: int | None, broke: int | None) -> None:
    document = searched(search(), cluster_that_bears(bears))
    assert values(document) == ran
    assert (document["highest_safe"], document["broke_at"]) == (safe, broke)
    assert books.is_answered(document)


def test_it_goes_on_if_told_to() -> None:
    document = searched(search(keep_going=True), cluster_that_bears(5))
    assert values(document) == [3, 5, 8, 10]
    assert (document["highest_safe"], document["broke_at"]) == (5, 8)


@pytest.mark.parametrize("bears", range(3, 1000, 37))
def test_bisection_finds_the_exact_value(bears: int) -> None:
    wanted = search(steps=[3, 1000], bisect=True)
    document = searched(wanted, cluster_that_bears(bears))
    assert (document["highest_safe"], document["broke_at"]) == (bears, bears + 1)
    assert len(document["runs"]) <= most_runs(wanted, {}) <= 2 + math.ceil(math.log2(997))


def test_bisection_looks_only_between_the_last_safe_and_the_first_broken() -> None:
    document = searched(search(steps=[3, 5, 8, 10], bisect=True), cluster_that_bears(6))
    assert values(document) == [3, 5, 8, 6, 7]
    assert (document["highest_safe"], document["broke_at"]) == (6, 7)
    assert [step["value"] for step in document["steps"] if step["bisected"]] == [6, 7]


@pytest.mark.parametrize("bears", [0.5, 2, 1000])
def test_bisection_needs_both_ends(bears: float) -> None:
    document = searched(search(steps=[3, 5], bisect=True), cluster_that_bears(bears))
    assert not any(step["bisected"] for step in document["steps"])


def test_bisection_of_decimals_ends() -> None:
    wanted = search(knob=["build_jobs_time_scale"], steps=[0.1, 50], bisect=True)
    document = searched(wanted, cluster_that_bears(20.3))
    assert len(document["runs"]) <= 2 + MAX_DECIMAL_STEPS
    assert document["highest_safe"] <= 20.3 < document["broke_at"]
    assert document["broke_at"] - document["highest_safe"] < 2


@pytest.mark.parametrize("verdict", [REFUSED, UNKNOWN])
def test_what_could_not_be_run_ends_the_search(verdict: str) -> None:
    assert next_step(search(bisect=True, keep_going=True), {3: SAFE, 5: BROKE, 8: verdict}) is None


def test_an_unfinished_step_comes_first_also_a_bisected_one() -> None:
    wanted = search(bisect=True)
    step = next_step(wanted, {3: SAFE, 5: SAFE, 8: BROKE, 6: None})
    assert step is not None
    assert (step.value, step.bisected, step.name) == (6, True, "6")


def test_a_lower_step_that_is_added_later_is_run_below_what_broke() -> None:
    step = next_step(search(steps=[3, 5, 8]), {3: SAFE, 8: BROKE})
    assert step is not None
    assert step.value == 5


def test_dictionaries_cannot_be_bisected() -> None:
    with pytest.raises(SettingError, match="capacity_bisect: true needs steps that are numbers"):
        Search.of(settings(steps=[{"namespaces_total": 1}], bisect=True), search_id="s")


def test_a_run_keeps_its_id_when_more_runs_are_asked_for() -> None:
    for runs in (1, 3):
        wanted = search(runs=runs)
        assert wanted.run_id(wanted.steps[0], 1) == "s1-3"
    assert wanted.run_id(wanted.steps[0], 2) == "s1-3-r2"
