"""What users may write as knob and steps, and the one line by which everything else is refused."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.search.steps import middle, steps_of
from ansible_collections.kubestress.core.plugins.module_utils.settings.setting import SettingError

KNOB = ["build_jobs_parallelism"]


@pytest.mark.parametrize("given", [[3, 5, 8], ["3", "5", "8"], ["3", 5, 8.0]])
def test_numbers_in_every_form(given: list[Any]) -> None:
    steps = steps_of(given, KNOB)
    assert [step.value for step in steps] == [3, 5, 8]
    assert [step.name for step in steps] == ["3", "5", "8"]
    assert steps[2].variables == {"build_jobs_parallelism": 8}


def test_several_knobs_take_the_same_value() -> None:
    (step,) = steps_of([4], ["build_jobs_parallelism", "build_jobs_active_per_namespace"])
    assert step.variables == {"build_jobs_parallelism": 4, "build_jobs_active_per_namespace": 4}


def test_decimals_have_names_without_points() -> None:
    steps = steps_of(["0.5", 1, 2.25], ["build_jobs_time_scale"])
    assert [(step.value, step.name, step.label) for step in steps] == [
        (0.5, "0-5", "0.5"),
        (1.0, "1", "1"),
        (2.25, "2-25", "2.25"),
    ]


def test_dictionaries_name_their_variables_and_convert_their_values() -> None:
    given = [
        {"namespaces_total": "2", "build_jobs_requests": {"cpu": "1"}},
        {"namespaces_total": 4, "statefulsets_enabled": "no"},
    ]
    steps = steps_of(given, KNOB)
    assert [step.name for step in steps] == ["s1", "s2"]
    assert steps[0].variables == {"namespaces_total": 2, "build_jobs_requests": {"cpu": "1"}}
    assert steps[1].variables == {"namespaces_total": 4, "statefulsets_enabled": False}
    assert steps[1].label == "namespaces_total=4, statefulsets_enabled=false"


@pytest.mark.parametrize(
    ("given", "knob", "told"),
    [
        ([], KNOB, "capacity_steps: there is none; give at least one value, as in capacity_steps=3,5,8"),
        (["3", "many"], KNOB, "capacity_steps: entry 2, 'many', is not a whole number, as build_jobs_parallelism must"),
        ([3, 4.5], KNOB, "capacity_steps: entry 2, 4.5, is not a whole number"),
        ([True], KNOB, "capacity_steps: entry 1, True, is not a whole number"),
        ([3, ""], KNOB, "capacity_steps: entry 2 is empty"),
        ([5, 3], KNOB, "capacity_steps: 3 comes after 5; values must ascend, each once"),
        ([3, 3], KNOB, "capacity_steps: 3 comes after 3; values must ascend"),
        ([3, 20_000], KNOB, "capacity_steps: 20000 is not allowed for build_jobs_parallelism; it must be 1 to 10,000"),
        ([1], ["build_jobs_paralelism"], "capacity_knob: 'build_jobs_paralelism' is a variable of no role; did you"),
        ([1], [], "capacity_knob: there is none"),
        ([1], KNOB * 2, "capacity_knob: 'build_jobs_parallelism' comes twice"),
        ([1], ["run_id"], "capacity_knob: run_id is no variable of the load"),
        ([1], ["preflight_nodes_sampled"], "capacity_knob: preflight_nodes_sampled is no variable of the load"),
        ([1], ["namespaces_prefix"], "capacity_knob: namespaces_prefix is no variable of the load"),
        ([1], ["build_jobs_requests"], "capacity_knob: build_jobs_requests is no number but of type dict; give steps"),
        ([1], ["statefulsets_enabled"], "capacity_knob: statefulsets_enabled is no number but of type bool"),
        ([3, {"namespaces_total": 2}], KNOB, "capacity_steps: some are dictionaries and others are not"),
        ([{}], KNOB, "capacity_steps: entry 1 is empty"),
        ([{"namespaces_totl": 2}], KNOB, "capacity_steps: entry 1: 'namespaces_totl' is a variable of no role; did"),
        ([{"namespaces_total": 0}], KNOB, "capacity_steps: entry 1: namespaces_total: 0 is not allowed"),
        ([{"namespaces_total": "x"}], KNOB, "capacity_steps: entry 1: namespaces_total: 'x' is not a whole number"),
        ([{"namespaces_total": 2}] * 2, KNOB, "capacity_steps: entry 2, namespaces_total=2, comes twice"),
        (list(range(1, 102)), KNOB, "capacity_steps: 101 are given; at most 100 are allowed"),
    ],
)
def test_refused_in_one_line(given: list[Any], knob: list[str], told: str) -> None:
    with pytest.raises(SettingError, match=re.escape(told)) as refused:
        steps_of(given, knob)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("low", "high", "whole", "found"),
    [
        (3, 8, True, 5),
        (5, 6, True, None),
        (5, 7, True, 6),
        (1.0, 2.0, False, 1.5),
        (1.92, 2.0, False, None),
        (0.0, 1e-7, False, None),
    ],
)
def test_the_middle_ends_at_neighbours(low: float, high: float, whole: bool, found: float | None) -> None:
    assert middle(low, high, whole=whole) == found
