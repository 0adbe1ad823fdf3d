"""Figures as people read them."""

from __future__ import annotations

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.text import (
    duration_text,
    text_of,
    value_text,
    values_text,
)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, "", "-"),
        (1_234_567, "", "1,234,567"),
        (2_100, "cores", "2.1"),
        (640_000, "cores", "640"),
        (0, "bytes", "0 B"),
        (1_536, "bytes", "1.5 KiB"),
        (2**41, "bytes", "2 TiB"),
        (90, "seconds", "1 min 30 s"),
    ],
)
def test_figures_for_people(value, unit, text):
    assert text_of(value, unit) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.091, "0.09 s"),
        (41.26, "41.3 s"),
        (59.97, "1 min"),
        (303, "5 min 3 s"),
        (3919.5, "65 min"),
        (3510, "58 min"),
        (12_000, "3 h 20 min"),
        (14_400, "4 h"),
    ],
)
def test_lengths_for_people(seconds, text):
    assert duration_text(seconds) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, "s", "no data"),
        (0, "", "0"),
        (0.25, "", "0.2"),
        (1_234.5, "", "1,234"),
        (110.96, "%", "111 %"),
        (0, "s", "0 s"),
        (0.0246, "s", "25 ms"),
        (0.997, "s", "1 s"),
        (56.7, "s", "56.7 s"),
        (8.54, "ms", "8.5 ms"),
        (1_518.04, "ms", "1,518 ms"),
    ],
)
def test_values_with_their_unit(value, unit, text):
    assert value_text(value, unit) == text


@pytest.mark.parametrize(
    ("values", "unit", "text"),
    [
        ([2.0], "s", "5 s"),
        ([2.0, 2.0], "s", "5 s"),
        ([2.0, None, 9.5], "s", "5 s (2–9.5 s)"),
        ([0.05, 2.0], "s", "5 s (50 ms–2 s)"),
        ([None], "s", "5 s"),
    ],
)
def test_values_of_several_runs(values, unit, text):
    assert values_text(values, 5.0, unit) == text


def test_what_no_value_means():
    assert values_text([None], None, "s", absent="none") == "none"
