"""The verdict of a metric and of all together: tolerance, floor, spread, direction, and what comes first."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.compare.judging import Compared, compared, middle, overall
from ansible_collections.kubestress.core.plugins.module_utils.compare.metrics import Metric

FAILED = Metric(name="failed", what="failed", path="failed", weight="failures")
SECONDS = Metric(
    name="seconds", what="seconds", path="seconds", unit="s", floor=1.0, weight="times", tolerance_percent=20
)
RATE = Metric(name="rate", what="rate", path="rate", better="higher", weight="times")
SIZE = Metric(name="size", what="size", path="size", better="neither")
LATE = Metric(name="late", what="late", path="late.value", counted="count", least=100, weight="times", alone=5, few=2)
TABLE = (FAILED, SECONDS, RATE, SIZE, LATE)


def rows(before: list[dict[str, Any]], after: list[dict[str, Any]], **tolerances: float) -> dict[str, Compared]:
    return {row.figure.name: row for row in compared(before, after, tolerances, TABLE)}


def one(name: str, before: list[float | None], after: list[float | None], **tolerances: float) -> Compared:
    sides = [[{name: value} for value in side] for side in (before, after)]
    return rows(*sides, **tolerances)[name]


@pytest.mark.parametrize(
    ("name", "before", "after", "verdict"),
    [
        # With one run a side, the tolerance of 20 % is 40 %, and the floor of 1 s is 2 s.
        ("seconds", [10], [13.9], "same"),
        ("seconds", [10], [14.1], "regressed"),
        ("seconds", [10], [5.9], "improved"),
        ("seconds", [1], [3], "same"),
        ("rate", [100], [40], "regressed"),
        ("rate", [100], [160], "improved"),
        ("size", [100], [160], "different"),
        ("failed", [0], [1], "regressed"),
        ("failed", [24], [0], "improved"),
        ("failed", [24], [30], "same"),
        ("failed", [0], [0], "same"),
        # With three, both are as the table has them, and the groups must lie apart.
        ("seconds", [10, 10.5, 10.2], [12.6, 12.7, 12.9], "regressed"),
        ("seconds", [10, 10.5, 10.2], [11.5, 11.6, 11.9], "same"),
        ("seconds", [10, 13, 10.2], [12.6, 12.7, 12.9], "same"),
        ("failed", [0, 0, 0], [0, 1, 0], "same"),
        ("failed", [0, 0, 0], [2, 2, 3], "regressed"),
        # With five, the rank test.
        ("seconds", [10, 11, 12, 13, 14], [18, 19, 25, 30, 31], "regressed"),
        ("seconds", [10, 11, 12, 13, 19], [18, 20, 25, 30, 31], "same"),
        ("seconds", [None], [5], "not comparable"),
    ],
)
def test_verdict_of_a_metric(name: str, before: list[Any], after: list[Any], verdict: str) -> None:
    row = one(name, before, after)
    assert row.verdict == verdict, (row.middles, row.tolerance_percent, row.floor, row.beyond_spread)


def test_what_lies_beyond_the_tolerance_but_not_the_spread_says_so() -> None:
    row = one("seconds", [10, 13, 10.2], [12.6, 12.7, 12.9])
    assert (row.verdict, row.beyond_spread) == ("same", False)
    assert row.note == "beyond the tolerance, but not beyond the runs' own spread"


def test_p_is_told_where_there_is_a_test() -> None:
    assert one("seconds", [1, 2, 3, 4, 5], [6, 7, 8, 9, 10]).p == pytest.approx(2 / 252)
    assert one("seconds", [1, 2], [6, 7]).p is None


def test_an_asked_tolerance_is_taken_as_it_is() -> None:
    assert one("seconds", [100], [110]).verdict == "same"
    row = one("seconds", [100], [110], seconds=5)
    assert (row.verdict, row.tolerance_percent) == ("regressed", 5)


def test_the_fewer_runs_the_wider() -> None:
    def tolerance(runs: int) -> float:
        side = [{"late": {"value": 1.0, "count": 500}}] * runs
        return rows(side, side)["late"].tolerance_percent

    assert [tolerance(runs) for runs in (1, 2, 3, 4, 5)] == [125, 125, 50, 50, 25]


def test_too_few_observations_are_not_compared() -> None:
    row = rows([{"late": {"value": 1.0, "count": 99}}], [{"late": {"value": 9.0, "count": 100}}])["late"]
    assert (row.verdict, row.note) == ("not comparable", "before: 99 observations, 100 are needed")


def test_difference_in_percent_and_none_from_nothing() -> None:
    assert one("seconds", [10], [5]).difference_percent == -50
    assert one("failed", [0], [5]).difference_percent is None
    assert one("seconds", [None], [5]).difference_percent is None


def test_rare_failures_are_not_lost_in_a_median() -> None:
    assert middle(FAILED, [0.0, 0.0, 3.0]) == 1
    assert middle(SECONDS, [1.0, 1.0, 3.0]) == 1
    assert middle(SECONDS, [None]) is None


@pytest.mark.parametrize(
    ("failed", "seconds", "verdict"),
    [
        ((5, 0), (10, 30), "improved"),  # slower, because more of it happened
        ((0, 5), (30, 10), "regressed"),
        ((0, 0), (10, 30), "regressed"),
        ((0, 0), (30, 10), "improved"),
        ((0, 0), (10, 10), "same"),
        ((None, 0), (10, 10), "same"),
        ((None, 0), (10, None), "not comparable"),
    ],
)
def test_failures_decide_before_times(failed: tuple[Any, Any], seconds: tuple[Any, Any], verdict: str) -> None:
    before, after = ({"failed": failed[side], "seconds": seconds[side]} for side in (0, 1))
    assert overall(list(rows([before], [after]).values())) == verdict


def test_one_worse_time_outweighs_a_better_one() -> None:
    table = rows([{"seconds": 10, "rate": 100}], [{"seconds": 30, "rate": 500}])
    assert overall(list(table.values())) == "regressed"


def test_what_only_gives_context_decides_nothing() -> None:
    assert overall(list(rows([{"size": 1, "failed": 0}], [{"size": 9, "failed": 0}]).values())) == "same"
    assert overall(list(rows([{"size": 1}], [{"size": 9}]).values())) == "not comparable"
