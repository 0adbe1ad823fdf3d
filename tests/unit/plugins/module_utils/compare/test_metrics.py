"""The table of metrics: every path leads somewhere in the schemas of the files that it is for."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.compare.figures import captures_of
from ansible_collections.kubestress.core.plugins.module_utils.compare.metrics import METRICS, Metric

DOCS = Path(__file__).resolve().parents[5] / "docs"
SCHEMAS = {
    "gather": json.loads((DOCS / "must-gather.schema.json").read_text()),
    "run": json.loads((DOCS / "summary.schema.json").read_text()),
}


#: Parts of summary.json that are compared where a run has them.
NOT_IN_EVERY_VERSION = {"network_operations"}


def leads_to(schema: dict[str, Any], root: dict[str, Any], path: list[str]) -> bool:
    """Tell whether the schema describes what the path names."""
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rpartition("/")[2]]
    if not path:
        return True
    step, rest = path[0], path[1:]
    options = [one for key in ("anyOf", "oneOf") for one in schema.get(key, ())]
    if any(leads_to(one, root, path) for one in options):
        return True
    key, bracket, fields = step.partition("[")
    entries = schema.get("properties") or {}
    found = None if key.startswith("{") else entries.get(key)
    found = found or schema.get("additionalProperties")
    if not isinstance(found, dict):
        return False
    if not bracket:
        return leads_to(found, root, rest)
    if "$ref" in found:
        found = root["$defs"][found["$ref"].rpartition("/")[2]]
    row = found.get("items") or found.get("additionalProperties")
    names = [name for name in fields.rstrip("]").split(",") if name]
    return isinstance(row, dict) and all(leads_to(row, root, [name]) for name in names) and leads_to(row, root, rest)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_path_is_in_the_schema(metric: Metric) -> None:
    schema = SCHEMAS["gather" if metric.name.startswith("gather_") else "run"]
    beside = [metric.path.rpartition(".")[0] + f".{name}" for name in (metric.per, metric.counted) if name]
    for path in (metric.path, *beside, *([metric.known] if metric.known else [])):
        if path.partition(".")[0] in NOT_IN_EVERY_VERSION - schema["properties"].keys():
            continue
        if not path.startswith("derived."):
            assert leads_to(schema, schema, path.split(".")), path


def test_names_are_unique_and_texts_have_what_the_path_captures() -> None:
    assert len({metric.name for metric in METRICS}) == len(METRICS)
    for metric in METRICS:
        captured = dict.fromkeys(captures_of(metric.path), "x")
        assert metric.what.format_map(captured)
        assert not any(sign in metric.name for sign in "[]=, "), "it must work as name=value"


def test_what_decides_has_a_direction() -> None:
    assert all(metric.better != "neither" for metric in METRICS if metric.weight != "context")


def test_failures_have_no_floor() -> None:
    assert all(metric.floor == 0 for metric in METRICS if metric.weight == "failures")


def test_the_guide_lists_them_as_they_are() -> None:
    units = {"": "", "s": " s", "ms": " ms", "%": " points"}
    decides = {"failures": "first", "times": "second", "context": "never"}
    listed = [
        line for line in (DOCS / "compare.md").read_text().splitlines() if re.match(r"\| `[a-z0-9_]+` \|.*%", line)
    ]
    assert listed == [
        f"| `{metric.name}` | {metric.what} | {metric.better} | {metric.tolerance_percent:g} % "
        f"| {f'{metric.floor:g}{units[metric.unit]}' if metric.floor else ''} | {decides[metric.weight]} "
        f"| {metric.least or ''} |"
        for metric in METRICS
    ]
