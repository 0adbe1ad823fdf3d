"""The timeline and the client's own load, with a clock and a CPU that the test moves."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.measure import client as module
from ansible_collections.kubestress.core.plugins.module_utils.measure.client import ClientLoad, Timeline
from ansible_collections.kubestress.core.plugins.module_utils.measure.latency import LatencySketch, bucket_of

NAMES = [
    "requests", "errors", "retries", "in_flight", "latency_p50_ms", "latency_p99_ms", "cpu_share",
    "pods_pending", "pods_running", "pods_succeeded", "pods_failed",
]  # fmt: skip


class Machine:
    """Processor time and pods as the timeline asks for them."""

    def __init__(self) -> None:
        self.cpu_seconds = 0.0
        self.pods: Mapping[str, int] | None = None

    def timeline(self, now: float = 0.0) -> Timeline:
        """Return a timeline that asks this machine."""
        return Timeline(now, cpu_seconds=lambda: self.cpu_seconds, pod_counts=lambda: self.pods)


def test_each_attempt_is_in_the_bin_in_which_it_ended():
    machine = Machine()
    timeline = machine.timeline(100.0)
    timeline.began(1)
    timeline.began(2)
    timeline.ended(100.4, bucket_of(0.4), 1, failed=False)
    timeline.ended(101.2, bucket_of(1.2), 0, failed=True)
    timeline.retried(101.3)
    timeline.began(1)
    timeline.ended(103.5, bucket_of(0.1), 0, failed=False)

    series = timeline.series(103.6)
    assert list(series) == NAMES
    assert series["requests"] == [1, 1, 0, 1]
    assert series["errors"] == [0, 1, 0, 0]
    assert series["retries"] == [0, 1, 0, 0]
    # One was under way all through the third bin and into the fourth.
    assert series["in_flight"] == [2, 1, 1, 1]
    assert series["latency_p50_ms"] == [pytest.approx(400, rel=0.01), pytest.approx(1200, rel=0.01), None,
                                        pytest.approx(100, rel=0.01)]  # fmt: skip
    assert {len(values) for values in series.values()} == {4}


def test_the_processor_is_a_share_of_one_core_and_bins_closed_together_have_their_mean():
    machine = Machine()
    timeline = machine.timeline()
    for now, cpu in ((1.0, 0.25), (2.0, 1.25), (5.0, 2.75), (5.5, 3.0)):
        machine.cpu_seconds = cpu
        timeline.advance(now)
    assert timeline.series(5.5)["cpu_share"] == [0.25, 1.0, 0.5, 0.5, 0.5, 0.5]


def test_pods_that_nobody_watches_are_none_and_not_nought():
    machine = Machine()
    timeline = machine.timeline()
    timeline.advance(1.0)
    machine.pods = {"pending": 3, "running": 2, "succeeded": 1, "failed": 0}
    series = timeline.series(1.5)
    assert [series[name] for name in NAMES[-4:]] == [[None, 3], [None, 2], [None, 1], [None, 0]]


def test_telling_twice_changes_nothing_and_an_open_bin_that_has_not_begun_is_left_out():
    timeline = Machine().timeline()
    timeline.ended(0.5, bucket_of(0.5), 0, failed=False)
    assert timeline.series(0.9) == timeline.series(0.9)
    assert timeline.series(1.0)["requests"] == [1]
    assert timeline.series(1.1)["requests"] == [1, 0]
    assert Machine().timeline().series(0.0) == {name: [] for name in NAMES}


@pytest.mark.parametrize("seconds", [1199, 1200, 1201, 5000, 40_000])
def test_however_long_it_is_there_are_no_more_bins_than_allowed_and_nothing_is_lost(seconds: int):
    machine = Machine()
    timeline = machine.timeline()
    for second in range(seconds):
        timeline.began(second % 7 + 1)
        timeline.ended(second + 0.5, bucket_of(0.01), 0, failed=second % 10 == 0)
        machine.cpu_seconds += 0.5
        machine.pods = {"pending": 0, "running": 1, "succeeded": second, "failed": 0}

    series: dict[str, list[Any]] = timeline.series(float(seconds))
    assert module.MAX_BINS / 2 <= len(series["requests"]) <= module.MAX_BINS
    assert len(series["requests"]) * timeline.bin_seconds >= seconds
    assert (sum(series["requests"]), sum(series["errors"])) == (seconds, len(range(0, seconds, 10)))
    assert max(series["in_flight"]) == 7
    assert series["pods_succeeded"][-1] == seconds - 1
    assert series["pods_succeeded"] == sorted(series["pods_succeeded"])
    assert {len(values) for values in series.values()} == {len(series["requests"])}


def test_percentiles_of_merged_bins_are_those_of_all_their_attempts(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MAX_BINS", 4)
    draw = random.Random(3)
    timeline = Machine().timeline()
    halves = (LatencySketch(), LatencySketch())
    for second in range(16):
        # Half of the seconds have many quick answers, the others few slow ones: a mean of medians would be wrong.
        for _attempt in range(300 if second % 2 else 3):
            seconds = draw.uniform(0.01, 0.02) if second % 2 else draw.uniform(1, 2)
            halves[second // 8].add(seconds)
            timeline.ended(second + 0.9, bucket_of(seconds), 0, failed=False)
    series = timeline.series(16.0)
    assert (timeline.bin_seconds, len(series["requests"])) == (8, 2)
    for percent in (50, 99):
        whole = [(half.percentile(percent) or 0) * 1000 for half in halves]
        assert series[f"latency_p{percent}_ms"] == pytest.approx(whole, rel=1e-3)


def test_the_latency_of_the_last_seconds():
    timeline = Machine().timeline(100.0)
    for second, latency in enumerate((9.0, 0.1, 0.1, 0.2)):
        for _number in range(100):
            timeline.ended(100.5 + second, bucket_of(latency), 0, failed=False)
    everything, slowest = timeline.recent_p99(103.9, 60, newer_than=math.inf)
    assert (everything, slowest) == (400, pytest.approx(9, rel=0.01))
    # The bin of 9 s ended at 101.
    assert timeline.recent_p99(103.9, 2.5, newer_than=math.inf) == (300, pytest.approx(0.2, rel=0.01))
    assert timeline.recent_p99(103.9, 60, newer_than=1.5) == (100, pytest.approx(0.2, rel=0.01))
    assert timeline.recent_p99(103.9, 60, newer_than=0.5) == (0, None)
    assert timeline.recent_p99(200, 60, newer_than=math.inf) == (0, None)


def test_seconds_without_a_tenth_of_a_core_left_are_counted():
    cpu = 100.0
    load = ClientLoad(50.0, cpu_seconds=lambda: cpu, cores=4)
    now = 50.0
    for share in (0.2, 0.95, 0.9, 0.85, 1.0):
        for _look in range(20):
            now += 0.0501
            cpu += 0.0501 * share
            load.sample(now, lag_seconds=0.0001)
    load.sample(now, lag_seconds=0.03)

    figures = load.figures(now)
    assert figures["busy_seconds"] == 3
    assert figures["wall_seconds"] == pytest.approx(5.01)
    assert figures["cpu_share"] == pytest.approx(0.78, abs=0.001)
    assert figures["cpu_seconds"] == pytest.approx(0.78 * 5.01, abs=0.001)
    assert figures["loop_lag_max_ms"] == 30.0
    assert figures["loop_lag_p99_ms"] == pytest.approx(0.1, rel=0.02)
    assert figures["cores"] == 4


def test_a_loop_that_was_blocked_for_long_was_busy_all_the_time_if_it_computed():
    cpu = 0.0
    load = ClientLoad(0.0, cpu_seconds=lambda: cpu, cores=1)
    cpu = 3.1
    load.sample(3.2, lag_seconds=3.15)
    assert load.figures(3.2)["busy_seconds"] == 3


def test_before_anything_was_looked_at_there_is_no_share_and_no_lag():
    figures = ClientLoad(1.0, cpu_seconds=lambda: 0.0, cores=2).figures(1.0)
    assert (figures["cpu_share"], figures["loop_lag_p99_ms"], figures["loop_lag_max_ms"]) == (None, None, None)
