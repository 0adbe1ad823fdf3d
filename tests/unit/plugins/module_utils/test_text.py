"""Figures as people read them."""

from __future__ import annotations

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.text import duration_text, text_of


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
