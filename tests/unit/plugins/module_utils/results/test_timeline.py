"""timeline.json: batches and observers on one axis, with what happened written beside it."""

from __future__ import annotations

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.results.evidence import Evidence
from ansible_collections.kubestress.core.plugins.module_utils.results.merge_observations import apart
from ansible_collections.kubestress.core.plugins.module_utils.results.timeline import (
    MAX_BINS,
    MAX_MARKS,
    build_timeline,
)
from helpers.example_batches import RUN, batch, failure, timeline
from helpers.example_observations import api_server, node, nodes, observation

STARTED = "2026-11-21T04:00:02.000Z"


def axis_of(*batches, observations=()):
    return build_timeline(Evidence(run=RUN, batches=[*batches], observations=[*observations]))


def marks(document, kind):
    return [(mark["t"], mark["text"]) for mark in document["marks"] if mark["kind"] == kind]


def test_the_axis_begins_with_whatever_was_first():
    document = axis_of(batch(), observations=[observation()])
    assert list(document) == [
        "schema", "run_id", "attempt", "started", "phases", "marks", "load", "api_server", "nodes",
        "network_operations",
    ]  # fmt: skip
    assert document["started"] == "2026-11-21T04:00:01.500Z"
    assert document["phases"] == [
        {"role": "deployments", "start_s": 1.1, "end_s": 3.1},
        {"role": "build_jobs", "start_s": 1.2, "end_s": 59.2},
    ]
    assert document["load"]["bin_seconds"] == 1
    assert {len(values) for values in document["load"]["series"].values()} == {61}
    assert sum(value or 0 for value in document["load"]["series"]["requests"]) == 600
    assert document["api_server"]["t"] == [0.0, 15.0, 30.0]
    assert document["api_server"]["cpu_share"] == [None, 0.5, 0.9]
    assert document["nodes"][0]["limits"] == {"max_threads": 32768, "pod_pids_limit": 1024}
    assert document["nodes"][0]["threads"] == [800, 900]


def test_nothing_measured_is_an_axis_without_lines():
    document = axis_of()
    assert (document["load"], document["api_server"], document["nodes"], document["phases"]) == (None, None, [], [])
    assert document["started"] == RUN["started"]
    assert axis_of(batch(timeline=None))["load"] is None


def test_batches_one_after_the_other_leave_the_gap_between_them_empty():
    later = batch(started="2026-11-21T04:02:00.000Z", timeline=timeline(10, started="2026-11-21T04:02:00.000Z"))
    series = axis_of(batch(timeline=timeline(20)), later)["load"]["series"]
    assert len(series["requests"]) == 128
    assert series["requests"][:20] == [10] * 20
    assert series["requests"][20:118] == [None] * 98
    assert series["pods_running"][118:] == list(range(10))


def test_batches_at_the_same_time_add_up_and_peaks_are_the_larger():
    busy = timeline(5)
    busy["series"]["in_flight"] = [40] * 5
    series = axis_of(batch(timeline=timeline(5)), batch(timeline=busy))["load"]["series"]
    assert (series["requests"], series["in_flight"], series["latency_p99_ms"]) == ([20] * 5, [40] * 5, [9.0] * 5)


def test_bins_of_unlike_length_become_those_of_the_longer():
    coarse = timeline(10, started="2026-11-21T04:00:12.000Z", bin_seconds=4)
    load = axis_of(batch(timeline=timeline(8)), batch(timeline=coarse))["load"]
    assert load["bin_seconds"] == 4
    assert load["series"]["requests"][:2] == [40, 40]
    assert sum(value or 0 for value in load["series"]["requests"]) == 8 * 10 + 10 * 10


def test_a_day_of_batches_stays_bounded():
    batches = [
        batch(timeline=timeline(1000, started=f"2026-11-21T{hour:02}:00:00.000Z", bin_seconds=2))
        for hour in range(4, 24)
    ]
    load = axis_of(*batches)["load"]
    assert load["bin_seconds"] == 64
    assert {len(values) for values in load["series"].values()} == {len(load["series"]["requests"])}
    assert len(load["series"]["requests"]) <= MAX_BINS
    assert sum(value or 0 for value in load["series"]["requests"]) == 20 * 1000 * 10


def test_observers_one_after_the_other_have_a_gap_and_one_beside_them_adds_nothing():
    later = observation(started="2026-11-21T04:02:01.500Z", finished="2026-11-21T04:03:00.000Z")
    document = axis_of(observations=[observation(), later])
    assert document["api_server"]["t"] == [0.0, 15.0, 30.0, 75.0, 120.0, 135.0, 150.0]
    assert document["api_server"]["cpu_share"][3] is None
    assert document["nodes"][0]["t"] == [5.0, 10.0, 67.5, 125.0, 130.0]
    around = observation(started="2026-11-21T04:00:00.000Z", finished="2026-11-21T05:00:00.000Z")
    assert axis_of(observations=[around, observation(), later])["api_server"]["t"] == [0.0, 15.0, 30.0]


@pytest.mark.parametrize(
    ("spans", "chosen"),
    [
        ([(0, 10), (10, 20)], [0, 1]),
        ([(0, 10), (5, 30), (40, 50)], [1, 2]),
        ([(0, 10), (5, None), (40, 50)], [1]),
        ([(0, None)], [0]),
        ([], []),
    ],
)
def test_documents_that_overlap_are_not_added(spans, chosen):
    def moment(second):
        return None if second is None else f"2026-11-21T04:00:{second:02}Z"

    documents = [{"started": moment(begin), "finished": moment(end)} for begin, end in spans]
    assert apart(documents) == [documents[number] for number in chosen]


# --- marks -----------------------------------------------------------------------------------------------------------


def test_the_first_failure_of_each_reason_is_marked():
    failures = [
        failure("Deployment", "web-1", time="2026-11-21T04:00:12.000Z"),
        failure("Deployment", "web-2", time="2026-11-21T04:00:13.000Z"),
        failure("Pod", "b-1", operation="run", reason="OOMKilled", time="2026-11-21T04:00:22.000Z"),
    ]
    document = axis_of(batch(first_failures=failures, aborted="interrupted by SIGTERM"))
    assert marks(document, "failure") == [
        (10.0, "first QuotaExceeded of a Deployment (create): n-1/web-1"),
        (20.0, "first OOMKilled of a Pod (run): n-1/b-1"),
        (60.5, "deployments, build_jobs: interrupted by SIGTERM"),
    ]
    assert marks(document, "phase") == [(0.6, "deployments begins"), (0.7, "build_jobs begins")]


def test_pressure_is_marked_where_it_begins_and_ends():
    pressed = [
        {
            "type": "PIDPressure",
            "status": "True",
            "reason": "x",
            "from": "2026-11-21T04:00:11Z",
            "to": "2026-11-21T04:00:41Z",
        },
        {"type": "Ready", "status": "False", "reason": "y", "from": "2026-11-21T03:00:00Z", "to": None},
    ]
    seen = observation(started=STARTED, nodes=nodes(node("n-1", conditions=pressed), node("n-2", conditions=None)))
    again = observation(started=STARTED, nodes=nodes(node("n-1", conditions=pressed)))
    assert marks(axis_of(observations=[seen, again]), "pressure") == [
        (9.0, "n-1: PIDPressure begins"),
        (39.0, "n-1: PIDPressure ends"),
    ]


def test_an_api_server_that_started_while_it_was_observed_is_a_restart():
    instances = [{"started": "2026-11-21T03:00:00Z", "scrapes": 2}, {"started": "2026-11-21T04:00:31.5Z", "scrapes": 3}]
    seen = observation(api_server=api_server(instances=instances, restarted=True))
    assert marks(axis_of(observations=[seen]), "restart") == [(30.0, "an API server restarted")]
    assert marks(axis_of(observations=[observation()]), "restart") == []


def test_marks_of_a_kind_are_bounded_and_the_rest_is_counted():
    conditions = [
        {"type": "PIDPressure", "from": f"2026-11-21T04:00:{second:02}Z", "to": None} for second in range(10, 50)
    ]
    found = marks(axis_of(observations=[observation(nodes=nodes(node("n-1", conditions=conditions)))]), "pressure")
    assert len(found) == MAX_MARKS + 1
    assert found[-1][1] == "and 20 more later"
