"""Figures as people read them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from ansible_collections.kubestress.core.plugins.plugin_utils.page import formats
from ansible_collections.kubestress.core.plugins.plugin_utils.page.model import NO_DATA


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        (formats.count, 1234, "1,234"),
        (formats.count, 0, "0"),
        (formats.milliseconds, 0, "0 ms"),
        (formats.milliseconds, 0.84, "0.8 ms"),
        (formats.milliseconds, 99.96, "100 ms"),
        (formats.milliseconds, 915.2, "915 ms"),
        (formats.milliseconds, 1530, "1.53 s"),
        (formats.milliseconds, 303_000, "5 min 3 s"),
        (formats.seconds, 0.1, "100 ms"),
        (formats.seconds, 30, "30.00 s"),
        (formats.stamps, 0.997, "1 s"),
        (formats.stamps, 11.911, "12 s"),
        (formats.stamps, 1.488, "1.5 s"),
        (formats.stamps, 0.0, "0 s"),
        (formats.size, 928 * 1024**2, "928 MiB"),
        (formats.number, 4.8, "4.8"),
        (formats.number, 4.0, "4"),
        (formats.number, 1234.5, "1,234"),
        (formats.percent, 0.134, "13 %"),
        (formats.clock, 0, "0:00"),
        (formats.clock, 725.9, "12:05"),
        (formats.clock, 36_000, "10:00:00"),
        (formats.clock, -3, "−0:03"),
    ],
)
def test_figure(text: Callable[[float], str], value: float, expected: str) -> None:
    assert text(value) == expected


@pytest.mark.parametrize(
    "text",
    [
        formats.count,
        formats.milliseconds,
        formats.seconds,
        formats.length,
        formats.size,
        formats.number,
        formats.percent,
        formats.clock,
    ],
)
def test_what_nobody_measured_is_no_figure(text: Callable[[None], str]) -> None:
    assert text(None) == NO_DATA


def test_times_are_told_in_utc_and_relative() -> None:
    assert formats.date("2026-11-21T07:21:10.5+02:00") == "21 November 2026, 05:21:10 UTC"
    assert formats.seconds_from("2026-11-21T05:21:10Z", "2026-11-21T05:22:10.500Z") == 60.5
    assert formats.date("yesterday") == NO_DATA
    assert formats.seconds_from(None, "2026-11-21T05:21:10Z") is None


def test_counts_by_cause_are_most_first_and_bounded() -> None:
    counts = {"429": 3, "timeout": 12, "etcd": 0, "connection": 1}
    assert formats.counted(counts) == "12 × timeout, 3 × 429, 1 × connection"
    assert formats.counted(counts, most=1) == "12 × timeout, 2 more"
    assert formats.counted(None) == ""


def test_cell_without_data_has_nothing_to_sort_by() -> None:
    assert formats.figure(None).sort is None
    assert formats.moment("2026-11-21T05:21:10Z", "2026-11-21T05:22:10Z").sort == 60
