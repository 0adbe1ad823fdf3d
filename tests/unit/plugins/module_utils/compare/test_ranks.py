"""The exact rank test: against values of published tables, and against all splits counted one by one."""

from __future__ import annotations

import itertools
import random
from math import comb

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.compare.ranks import (
    beyond_spread,
    can_be_significant,
    p_value,
    smallest_p,
)


def counted(before: list[float], after: list[float]) -> float:
    """Return p by going through every split, with middle ranks."""
    every = [*before, *after]

    def rank(value: float) -> float:
        return sum(1 for one in every if one < value) + (sum(1 for one in every if one == value) + 1) / 2

    mean = len(before) * (len(every) + 1) / 2
    off = abs(sum(map(rank, before)) - mean)
    splits = list(itertools.combinations([rank(value) for value in every], len(before)))
    return sum(1 for split in splits if abs(sum(split) - mean) >= off - 1e-9) / len(splits)


@pytest.mark.parametrize(
    ("before", "after", "p"),
    [
        # Two-sided, from the tables of U for 5 and 5, and for 4 and 6: U = 0, 2, 4 and 0.
        ([1, 2, 3, 4, 5], [6, 7, 8, 9, 10], 2 / 252),
        ([1, 2, 3, 4, 7], [5, 6, 8, 9, 10], 8 / 252),
        ([1, 2, 3, 6, 7], [4, 5, 8, 9, 10], 24 / 252),
        ([1, 2, 3, 4], [5, 6, 7, 8, 9, 10], 2 / 210),
        ([3, 3, 3], [3, 3, 3], 1.0),
    ],
)
def test_p_of_the_tables(before: list[float], after: list[float], p: float) -> None:
    assert p_value(before, after) == pytest.approx(p)
    assert p_value(after, before) == pytest.approx(p)


def test_p_is_that_of_all_splits_ties_included() -> None:
    rng = random.Random(7)
    for _case in range(60):
        before = [rng.randint(0, 6) for _one in range(rng.randint(1, 6))]
        after = [rng.randint(0, 6) for _one in range(rng.randint(1, 6))]
        assert p_value(before, after) == pytest.approx(counted(before, after)), (before, after)


def test_a_hundred_runs_are_no_trouble() -> None:
    assert p_value(list(range(20)), list(range(20, 40))) == pytest.approx(2 / comb(40, 20))
    assert p_value([1] * 30 + [2] * 20, [1] * 20 + [2] * 30) == pytest.approx(0.0714, abs=0.0001)


@pytest.mark.parametrize(
    ("before", "after", "allowed"),
    [(1, 1, False), (3, 3, False), (4, 4, False), (5, 5, True), (4, 6, True), (2, 19, True), (1, 50, False)],
)
def test_how_many_runs_allow_a_test(before: int, after: int, allowed: bool) -> None:
    assert can_be_significant(before, after) is allowed
    assert smallest_p(before, after) == pytest.approx(p_value(list(range(before)), list(range(before, before + after))))


@pytest.mark.parametrize(
    ("before", "after", "apart"),
    [
        ([1], [100], None),
        ([1], [2, 2.1], True),
        ([1, 1.2], [2, 2.1], True),
        ([1, 3], [4, 6], False),
        ([1, 2], [1.5, 3], False),
        ([1, 2, 3, 4], [9, 10, 11, 12], True),
        ([1, 2, 3, 4], [6, 7, 8, 9], False),
        # From here on it is the test.
        ([1, 2, 3, 4, 5], [6, 7, 8, 9, 10], True),
        ([1, 2, 3, 4, 6], [5, 7, 8, 9, 10], False),
        ([0, 0, 0, 0, 0], [0, 0, 0, 0, 0], False),
    ],
)
def test_beyond_spread(before: list[float], after: list[float], apart: bool | None) -> None:
    assert beyond_spread(before, after) is apart


def test_groups_that_do_not_differ_are_called_different_once_in_a_hundred_times() -> None:
    rng = random.Random(11)
    values = [[rng.lognormvariate(0, 0.5) for _run in range(12)] for _case in range(600)]
    wrong = sum(beyond_spread(one[:6], one[6:]) is True for one in values)
    assert 0 < wrong <= 12
