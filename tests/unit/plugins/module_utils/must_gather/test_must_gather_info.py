"""The whole analysis of made gathers: the outage of record, another in other forms, and what is no gather."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.errors import ModuleFailed
from ansible_collections.kubestress.core.plugins.module_utils.must_gather.must_gather_info import run_module
from helpers import gather_maker as maker
from jsonschema import Draft202012Validator, FormatChecker

CHECKOUT = Path(__file__).resolve().parents[5]
SCHEMA = json.loads((CHECKOUT / "docs" / "must-gather.schema.json").read_text())
CURRENT = maker.MULTUS.format("aaaaa", "current")


def told(path: Path | str, **given: Any) -> dict[str, Any]:
    """Return the document, which the shipped schema takes."""
    params = {"path": str(path), "window": 7200, "compare": "", "rules_file": "", **given}
    document = run_module(params)["gather"]
    Draft202012Validator(SCHEMA, format_checker=FormatChecker()).validate(document)
    return document


def both(document: dict[str, Any], source: str) -> dict[str, int]:
    """Return ADD and DEL together by hour."""
    return {
        row["start"][11:13]: row["sources"][source]["add"] + row["sources"][source]["del"]
        for row in document["hours"]
        if source in row["sources"]
    }


@pytest.fixture(scope="module")
def outage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return maker.write(tmp_path_factory.mktemp("gather") / "outage", maker.outage_files())


@pytest.fixture(scope="module")
def document(outage: Path) -> dict[str, Any]:
    return told(outage)


def test_operations_of_the_outage_by_hour(document: dict[str, Any]) -> None:
    assert both(document, "multus") == {"21": 722, "22": 1198, "23": 5505}
    assert both(document, "ovnkube") == {"21": 300, "22": 500, "23": 2000}


def test_growth_on_the_hour_before_and_on_the_first(document: dict[str, Any]) -> None:
    rows = document["growth"]["multus"]
    assert [row["on_previous_percent"] for row in rows] == [None, 65.9, 359.5]
    assert [row["on_first_percent"] for row in rows] == [None, 65.9, 662.5]


def test_minutes_add_up_to_the_hours(document: dict[str, Any]) -> None:
    total = 0
    for row in document["minutes"]:
        assert row["start"].endswith(":00Z")
        total += sum(row["sources"].get("multus", {}).get(verb, 0) for verb in ("add", "del"))
    assert total == sum(maker.OUTAGE.values())


def test_first_failure(document: dict[str, Any]) -> None:
    first = document["first_failure"]
    assert first["time"] == "2025-04-19T23:56:44Z"
    assert (first["kind"], first["source"], first["node"]) == ("fork failed", "kubelet", "worker-1")
    assert "resource temporarily unavailable" in first["text"]


def test_window_is_counted_apart_from_the_hours(document: dict[str, Any]) -> None:
    window = document["window"]
    assert (window["from"], window["to"]) == ("2025-04-19T21:56:44Z", "2025-04-19T23:56:44Z")
    counts = window["sources"]["multus"]
    begin, end = (maker.datetime.fromisoformat(window[name]) for name in ("from", "to"))
    within = [
        when
        for when, _verb, _cid, _number in maker.operations(maker.OUTAGE, maker.DAY, source="multus")
        if begin <= when <= end
    ]
    assert counts["add"] + counts["del"] == len(within)
    assert window["errors"]["fork failed"] == 1


def test_errors_of_several_sources_are_not_added_up(document: dict[str, Any]) -> None:
    assert document["totals"]["errors_by_source"]["fork failed"] == {"events": 3, "kubelet": 7, "pods": 1}
    assert document["totals"]["errors"]["fork failed"] == 7
    assert document["totals"]["errors"]["annotation timeout"] == 1


def test_builds(document: dict[str, Any]) -> None:
    builds = document["builds"]
    assert builds["created"] == maker.BUILDS + 1 > 20
    assert (builds["started"], builds["finished"], builds["failed"]) == (25, 25, 1)
    assert builds["first"] == "2025-04-19T22:09:44Z"
    assert builds["causes"] == {"fork failed": 1}
    assert builds["intervals_s"]["median"] == 70
    assert builds["by_namespace"]["integration"]["created"] == 25
    assert [row["builds_started"] for row in document["hours"]] == [0, 24, 1]


def test_processes_where_they_are_logged(document: dict[str, Any]) -> None:
    assert document["processes"] == {
        "samples": 1, "max": 30_000, "max_at": "2025-04-19T23:50:00Z", "capacity": 32_768,
    }  # fmt: skip


def test_reference(document: dict[str, Any]) -> None:
    rows = {row["what"]: row for row in document["reference"]}
    assert rows["multus: steepest rise, %"]["verdict"] == "the same"
    assert rows["first build to failure, min"]["here"] == 107
    assert rows["builds"]["verdict"] == "as many"


def test_a_year_that_logs_do_not_have_is_said(document: dict[str, Any]) -> None:
    assert any("without a year" in line and "newest dated object" in line for line in document["warnings"])


def test_lines_that_no_rule_reads_are_counted(document: dict[str, Any]) -> None:
    lines = maker.outage_files()[CURRENT].count(b"\n")
    assert document["read"][CURRENT] + document["unread"][CURRENT] == lines
    assert document["unread"][CURRENT] == maker.outage_files()[CURRENT].count(b"[debug]")
    assert document["unread"]["version"] == 2


@pytest.mark.parametrize(("number", "verb"), [(0, "add"), (3, "del")])
def test_a_line_less_is_an_operation_less(tmp_path: Path, number: int, verb: str) -> None:
    """Every third request has one line; the last hour's are all in the newer file."""
    files = maker.outage_files()
    gone = maker.container("multus", 23, 3000 + number).encode()
    lines = files[CURRENT].splitlines(keepends=True)
    kept = [line for line in lines if gone not in line]
    assert len(kept) == len(lines) - 1
    before = told(maker.write(tmp_path / "whole", files))["hours"][-1]["sources"]["multus"]
    files[CURRENT] = b"".join(kept)
    after = told(maker.write(tmp_path / "less", files))["hours"][-1]["sources"]["multus"]
    assert after == {**before, verb: before[verb] - 1}


def test_a_failure_less_is_a_failure_less_and_the_next_is_the_first(tmp_path: Path) -> None:
    files = maker.outage_files()
    name = "nodes/worker-1/worker-1_logs_kubelet.gz"
    lines = [line for line in maker.gzip.decompress(files[name]).splitlines() if b"23:56:44" not in line]
    files[name] = maker.gzip.compress(b"\n".join(lines) + b"\n")
    document = told(maker.write(tmp_path / "gather", files))
    assert document["totals"]["errors_by_source"]["fork failed"]["kubelet"] == 6
    assert document["first_failure"]["time"] == "2025-04-19T23:56:47Z"


def test_without_a_failure_none_is_guessed(tmp_path: Path) -> None:
    files = {CURRENT: maker.outage_files()[CURRENT]}
    document = told(maker.write(tmp_path / "gather", files))
    assert document["first_failure"] is document["window"] is None
    assert document["processes"] is None


def test_a_gather_without_a_line_of_interest_is_one(tmp_path: Path) -> None:
    files = {"quay-io/namespaces/ns/pods/p/c/c/logs/current.log": b"nothing\n"}
    document = told(maker.archive(tmp_path / "quiet.tar", files))
    assert (document["hours"], document["first_failure"]) == ([], None)
    assert sum(document["unread"].values()) == 1


def test_another_gather_in_other_forms(tmp_path: Path) -> None:
    """Another zone, CRI-O without a year over New Year, the embedded node's log, JSON, in tar.xz, one folder down."""
    document = told(maker.archive(tmp_path / "later.tar.xz", maker.later_files()), window=3600)
    assert both(document, "containerd") == {"22": 40, "23": 60, "00": 90}
    assert both(document, "crio") == {"22": 10, "00": 31}
    assert both(document, "embedded node") == {"23": 14}
    assert document["totals"]["sources"]["embedded node"]["failed"] == 12
    assert [row["start"][:13] for row in document["hours"]] == ["2025-12-31T22", "2025-12-31T23", "2026-01-01T00"]
    first = document["first_failure"]
    assert (first["time"], first["source"], first["node"]) == ("2026-01-01T00:05:00Z", "crio", "worker-2")
    assert document["window"]["from"] == "2025-12-31T23:05:00Z"
    assert document["builds"]["created"] == 3
    assert any("+02:00" in line for line in document["warnings"])


def test_beside_another_gather(outage: Path, tmp_path: Path) -> None:
    document = told(outage, compare=str(maker.archive(tmp_path / "later.tar", maker.later_files())))
    rows = {row["what"]: row for row in document["comparison"]["rows"]}
    assert rows["builds: created"] == {
        "what": "builds: created", "here": 25, "there": 3, "difference_percent": 733.3,
    }  # fmt: skip
    # A source that the other one has not is no data; an error that it has not did not happen.
    assert rows["multus: ADD"]["there"] is None
    assert rows["errors: sandbox failed"]["there"] == 0
    assert document["comparison"]["first_failure"]["time"] == "2026-01-01T00:05:00Z"


@pytest.mark.parametrize("name", ["outage.tar", "outage.tar.gz", "outage.tar.xz"])
def test_an_archive_tells_what_the_folder_does(tmp_path: Path, document: dict[str, Any], name: str) -> None:
    archived = told(maker.archive(tmp_path / name, maker.outage_files()))
    for key in ("hours", "first_failure", "builds", "read", "unread"):
        assert archived[key] == document[key], key


def test_rules_of_the_user(tmp_path: Path) -> None:
    log = tmp_path / "plug-in.log"
    log.write_text(
        "2025-04-19T22:00:01Z cni: ADD abcdef01 ok\n2025-04-19T22:00:01Z cni: add abcdef02 bad\n"
        "2025-04-19T22:00:02Z quota exhausted: pods\n"
    )
    rules = tmp_path / "rules.yml"
    rules.write_text(
        "- {name: cni, gives: operation, source: mine, words: ['cni: '], pattern: '(?P<verb>ADD|add) (?P<id>\\w+) "
        "(ok|(?P<failed>bad))'}\n- {name: quota, gives: error, kind: quota, words: quota, pattern: 'quota exhausted'}\n"
    )
    with pytest.raises(ModuleFailed, match="no rule reads any line"):
        told(log)
    document = told(log, rules_file=str(rules))
    assert document["totals"]["errors"] == {"quota": 1}
    assert document["totals"]["sources"] == {"mine": {"add": 2, "del": 0, "failed": 1}}


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"window": -1}, "window: -1 is not allowed; it must be 1 to 604,800"),
        ({"window": 0}, "window: 0 is not allowed"),
        ({"path": "{tmp}/none"}, r"path \(must_gather_path\): cannot read .*none: No such file"),
        (
            {"path": "{tmp}/empty"},
            r"path \(must_gather_path\): .*empty is no gather: neither it nor a folder in it has",
        ),
        (
            {"path": "{tmp}/picture.png"},
            r"path \(must_gather_path\): .*picture.png is no gather: no rule reads any line of it",
        ),
        ({"path": "{tmp}/notes.txt"}, r"path \(must_gather_path\): .*notes.txt is no gather"),
        ({"path": "{tmp}/pipe"}, r"path \(must_gather_path\): .*pipe is neither a folder nor a file"),
        ({"path": "{tmp}/x.tar.zst"}, "zstd needs Python 3.14 or newer; unpack it with: zstd -d FILE"),
        ({"compare": "{tmp}/none"}, r"compare \(must_gather_compare\): cannot read"),
        ({"rules_file": "{tmp}/none"}, r"rules_file \(must_gather_rules\): cannot read"),
        ({"rules_file": "{tmp}/picture.png"}, r"rules_file \(must_gather_rules\): .* is not YAML"),
        (
            {"rules_file": "{tmp}/notes.txt"},
            r"rules_file \(must_gather_rules\): a list of rules is needed, and this is str",
        ),
    ],
)
def test_bad_input_is_one_line(outage: Path, tmp_path: Path, given: dict[str, Any], wanted: str) -> None:
    (tmp_path / "empty" / "folder").mkdir(parents=True)
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00fork")
    (tmp_path / "notes.txt").write_text("nothing of interest\n")
    (tmp_path / "x.tar.zst").write_bytes(b"\x28\xb5\x2f\xfd\x00\x00\x00")
    os.mkfifo(tmp_path / "pipe")
    filled = {key: value.format(tmp=tmp_path) if isinstance(value, str) else value for key, value in given.items()}
    if "zstd" in wanted and maker.has_zstd():
        pytest.skip("this Python reads zstd")
    with pytest.raises(ModuleFailed, match=wanted) as failed:
        told(filled.pop("path", outage), **filled)
    assert "\n" not in str(failed.value)
    assert re.match(r"\w+( \(\w+\))?: ", str(failed.value))
