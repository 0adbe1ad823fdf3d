"""Rounds of answers: one server, several behind one address, one that is started anew."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.measure.server_metrics import (
    Scrape,
    ServerFigures,
    parse_scrape,
)
from helpers.server_metrics import metrics

ONE, OTHER, THIRD = 1_700_000_000.5, 1_700_000_900.25, 1_700_005_000.0
#: When the first answer came, after ONE and OTHER had started and before THIRD did.
BEGAN = 1_700_003_600.0


def answer(at: float, *, started: float = ONE, **figures: Any) -> Scrape:
    return parse_scrape(metrics(started=started, **figures), at_seconds=100 + at, taken=BEGAN + at)


def posted(number: int) -> dict[str, int]:
    return {"0.05": number - 1, "0.1": number, "+Inf": number}


def read(*rounds: list[Scrape], servers: int | None = 1) -> dict[str, Any]:
    figures = ServerFigures(origin=100.0)
    figures.servers = servers
    for answers in rounds:
        figures.add_round(answers)
    return figures.document()


def test_before_anything_was_read():
    document = read(servers=None)
    assert (document["source"], document["window"], document["cpu_seconds"], document["sli"]) == (
        "none",
        None,
        None,
        [],
    )
    assert document["inflight"] == {"mutating_max": None, "read_only_max": None}
    assert document["series"]["t"] == []


def test_one_server_from_first_to_last():
    document = read(
        [answer(0, cpu=10, posts=posted(50), mutating=2)],
        [answer(15, cpu=25, posts=posted(60), mutating=40, rejected=3)],
        [answer(30, cpu=31, posts=posted(150), mutating=0, rejected=7)],
    )
    assert (document["source"], document["cause"], document["scrapes"]) == ("metrics", None, 3)
    assert document["instances"] == [{"started": "2023-11-14T22:13:20.500Z", "scrapes": 3, "counted": True}]
    assert document["window"] == {"from": "2023-11-14T23:13:20.000Z", "to": "2023-11-14T23:13:50.000Z"}
    (row,) = document["sli"]
    assert (row["count"], row["p99_bucket_s"]) == (100, [0.0, 0.05])
    assert document["inflight"] == {"mutating_max": 40, "read_only_max": 1}
    assert (document["cpu_seconds"], document["resident_bytes_max"]) == (21.0, 100000031)
    assert document["flow_control"][0]["rejected"] == 7
    assert document["series"] == {
        "t": [0.0, 15.0, 30.0],
        "cpu_share": [None, 1.0, 0.4],
        "resident_bytes": [100000010, 100000025, 100000031],
        "inflight_mutating": [2, 40, 0],
        "inflight_read_only": [1, 1, 1],
        "rejected": [0, 3, 7],
    }


def test_read_once_is_no_difference():
    document = read([answer(0, posts=posted(5), mutating=3)])
    assert document["source"] == "none"
    assert document["cause"] == "the metrics were read only once, so nothing can be subtracted"
    assert document["inflight"]["mutating_max"] == 3


def test_a_restart_is_told_and_nothing_is_subtracted_across_it():
    document = read(
        [answer(0, cpu=500, posts=posted(1000))],
        [answer(15, cpu=501, posts=posted(1010))],
        [answer(1500, started=THIRD, cpu=2, posts=posted(3))],
    )
    assert document["restarted"]
    assert (document["source"], document["sli"], document["cpu_seconds"]) == ("none", [], None)
    assert (
        document["cause"]
        == "an API server was started anew at 2023-11-14T23:36:40.000Z; none answered both first and last"
    )
    assert document["series"]["cpu_share"] == [None, 0.067, None]


def test_servers_that_answer_by_turns_are_no_restart_and_are_not_mixed():
    document = read([answer(0, cpu=10)], [answer(15, started=OTHER, cpu=90)], servers=2)
    assert not document["restarted"]
    assert document["source"] == "none"
    assert "2 API servers behind one address answered by turns" in document["cause"]


@pytest.mark.parametrize("rounds", [2, 3])
def test_of_several_servers_those_seen_first_and_last_are_counted(rounds):
    first = [answer(0, cpu=10, posts=posted(10)), answer(0, started=OTHER, cpu=900, posts=posted(900))]
    between = [[answer(15, started=OTHER + 1, cpu=1, posts=posted(70))]]
    last = [answer(30, cpu=12, posts=posted(30)), answer(30, started=OTHER, cpu=905, posts=posted(905))]
    document = read(first, *between[: rounds - 2], last, servers=3)
    assert (document["source"], document["servers"], document["cpu_seconds"]) == ("metrics", 3, 7.0)
    assert document["sli"][0]["count"] == 25
    assert [one["counted"] for one in document["instances"]] == [True, True, False][:rounds]


def test_the_series_follow_one_process():
    document = read(
        [answer(0, cpu=10), answer(0, started=OTHER, cpu=900)],
        [answer(10, started=OTHER, cpu=909), answer(10, cpu=11)],
        servers=2,
    )
    assert document["series"]["cpu_share"] == [None, 0.1]


def test_two_servers_of_one_name_show_by_counters_that_go_backwards():
    document = read([answer(0, cpu=50)], [answer(15, cpu=20)])
    assert document["source"] == "none"
    assert document["cause"].startswith("two API servers cannot be told apart")


def test_a_long_run_has_a_bounded_series_that_keeps_its_peak():
    rounds = [[answer(number, cpu=number, mutating=77 if number == 1001 else 1)] for number in range(2000)]
    series = read(*rounds)["series"]
    assert len({len(values) for values in series.values()}) == 1
    assert 300 <= len(series["t"]) <= 600
    assert max(series["inflight_mutating"]) == 77
