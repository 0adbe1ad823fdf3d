"""The client's own load, by a clock and a processor that the test moves."""

from __future__ import annotations

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.measure.client import ClientLoad


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
