"""Attempts by verb and kind: the failed ones count, and their time with them."""

from __future__ import annotations

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.measure.latency import Attempts, LatencySketch, bucket_of


def test_failed_attempts_are_in_the_count_in_the_errors_and_in_the_latency():
    attempts = Attempts()
    for seconds, failed in ((0.01, False), (0.02, False), (2.0, True)):
        attempts.add(("create", "Secret"), bucket_of(seconds), seconds, failed=failed)
    attempts.add(("delete", "Secret"), bucket_of(0.3), 0.3, failed=False)
    attempts.add(("create", "Job"), bucket_of(0.1), 0.1, failed=False)

    table = attempts.table()
    assert {verb: list(kinds) for verb, kinds in table.items()} == {"create": ["Job", "Secret"], "delete": ["Secret"]}
    row = table["create"]["Secret"]
    assert list(row) == ["count", "errors", "p50_ms", "p90_ms", "p95_ms", "p99_ms", "max_ms", "histogram"]
    assert (row["count"], row["errors"], row["max_ms"]) == (3, 1, 2000.0)
    assert row["p50_ms"] == pytest.approx(20, rel=0.01)
    assert LatencySketch.from_dict(row["histogram"]).percentile(99) == pytest.approx(2.0, rel=0.01)


def test_nothing_sent_is_an_empty_table():
    assert Attempts().table() == {}
