"""Answers of /metrics: one, the difference of two, and rounds of them from several servers and after a restart."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.measure.kubelet import Unreadable
from ansible_collections.kubestress.core.plugins.module_utils.measure.server_metrics import (
    SLI,
    Scrape,
    ServerFigures,
    cpu_growth,
    etcd_rows,
    flow_control_rows,
    growth,
    object_rows,
    only,
    parse_scrape,
)
from helpers.server_metrics import metrics

EXTRA = """
apiserver_flowcontrol_current_inqueue_requests{flow_schema="a",priority_level="low"} 2
apiserver_flowcontrol_current_inqueue_requests{flow_schema="b",priority_level="low"} 3
apiserver_flowcontrol_current_executing_requests{flow_schema="a",priority_level="low"} 7
apiserver_flowcontrol_current_executing_requests{flow_schema="a",priority_level="idle"} 0
apiserver_resource_objects{group="",resource="configmaps"} 6
apiserver_resource_objects{group="apps",resource="deployments"} 2
apiserver_resource_objects{group="",resource="secrets"} -1
apiserver_storage_size_bytes{storage_cluster_id="etcd-0"} 557056
"""


def scrape(**figures: Any) -> Scrape:
    return parse_scrape(metrics(**figures), at_seconds=0.0, taken=0.0)


def test_a_whole_answer():
    found = scrape(posts={"0.05": 3, "+Inf": 4}, rejected=5, mutating=9, extra=EXTRA)
    assert (found.started, found.cpu_seconds, found.rejected, found.storage_bytes) == (
        1_700_000_000.5,
        10.0,
        5.0,
        557056,
    )
    assert found.inflight == {"mutating": 9.0, "readOnly": 1.0}
    assert (found.queued, found.executing) == ({"low": 5.0}, {"low": 7.0, "idle": 0.0})
    assert found.objects == {"configmaps": 6.0, "deployments.apps": 2.0}


def test_older_servers_name_their_objects_in_one_label():
    older = 'apiserver_storage_objects{resource="deployments.apps"} 2\napiserver_storage_objects{resource="x"} -1'
    assert scrape(extra=older).objects == {"deployments.apps": 2.0}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "no metrics of a process"),
        (b"<html>sign in</html>", "no metrics of a process"),
        (b'{"kind": "Status"}', "no metrics of a process"),
        (b"\x00\xff\n" * 9, "no metrics of a process"),
        (b"process_start_time_seconds 1.7e+09\n", "no API server's metrics"),
    ],
    ids=["nothing", "html", "json", "bytes", "another program"],
)
def test_anything_else_is_told_as_what_it_is_not(body, words):
    with pytest.raises(Unreadable, match=words):
        parse_scrape(body, at_seconds=0.0, taken=0.0)


def test_growth_keeps_all_buckets_of_what_grew_and_nothing_else():
    first = scrape(cpu=10, posts={"0.05": 3, "0.1": 4, "+Inf": 4})
    last = scrape(cpu=12.5, posts={"0.05": 3, "0.1": 4, "+Inf": 6})
    grown = growth(first, last)
    assert cpu_growth(grown) == 2.5
    assert list(only(grown, SLI).values()) == [0.0, 0.0, 2.0]
    assert growth(last, last) == {}


def test_a_series_that_was_not_there_before_began_at_zero():
    grown = growth(scrape(), scrape(posts={"0.05": 1, "+Inf": 1}, rejected=2))
    assert sorted(grown.values()) == [1.0, 1.0, 2.0]


def test_a_counter_that_goes_backwards_is_another_process():
    with pytest.raises(Unreadable, match="process_cpu_seconds_total went backwards"):
        growth(scrape(cpu=12), scrape(cpu=10))


def test_etcd_with_the_labels_of_newer_and_of_older_servers():
    name = "etcd_request_duration_seconds_bucket"
    newer = [
        f'{name}{{group="apps",operation="create",resource="deployments",le="{le}"}} 4' for le in ("0.005", "+Inf")
    ]
    older = [f'{name}{{operation="get",type="/registry/x",le="{le}"}} 1' for le in ("0.005", "+Inf")]
    rows = etcd_rows(growth(scrape(), scrape(extra="\n".join(newer + older))))
    assert rows == [
        {"operation": "create", "type": "deployments.apps", "count": 4, "p50_s": 0.0025, "p99_s": 0.005},
        {"operation": "get", "type": "/registry/x", "count": 1, "p50_s": 0.0025, "p99_s": 0.005},
    ]


def test_flow_control_by_priority_level():
    grown = growth(scrape(), scrape(rejected=5))
    assert flow_control_rows(grown, {"low": 5.0}, {"low": 7.0, "idle": 0.0}) == [
        {
            "priority_level": "global-default",
            "rejected": 5,
            "queued_max": None,
            "executing_max": None,
            "wait_p99_s": None,
        },
        {"priority_level": "low", "rejected": 0, "queued_max": 5, "executing_max": 7, "wait_p99_s": None},
    ]


def test_without_a_difference_nothing_is_said_of_rejections():
    (row,) = flow_control_rows(None, {}, {"low": 7.0})
    assert (row["rejected"], row["executing_max"]) == (None, 7)


def test_objects_that_were_there_before_or_after():
    first = scrape(extra='apiserver_resource_objects{group="",resource="pods"} 0')
    last = scrape(extra='apiserver_resource_objects{group="",resource="pods"} 5')
    nowhere = scrape(extra='apiserver_resource_objects{group="",resource="secrets"} 1')
    assert object_rows(first, last) == {"pods": {"before": 0, "after": 5}}
    assert object_rows(first, first) == {}
    assert object_rows(nowhere, last) == {
        "pods": {"before": None, "after": 5},
        "secrets": {"before": 1, "after": None},
    }


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
