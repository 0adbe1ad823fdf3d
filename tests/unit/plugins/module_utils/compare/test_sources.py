"""What can be compared, by run id or path; and one line for what cannot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.compare.sources import (
    CompareError,
    Source,
    read_group,
    refuse_repeats,
)
from helpers.example_runs import run_document, summary, write_run


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    for name, failed in (("one", 0), ("two", 3)):
        document = summary(name, failed=failed)
        write_run(folder / name, document, run_document())
        write_run(folder / name / "attempts" / "1", document)
    gather = {"schema": 1, "path": "/x/g.tar", "hours": [], "totals": {}, "builds": {}, "from": "2025-04-19T21:00:00Z"}
    gather["first_failure"] = {"time": "2025-04-19T23:56:44Z"}
    (folder / "must-gather-april").mkdir()
    (folder / "must-gather-april" / "must-gather.json").write_text(json.dumps(gather))
    return folder


def read(results: Path, *names: str) -> list[Source]:
    return read_group("before", names, str(results))


def test_by_run_id_by_folder_by_file_and_by_attempt(results: Path) -> None:
    names = ("one", f"{results}/one", f"{results}/one/summary.json", f"{results}/one/attempts/1")
    found = read(results, *names)
    assert [source.name for source in found] == ["one", "one", "one", "one attempt 1"]
    assert len({source.path for source in found}) == 2
    assert found[0].document["run"]["settings"]["run_seed"] == 1
    assert found[0].timeline["load"]["bin_seconds"] == 1


def test_what_is_computed(results: Path) -> None:
    one, two = read(results, "one", "two")
    assert (one.document["derived"]["length_s"], one.document["derived"]["first_failure_s"]) == (66, None)
    assert two.document["derived"]["first_failure_s"] == 12


def test_a_gather(results: Path) -> None:
    (gather,) = read(results, "must-gather-april")
    assert (gather.name, gather.kind) == ("april", "must-gather")
    assert gather.document["derived"]["gather_first_failure_s"] == 2 * 3600 + 56 * 60 + 44


def test_only_the_summary_is_enough(results: Path) -> None:
    for name in ("run.json", "timeline.json"):
        (results / "one" / name).unlink()
    (one,) = read(results, "one")
    assert (one.document["run"], one.timeline) == ({}, {})


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("three", "before: 'three' is no results folder; neither three nor"),
        ("three", "runs in {results}: "),
        ("", "before: '' is no results folder"),
        ("two", "two/summary.json has schema 2; only schema 1 can be compared, which kubestress.core.report"),
        ("one", "one/summary.json has no jobs; it is not the summary.json of this collection"),
    ],
)
def test_what_cannot_be_compared_is_one_line(results: Path, name: str, told: str) -> None:
    (results / "one" / "summary.json").write_text(json.dumps({"schema": 1, "run_id": "one", "verdict": "passed"}))
    (results / "two" / "summary.json").write_text(json.dumps({"schema": 2}))
    with pytest.raises(CompareError) as error:
        read(results, name)
    assert told.format(results=results) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["summary.json", "run.json", "timeline.json"])
def test_a_broken_file_is_named(results: Path, name: str) -> None:
    (results / "one" / name).write_text("{")
    with pytest.raises(CompareError, match=rf"before: .*one/{name} is not valid JSON"):
        read(results, "one")


def test_no_run_at_all(results: Path) -> None:
    with pytest.raises(CompareError, match="before: the list is empty; name at least one"):
        read(results)


def test_a_folder_of_results_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CompareError, match=r"runs in .*none"):
        read(tmp_path / "nowhere", "one")


def test_a_run_counts_once(results: Path) -> None:
    groups: dict[str, Any] = {"before": read(results, "one"), "after": read(results, f"{results}/one")}
    with pytest.raises(CompareError, match="after: one is there in before too; compare different runs"):
        refuse_repeats(groups)
    with pytest.raises(CompareError, match="before: one is there twice"):
        refuse_repeats({"before": read(results, "one", "one")})
    refuse_repeats({"before": read(results, "one"), "after": read(results, "two", f"{results}/one/attempts/1")})
