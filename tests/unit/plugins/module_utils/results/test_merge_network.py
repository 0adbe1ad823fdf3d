"""The network plug-in's operations in summary and timeline: of several observers, and of none."""

from __future__ import annotations

from typing import Any

from ansible_collections.kubestress.core.plugins.module_utils.results.merge_network import (
    merged_network,
    network_series,
)
from helpers.example_observations import network_operations, observation

ORIGIN = 1795233601.0  # 2026-11-21T04:00:01Z


def at(started: str, finished: str, **changed: Any) -> dict[str, Any]:
    return observation(
        started=f"2026-11-21T{started}Z", finished=f"2026-11-21T{finished}Z",
        network_operations=network_operations(**changed),
    )  # fmt: skip


def test_one_after_the_other_add_up_and_two_at_once_do_not() -> None:
    first, beside = at("04:00:00", "04:02:00"), at("04:00:10", "04:01:00")
    later = at("04:02:00", "04:05:00", minutes={"04:01": (3, 0, 0), "04:03": (1, 1, 1)})
    merged = merged_network([first, beside, later])
    assert merged is not None
    source = merged["sources"]["network plug-in"]
    assert {name: source[name] for name in ("add", "del", "failed", "total")} == {
        "add": 14, "del": 5, "failed": 2, "total": 19,
    }  # fmt: skip
    assert [row["start"][11:16] for row in merged["minutes"]] == ["04:00", "04:01", "04:03"]
    assert [row["sources"]["network plug-in"]["total"] for row in merged["hours"]] == [19]
    (series,) = network_series([first, beside, later], origin=ORIGIN)
    assert series == {
        "source": "network plug-in",
        "t": [29.0, 89.0, 149.0, 209.0],
        "add": [6, 7, 0, 1], "del": [0, 4, 0, 1], "failed": [1, 0, 0, 1],
    }  # fmt: skip


def test_a_quiet_time_is_0_and_no_data_has_a_cause() -> None:
    quiet = merged_network([at("04:00:00", "04:02:00", minutes={})])
    assert quiet is not None
    assert (quiet["sources"]["network plug-in"]["total"], quiet["cause"], quiet["minutes"]) == (0, None, [])
    none = network_operations() | {"sources": {}, "cause": "all nodes are simulated", "hours": [], "minutes": []}
    merged = merged_network([observation(network_operations=none)])
    assert merged is not None
    assert (merged["sources"], merged["cause"]) == ({}, "all nodes are simulated")
    assert network_series([observation(network_operations=none)], origin=ORIGIN) == []
    assert merged_network([]) is None
