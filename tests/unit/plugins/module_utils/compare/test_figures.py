"""What paths find in documents: entries, rows, sums, shares; and that what was not measured is no 0."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.compare.figures import (
    Figure,
    captures_of,
    figures_of,
    missing,
)
from ansible_collections.kubestress.core.plugins.module_utils.compare.metrics import Metric

DOCUMENT: dict[str, Any] = {
    "verdict": "failed",
    "pods": {"failed": 3, "causes": {"Evicted": 2, "fork failed": 1}},
    "objects": {"Pod": {"failed": 1}, "Job": {"failed": 2}, "Secret": {"failed": None}},
    "requests": {"create": {"Pod": {"p99_ms": 8.5, "count": 120}, "Job": {"p99_ms": 90, "count": 4}}},
    "sli": [{"verb": "PUT", "resource": "pods", "p99_s": 0.1}, {"verb": "GET", "resource": "pods", "p99_s": 0.2}],
    "nodes": {
        "seen": 2,
        "nodes": [
            {"threads": 900, "limit": 1000, "conditions": [{"type": "PIDPressure"}, {"type": "Ready"}]},
            {"threads": 1500, "limit": 4000, "conditions": []},
            {"threads": None, "limit": None, "conditions": None},
        ],
    },
    "events": {"total": None, "warnings": []},
    "flag": True,
}


def found(path: str, **given: Any) -> dict[str, float | None]:
    figures = figures_of(DOCUMENT, [Metric(name="m", what="m", path=path, **given)])
    return {name: figure.value for name, figure in figures.items()}


@pytest.mark.parametrize(
    ("path", "given", "values"),
    [
        ("pods.failed", {}, {"m": 3}),
        ("pods.causes.fork failed", {}, {"m": 1}),
        ("pods.causes.{cause}", {}, {"m[Evicted]": 2, "m[fork failed]": 1}),
        ("pods.causes.{cause}", {"without": ("fork failed",)}, {"m[Evicted]": 2}),
        ("objects[].failed", {}, {"m": 3}),
        ("requests.{verb}.{kind}.p99_ms", {}, {"m[create Pod]": 8.5, "m[create Job]": 90}),
        ("sli[verb,resource].p99_s", {}, {"m[PUT pods]": 0.1, "m[GET pods]": 0.2}),
        ("nodes.nodes[].threads", {"together": "max"}, {"m": 1500}),
        ("nodes.nodes[].threads", {"together": "max", "per": "limit", "unit": "%"}, {"m": 90}),
        ("nodes.nodes[].conditions[]", {"together": "count"}, {"m": 2}),
        ("verdict", {"codes": {"passed": 0.0, "failed": 1.0}}, {"m": 1}),
        # Looked for and not found is 0; not looked for is no figure.
        ("pods.causes.OOMKilled", {"known": "pods.failed"}, {"m": 0}),
        ("pods.causes.OOMKilled", {}, {}),
        ("events.warnings[].count", {"known": "events.total"}, {}),
        ("nothing.{x}.at[y].all", {}, {}),
        ("flag", {}, {}),
    ],
)
def test_what_a_path_finds(path: str, given: dict[str, Any], values: dict[str, float]) -> None:
    assert found(path, **given) == values


def test_captured_parts_and_the_text_for_people() -> None:
    path = "requests.{verb}.{kind}.p99_ms"
    assert captures_of(path) == ["verb", "kind"]
    assert captures_of("sli[verb,resource].p99_s") == ["verb", "resource"]
    figures = figures_of(DOCUMENT, [Metric(name="m", what="{kind}: {verb}", path=path)])
    assert [figure.what for figure in figures.values()] == ["Job: create", "Pod: create"]


def test_few_observations_are_told() -> None:
    metric = Metric(name="m", what="m", path="requests.{verb}.{kind}.p99_ms", counted="count", least=100)
    few = {name: figure.too_few for name, figure in figures_of(DOCUMENT, [metric]).items()}
    assert few == {"m[create Pod]": False, "m[create Job]": True}


def test_a_figure_that_only_other_runs_have() -> None:
    evicted = Figure(metric=Metric(name="m", what="m", path="a.{x}", known="pods.failed"), captured=("b",), value=5.0)
    assert missing(evicted, DOCUMENT).value == 0
    assert missing(evicted, {"pods": {"failed": None}}).value is None


def test_a_path_with_a_mistake_is_refused() -> None:
    with pytest.raises(ValueError, match="is no step of a path"):
        captures_of("a.b[c")
