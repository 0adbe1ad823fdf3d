"""Prometheus text, read as Prometheus' own parser reads it; percentiles from buckets, by Prometheus' own rule."""

from __future__ import annotations

from math import inf

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.measure.exposition import (
    Selection,
    bucket_of,
    count,
    grouped,
    is_of,
    labels_of,
    quantile,
    samples,
)
from prometheus_client.parser import text_string_to_metric_families

TEXT = rb"""# HELP calls_total Calls.
# TYPE calls_total counter
calls_total{verb="GET",path="/a b"} 3
calls_total{verb="PUT",path="{x} \"y\" \\ \n"} 4.5e+06
# TYPE calls_total_of_another counter
calls_total_of_another{verb="GET"} 7
# TYPE seconds histogram
seconds_bucket{le="0.1"} 1
seconds_bucket{le="+Inf"} 2
seconds_sum 0.3
seconds_count 2
# TYPE plain gauge
plain 1.795245908e+09
# TYPE stamped gauge
stamped{id="/x"} 12 1700000000000
# TYPE broken gauge
broken NaN
broken{a="1"} many
broken{a="2"} +Inf
broken{a="3"}
"""


def test_the_same_as_prometheus_own_parser():
    names = ["calls_total", "seconds_bucket", "seconds_count", "plain", "stamped"]
    readable = TEXT[: TEXT.index(b"# TYPE broken")].decode()
    theirs = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(readable)
        for sample in family.samples
        if sample.name in names
    }
    ours = {
        (series.partition(b"{")[0].decode(), tuple(sorted(labels_of(series).items()))): value
        for series, value in samples(TEXT, *names).items()
    }
    assert ours == theirs
    assert len(ours) == 7


def test_what_is_no_number_is_left_out():
    assert samples(TEXT, "broken") == {b'broken{a="2"}': float("inf")}


@pytest.mark.parametrize("body", [b"", b"\n", b"<html>no metrics</html>", b"call", b"calls_total", b"calls_total{"])
def test_other_text_has_no_samples(body):
    assert samples(body, "calls_total") == {}


def test_the_first_and_the_last_line_need_no_neighbours():
    assert samples(b'calls_total{a="1"} 1\ncalls_total{a="2"} 2', "calls_total") == {
        b'calls_total{a="1"}': 1.0,
        b'calls_total{a="2"}': 2.0,
    }


@pytest.mark.parametrize("size", [1, 7, 40, len(TEXT)])
@pytest.mark.parametrize("text", [TEXT, TEXT.rstrip(), b"\n" + TEXT, b"", b"no line break"])
def test_a_selection_of_pieces_has_the_same_samples(text: bytes, size: int) -> None:
    names = ["calls_total", "seconds_bucket", "plain", "stamped", "broken"]
    selection = Selection(*names)
    for at in range(0, len(text), size):
        selection.add(text[at : at + size])
    for name in names:
        assert samples(selection.text(), name) == samples(text, name)
    assert b"calls_total_of_another" not in selection.text()


def test_answers_that_share_their_series_hold_each_text_once() -> None:
    known: dict[bytes, bytes] = {}
    first, second = (samples(TEXT, "seconds_bucket", known=known) for _answer in range(2))
    assert first == second
    assert [id(series) for series in first] == [id(series) for series in second]


def test_a_metric_is_told_from_one_whose_name_is_longer():
    (series,) = samples(TEXT, "calls_total_of_another")
    assert is_of(series, "calls_total_of_another")
    assert not is_of(series, "calls_total")


BUCKETS = {0.05: 90.0, 0.1: 98.0, 0.2: 98.0, 1.0: 100.0, inf: 100.0}


@pytest.mark.parametrize(
    ("percent", "seconds", "bounds"),
    [
        (50, 0.05 * 50 / 90, (0.0, 0.05)),
        (90, 0.05, (0.0, 0.05)),
        (95, 0.05 + 0.05 * 5 / 8, (0.05, 0.1)),
        (98, 0.1, (0.05, 0.1)),
        (99, 0.2 + 0.8 * 1 / 2, (0.2, 1.0)),
        (100, 1.0, (0.2, 1.0)),
    ],
)
def test_linear_inside_the_bucket(percent, seconds, bounds):
    assert quantile(BUCKETS, percent) == pytest.approx(seconds)
    assert bucket_of(BUCKETS, percent) == bounds


def test_above_the_last_bound_only_the_bound_is_known():
    slow = {0.05: 1.0, 60.0: 2.0, inf: 10.0}
    assert (quantile(slow, 99), bucket_of(slow, 99)) == (60.0, (60.0, None))


@pytest.mark.parametrize("buckets", [{}, {0.05: 0.0, inf: 0.0}], ids=["no buckets", "no calls"])
def test_without_calls_there_is_no_percentile(buckets):
    assert (quantile(buckets, 99), bucket_of(buckets, 99), count(buckets)) == (None, None, 0)


def test_grouped_adds_what_the_labels_do_not_tell_apart():
    counted = {
        b'x_bucket{verb="GET",version="v1",le="1"}': 3.0,
        b'x_bucket{verb="GET",version="v1",le="+Inf"}': 4.0,
        b'x_bucket{verb="GET",version="v2",le="1"}': 1.0,
        b'x_bucket{verb="GET",version="v2",le="+Inf"}': 1.0,
        b'x_bucket{le="1",verb="PUT"}': 0.0,
        b'x_bucket{le="+Inf",verb="PUT"}': 2.0,
        b'x_bucket{verb="POST",le="+Inf"}': 0.0,
        b'x_sum{verb="GET"}': 9.0,
    }
    assert grouped(counted, ["verb"]) == {("GET",): {1.0: 4.0, inf: 5.0}, ("PUT",): {1.0: 0.0, inf: 2.0}}
