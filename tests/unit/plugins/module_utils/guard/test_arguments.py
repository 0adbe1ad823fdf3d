"""From the option `guard` of the module batch to thresholds."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.guard.arguments import GUARD_ARGUMENTS, Thresholds
from ansible_collections.kubestress.core.plugins.module_utils.settings.setting import SettingError


def options(**given: Any) -> dict[str, Any]:
    return {name: spec["default"] for name, spec in GUARD_ARGUMENTS["guard"]["options"].items()} | given


def test_defaults() -> None:
    assert Thresholds.of(options()) == Thresholds()
    assert "outage" not in Thresholds().of_signs


def test_off() -> None:
    assert Thresholds.of(options(enabled=False)) is None


def test_zero_is_never() -> None:
    thresholds = Thresholds.of(options(image_pulls=0, outage=3.5, action="warn", window=5))
    assert thresholds is not None
    assert "image_pulls" not in thresholds.of_signs
    assert thresholds.of_signs["outage"] == 3.5
    assert (thresholds.stops, thresholds.window_seconds) == (False, 5)


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"window": 4}, "guard.window: 4 is not allowed; it must be 5 to 3,600"),
        (
            {"failed_pods": -1},
            "guard.failed_pods: -1 is not allowed; it must be 1 to 1,000,000, or 0 for never",
        ),
        (
            {"api_errors": 101.0},
            "guard.api_errors: 101.0 is not allowed; it must be more than 0, up to 100, or 0 for never",
        ),
    ],
)
def test_bad_values_are_refused_in_a_line_also_where_the_guard_is_off(given: dict[str, Any], line: str) -> None:
    with pytest.raises(SettingError) as error:
        Thresholds.of(options(enabled=False, **given))
    assert str(error.value) == line
