"""Ansible's filters in templates give what they give in a playbook."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible.plugins.filter.core import FilterModule
from ansible_collections.kubestress.core.plugins.module_utils.plan.filters import FILTERS, DataText
from ansible_collections.kubestress.core.plugins.module_utils.plan.jinja import TemplateError
from ansible_collections.kubestress.core.plugins.module_utils.plan.template import Template

ANSIBLES = FilterModule().filters()
DATA = {"b": [1, 2.5, None, True], "a": {"text": "ä: x\n", "empty": {}}}

#: (filter, value, arguments, keywords)
CASES: list[tuple[str, Any, tuple[Any, ...], dict[str, Any]]] = [
    ("b64encode", "grün", (), {}),
    ("b64encode", "??>>", (), {"urlsafe": True}),
    ("b64encode", 7, (), {}),
    ("b64decode", "Z3LDvG4=", (), {}),
    ("bool", "yes", (), {}),
    ("bool", "off", (), {}),
    ("dict2items", {"a": 1}, (), {}),
    ("dict2items", {"a": 1}, ("name", "size"), {}),
    ("from_json", '{"a": [1, null]}', (), {}),
    ("from_yaml", "a: [1, null]", (), {}),
    ("hash", "text", (), {}),
    ("hash", "text", ("sha256",), {}),
    ("items2dict", [{"key": "a", "value": 1}], (), {}),
    ("regex_escape", "a.b", (), {}),
    ("regex_findall", "a1b2", ("[0-9]",), {}),
    ("regex_findall", "aA", ("a",), {"ignorecase": True}),
    ("regex_replace", "ns-12", ("^ns-(.*)$", r"team-\1"), {}),
    ("regex_replace", 1.5, (r"\.", "-"), {}),
    ("regex_replace", "aaa", ("A", "b"), {"ignorecase": True, "count": 2}),
    ("regex_search", "ns-12", ("[0-9]+",), {}),
    ("regex_search", "ns-12", ("(?P<name>[a-z]+)-([0-9]+)", r"\g<name>", r"\2"), {}),
    ("regex_search", "ns-12", ("x",), {}),
    ("ternary", True, ("a", "b"), {}),
    ("ternary", "", ("a", "b"), {}),
    ("ternary", None, ("a", "b", "c"), {}),
    ("to_json", DATA, (), {}),
    ("to_json", DATA, (), {"indent": 2, "sort_keys": True}),
    ("to_nice_json", DATA, (), {}),
    ("to_yaml", DATA, (), {}),
    ("to_nice_yaml", DATA, (), {}),
    ("to_nice_yaml", DATA, (2,), {}),
]


@pytest.mark.parametrize(("name", "value", "arguments", "keywords"), CASES, ids=str)
def test_the_result_is_ansibles(name: str, value: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> None:
    assert FILTERS[name](value, *arguments, **keywords) == ANSIBLES[name](value, *arguments, **keywords)


def test_every_filter_is_compared() -> None:
    assert {name for name, *_rest in CASES} == set(FILTERS)


def rendered(text: str, **constants: Any) -> dict[str, Any]:
    template = Template(text, name="a.j2", constants=constants, varying=frozenset({"index"}), labels={})
    (one,) = template.render({"index": 7})
    return json.loads(one.body)


HEAD = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"


@pytest.mark.parametrize("name", ["to_json", "to_nice_json", "to_yaml", "to_nice_yaml"])
def test_data_as_text_are_the_data_where_nothing_is_quoted(name: str) -> None:
    text = HEAD + f'data: {{{{ data | {name} }}}}\ntext: "{{{{ data | {name} }}}}"\n'
    made = rendered(text, data=DATA)
    assert made["data"] == DATA
    assert made["text"] == str(FILTERS[name](DATA))
    assert isinstance(FILTERS[name](DATA), DataText)


def test_filters_take_what_varies_from_object_to_object() -> None:
    made = rendered(HEAD + "data: {key: \"{{ ('k-' ~ index) | b64encode }}\"}\n")
    assert made["data"] == {"key": "ay03"}


def test_a_filter_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(TemplateError, match=r"line 4: No filter named 'password_hash'\. .* of Ansible's b64decode, "):
        rendered(HEAD + "data: {{ index | password_hash }}\n")
