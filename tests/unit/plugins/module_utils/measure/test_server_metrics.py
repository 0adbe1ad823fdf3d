"""One answer of /metrics, and what two of one process differ by."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.measure.kubelet import Unreadable
from ansible_collections.kubestress.core.plugins.module_utils.measure.server_metrics import (
    SLI,
    Scrape,
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
