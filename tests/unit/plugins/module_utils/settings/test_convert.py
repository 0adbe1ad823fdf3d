"""Each way users write a value, and what becomes of it."""

from __future__ import annotations

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.settings.convert import converted
from ansible_collections.kubestress.core.plugins.module_utils.settings.setting import Range, Setting, SettingError
from ansible_collections.kubestress.core.plugins.module_utils.settings.table import SETTINGS

TOLERATIONS = {
    "type": "list",
    "elements": "dict",
    "default": [],
    "options": {"key": {"type": "str"}, "effect": {"type": "str", "choices": ["NoSchedule"]}, "for": {"type": "int"}},
}
LEVEL = {"type": "str", "default": "INFO", "choices": ("DEBUG", "INFO")}


def convert(spec: dict, value: object) -> object:
    return converted(Setting("namespaces_total", **spec), value)


@pytest.mark.parametrize(
    ("spec", "value", "expected"),
    [
        ({"type": "int"}, 3, 3),
        ({"type": "int"}, "3", 3),
        ({"type": "int"}, " 3 ", 3),
        ({"type": "int"}, 3.0, 3),
        ({"type": "int"}, "", None),
        ({"type": "int"}, None, None),
        ({"type": "float"}, "0.05", 0.05),
        ({"type": "float"}, 1, 1.0),
        ({"type": "bool"}, "false", False),
        ({"type": "bool"}, "False", False),
        ({"type": "bool"}, " yes ", True),
        ({"type": "bool"}, 0, False),
        ({"type": "bool"}, True, True),
        ({"type": "str", "default": ""}, "", ""),
        ({"type": "str"}, "", None),
        ({"type": "str"}, 7, "7"),
        ({"type": "list", "elements": "str"}, "a, b", ["a", "b"]),
        ({"type": "list", "elements": "str"}, '["a", "b"]', ["a", "b"]),
        ({"type": "list", "elements": "str"}, ["a", 1], ["a", "1"]),
        ({"type": "list", "elements": "str"}, "[]", []),
        ({"type": "dict"}, '{"zone": "eu"}', {"zone": "eu"}),
        ({"type": "dict"}, "zone=eu", {"zone": "eu"}),
        ({"type": "dict"}, "{}", {}),
        (LEVEL, "debug", "DEBUG"),
        (LEVEL, " Info ", "INFO"),
        (TOLERATIONS, '[{"key": "a", "for": "30"}]', [{"key": "a", "for": 30}]),
        (TOLERATIONS, '{"key": "a"}', [{"key": "a"}]),
    ],
)
def test_value_in_its_type(spec, value, expected):
    result = convert(spec, value)
    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(
    ("spec", "value", "told"),
    [
        ({"type": "int", "allowed": Range(1, 100_000)}, "abc", "'abc' is not a whole number, 1 to 100,000"),
        ({"type": "int"}, "3.5", "'3.5' is not a whole number"),
        ({"type": "int"}, 3.5, "3.5 is not a whole number"),
        ({"type": "int"}, True, "True is not a whole number"),
        ({"type": "int"}, [3], "[3] is not a whole number"),
        ({"type": "float"}, "nan", "'nan' is not a number"),
        ({"type": "float"}, "inf", "'inf' is not a number"),
        ({"type": "float"}, False, "False is not a number"),
        ({"type": "bool"}, "perhaps", "'perhaps' is not true or false"),
        ({"type": "bool"}, 2, "2 is not true or false"),
        ({"type": "bool"}, 0.5, "0.5 is not true or false"),
        ({"type": "str"}, ["a"], "['a'] is not text"),
        ({"type": "str"}, {"a": 1}, "{'a': 1} is not text"),
        ({"type": "list"}, {"a": 1}, "{'a': 1} is not a list"),
        ({"type": "list"}, "[1,", "'[1,' is not a list"),
        ({"type": "list", "elements": "dict"}, ["a b"], "entry 1, 'a b', is not names with values"),
        ({"type": "dict"}, "zone", "'zone' is not names with values"),
        ({"type": "dict"}, [1], "[1] is not names with values"),
        (LEVEL, "loud", "'loud' is not allowed; choose one of DEBUG, INFO"),
        (TOLERATIONS, [{"keyy": "a"}], "keyy"),
        (TOLERATIONS, [{"effect": "Never"}], "value of effect must be one of: NoSchedule, got: Never"),
        ({"type": "int"}, "a\nb" + "x" * 200, "'a\\nbxxx"),
    ],
)
def test_wrong_value_is_named_in_one_short_line(spec, value, told):
    with pytest.raises(SettingError) as refused:
        convert(spec, value)
    line = str(refused.value)
    assert line.startswith("namespaces_total: ")
    assert told in line
    assert "\n" not in line
    assert len(line) < 250


@pytest.mark.parametrize("word", ["warn", "WARN", "Warning", " warning "])
def test_a_choice_by_another_name(word: str) -> None:
    assert converted(SETTINGS["run_log_level"], word) == "WARNING"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("storage_truenas", "url, 1-abcSECRET"),
        ("storage_truenas", ["1-abcSECRET"]),
        ("storage_other_clusters", {"api_key": "1-abcSECRET"}),
        ("storage_other_clusters", ["1-abcSECRET"]),
    ],
)
def test_value_of_a_secret_is_not_shown(name: str, value: object) -> None:
    with pytest.raises(SettingError) as refused:
        converted(SETTINGS[name], value)
    assert str(refused.value).startswith(f"{name}: ")
    assert "SECRET" not in str(refused.value)
