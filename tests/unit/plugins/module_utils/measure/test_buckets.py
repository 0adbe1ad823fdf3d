"""Percentiles out of buckets: Prometheus' own rule, and what a bucket cannot tell."""

from __future__ import annotations

from math import inf

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.measure.exposition import (
    bucket_of,
    count,
    grouped,
    quantile,
)

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
