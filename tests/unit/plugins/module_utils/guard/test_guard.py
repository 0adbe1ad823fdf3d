"""Signs over windows, states, thresholds, and what is written of them; times are made up."""

from __future__ import annotations

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.guard.arguments import Thresholds
from ansible_collections.kubestress.core.plugins.module_utils.guard.guard import Crossing, Guard, crossing_lines
from ansible_collections.kubestress.core.plugins.module_utils.settings.roles.guard import SIGNS


class Judged:
    """A guard with its crossings; the wall clock counts how often it was asked."""

    def __init__(self, *, stops: bool = True, window: float = 60, **thresholds: float) -> None:
        self.crossings: list[Crossing] = []
        self.guard = Guard(
            Thresholds(stops=stops, window_seconds=window, of_signs=thresholds),
            on_crossing=self.crossings.append,
            wall_clock=lambda: "2026-11-22T01:00:00.000Z",
        )

    def row(self, name: str) -> dict[str, object]:
        return next(row for row in self.guard.document()["signs"] if row["name"] == name)


def test_the_first_sign_is_enough_where_the_threshold_is_one() -> None:
    judged = Judged(image_pulls=1)
    judged.guard.count("image_pulls", 12.5, cause="ErrImagePull", example="Pod n/p: no such host")
    (crossing,) = judged.crossings
    assert (crossing.figure, crossing.threshold) == (1, 1)
    assert crossing.text == (
        "pods whose image cannot be pulled: 1 within 60 s, at or above the threshold of 1 (guard_image_pulls); "
        "ErrImagePull 1; first Pod n/p: no such host"
    )


@pytest.mark.parametrize(
    ("times", "crosses"),
    [
        ([0, 1, 2], True),
        ([0, 30, 59.9], True),
        ([0, 30, 61], False),
        ([0, 0.5, 61, 61.5], False),
        ([0, 0.5, 61, 61.5, 62], True),
    ],
)
def test_only_what_happened_within_the_window_counts(times: list[float], crosses: bool) -> None:
    judged = Judged(failed_pods=3)
    for at in times:
        judged.guard.count("failed_pods", at)
    assert bool(judged.crossings) is crosses


def test_a_sign_crosses_once_and_its_highest_figure_is_kept() -> None:
    judged = Judged(crashes=2)
    for at in range(100):
        judged.guard.count("crashes", at / 10, cause="Error")
    assert len(judged.crossings) == 1
    assert judged.crossings[0].figure == 2
    assert judged.row("crashes")["peak"] == 100
    assert judged.row("crashes")["crossed"] == "2026-11-22T01:00:00.000Z"


def test_several_at_once_count_as_many() -> None:
    judged = Judged(fork_failures=5)
    judged.guard.count("fork_failures", 0, number=4)
    assert judged.crossings == []
    judged.guard.count("fork_failures", 1, number=4)
    assert judged.crossings[0].figure == 8


def test_the_most_frequent_causes_are_named_and_the_first_example() -> None:
    judged = Judged(failed_pods=6)
    for number, cause in enumerate(["exit 1", "OOMKilled", "OOMKilled", "Evicted", "a", "OOMKilled"]):
        judged.guard.count("failed_pods", number, cause=cause, example=f"Pod n/p-{number}: {cause}")
    assert judged.crossings[0].cause == "OOMKilled 3, exit 1 1, Evicted 1; first Pod n/p-0: exit 1"


def test_an_example_that_has_left_the_window_is_not_shown() -> None:
    judged = Judged(failed_jobs=2, window=10)
    judged.guard.count("failed_jobs", 0, example="Job n/old")
    judged.guard.count("failed_jobs", 20, example="Job n/new")
    judged.guard.count("failed_jobs", 21, example="Job n/newer")
    assert judged.crossings[0].cause == "Job n/new"


def test_a_state_is_judged_as_it_is() -> None:
    judged = Judged(lost_nodes=2)
    judged.guard.measure("lost_nodes", 1, cause="node-1: deleted")
    judged.guard.measure("lost_nodes", 0)
    assert judged.crossings == []
    judged.guard.measure("lost_nodes", 2, cause="node-1: deleted; node-2: Ready is Unknown")
    assert judged.crossings[0].text == (
        "nodes with the run's pods that are gone or not Ready: 2 at once, at or above the threshold of 2 "
        "(guard_lost_nodes); node-1: deleted; node-2: Ready is Unknown"
    )
    assert judged.crossings[0].row()["window_seconds"] is None


def test_figures_with_a_unit_have_it_in_the_text() -> None:
    judged = Judged(api_errors=5.0)
    judged.guard.measure("api_errors", 12.3456, cause="503 4 of 32 requests")
    assert "12.3 % within 60 s, at or above the threshold of 5 % (guard_api_errors); 503 4" in judged.crossings[0].text


def test_what_has_no_threshold_is_not_judged() -> None:
    judged = Judged(failed_pods=1)
    judged.guard.count("evictions", 0, number=1_000)
    judged.guard.measure("api_p99", 60.0)
    assert judged.crossings == []
    assert judged.row("evictions") == judged.row("evictions") | {"threshold": None, "peak": None}


def test_the_first_crossing_stops_a_run_and_a_warning_does_not() -> None:
    for stops in (True, False):
        judged = Judged(stops=stops, failed_pods=1, evictions=1)
        judged.guard.count("evictions", 0, cause="Evicted")
        judged.guard.count("failed_pods", 0, cause="Evicted")
        document = judged.guard.document()
        assert (document["stopped"] and document["stopped"]["sign"]) == ("evictions" if stops else None)
        assert len(judged.crossings) == 2
        assert len(crossing_lines(document)) == (0 if stops else 2)
    assert crossing_lines(None) == []


def test_a_source_without_data_has_no_figures() -> None:
    judged = Judged(lost_nodes=1, failed_pods=1, fork_failures=1)
    judged.guard.blind["nodes"] = "the user may not watch nodes"
    judged.guard.blind["events"] = "not read"
    assert judged.row("lost_nodes")["peak"] is None
    assert judged.row("fork_failures")["peak"] is None
    assert judged.row("failed_pods")["peak"] == 0
    assert judged.guard.document()["sources"]["nodes"] == "the user may not watch nodes"


def test_memory_does_not_grow_with_what_happens() -> None:
    judged = Judged(window=10, crashes=1_000_000)
    for number in range(50_000):
        judged.guard.count("crashes", number / 100, cause=f"cause {number}", example="x" * 10_000)
    window = judged.guard._windows["crashes"]
    assert len(window._parts) <= 12
    assert max(len(part.causes) for part in window._parts) <= 21
    assert len(window.first) <= 300
    assert 1_000 <= window.number <= 1_100


def test_every_sign_has_a_row_and_a_threshold_of_its_own() -> None:
    judged = Judged()
    assert [row["name"] for row in judged.guard.document()["signs"]] == [sign.name for sign in SIGNS]
    assert {sign.variable for sign in SIGNS} == {row["variable"] for row in judged.guard.document()["signs"]}
