"""The official SLI and the service levels: what counts, what is left out, and statements that claim no more."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.measure.sli import (
    resource_name,
    service_levels,
    sli_rows,
)

NAME = "apiserver_request_sli_duration_seconds_bucket"
WINDOW = {"from": "2026-01-01T00:00:00.000Z", "to": "2026-01-01T00:01:03.000Z"}


def series(counts: dict[str, float], **labels: str) -> dict[bytes, float]:
    base = {"component": "apiserver", "group": "", "resource": "pods", "scope": "resource", "subresource": ""} | labels
    text = ",".join(f'{name}="{value}"' for name, value in sorted(base.items()))
    return {f'{NAME}{{{text},le="{le}"}}'.encode(): value for le, value in counts.items()}


def row(verb: str, buckets: dict[str, int], **rest: str) -> dict[str, Any]:
    return {"verb": verb, "group": "", "resource": "pods", "subresource": "", "scope": "resource", **rest} | {
        "buckets": buckets
    }


def levels(*rows: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    api_server = {"source": "metrics", "cause": None, "servers": 1, "instances": [{}], "window": WINDOW, "sli": rows}
    return service_levels(api_server | more, None)


def test_a_row_for_each_verb_resource_and_scope_with_its_buckets():
    counted = {
        **series({"0.05": 90, "0.1": 98, "1": 100, "+Inf": 100}, verb="POST", version="v1"),
        **series({"0.05": 1, "+Inf": 1}, verb="GET", subresource="status"),
    }
    post, get = sli_rows(counted)
    assert post == {
        "verb": "POST", "group": "", "resource": "pods", "subresource": "", "scope": "resource", "count": 100,
        "p50_s": 0.0278, "p90_s": 0.05, "p99_s": 0.55, "p99_bucket_s": [0.1, 1.0],
        "buckets": {"0.05": 90, "0.1": 98, "1": 100, "+Inf": 100},
    }  # fmt: skip
    assert (get["verb"], get["subresource"], get["p99_bucket_s"]) == ("GET", "status", [0.0, 0.05])


def test_versions_of_a_group_are_one_row():
    counted = series({"+Inf": 1}, verb="GET", version="v1") | series({"+Inf": 2}, verb="GET", version="v2")
    assert [one["count"] for one in sli_rows(counted)] == [3]


@pytest.mark.parametrize(
    "labels",
    [
        {"verb": "WATCH"},
        {"verb": "WATCHLIST"},
        {"verb": "CONNECT", "subresource": "proxy"},
        {"verb": "GET", "subresource": "log"},
        {"verb": "POST", "subresource": "exec"},
        {"verb": "GET", "resource": "", "subresource": "/healthz"},
    ],
    ids=str,
)
def test_what_stays_open_and_what_is_no_resource_is_left_out(labels):
    assert sli_rows(series({"+Inf": 5}, **labels)) == []


@pytest.mark.parametrize(
    ("buckets", "met", "words"),
    [
        ({"0.05": 5, "+Inf": 5}, True, "was at most 0.05 s over 5 calls in this run's 63 s; the service level"),
        ({"0.8": 1, "1": 100, "+Inf": 100}, True, "was between 0.8 and 1 s over 100 calls"),
        ({"1": 98, "1.25": 100, "+Inf": 100}, False, "was between 1 and 1.25 s over 100 calls"),
        ({"1": 0, "60": 0, "+Inf": 1}, False, "was more than 60 s over 1 call in"),
        ({"0.5": 1, "2": 100, "+Inf": 100}, None, "these figures do not tell"),
    ],
)  # fmt: skip
def test_a_verdict_only_where_the_bucket_tells(buckets, met, words):
    first = next(one for one in levels(row("POST", buckets)) if one["verb"] == "POST")
    assert (first["name"], first["resource"], first["limit_s"], first["met"]) == (
        "mutating API calls",
        "pods",
        1.0,
        met,
    )
    assert words in first["statement"]
    assert first["statement"].startswith("p99 of POST pods (resource) ")


@pytest.mark.parametrize(("scope", "limit"), [("resource", 1.0), ("namespace", 30.0), ("cluster", 30.0)])
def test_reads_have_a_limit_by_scope_whatever_their_verb(scope, limit):
    slow = {"1": 0, "3": 10, "+Inf": 10}
    found = [one for one in levels(row("GET", slow, scope=scope), row("LIST", slow, scope=scope)) if one["count"]]
    assert [(one["scope"], one["verb"], one["count"], one["limit_s"], one["met"]) for one in found] == [
        (scope, None, 20, limit, scope != "resource")
    ]


def test_what_was_missed_comes_first_and_what_is_not_known_last():
    found = levels(
        row("POST", {"1": 10, "+Inf": 10}),
        row("DELETE", {"1": 0, "60": 9, "+Inf": 9}),
        row("GET", {"+Inf": 1, "60": 1}),
    )
    assert [one["met"] for one in found] == [False, True, None, None]
    assert found[0]["verb"] == "DELETE"


def test_a_statement_says_of_how_many_servers_it_is():
    instances = [{"counted": True}, {"counted": False}]
    (first, *_rest) = levels(row("POST", {"1": 1, "+Inf": 1}), servers=3, instances=instances)
    assert "in this run's 63 s, on 1 of 3 API servers;" in first["statement"]


@pytest.mark.parametrize(
    ("api_server", "words"),
    [
        (None, "no data: the API server was not observed"),
        ({"source": "none", "cause": "not allowed", "sli": []}, "no data: not allowed"),
        ({"source": "metrics", "cause": None, "sli": []}, "no data: the API server counted no such calls"),
    ],
)  # fmt: skip
def test_no_data_has_a_cause(api_server, words):
    calls = service_levels(api_server, None)[:2]
    assert {(one["met"], one["count"], one["p99_s"], one["statement"]) for one in calls} == {(None, None, None, words)}
    assert {one["name"] for one in calls} == {"mutating API calls", "read-only API calls"}


@pytest.mark.parametrize(
    ("p99", "met", "words"),
    [
        (4.0, True, "p99 from created to ready of stateless pods was 4 s, give or take 1 s, over 30 pods in this run;"),
        (4.5, None, "whole seconds do not tell"),
        (5.9, None, "whole seconds do not tell"),
        (6.0, False, "leaves out image pulls and init containers, which are in this figure"),
        (None, None, "no data: no stateless pod was seen to become ready"),
    ],
)
def test_pods_are_judged_as_far_as_whole_seconds_go(p99, met, words):
    startup = {"stateless": {"total": {"count": 30, "p99_s": p99}}, "job": {"total": {"count": 9, "p99_s": 99}}}
    (pods,) = [one for one in service_levels(None, startup) if one["name"] == "pod start-up"]
    assert (pods["met"], pods["p99_s"], pods["limit_s"]) == (met, p99, 5.0)
    assert words in pods["statement"]


def test_resources_are_named_as_the_command_line_names_them():
    whole = {"group": "apps", "resource": "deployments", "subresource": "scale"}
    assert resource_name(whole) == "deployments.apps/scale"
    assert resource_name(whole | {"group": "", "subresource": ""}) == "deployments"
