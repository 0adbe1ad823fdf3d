"""Plain data as YAML, read back by PyYAML."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible_collections.kubestress.core.plugins.plugin_utils.plain_yaml import yaml_text
from helpers import example_storage


@pytest.mark.parametrize(
    "value",
    [
        {"a": 1, "b": 2.5, "c": None, "d": True, "e": "", "f": -3, "g": 1e30, "h": 10**30},
        {"list": [], "dict": {}, "nested": [[1, [2]], [], [{}], [{"a": {"b": [1]}}, {"c": []}]]},
        {"words": ["yes", "No", "on", "null", "~", "1", "1.5", "0x1f", "2026-11-22", "12:30:00", ".inf", "=", "<<"]},
        {"text": ["a: b", "- a", "# a", "a #b", "&a", "*a", "!a", "|", ">", "%a", "@a", "`a", " a ", "'", '"', "?"]},
        {"yes": 1, "1": 2, "a b": 3, "": 4, "a\nb": 5},
        {"signs": ["\U0001f600", "é", "\x7f", "\x85", "\u2028", "\ufeff", "\ufffe", "a\r\nb", "\x00", "\t"]},
    ],
)
def test_what_is_written_is_read(value: dict[str, Any]) -> None:
    assert yaml.safe_load(yaml_text(value)) == value


@pytest.mark.parametrize("made", [example_storage.busy, example_storage.hostile])
def test_document_of_a_scan(made: Any) -> None:
    document = made()
    text = yaml_text(document)
    assert text.startswith("---\nschema: 1\nkind: storage\n")
    assert yaml.safe_load(text) == document


def test_list_of_dictionaries_looks_as_people_write_it() -> None:
    assert yaml_text({"a": [{"b": 1, "c": ["d"]}, 2]}) == "---\na:\n  - b: 1\n    c:\n      - d\n  - 2\n"
