"""The difference of two clocks out of dates in whole seconds."""

from __future__ import annotations

import itertools
from email.utils import formatdate

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.observe.api_server import ClockSkew

NOW = 1_700_000_000.3


class Server:
    """Answers after `seconds` with the date of a clock that is `skew` ahead of ours; it writes it halfway."""

    def __init__(self, *, skew: float, seconds: float) -> None:
        self.skew, self.seconds = skew, seconds

    def ask(self, clock: ClockSkew, at: float) -> float:
        written = at + self.seconds / 2 + self.skew
        clock.observe(formatdate(int(written), usegmt=True), sent=at, received=at + self.seconds)
        return at + self.seconds


def test_one_answer_leaves_a_second():
    clock = ClockSkew()
    Server(skew=0.2, seconds=0.01).ask(clock, NOW)
    figures = clock.figures()
    assert figures["error_ms"] == pytest.approx(505)
    assert abs(figures["estimate_ms"] - 200) <= figures["error_ms"]


@pytest.mark.parametrize("skew", [-3600.0, -1.7, -0.04, 0.0, 0.45, 2.25, 86400.5])
@pytest.mark.parametrize("seconds", [0.001, 0.03, 0.4])
def test_answers_at_the_right_moments_find_it(skew, seconds):
    clock, server, now = ClockSkew(), Server(skew=skew, seconds=seconds), NOW
    now = server.ask(clock, now)
    for number in itertools.count():
        pause = clock.pause_seconds(now)
        assert 0 <= pause <= 60
        if pause == 60:
            break
        now = server.ask(clock, now + pause)
        assert number < 20, "it never has enough"
    figures = clock.figures()
    assert abs(figures["estimate_ms"] - skew * 1000) <= figures["error_ms"] + 0.1
    assert figures["error_ms"] <= max(20, seconds * 1000) + 0.5
    assert figures["contradictions"] == 0


def test_a_clock_that_is_set_is_noticed_and_the_newest_answer_believed():
    clock = ClockSkew()
    Server(skew=0.0, seconds=0.01).ask(clock, NOW)
    Server(skew=5.0, seconds=0.01).ask(clock, NOW + 10)
    figures = clock.figures()
    assert figures["contradictions"] == 1
    assert abs(figures["estimate_ms"] - 5000) <= figures["error_ms"]


@pytest.mark.parametrize("date", [None, "", "yesterday", "Mon, 99 Foo 2026 25:00:00 GMT"])
def test_an_answer_without_a_date_tells_nothing(date):
    clock = ClockSkew()
    assert clock.observe(date, sent=NOW, received=NOW) is None
    assert clock.figures() == {"estimate_ms": None, "error_ms": None, "samples": 0, "contradictions": 0}
    assert clock.pause_seconds(NOW) == 60
