"""The end-of-run table: what it says, how wide it is, and how it ends."""

from __future__ import annotations

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.results.rendering import report_lines, seconds_between
from ansible_collections.kubestress.core.plugins.module_utils.results.summary import build_summary
from ansible_collections.kubestress.core.plugins.module_utils.results.table import (
    BAD,
    GOOD,
    WIDTH,
    columns,
    shortened,
    wrapped,
)
from helpers.example_batches import RUN, batch, counts

PATH = "/home/me/kubestress-results/r1/summary.json"


def lines_of(*batches, notes=(), **more):
    summary = build_summary({**RUN, **more}, batches, stopped=[], error="")
    return report_lines(summary, path=PATH, notes=notes)


def test_it_ends_with_verdict_counts_and_path():
    lines = lines_of(batch())
    assert [line.text for line in lines[-3:]] == [
        "  verdict   PASSED after 1 min 2 s",
        "  counts    objects: 34 requested, 34 created, 0 unchanged, 0 failed; Jobs: 4 complete",
        f"  results   {PATH}",
    ]
    assert lines[-3].tone == GOOD


def test_it_says_what_was_measured():
    text = "\n".join(line.text for line in lines_of(batch(), notes=["nodes are simulated"]))
    assert text.startswith("── run r1, attempt 1, profile safe ──")
    for part in (
        "objects     requested  created  unchanged  failed  ready",
        "Deployment         30       30          0       0     30",
        "create Deployment     30 ",
        "create Job             4 ",
        "rate      17.0 objects/s; 50 of at most 50 requests in flight; retries: 2 x 429",
        "Jobs      4 complete, 0 failed; 6 Job pods active at once, ceiling 6",
        "pods      8 succeeded, 0 failed; start-up p50 1.00 s, p99 2.00 s",
        "phases    deployments 2 s, build_jobs 58 s",
        "note: nodes are simulated",
    ):
        assert part in text


def test_namespaces_show_up_where_something_failed_worst_first():
    pods = [{"name": f"build-{number}", "reason": "OOMKilled"} for number in range(5)]
    rows = [
        {"name": "n-1", "jobs_complete": 2, "jobs_failed": 0, "pods_succeeded": 4, "pods_failed": 0, "failed_pods": []},
        {"name": "n-2", "jobs_complete": 2, "jobs_failed": 0, "pods_succeeded": 4, "pods_failed": 1, "failed_pods": []},
        {
            "name": "n-3",
            "jobs_complete": 1,
            "jobs_failed": 1,
            "pods_succeeded": 2,
            "pods_failed": 5,
            "failed_pods": pods,
        },
    ]
    text = "\n".join(line.text for line in lines_of(batch(namespaces=rows)))
    assert "n-1" not in text
    assert text.index("n-3 ") < text.index("build-0: OOMKilled") < text.index("and 2 more, all in") < text.index("n-2 ")


def test_many_failing_namespaces_stay_a_short_table():
    rows = [
        {"name": f"n-{number}", "jobs_complete": 0, "jobs_failed": 1, "pods_succeeded": 0, "pods_failed": 3}
        | {"failed_pods": []}
        for number in range(1000)
    ]
    lines = lines_of(batch(namespaces=rows))
    assert len(lines) < 40
    assert any(line.text == "  and 990 more namespaces with failures" for line in lines)


def test_failures_are_red_and_reasons_stand_before_the_verdict():
    entry = {"kind": "Deployment", "namespace": "n-1", "name": "web-1", "cause": "x " * 100}
    lines = lines_of(batch(objects={"Deployment": counts(30, ready=29)}, jobs={}, not_ready=[entry]))
    tones = {line.text.strip(): line.tone for line in lines}
    assert tones["Deployment: 1 of 30 not ready"] == BAD
    starts = [line.text[:14] for line in lines]
    assert starts.index("  Deployment: ") < starts.index("  verdict   FA")


def test_no_line_is_too_wide_whatever_the_names():
    name = "a" * 63
    rows = [
        {"name": name, "jobs_complete": 10**9, "jobs_failed": 10**9, "pods_succeeded": 10**9, "pods_failed": 10**9}
        | {"failed_pods": [{"name": name, "reason": "r" * 300}]}
    ]
    huge = batch(
        objects={"VeryLongKindNameThatSomebodyCalledACustomResource" * 2: counts(10**9)},
        namespaces=rows,
        not_ready=[{"kind": "Job", "namespace": name, "name": name, "cause": "because " * 50}],
        phases=[{"role": f"role_number_{number}", "seconds": 1.0} for number in range(30)],
    )
    for line in lines_of(huge, run_id="r" * 63, profile="p" * 60):
        assert len(line.text) <= WIDTH
        assert "\n" not in line.text


def test_what_was_not_measured_is_a_dash_or_is_left_out():
    text = "\n".join(line.text for line in lines_of(batch(objects={"Secret": counts(1, ready=None)}, rate={}, pods={})))
    assert "Secret           1        1          0       0      -" in text
    assert "rate" not in text
    assert "pods  " not in text


@pytest.mark.parametrize(
    ("started", "finished", "seconds"),
    [
        ("2026-01-01T00:00:00Z", "2026-01-01T00:01:00.5Z", 60.5),
        ("2026-01-01T00:00:00+00:00", "2026-01-01T01:00:00+01:00", 0),
        (None, "2026-01-01T00:01:00Z", None),
        ("yesterday", "2026-01-01T00:01:00Z", None),
    ],
)
def test_lengths_between_times(started, finished, seconds):
    assert seconds_between(started, finished) == seconds


def test_columns_wrapping_and_cutting():
    assert columns([("a", "1"), ("bb", "22")], align="lr") == ["  a    1", "  bb  22"]
    assert columns([], align="lr") == []
    assert wrapped("one two", indent=2) == ["  one two"]
    assert shortened("abcdef", 4) == "abc…"
