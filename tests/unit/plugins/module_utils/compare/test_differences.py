"""What else differs: settings, cluster, nodes and trust, in lines; names of objects are no difference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.compare.differences import warnings_of
from ansible_collections.kubestress.core.plugins.module_utils.compare.judging import compared, overall
from ansible_collections.kubestress.core.plugins.module_utils.compare.sources import GATHER, RUN, Source
from helpers.example_runs import NODES, run_document, summary


def run(name: str, *, run_json: dict[str, Any] | None = None, **changed: Any) -> Source:
    document = {**summary(name, **changed), "run": run_document() if run_json is None else run_json, "derived": {}}
    return Source(name=name, kind=RUN, path=Path(name), document=document, timeline={})


def later(name: str, **changed: Any) -> Source:
    times = {"started": "2026-01-16T10:00:00.000Z", "finished": "2026-01-16T10:01:00.000Z"}
    return run(name, **{**times, **changed})


def told(before: list[Source], after: list[Source]) -> list[str]:
    rows = compared([one.document for one in before], [one.document for one in after], {})
    return warnings_of(before, after, rows, overall(rows))


def test_equal_runs_have_but_their_number_against_them() -> None:
    (line,) = told([run("a")], [later("b", run_json=run_document(namespaces_prefix="b", observe_enabled=False))])
    assert line.startswith("one run a side: how much equal runs differ is not known")


@pytest.mark.parametrize(("each", "told_of"), [(2, "2 against 2 runs"), (4, "smallest p 0.03"), (5, None)])
def test_how_many_runs_a_test_needs(each: int, told_of: str | None) -> None:
    days = [f"2026-01-{day:02}T10:00:00.000Z" for day in range(1, 2 * each + 1)]
    sources = [run(day, started=day, finished=day) for day in days]
    lines = told(sources[:each], sources[each:])
    assert lines == [] if told_of is None else told_of in lines[0]


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"build_jobs_parallelism": 5}, "settings differ: build_jobs_parallelism 3 → 5"),
        ({"version": "v1.37.0"}, "cluster differ: version v1.36.3 → v1.37.0"),
        ({"processes": [{"name": "a", "pid_max": 4096}]}, "nodes differ: pid_max 700 → 4096"),
        ({"nodes": {**NODES, "total": 3}}, "nodes differ: total 1 → 3"),
        (
            {"nodes": {**NODES, "kinds": [{"kubeletVersion": "kwok", "simulated": True}]}},
            "nodes differ: kubeletVersion v1.36.3 → kwok, simulated False → True",
        ),
    ],
)
def test_what_differs_is_named_with_its_values(changed: dict[str, Any], line: str) -> None:
    assert line in told([run("a")], [later("b", run_json=run_document(**changed))])


def test_a_group_that_differs_in_itself() -> None:
    uneven = [run("a", finished="2026-01-15T10:00:30Z"), later("b", run_json=run_document(run_seed=7))]
    lines = told(uneven, [run("c", started="2026-01-17T10:00:00Z", finished="2026-01-17T10:00:30Z")])
    assert "settings differ within before: run_seed; its spread is then no chance alone" in lines


def test_without_run_json_the_hash_tells() -> None:
    lines = told([run("a")], [later("b", run_json={}, settings_hash="def")])
    assert "the settings differ, by their hash; in what is not known, because b has no run.json" in lines
    assert not any("hash" in line for line in told([run("a")], [later("b", run_json={})]))


def test_figures_that_deserve_little_trust() -> None:
    poor = {"trust": "poor", "statements": [{"about": "length", "state": "poor", "text": "The load took 1 s."}]}
    lines = told([run("a", verdict="aborted", reasons=["killed"])], [later("b", validity=poor)])
    assert "a was aborted, so its figures are of a part: killed" in lines
    assert "b: poor trust in its figures: The load took 1 s." in lines


def test_runs_at_the_same_time() -> None:
    assert "a and b ran at the same time, and may have disturbed each other" in told([run("a")], [run("b")])


def test_a_failure_that_only_some_runs_after_have() -> None:
    causes = {"failed": 1, "causes": {"OOMKilled": 1}}
    after = [later("b"), later("c", failed=1, pods=causes), later("d")]
    lines = told([run("a"), run("e"), run("f")], after)
    assert "only after: pods failed by OOMKilled, in 1 of 3 runs" in lines


def test_slower_with_less_that_failed() -> None:
    lines = told([run("a", failed=9, start_seconds=2)], [later("b", start_seconds=30)])
    (line,) = [one for one in lines if one.startswith("less failed, and yet larger")]
    assert "pod start-up p99, all pods" in line


def gather(name: str, hours: int) -> Source:
    return Source(name=name, kind=GATHER, path=Path(name), document={"derived": {}, "hours": [{}] * hours}, timeline={})


def test_a_run_against_a_gather() -> None:
    assert told([run("a")], [gather("g", 3)])[0].startswith("before is run, after is must-gather;")


def test_gathers_of_different_lengths() -> None:
    line = "the must-gathers cover 3 → 5 hours of the clock, and what they count grows with that"
    assert line in told([gather("a", 3)], [gather("b", 5)])
    assert line not in told([gather("a", 3)], [gather("b", 3)])
