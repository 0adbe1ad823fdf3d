"""The latency sketch against exact percentiles; attempts by verb and kind."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.measure.latency import (
    RELATIVE_ERROR,
    Attempts,
    LatencySketch,
    bucket_of,
)

DISTRIBUTIONS: dict[str, Callable[[random.Random], float]] = {
    "even": lambda draw: draw.uniform(0.0001, 2),
    "long tail": lambda draw: draw.lognormvariate(-5, 1.5),
    "two humps": lambda draw: draw.gauss(0.004, 0.0005) if draw.random() < 0.97 else draw.gauss(1.0, 0.1),
    "all the same": lambda _draw: 0.0123,
    "from microseconds to an hour": lambda draw: 10 ** draw.uniform(-4.9, 3.5),
}


def exact(values: list[float], percent: float) -> float:
    """Return the value at the rank that the sketch promises: the smallest one that `percent` of all don't exceed."""
    return sorted(values)[max(1, math.ceil(len(values) * percent / 100)) - 1]


def sketch_of(values: list[float]) -> LatencySketch:
    sketch = LatencySketch()
    for value in values:
        sketch.add(value)
    return sketch


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize("count", [1, 2, 99, 5000])
def test_every_percentile_is_within_its_error_of_a_measured_value(name: str, count: int):
    draw = random.Random(f"{name} {count}")
    values = [abs(DISTRIBUTIONS[name](draw)) + 1e-5 for _ in range(count)]
    sketch = sketch_of(values)
    for percent in (0, 1, 50, 90, 95, 99, 99.9, 100):
        found, wanted = sketch.percentile(percent), exact(values, percent)
        assert found is not None
        assert abs(found - wanted) <= wanted * RELATIVE_ERROR * 1.0001, (percent, found, wanted)


def test_parts_merged_are_the_whole_also_by_way_of_json():
    draw = random.Random(1)
    values = [draw.lognormvariate(-5, 2) for _ in range(3000)]
    whole = sketch_of(values)
    merged = LatencySketch()
    for start in range(0, 3000, 700):
        part = sketch_of(values[start : start + 700])
        merged.merge(LatencySketch.from_dict(json.loads(json.dumps(part.to_dict()))))

    assert merged.buckets == whole.buckets
    assert merged.count == 3000
    assert merged.sum_seconds == pytest.approx(sum(values))
    assert merged.summary_ms() == pytest.approx(whole.summary_ms())


def test_histograms_of_other_limits_are_refused():
    data = sketch_of([1.0]).to_dict()
    with pytest.raises(ValueError, match="other bucket limits"):
        LatencySketch.from_dict(data | {"relative_error": 0.02})


def test_nothing_counted_has_no_percentiles():
    assert LatencySketch().summary_ms() == dict.fromkeys(["p50_ms", "p90_ms", "p95_ms", "p99_ms", "max_ms"]) | {
        "count": 0
    }


def test_memory_is_bounded_over_nine_orders_of_magnitude():
    sketch = sketch_of([10 ** (exponent / 1000) for exponent in range(-6000, 3600)])
    assert len(sketch.buckets) < 1000


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
