"""Can these figures be trusted: one sentence for each thing that may stand in the way."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.measure.validity import (
    simulated_statement,
    trust_of,
    validity_of,
)
from ansible_collections.kubestress.core.plugins.module_utils.results.evidence import Evidence
from ansible_collections.kubestress.core.plugins.module_utils.results.summary import build_summary
from helpers.example_batches import RUN, batch, check_of_services, outages, silent
from helpers.example_observations import api_server, node, nodes, observation, silent_node

UNREAD = {"source": "none", "cause": "leases is forbidden", "silences": []}


def validity(*, broken: tuple[str, ...] = (), observed: dict[str, Any] | None = None, **changed: Any) -> dict[str, Any]:
    """Return the validity of a run whose batch was `changed`, and what observers saw was `observed`."""
    seen = [] if observed is None else [observation(**observed)]
    summary = build_summary(Evidence(run=RUN, batches=[batch(**changed)], observations=seen))
    return validity_of(summary, broken=broken)


def told(about: str, **options: Any) -> tuple[str, str]:
    """Return state and text of what is said about it."""
    (statement,) = [one for one in validity(**options)["statements"] if one["about"] == about]
    return statement["state"], statement["text"]


def test_a_run_that_nothing_disturbed():
    found = validity(observed={})
    assert found["trust"] == "good"
    assert {one["state"] for one in found["statements"] if one["about"] != "etcd"} == {"good"}
    assert all(one["text"].endswith(".") for one in found["statements"])


@pytest.mark.parametrize(
    ("states", "trust"),
    [
        (["good", "no data"], "good"),
        (["good", "limited", "no data"], "limited"),
        (["poor", "limited"], "poor"),
        ([], "good"),
    ],
)
def test_the_trust_is_the_worst_that_is_said_and_silence_says_nothing(states, trust):
    assert trust_of(states) == trust


def test_lost_and_half_measurements_are_named():
    state, text = told("measurements", broken=("x: the batch did not come to its end", "y is lost"))
    assert (state, text) == (
        "poor",
        "Measurements are missing or half: x: the batch did not come to its end; y is lost.",
    )


def checked(**changed: Any) -> dict[str, Any]:
    return {"connectivity": check_of_services(fast=3, slow=0) | changed}


def client(**changed: Any) -> dict[str, Any]:
    return {"client": {**batch()["client"], **changed}}


@pytest.mark.parametrize(
    ("options", "state", "part"),
    [
        (client(cpu_share=0.95, busy_seconds=50), "poor", "used 0.95 of one core and was saturated in 50 of 60 s"),
        (client(loop_lag_p99_ms=900.0), "poor", "99 of 100 times it was at most 900 ms late"),
        (client(busy_seconds=6), "limited", "some waiting of its own"),
        (client(loop_lag_p99_ms=80.0), "limited", "some waiting of its own"),
        (client(loop_lag_p99_ms=None), "good", "saturated in 0 of 60 s."),
        ({"client": None}, "no data", "is not known"),
    ],
)
def test_a_load_generator_without_time_to_spare_measures_itself(options, state, part):
    found, text = told("load generator", **options)
    assert found == state
    assert part in text


def rate(**changed: Any) -> dict[str, Any]:
    return {"rate": {**batch()["rate"], **changed}}


@pytest.mark.parametrize(
    ("about", "options", "state", "part"),
    [
        ("own limits", {}, "good", "waited 1.5 s in all for a place in flight and 0.0 s for the rate"),
        ("own limits", rate(limit_wait_seconds={"in_flight": 0, "rate": 400}), "limited", "what run_qps allows"),
        ("own limits", rate(limit_wait_seconds=None), "no data", "is not known"),
        ("retries", {}, "good", "2 requests were sent again after failures that pass (2 x 429), of 90 in all"),
        ("retries", rate(retries={}), "good", "No request had to be sent again"),
        ("retries", rate(retries={"429": 40, "timeout": 1}), "limited", "(40 x 429, 1 x timeout)"),
        ("retries", {**rate(retries={}, requests=None), "requests": {}}, "no data", "No request was counted"),
        ("watches", rate(watch_breaks={"connection": 3}), "limited", "interrupted (3 x connection)"),
        ("watches", {"objects": {}, "pods": {}}, "no data", "Nobody watched"),
        ("outages", {}, "good", "could be reached all the time"),
        ("outages", {"outages": outages(62.4)}, "limited", "could not be reached once, for 62 s in all; it was waited"),
        ("outages", {"outages": outages(62.4, 5)}, "limited", "could not be reached 2 times, for 67 s in all"),
        ("controllers", {}, "good", "renewed it all the time"),
        ("controllers", {"controllers": silent("kube-scheduler")}, "limited", "kube-scheduler for 30 s"),
        ("controllers", {"controllers": UNREAD}, "no data", "not known: leases is forbidden"),
        ("clocks of nodes", {"pods": {"clock_backwards": 3}}, "limited", "3 stages of pods end before they begin"),
        ("times of Services", checked(), "good", "Pods that checked Services: 1; all told their times"),
        ("times of Services", checked(pods=3), "limited", "Of the 3 pods that checked Services 1 told their times"),
        ("times of Services", checked(told=0), "no data", "to Services: no pod of the check has told"),
        ("etcd", {}, "no data", "cannot be seen through the API server"),
        ("etcd", rate(errors={"etcd": 2}), "limited", "errors of etcd"),
    ],
)
def test_what_the_batch_itself_tells(about, options, state, part):
    found, text = told(about, **options)
    assert found == state
    assert part in text


def server(**changed: Any) -> dict[str, Any]:
    return {"observed": {"api_server": api_server(**changed)}}


@pytest.mark.parametrize(
    ("about", "options", "state", "part"),
    [
        ("API server", {}, "no data", "nobody observed"),
        ("API server", server(source="none", cause="/metrics: HTTP 403"), "no data", "/metrics: HTTP 403"),
        ("API server", server(), "good", "were read 6 times."),
        ("API server", server(failed_scrapes={"timeout": 3}), "limited", "read 6 times, 3 failed (3 x timeout)"),
        ("API server", server(failed_scrapes={"timeout": 30}), "poor", "30 failed"),
        ("API server restart", server(restarted=True), "poor", "its counters began again"),
        ("API servers", server(servers=3), "limited", "3 API servers stand behind the address; 1 of them answered"),
        ("API servers", server(servers=None), "no data", "could not be read"),
        ("kubelets", {}, "no data", "nobody observed"),
        ("kubelets", {"observed": {"nodes": nodes(silent_node("n-1"))}}, "no data", "n-1: stats/summary: HTTP 403"),
        (
            "kubelets",
            {"observed": {"nodes": nodes(node("n-1"), silent_node("n-2"), not_asked=7)}},
            "limited",
            "1 kubelets told of their nodes, 1 were silent, 7 were not asked",
        ),
        ("events", {"observed": {"events": {"source": "none", "cause": "forbidden"}}}, "no data", "forbidden"),
        ("clock skew", {"observed": {}}, "good", "12 ms ahead of this machine's, give or take 40 ms."),
        ("clock skew", {"observed": {"skew": {"estimate_ms": -2500, "error_ms": 9}}}, "limited", "2,500 ms behind"),
        ("clock skew", {"observed": {"skew": {"estimate_ms": 60_000, "error_ms": 9}}}, "poor", "not to be compared"),
        # The true skew may well be none.
        ("clock skew", {"observed": {"skew": {"estimate_ms": 1500, "error_ms": 900}}}, "good", "give or take 900 ms"),
        ("clock skew", {"observed": {"skew": {"estimate_ms": None}}}, "no data", "is not known"),
    ],
)  # fmt: skip
def test_what_observers_tell(about, options, state, part):
    found, text = told(about, **options)
    assert found == state
    assert part in text


REAL, KWOK = {"simulated": False, "count": 1}, {"simulated": True, "count": 9}


def summary(
    *, seen: int = 0, simulated: int = 0, not_asked: int = 0, unknown: int = 0, pods: int = 8
) -> dict[str, Any]:
    nodes = {"seen": seen, "simulated": simulated, "not_asked": not_asked, "unknown": unknown}
    return {"pods": {"succeeded": pods, "failed": 0, "startup_p50_s": None, "worst": []}, "nodes": nodes}


@pytest.mark.parametrize(
    ("kinds", "nodes", "beginning"),
    [
        ([KWOK], {}, "All nodes of the cluster are simulated: their pods ran nothing"),
        ([REAL], {}, ""),
        ([REAL, KWOK], {"seen": 1}, ""),
        ([REAL, KWOK], {"seen": 9, "simulated": 9}, "This run's pods were on simulated nodes only: they ran nothing"),
        ([REAL, KWOK], {"seen": 5, "simulated": 4}, "Of 5 nodes with this run's pods at least 4 are simulated: "),
        (
            [REAL, KWOK],
            {"seen": 5, "simulated": 5, "not_asked": 4},
            "Of 9 nodes with this run's pods at least 5 are simulated, and of 4 it is not known: ",
        ),
        ([REAL, KWOK], {}, "The cluster has simulated nodes beside real ones, and which of them"),
        (
            [REAL, KWOK],
            {"seen": 2, "unknown": 2},
            "The cluster has simulated nodes beside real ones, and which of them",
        ),
        ([], {"seen": 3, "simulated": 3}, "This run's pods were on simulated nodes only"),
        ([], {"seen": 2, "unknown": 2}, "Whether this run's nodes are real is not known"),
        ([], {"seen": 2}, ""),
        ([], {}, "Whether this run's nodes are real is not known"),
    ],
)
def test_the_note_is_on_this_runs_pods(kinds, nodes, beginning):
    found = simulated_statement(summary(**nodes), kinds=kinds)
    text = found[0]["text"] if found else ""
    assert text.startswith(beginning)
    assert bool(text) is bool(beginning)


def test_a_run_without_pods_has_nothing_to_say_of_nodes():
    assert simulated_statement(summary(pods=0), kinds=[KWOK]) == []


def test_where_nobody_knows_the_pods_may_have_run_nothing():
    (statement,) = simulated_statement(summary(), kinds=[REAL, KWOK])
    assert (statement["about"], statement["state"]) == ("simulated nodes", "limited")
    (statement,) = simulated_statement(summary(), kinds=[])
    assert statement["state"] == "no data"


def test_pods_that_nobody_saw_were_on_simulated_nodes_too():
    unseen = summary(pods=0) | {"objects": {"Deployment": {"created": 3, "unchanged": 0}}}
    (statement,) = simulated_statement(unseen, kinds=[KWOK])
    assert statement["state"] == "limited"


@pytest.mark.parametrize(("seconds", "trust"), [(4.9, "limited"), (5.0, "good")])
def test_a_short_load_says_little(seconds, trust):
    found = validity(observed={}, client=batch()["client"] | {"wall_seconds": seconds})
    assert found["trust"] == trust
    (statement,) = [one for one in found["statements"] if one["about"] == "length"]
    assert (statement["state"], statement["text"].startswith(f"The load took {seconds} s")) == (trust, True)
