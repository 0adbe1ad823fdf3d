"""One node's peaks, its series in few points, and its times of pressure; what nobody told is None."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.measure.kubelet import (
    Cgroup,
    Cgroups,
    Configuration,
    PodProcesses,
    Summary,
)
from ansible_collections.kubestress.core.plugins.module_utils.measure.node_load import (
    MAX_PERIODS,
    MAX_POINTS,
    Conditions,
    NodeLoad,
    Series,
)


def pods(*counts: int | None) -> tuple[PodProcesses, ...]:
    return tuple(
        PodProcesses(namespace="ns", name=f"p{n}", uid=f"u{n}", processes=count) for n, count in enumerate(counts)
    )


# --- peaks ------------------------------------------------------------------------------------------------------------


def test_peaks_are_the_highest_of_each_figure():
    load = NodeLoad(name="n")
    load.observe(1.0, Summary(max_threads=32768, threads=900, pods=pods(72, 3), cpu_cores=1.23456, memory_bytes=5))
    load.observe(2.0, Summary(max_threads=32768, threads=700, pods=pods(80), cpu_cores=0.5, memory_bytes=9))
    row = load.row()
    assert (row["samples"], row["max_threads"], row["threads_peak"]) == (2, 32768, 900)
    assert (row["pod_processes_peak"], row["cpu_cores_peak"], row["memory_bytes_peak"]) == (80, 1.235, 9)
    assert row["pods_peak"] == 2
    assert load.series.to_dict() == {
        "t": [1.0, 2.0], "threads": [900, 700], "cpu_cores": [1.235, 0.5], "memory_bytes": [5, 9], "pods": [2, 1],
    }  # fmt: skip


@pytest.mark.parametrize("entries", [(), pods(None, None)])
def test_a_summary_without_a_figure_is_no_sample(entries):
    """A count of pods alone is what a kubelet says that has not looked yet."""
    load = NodeLoad(name="n")
    assert not load.observe(1.0, Summary(max_threads=32768, threads=None, pods=entries))
    row = load.row()
    assert row["samples"] == 0
    peaks = ("threads_peak", "pod_processes_peak", "cpu_cores_peak", "memory_bytes_peak", "pods_peak", "max_threads")
    assert [row[name] for name in peaks] == [None] * 6
    assert load.series.to_dict()["t"] == []


def test_a_figure_that_is_missing_stays_missing_beside_the_others():
    load = NodeLoad(name="n")
    assert load.observe(1.0, Summary(max_threads=None, threads=None, pods=(), memory_bytes=7))
    row = load.row()
    assert (row["threads_peak"], row["cpu_cores_peak"], row["memory_bytes_peak"], row["pods_peak"]) == (
        None,
        None,
        7,
        0,
    )
    assert load.series.to_dict()["threads"] == [None]


@pytest.mark.parametrize(
    ("limit", "unlimited", "row"),
    [
        (4096, False, (4096, None)),
        (None, True, (None, "no limit is set")),
        (None, False, (None, "the kubelet's configuration has no podPidsLimit")),
    ],
)
def test_the_limit_of_a_pod(limit, unlimited, row):
    load = NodeLoad(name="n")
    load.configure(
        Configuration(pod_pids_limit=limit, pod_pids_unlimited=unlimited, reserved_pids=0, eviction_available=None)
    )
    assert (load.row()["pod_pids_limit"], load.row()["pod_pids_limit_cause"]) == row


def test_the_node_nearest_to_a_limit_needs_attention_first():
    def load(name: str, threads: int | None, maximum: int | None) -> NodeLoad:
        node = NodeLoad(name=name)
        node.observe(0, Summary(max_threads=maximum, threads=threads, pods=(), cpu_cores=1.0))
        return node

    loads = [load("none", None, None), load("half", 50, 100), load("many", 900, 9000), load("unlimited", 5000, None)]
    pod = load("pod", 10, 100)
    pod.pod_pids_limit = 80
    pod.observe(1, Summary(max_threads=100, threads=10, pods=pods(60, 2)))
    assert [one.name for one in sorted([*loads, pod], key=lambda one: one.need, reverse=True)] == [
        "pod", "half", "many", "unlimited", "none",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("readings", "threads", "cause"),
    [
        ([], None, "cAdvisor was not asked"),
        ([{}], None, "cAdvisor counts no pod's threads"),
        ([{"a": Cgroup(processes=3)}], None, "cAdvisor counts no pod's threads"),
        ([{"a": Cgroup(threads=640), "b": Cgroup(threads=3)}, {"a": Cgroup(threads=9)}, {}], 640, None),
    ],
)
def test_threads_of_the_largest_pod(readings, threads, cause):
    load = NodeLoad(name="n")
    for found in readings:
        load.observe_cgroups(Cgroups(pods=found))
    assert (load.row()["pod_threads_peak"], load.row()["pod_threads_cause"]) == (threads, cause)


# --- series -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [1, 5, 8, 9, 16, 17, 100, 1000])
def test_a_series_is_thinned_by_halving_and_keeps_its_peaks(number):
    series = Series(max_points=8)
    for second in range(number):
        series.add(second, {"threads": 1000 if second == number // 2 else second % 7, "pods": None})
    found = series.to_dict()
    assert 1 <= len(found["t"]) <= 8
    assert {len(column) for column in found.values()} == {len(found["t"])}
    assert max(found["threads"]) == 1000
    assert found["t"][0] == 0
    steps = {later - earlier for earlier, later in zip(found["t"], found["t"][1:], strict=False)}
    assert len(steps) <= 1, "readings at equal distances stay so"
    assert set(found["pods"]) == {None}
    assert json.dumps(found, allow_nan=False)


def test_a_reading_of_no_data_does_not_hide_its_neighbour():
    series = Series(max_points=2)
    for second, threads in enumerate([None, 5, 6, None]):
        series.add(second, {"threads": threads})
    assert series.to_dict()["threads"] == [5, 6]
    assert series.to_dict()["cpu_cores"] == [None, None]


def test_a_day_of_readings_is_six_hundred_points():
    series = Series()
    for second in range(0, 86_400, 5):
        series.add(second, {"threads": second})
    assert MAX_POINTS / 2 <= len(series.to_dict()["t"]) <= MAX_POINTS == 600


# --- conditions -------------------------------------------------------------------------------------------------------


def node(*conditions: tuple[str, str, str]) -> dict[str, Any]:
    entries = [
        {"type": kind, "status": status, "reason": "why", "lastTransitionTime": since}
        for kind, status, since in conditions
    ]
    return {"metadata": {"name": "n"}, "status": {"conditions": entries}}


def period(kind: str, status: str | None, since: str | None, to: str | None, reason: str | None = "why") -> dict:
    return {"type": kind, "status": status, "reason": reason, "from": since, "to": to}


CASES = {
    "well": ([("Ready", "True", "1")], []),
    "pressure that lasts": ([("PIDPressure", "True", "1")], [period("PIDPressure", "True", "1", None)]),
    "pressure that ended": (
        [("DiskPressure", "False", "1"), ("DiskPressure", "True", "2"), ("DiskPressure", "False", "3")],
        [period("DiskPressure", "True", "2", "3")],
    ),
    "read again and again": (
        [("MemoryPressure", "True", "2"), ("MemoryPressure", "True", "2"), ("MemoryPressure", "False", "3")],
        [period("MemoryPressure", "True", "2", "3")],
    ),
    "between two readings": (
        [("PIDPressure", "False", "1"), ("PIDPressure", "False", "5")],
        [period("PIDPressure", "True", None, "5", None)],
    ),
    "not ready between two readings": (
        [("Ready", "True", "1"), ("Ready", "True", "5")],
        [period("Ready", None, None, "5", None)],
    ),
    "not ready, then lost, then back": (
        [("Ready", "False", "2"), ("Ready", "Unknown", "3"), ("Ready", "True", "4")],
        [period("Ready", "False", "2", "3"), period("Ready", "Unknown", "3", "4")],
    ),
    "lost, which makes all conditions unknown": (
        [("PIDPressure", "False", "1"), ("PIDPressure", "Unknown", "2"), ("PIDPressure", "False", "3")],
        [],
    ),
    "another condition": ([("SomebodysOwn", "True", "1"), ("NetworkUnavailable", "True", "1")], []),
}


@pytest.mark.parametrize(("readings", "periods"), CASES.values(), ids=CASES)
def test_times_of_pressure(readings, periods):
    conditions = Conditions()
    for reading in readings:
        conditions.observe(node(reading))
    assert conditions.periods() == periods
    assert conditions.are_bad is any(one["to"] is None for one in periods)


@pytest.mark.parametrize(
    "broken", [{}, {"status": None}, {"status": {"conditions": None}}, {"status": {"conditions": [None, "x", {}]}}]
)
def test_a_node_without_conditions_was_not_read(broken):
    load = NodeLoad(name="n")
    load.conditions.observe(broken)
    assert not load.conditions.were_read
    assert load.row()["conditions"] is None
    load.conditions.observe(node(("Ready", "True", "1")))
    assert load.row()["conditions"] == []


def test_a_condition_that_flaps_is_kept_within_bounds():
    conditions = Conditions()
    for second in range(4 * MAX_PERIODS):
        conditions.observe(node(("PIDPressure", "True" if second % 2 else "False", f"{second:05}")))
    assert len(conditions.periods()) == MAX_PERIODS
