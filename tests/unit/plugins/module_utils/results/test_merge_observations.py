"""Several observations become one: counters of the same requests are never added twice, and nothing is invented."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.results.merge_observations import (
    MAX_NODES,
    merged_api_server,
    merged_events,
    merged_nodes,
    merged_processes,
    merged_skew,
)
from helpers.example_observations import api_server, node, nodes, observation, silent_node, sli, warning

LATER = {"started": "2026-11-21T04:02:00.000Z", "finished": "2026-11-21T04:03:00.000Z"}
AROUND = {"started": "2026-11-21T04:00:00.000Z", "finished": "2026-11-21T04:10:00.000Z"}


def server(*observations: dict[str, Any]) -> dict[str, Any]:
    merged = merged_api_server(observations)
    assert merged is not None
    return merged


def test_one_observation_stays_as_it_is():
    told = observation()["api_server"]
    merged = server(observation())
    assert {name: merged[name] for name in told if name != "series"} == {
        name: value for name, value in told.items() if name != "series"
    }
    assert merged["storage_bytes"] is None


def test_two_one_after_the_other_add_up():
    second = api_server(
        sli=[sli("POST", "pods", 0, 0, 0, 0, 100, 100), sli("GET", "nodes", 1, 1, 1, 1, 1, 1)],
        window={"from": "2026-11-21T04:02:00Z", "to": "2026-11-21T04:03:00Z"},
        flow_control=[{"priority_level": "workload-low", "rejected": 7, "queued_max": 1, "wait_p99_s": 0.2}],
        etcd=[{"operation": "create", "type": "pods", "count": 10, "p50_s": 0.1, "p99_s": 0.2}],
        objects={"pods": {"before": 34, "after": 60}},
        failed_scrapes={"timeout": 1},
        storage_bytes={"before": 5, "after": 9},
        resident_bytes_max=1,
    )
    merged = server(observation(), observation(**LATER, api_server=second))
    pods = merged["sli"][0]
    assert (pods["resource"], pods["count"]) == ("pods", 1100)
    assert pods["buckets"] == {"0.05": 900, "0.1": 990, "0.5": 1000, "1": 1000, "5": 1100, "+Inf": 1100}
    # 1,089 of 1,100: in the second observation's slow calls, 89 % into their bucket.
    assert (pods["p99_s"], pods["p99_bucket_s"]) == (pytest.approx(4.56), [1.0, 5.0])
    assert [row["resource"] for row in merged["sli"]] == ["pods", "pods", "nodes"]
    assert merged["flow_control"][0]["rejected"] == 7
    assert merged["flow_control"][0]["wait_p99_s"] is None
    assert merged["etcd"] == [{"operation": "create", "type": "pods", "count": 1010, "p50_s": None, "p99_s": None}]
    assert merged["objects"] == {"pods": {"before": 0, "after": 60}}
    assert merged["window"] == {"from": "2026-11-21T04:00:02Z", "to": "2026-11-21T04:03:00Z"}
    assert merged["instances"] == [{"started": "2026-11-21T03:00:00Z", "scrapes": 12}]
    assert (merged["scrapes"], merged["failed_scrapes"], merged["cpu_seconds"]) == (12, {"timeout": 1}, 25.0)
    assert (merged["resident_bytes_max"], merged["restarted"]) == (400 * 1024**2, False)
    assert merged["storage_bytes"] == {"before": 5, "after": 9}


def test_two_at_the_same_time_counted_the_same_requests():
    merged = server(observation(), observation(**AROUND, api_server=api_server(scrapes=40)))
    assert (merged["scrapes"], merged["sli"][0]["count"], merged["cpu_seconds"]) == (40, 1000, 12.5)


def test_one_that_read_nothing_takes_nothing_from_the_others():
    nothing = {"source": "none", "cause": "/metrics: HTTP 403", "servers": None}
    merged = server(observation(**AROUND, api_server=nothing), observation())
    assert (merged["source"], merged["sli"][0]["count"]) == ("metrics", 1000)
    merged = server(observation(api_server=nothing), observation(**LATER, api_server=nothing))
    assert (merged["source"], merged["cause"], merged["sli"], merged["scrapes"]) == (
        "none", "/metrics: HTTP 403", [], None,
    )  # fmt: skip
    assert merged_api_server([{"name": "x"}]) is None


@pytest.mark.parametrize(("servers", "restarted"), [(1, True), (3, False), (None, False)])
def test_another_process_of_a_server_that_stands_alone_is_a_restart(servers, restarted):
    first = api_server(servers=servers)
    second = api_server(servers=servers, instances=[{"started": "2026-11-21T04:01:30Z", "scrapes": 6}])
    assert server(observation(api_server=first), observation(**LATER, api_server=second))["restarted"] is restarted


def test_nodes_keep_their_highest_peaks_and_those_near_their_limits_come_first():
    pressed = {"type": "PIDPressure", "status": "True", "reason": "x", "from": "2026-11-21T04:00:11Z", "to": None}
    one = nodes(node("a", threads_peak=100, conditions=[pressed]), node("b", threads_peak=9000), silent_node("c"))
    other = nodes(node("a", threads_peak=20_000, conditions=[pressed]), node("b", cpu_cores_peak=3.0), not_asked=4)
    merged = merged_nodes([observation(nodes=one), observation(**LATER, nodes=other)])
    assert merged is not None
    assert [row["name"] for row in merged["nodes"]] == ["a", "b", "c"]
    assert merged["nodes"][0]["threads_peak"] == 20_000
    assert merged["nodes"][0]["conditions"] == [pressed]
    assert (merged["nodes"][1]["cpu_cores_peak"], merged["nodes"][1]["samples"]) == (3.0, 24)
    assert (merged["nodes"][2]["cause"], merged["nodes"][2]["conditions"]) == ("stats/summary: HTTP 403", None)
    assert (merged["seen"], merged["silent"], merged["simulated"], merged["not_asked"]) == (3, 1, 0, 4)
    assert merged_nodes([]) is None


def test_the_nodes_that_are_listed_are_bounded_and_those_that_were_seen_are_counted():
    merged = merged_nodes([observation(nodes=nodes(*(node(f"n-{number}") for number in range(200))))])
    assert merged is not None
    assert (len(merged["nodes"]), merged["seen"]) == (MAX_NODES, 200)


def test_warnings_add_up_by_reason_and_kind():
    first = {"source": "watch", "total": 5, "warnings": [warning("BackOff", 2), warning("FailedMount", 3)]}
    late = warning("BackOff", 4, first="2026-11-21T04:02:10Z", last="2026-11-21T04:02:50Z")
    second = {"source": "watch", "total": 6, "warnings": [late, warning("BackOff", 2, kind="Job")]}
    merged = merged_events([observation(events=first), observation(**LATER, events=second)])
    assert merged is not None
    assert [(row["reason"], row["kind"], row["count"]) for row in merged["warnings"]] == [
        ("BackOff", "Pod", 6), ("FailedMount", "Pod", 3), ("BackOff", "Job", 2),
    ]  # fmt: skip
    assert (merged["warnings"][0]["first"], merged["warnings"][0]["last"]) == (
        "2026-11-21T04:00:10Z", "2026-11-21T04:02:50Z",
    )  # fmt: skip
    assert merged["total"] == 11
    forbidden = {"source": "none", "cause": "events is forbidden", "total": None, "warnings": []}
    merged = merged_events([observation(events=forbidden)])
    assert merged is not None
    assert (merged["source"], merged["cause"], merged["total"]) == ("none", "events is forbidden", None)


def test_the_surest_estimate_of_the_skew_is_taken():
    vague, sure = {"estimate_ms": 90, "error_ms": 500}, {"estimate_ms": 12, "error_ms": 40, "samples": 3}
    unknown = {"estimate_ms": None, "error_ms": None}
    assert merged_skew([{"skew": vague}, {"skew": unknown}, {"skew": sure}]) == sure
    assert merged_skew([{"skew": unknown}]) == {"estimate_ms": None, "error_ms": None, "samples": None}
    assert merged_skew([{}]) is None


def counted(samples: int, plateaus: dict[str, int]) -> dict[str, Any]:
    values = sorted(int(value) for value, pods in plateaus.items() for _pod in range(pods))
    own = {"min": values[0], "median": values[len(values) // 2], "max": values[-1], "plateaus": plateaus}
    return observation(processes={"per_build_pod": {**own, "samples": samples, "source": "kubelet"}})


def uncounted(cause: str) -> dict[str, Any]:
    return observation(processes={"per_build_pod": {"min": None, "samples": 0, "source": "none", "cause": cause}})


NO_PROCESSES = {"min": None, "median": None, "max": None, "samples": 0, "source": "none"}


def test_processes_that_were_not_counted_have_no_figures_and_each_cause_once():
    assert merged_processes([]) == {"per_build_pod": NO_PROCESSES}
    assert merged_processes([observation(processes=None)]) == {"per_build_pod": NO_PROCESSES}
    silent = uncounted("n1: simulated")
    assert merged_processes([silent, silent])["per_build_pod"] == {**NO_PROCESSES, "cause": "n1: simulated"}


def test_processes_of_several_observations_are_those_of_all_their_pods():
    several = [counted(9, {"70": 1, "72": 3}), uncounted("n1: simulated"), counted(30, {"80": 5})]
    assert merged_processes(several)["per_build_pod"] == {
        "min": 70, "median": 80, "max": 80, "samples": 39, "source": "kubelet",
        "first": None, "interval_seconds": None,
    }  # fmt: skip
