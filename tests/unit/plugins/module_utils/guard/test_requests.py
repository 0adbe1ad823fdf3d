"""The share of requests that were not served, over a window, with outages left out."""

from __future__ import annotations

from ansible_collections.kubestress.core.plugins.module_utils.guard.requests import RequestTrend


def test_the_share_of_the_window_with_its_causes() -> None:
    trend = RequestTrend(60)
    trend.read(0, ended=1_000, errors={"503": 50})
    trend.read(10, ended=1_100, errors={"503": 55, "timeout": 20})
    assert trend.unserved(least=20) == (25.0, "timeout 20, 503 5 of 100 requests")


def test_what_is_older_than_the_window_has_left_it() -> None:
    trend = RequestTrend(60)
    for second in range(200):
        trend.read(second, ended=second * 10, errors={"500": min(second, 50) * 10})
    assert trend.unserved(least=20) == (0.0, "")
    assert len(trend._readings) <= 62


def test_few_requests_say_nothing_and_neither_do_one_or_two_failures() -> None:
    trend = RequestTrend(60)
    trend.read(0, ended=0, errors={})
    assert trend.unserved(least=20) is None
    trend.read(1, ended=19, errors={"500": 19})
    assert trend.unserved(least=20) is None
    trend = RequestTrend(60)
    trend.read(0, ended=0, errors={})
    trend.read(1, ended=20, errors={"500": 2})
    assert trend.unserved(least=20) == (0.0, "")


def test_refusals_that_speak_of_the_request_do_not_count() -> None:
    trend = RequestTrend(60)
    trend.read(0, ended=0, errors={})
    trend.read(1, ended=100, errors={"403": 50, "422": 20, "conflict": 10, "quota": 10, "starting": 5})
    assert trend.unserved(least=20) == (0.0, "")


def test_an_outage_and_what_ends_after_it_is_left_out() -> None:
    trend = RequestTrend(60)
    trend.read(0, ended=0, errors={})
    trend.pause(5)  # it begins
    trend.pause(70)  # it was over at 10, and requests may take a minute
    trend.read(30, ended=100, errors={"timeout": 90})
    assert trend.unserved(least=20) is None
    trend.read(71, ended=200, errors={"timeout": 100})
    trend.read(80, ended=300, errors={"timeout": 101})
    assert trend.unserved(least=20) == (0.0, "")
