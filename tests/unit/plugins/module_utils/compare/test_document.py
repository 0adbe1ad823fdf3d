"""comparison.json: what the schema takes, which metrics made the verdict, and which tolerances are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.compare.document import document_of
from ansible_collections.kubestress.core.plugins.module_utils.compare.sources import CompareError, Source, read_group
from helpers.example_runs import run_document, summary, write_run
from jsonschema import Draft202012Validator, FormatChecker

SCHEMA = json.loads((Path(__file__).resolve().parents[5] / "docs" / "comparison.schema.json").read_text())


@pytest.fixture
def sides(tmp_path: Path) -> list[list[Source]]:
    write_run(tmp_path / "limited", summary("limited", failed=7), run_document())
    write_run(tmp_path / "fixed", summary("fixed"), run_document(processes=[{"name": "a", "pid_max": 4096}]))
    return [read_group("x", [name], str(tmp_path)) for name in ("limited", "fixed")]


def told(sides: list[list[Source]], **tolerances: Any) -> dict[str, Any]:
    document = document_of(sides[0], sides[1], tolerances)
    Draft202012Validator(SCHEMA, format_checker=FormatChecker()).validate(document)
    return document


def test_a_fix(sides: list[list[Source]]) -> None:
    document = told(sides)
    assert document["verdict"] == "improved"
    assert {"runs_not_passed", "jobs_failed", "pods_failed", "fork_failures"} <= set(document["reasons"])
    rows = {row["name"]: row for row in document["metrics"]}
    pods = rows["pods_failed"]
    assert (pods["before"], pods["after"], pods["difference_percent"]) == ([7], [0], -100)
    assert (pods["beyond_spread"], pods["p"], pods["tolerance_percent"]) == (None, None, 50)
    assert (rows["first_failure"]["before"], rows["first_failure"]["verdict"]) == ([12], "not comparable")
    assert "nodes differ: pid_max 700 → 4096" in document["warnings"]
    assert [one["name"] for one in (*document["before"], *document["after"])] == ["limited", "fixed"]


def test_the_other_way_round(sides: list[list[Source]]) -> None:
    document = told(sides[::-1])
    assert document["verdict"] == "regressed"
    assert document["reasons"][0] == "runs_not_passed", "key metrics come first"


def test_nothing_that_can_be_compared(tmp_path: Path) -> None:
    for name, part in (("one", "jobs"), ("two", "pods")):
        bare = {"schema": 1, "run_id": name, "verdict": "", "jobs": {}, "pods": {}, part: {"failed": 0}}
        write_run(tmp_path / name, bare)
    document = told([read_group("x", [name], str(tmp_path)) for name in ("one", "two")])
    assert document["verdict"] == "not comparable"
    assert set(document["reasons"]) >= {"jobs_failed", "pods_failed"}


@pytest.mark.parametrize(
    ("tolerances", "message"),
    [
        ({"pods_faild": 5}, "these runs have no metric 'pods_faild'; did you mean pods_failed"),
        ({"request_p99[create Pod]": 5}, "no metric 'request_p99[create Pod]'; did you mean request_p99[create Job]"),
        ({"xyzzy": 5}, "no metric 'xyzzy'; allowed are runs_not_passed, "),
        ({"pods_failed": "many"}, "pods_failed: 'many' is not allowed; percent, 0 to 10,000"),
        ({"pods_failed": -1}, "pods_failed: -1 is not allowed"),
        ({"pods_failed": True}, "pods_failed: True is not allowed"),
        ({"pods_failed": "nan"}, "pods_failed: 'nan' is not allowed"),
        ({"pods_failed": None}, "pods_failed: None is not allowed"),
    ],
)
def test_tolerances_that_are_refused(sides: list[list[Source]], tolerances: dict[str, Any], message: str) -> None:
    with pytest.raises(CompareError) as error:
        document_of(sides[0], sides[1], tolerances)
    assert message in str(error.value)
    assert str(error.value).startswith("tolerances (compare_tolerances): ")


def test_tolerances_as_text(sides: list[list[Source]]) -> None:
    document = told(sides, **{"request_p99[create Job]": "7.5", "pods_failed": "10"})
    found = {row["name"]: row["tolerance_percent"] for row in document["metrics"]}
    assert (found["request_p99[create Job]"], found["pods_failed"]) == (7.5, 10)
