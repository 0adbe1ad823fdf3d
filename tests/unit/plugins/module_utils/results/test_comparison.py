"""Two summaries beside each other: figures, what was not measured, and what became of the nodes."""

from __future__ import annotations

from typing import Any

from ansible_collections.kubestress.core.plugins.module_utils.results.comparison import (
    compared,
    comparison_lines,
    fork_events,
    fork_failures,
)
from ansible_collections.kubestress.core.plugins.module_utils.results.table import BAD, GOOD, PLAIN, WIDTH


def summary(run_id: str, verdict: str, **changed: Any) -> dict[str, Any]:
    return {
        "run_id": run_id,
        "verdict": verdict,
        "started": "2026-01-15T10:00:00.000Z",
        "finished": "2026-01-15T10:01:06.000Z",
        "jobs": {"complete": 14, "failed": 0},
        "pods": {"succeeded": 14, "failed": 0, "causes": {}, "startup_p99_s": 2.9},
        "processes": {"per_build_pod": {"max": 72}},
        **changed,
    }


def node(name: str, peak: int | None, limit: int | None, *conditions: str) -> dict[str, Any]:
    periods = [{"type": kind, "status": "True"} for kind in conditions]
    return {"name": name, "threads_peak": peak, "max_threads": limit, "conditions": periods}


def warning(reason: str, count: int, forks: int = 0, kind: str = "Pod") -> dict[str, Any]:
    return {"reason": reason, "kind": kind, "count": count, "fork_failures": forks}


LIMITED = summary(
    "before",
    "failed",
    jobs={"complete": 3, "failed": 11},
    pods={"succeeded": 3, "failed": 22, "causes": {"Evicted": 5, "fork failed": 17}, "startup_p99_s": 41.2},
    nodes={"source": "kubelet", "nodes": [node("a", 900, 32768), node("b", 690, 700, "PIDPressure", "Ready")]},
    events={"total": 15, "warnings": [warning("FailedMount", 4, 3), warning("Evicted", 5), warning("Evicted", 6)]},
)
FIXED = summary(
    "after",
    "passed",
    nodes={"source": "kubelet", "nodes": [node("b", 1300, 4096)]},
    events={"total": 0, "warnings": []},
)


def rows(*summaries: dict[str, Any]) -> dict[str, list[str]]:
    return {what.strip(): values for what, values in compared(summaries)}


def test_what_happened_stands_beside_what_did_not() -> None:
    found = rows(LIMITED, FIXED)
    assert found["verdict"] == ["failed", "passed"]
    assert found["length"] == ["1 min 6 s", "1 min 6 s"]
    assert found["Jobs failed"] == ["11", "0"]
    assert found["fork failed"] == ["17", "0"]
    assert found["pod start-up p99"] == ["41.2 s", "2.9 s"]
    assert found["processes in a build pod, peak"] == ["72", "72"]
    assert [fork_failures(one) for one in (LIMITED, FIXED)] == [17, 0]
    assert [fork_events(one) for one in (LIMITED, FIXED)] == [3, 0]


def test_of_nodes_the_one_nearest_to_its_limit_is_told_and_all_that_was_not_well() -> None:
    found = rows(LIMITED, FIXED)
    assert found["processes and threads of a node, peak"] == ["690 of 700", "1,300 of 4,096"]
    assert found["node conditions"] == ["PIDPressure, not Ready", "none"]


def test_warnings_of_one_reason_are_added_up_and_the_most_frequent_come_first() -> None:
    labels = [what for what, _values in compared([LIMITED, FIXED])]
    assert labels[labels.index("Warnings") :] == [
        "Warnings",
        "  about failed forks",
        "  Evicted",
        "  FailedMount",
    ]
    found = compared([LIMITED, FIXED])[-4:]
    assert [values for _what, values in found] == [["15", "0"], ["3", "0"], ["11", "0"], ["4", "0"]]


def test_what_was_not_measured_is_no_nought() -> None:
    blind = summary(
        "blind",
        "aborted",
        jobs={"complete": None, "failed": None},
        pods={"succeeded": None, "failed": None, "causes": {}, "startup_p99_s": None},
        processes={"per_build_pod": {"max": None}},
        nodes={"source": "none", "nodes": [{"name": "a", "threads_peak": None, "conditions": None}]},
        events={"source": "none", "total": None, "warnings": []},
    )
    found = rows(blind, LIMITED)
    for what in (
        "Jobs complete",
        "pods failed",
        "fork failed",
        "pod start-up p99",
        "processes in a build pod, peak",
        "processes and threads of a node, peak",
        "node conditions",
        "Warnings",
        "about failed forks",
        "FailedMount",
    ):
        assert found[what][0] == "no data", what
    assert rows(summary("old", "passed"))["Warnings"] == ["no data"], "a summary from before there were observers"


def test_lines_are_columns_under_names() -> None:
    lines = comparison_lines(["limited", "fixed"], [LIMITED, FIXED])
    assert "before and after" in lines[0].text
    assert lines[1].text.split() == ["limited", "fixed"]
    assert lines[2].text.split() == ["verdict", "failed", "passed"]
    assert all(len(line.text) <= WIDTH for line in lines)
    tones = [comparison_lines(["x"] * len(runs), runs)[2].tone for runs in ([LIMITED, FIXED], [FIXED], [LIMITED])]
    assert tones == [PLAIN, GOOD, BAD]
