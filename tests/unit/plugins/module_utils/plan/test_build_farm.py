"""Names and phases of the build farm: complete, different, and the same for the same seed on every machine."""

from __future__ import annotations

import re

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.plan.build_farm import (
    COMPONENTS,
    MOST_BUILDS,
    PHASES,
    SERVICES,
    build_names,
    longest_build,
    phases_text,
    shortest_build,
)

NAME = re.compile(r"build-([a-z]+)-([a-z]+)-(\d+)-(\d+)-(\d+)-s-1")


def pair(name: str) -> tuple[str, str]:
    found = NAME.fullmatch(name)
    assert found, name
    return found[1], found[2]


def test_names_of_a_seed_never_change():
    """Written down, so that another Python or another machine gives these very names."""
    assert build_names(seed=1, count=3) == [
        "build-processor-cache-4-15-7-s-1",
        "build-scheduler-metrics-2-19-7-s-1",
        "build-worker-cache-6-3-0-s-1",
    ]


@pytest.mark.parametrize("count", [0, 1, 20, 80, 81, 500])
def test_names_are_as_many_as_asked_all_different_and_made_of_the_parts(count):
    names = build_names(seed=1, count=count)

    assert len(names) == len(set(names)) == count
    assert {pair(name)[0] for name in names} <= set(SERVICES)
    assert {pair(name)[1] for name in names} <= set(COMPONENTS)


def test_every_pair_comes_once_before_one_comes_again():
    names = build_names(seed=7, count=160)

    assert len({pair(name) for name in names[:80]}) == 80
    assert [pair(name) for name in names[:80]] == [pair(name) for name in names[80:]]


def test_a_pair_never_gets_a_version_twice():
    of_one_pair = build_names(seed=3, count=80 * 9000)[::80]

    assert len(set(of_one_pair)) == 9000


def test_names_fit_where_kubernetes_puts_them():
    """A pod of an indexed Job is named after it, its index and five random letters; its hostname has 63 characters."""
    longest = max(map(len, build_names(seed=1, count=80 * 450)))

    assert longest + len("-99999-abcde") <= 63


def test_fewer_names_are_the_beginning_of_more():
    assert build_names(seed="spring", count=100)[:7] == build_names(seed="spring", count=7)


def test_another_seed_gives_other_names():
    assert build_names(seed=1, count=20) != build_names(seed=2, count=20)


@pytest.mark.parametrize("count", [-1, MOST_BUILDS + 1])
def test_more_names_than_there_are_is_an_error(count):
    with pytest.raises(ValueError, match=rf"build names: {count} asked for; there are 0 to 720000"):
        build_names(seed=1, count=count)


def test_phases_are_the_seven_and_add_up_to_what_preflight_reckons_with():
    assert [(phase.name, phase.load) for phase in PHASES] == [
        ("environment", "idle"),
        ("dependencies", "cpu"),
        ("compile", "compile"),
        ("unit-tests", "cpu"),
        ("integration-tests", "cpu"),
        ("package", "idle"),
        ("publish", "idle"),
    ]
    assert sum(phase.shortest_seconds for phase in PHASES) == 29
    assert sum(phase.longest_seconds for phase in PHASES) == 88


@pytest.mark.parametrize(
    ("time_scale", "shortest", "longest", "environment"),
    [
        (1.0, "29s", "88s", "environment:idle:2000:5000"),
        (0.1, "2.9s", "8.8s", "environment:idle:200:500"),
        (0.05, "1.45s", "4.4s", "environment:idle:100:250"),
        (0.00001, "0.007s", "0.007s", "environment:idle:1:1"),
        (10, "290s", "880s", "environment:idle:20000:50000"),
    ],
)
def test_the_time_scale_multiplies_every_length(time_scale, shortest, longest, environment):
    assert shortest_build(time_scale=time_scale) == shortest
    assert longest_build(time_scale=time_scale) == longest
    assert phases_text(time_scale=time_scale).split()[0] == environment
