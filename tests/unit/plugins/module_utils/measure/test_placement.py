"""Whether this run's pods were on simulated nodes: said of these pods alone, and only where it is known."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.measure.validity import simulated_statement

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
        ([], {}, ""),
    ],
)
def test_the_note_is_on_this_runs_pods(kinds, nodes, beginning):
    found = simulated_statement(summary(**nodes), kinds=kinds)
    text = found[0]["text"] if found else ""
    assert text.startswith(beginning)
    assert bool(text) is bool(beginning)


def test_a_run_without_pods_has_nothing_to_say_of_nodes():
    assert simulated_statement(summary(pods=0), kinds=[KWOK]) == []


def test_where_nobody_knows_that_is_no_limit_of_trust():
    (statement,) = simulated_statement(summary(), kinds=[REAL, KWOK])
    assert (statement["about"], statement["state"]) == ("simulated nodes", "no data")
