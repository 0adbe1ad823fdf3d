"""Quantities in, numbers out, and numbers for people."""

from __future__ import annotations

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.capacity.quantities import (
    cpu_and_memory,
    cpu_milli,
    duration_text,
    text_of,
    whole,
)


@pytest.mark.parametrize(
    ("quantity", "milli"), [("50m", 50), ("1", 1000), (2, 2000), ("0.5", 500), ("1500u", 2), ("100n", 1), ("0", 0)]
)
def test_cpu_is_counted_in_thousandths_and_rounded_up(quantity, milli):
    assert cpu_milli(quantity) == milli


@pytest.mark.parametrize(
    ("quantity", "number"),
    [("64Mi", 67_108_864), ("1k", 1_000), ("1.5Gi", 1_610_612_736), ("1e3", 1_000), ("128974848", 128_974_848)],
)
def test_bytes(quantity, number):
    assert whole(quantity) == number


@pytest.mark.parametrize("quantity", ["64MiB", "lots", "", "1,5"])
def test_what_is_no_quantity_is_refused(quantity):
    with pytest.raises(ValueError, match=r"Invalid|unknown suffix"):
        whole(quantity)


def test_what_is_left_out_is_nothing():
    assert cpu_and_memory(None) == (0, 0)
    assert cpu_and_memory({"memory": "1Ki"}) == (0, 1024)


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
        (303, "5 min 3 s"),
        (3919.5, "65 min"),
        (3510, "58 min"),
        (12_000, "3 h 20 min"),
        (14_400, "4 h"),
    ],
)
def test_lengths_for_people(seconds, text):
    assert duration_text(seconds) == text
