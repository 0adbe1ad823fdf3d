"""A range and a setting: what they allow, and how messages and generated files show them."""

from __future__ import annotations

import math

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.settings.setting import Range, Setting, SettingError


@pytest.mark.parametrize(
    ("allowed", "inside", "outside", "text"),
    [
        (Range(1, 3_600), [1, 2.5, 3600], [0, 3601, -1, math.nan], "1 to 3,600"),
        (Range(0, 0.5), [0, 0.5], [0.6], "0 to 0.5"),
        (Range(0, 100, above=True), [0.01, 100], [0, 101], "more than 0, up to 100"),
        (Range(1, 60, special=0, meaning="never"), [0, 1, 60], [0.5, -1, 61], "1 to 60, or 0 for never"),
        (Range(2, 9, special=-1, meaning="no limit"), [-1, 2], [0, 1], "2 to 9, or -1 for no limit"),
        (Range(0, 2**63 - 1), [2**63 - 1], [2**63], "0 to 9,223,372,036,854,775,807"),
    ],
)
def test_range(allowed, inside, outside, text):
    assert [value for value in inside if not allowed.allows(value)] == []
    assert [value for value in outside if allowed.allows(value)] == []
    assert str(allowed) == text
    assert allowed.problem("x", inside[0]) is None
    assert allowed.problem("x", outside[0]) == f"x: {outside[0]} is not allowed; it must be {text}"


def test_check_of_a_modules_option():
    setting = Setting("observe_api_interval", "float", 15, allowed=Range(1, 60))
    setting.check("observe.api_interval", 2)
    setting.check("observe.api_interval", None)
    with pytest.raises(SettingError, match=r"^observe\.api_interval: 0 is not allowed; it must be 1 to 60$"):
        setting.check("observe.api_interval", 0)


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        (Setting("a", "int", 3), "{{ lookup('kubestress.core.setting', 'a', default=3) }}"),
        (Setting("a", "bool", False), "{{ lookup('kubestress.core.setting', 'a', default=false) }}"),
        (Setting("a", "int", environment="A"), "{{ lookup('kubestress.core.setting', 'a', env='A') }}"),
        (Setting("a", "dict", {"b": "c"}), "{{ lookup('kubestress.core.setting', 'a', default={'b': 'c'}) }}"),
        (Setting("a", "int", 3, of_run=False), 3),
    ],
)
def test_role_default(setting, expected):
    assert setting.role_default == expected


def test_argument_spec():
    assert Setting("a", "float", 5).argument_spec() == {"type": "float", "default": 5.0}
    assert type(Setting("a", "float", 5).argument_spec()["default"]) is float
    assert Setting("a", "list", elements="str", choices=("b",)).argument_spec() == {
        "type": "list",
        "elements": "str",
        "choices": ["b"],
    }
