"""Processes and threads against limits: what is compared with what, which figure goes first, and what stays unknown."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.measure.kubelet import (
    Cgroup,
    Cgroups,
    Configuration,
    PodProcesses,
    Summary,
)
from ansible_collections.kubestress.core.plugins.module_utils.node_pids.figures import (
    NO_LIMIT,
    NodeReading,
    by_usage,
    limit_row,
    missing,
    node_limits,
    node_row,
    pod_rows,
    tightest,
)


def summary(*pods: tuple[str, int | None], max_threads: int | None = 32768, threads: int | None = 500) -> Summary:
    named = tuple(PodProcesses(namespace="ns", name=uid, uid=uid, processes=count) for uid, count in pods)
    return Summary(max_threads=max_threads, threads=threads, pods=named)


def configuration(**changed: Any) -> Configuration:
    plain = {"pod_pids_limit": 1024, "pod_pids_unlimited": False, "reserved_pids": 0, "eviction_available": None}
    return Configuration(**(plain | changed))


def reading(**known: Any) -> NodeReading:
    return NodeReading(name="n1", **known)


def figures(row: dict[str, Any], *names: str) -> tuple[Any, ...]:
    return tuple(row[name] for name in names)


COMPARED = ("limit", "used", "free", "used_percent")


@pytest.mark.parametrize(
    ("limit", "used", "free", "percent", "cause"),
    [
        (1000, 250, 750, 25.0, None),
        (100, 130, -30, 130.0, None),
        (None, 250, None, None, "why"),
        (1000, None, None, None, "why"),
        (None, None, None, None, "why"),
    ],
)
def test_a_comparison_needs_both_figures(limit, used, free, percent, cause):
    row = limit_row(limit=limit, used=used, source="where", cause="why")
    assert figures(row, *COMPARED) == (limit, used, free, percent)
    assert (row["cause"], row["source"]) == (cause, None if limit is None else "where")


def test_a_nodes_limits_from_three_endpoints():
    limits = node_limits(
        reading(
            summary=summary(),
            cgroups=Cgroups(all_pods=Cgroup(threads=300, limit=30000)),
            configuration=configuration(eviction_available="10%"),
        )
    )
    assert figures(limits["kernel"], *COMPARED) == (32768, 500, 32268, 1.5)
    assert figures(limits["allocatable"], *COMPARED) == (30000, 300, 29700, 1.0)
    assert figures(limits["eviction"], *COMPARED) == (29491, 500, 28991, 1.7)
    assert limits["eviction"]["source"] == "evictionHard pid.available=10%: PIDPressure above it"


def test_what_pods_may_have_is_computed_where_the_cgroup_does_not_tell_the_limit():
    limits = node_limits(reading(summary=summary(), configuration=configuration(reserved_pids=1500)))
    assert figures(limits["allocatable"], *COMPARED) == (31268, None, None, None)
    assert limits["allocatable"]["source"].startswith("computed: ")


@pytest.mark.parametrize(
    ("known", "causes"),
    [
        pytest.param(
            {"cause": "simulated node"},
            {"kernel": "simulated node", "allocatable": "simulated node", "eviction": "simulated node"},
            id="nothing",
        ),
        pytest.param(
            {"causes": {"summary": "403", "cadvisor": "404", "configuration": "silent"}},
            {"kernel": "403", "allocatable": "404", "eviction": "silent"},
            id="each endpoint its own",
        ),
        pytest.param(
            {
                "summary": summary(max_threads=None, threads=None),
                "cgroups": Cgroups(),
                "configuration": configuration(),
            },
            {
                "kernel": "the kubelet's summary has no node.rlimit",
                "allocatable": "cAdvisor has no cgroup of all pods",
                "eviction": NO_LIMIT,
            },
            id="answers without the figure",
        ),
        pytest.param(
            {"causes": {"summary": "403"}, "configuration": configuration(eviction_available="10%")},
            {"eviction": "403"},
            id="a threshold in percent of what is not known",
        ),
    ],
)
def test_why_a_nodes_figure_is_missing(known, causes):
    limits = node_limits(reading(**known))
    assert {name: limits[name]["cause"] for name in causes} == causes
    assert all(row["limit"] is None and row["free"] is None for name, row in limits.items() if name in causes)


@pytest.mark.parametrize(
    ("cgroup", "configured", "limit", "source", "cause"),
    [
        (Cgroup(threads=73, limit=512), configuration(), 512, "pids.max of the pod's cgroup", None),
        (Cgroup(threads=73), configuration(), 1024, "podPidsLimit", None),
        (Cgroup(threads=73, unlimited=True), configuration(), None, None, NO_LIMIT),
        (
            Cgroup(threads=73),
            configuration(pod_pids_limit=None, pod_pids_unlimited=True),
            None,
            None,
            NO_LIMIT,
        ),
        (
            Cgroup(threads=73),
            configuration(pod_pids_limit=None),
            None,
            None,
            "the kubelet's configuration has no podPidsLimit",
        ),
        (Cgroup(threads=73), None, None, None, "403"),
    ],
)
def test_a_pods_own_limit(cgroup, configured, limit, source, cause):
    (row,) = pod_rows(
        reading(
            summary=summary(("b1", 72)),
            cgroups=Cgroups(pods={"b1": cgroup}),
            configuration=configured,
            causes={} if configured else {"configuration": "403"},
        ),
        wanted=lambda _namespace, _uid: True,
    )
    assert figures(row, "processes", "threads", "used", "limit", "source") == (72, 73, 73, limit, source)
    assert row["cause"] == cause


@pytest.mark.parametrize(
    ("counted", "cgroup", "processes", "threads", "used"),
    [
        (72, Cgroup(threads=80, processes=73), 72, 80, 80),
        (72, Cgroup(), 72, None, 72),
        (72, None, 72, None, 72),
        (None, Cgroup(threads=80), None, 80, 80),
        (None, Cgroup(processes=73), 73, None, 73),
        (None, None, None, None, None),
    ],
)
def test_what_is_used_of_it(counted, cgroup, processes, threads, used):
    (row,) = pod_rows(
        reading(
            summary=summary(("b1", counted)),
            cgroups=Cgroups(pods={"b1": cgroup} if cgroup else {}),
            configuration=configuration(),
        ),
        wanted=lambda _namespace, _uid: True,
    )
    assert figures(row, "processes", "threads", "used") == (processes, threads, used)
    if used is None:
        assert figures(row, "free", "limited_by", "used_percent") == (None, None, None)
        assert row["cause"] == "the kubelet does not count this pod's processes"


@pytest.mark.parametrize(
    ("pod", "pods", "kernel", "free", "limited_by"),
    [(1000, 30000, 32768, 900, "pod"), (1000, 350, 32768, 50, "allocatable"), (1000, 30000, 510, 10, "kernel")],
)
def test_what_stops_a_pod_is_the_limit_with_the_least_left(pod, pods, kernel, free, limited_by):
    (row,) = pod_rows(
        reading(
            summary=summary(("b1", 72), max_threads=kernel),
            cgroups=Cgroups(pods={"b1": Cgroup(threads=100, limit=pod)}, all_pods=Cgroup(threads=300, limit=pods)),
        ),
        wanted=lambda _namespace, _uid: True,
    )
    assert figures(row, "free", "limited_by") == (free, limited_by)
    assert row["used_percent"] == 10.0


def test_without_a_summary_the_metrics_name_the_pods():
    cgroups = Cgroups(pods={"u1": Cgroup(namespace="ns", name="web", threads=5, limit=50)})
    rows = pod_rows(reading(cgroups=cgroups, causes={"summary": "403"}), wanted=lambda _namespace, _uid: True)
    assert [figures(row, "namespace", "name", "uid", "processes", "used_percent") for row in rows] == [
        ("ns", "web", "u1", None, 10.0)
    ]


def test_only_wanted_pods_but_a_node_counts_all():
    one = reading(summary=summary(("b1", 72), ("x", 8), ("y", None)), configuration=configuration())
    assert [row["name"] for row in pod_rows(one, wanted=lambda _namespace, uid: uid == "x")] == ["x"]
    assert figures(node_row(one), "pods", "processes", "threads", "pod_pids_limit") == (3, 80, 500, 1024)


@pytest.mark.parametrize(
    "known", [{"cause": "simulated node"}, {"causes": {"summary": "403", "cadvisor": "403", "configuration": "403"}}]
)
def test_a_node_without_data_has_no_noughts(known):
    row = node_row(reading(**known))
    assert figures(row, "pods", "processes", "threads", "pod_pids_limit") == (None, None, None, None)
    assert row["causes"] == ([known["cause"]] if "cause" in known else [f"{name}: 403" for name in known["causes"]])


def test_pods_nearest_to_their_limit_go_first():
    def row(name: str, percent: float | None, used: int | None) -> dict[str, Any]:
        return {"namespace": "ns", "name": name, "used_percent": percent, "used": used}

    rows = [row("d", None, None), row("c", None, 90), row("b", 7.0, 70), row("a", 7.0, 70), row("e", 90.0, 9)]
    assert [one["name"] for one in sorted(rows, key=by_usage)] == ["e", "a", "b", "c", "d"]


def test_the_tightest_limit_of_all():
    one = reading(
        summary=summary(("b1", 72), threads=16384), cgroups=Cgroups(pods={"b1": Cgroup(threads=100, limit=400)})
    )
    pods = pod_rows(one, wanted=lambda _namespace, _uid: True)
    assert tightest([node_row(one)], pods) == {
        "node": "n1", "pod": None, "name": "kernel", "limit": 32768, "used": 16384, "used_percent": 50.0,
    }  # fmt: skip
    assert tightest([], pods) == {
        "node": "n1", "pod": "ns/b1", "name": "pod", "limit": 400, "used": 100, "used_percent": 25.0,
    }  # fmt: skip
    assert tightest([node_row(reading(cause="simulated node"))], []) is None


def test_one_cause_of_many_nodes_is_told_once():
    readings = [NodeReading(name=f"n{n}", cause="simulated node") for n in range(3)]
    readings += [NodeReading(name=f"w{n}", causes={"summary": f"lookup w{n}: no such host"}) for n in range(5)]
    assert missing([*readings, NodeReading(name="fine")]) == [
        {"cause": "summary: lookup NODE: no such host", "nodes": 5, "example": "w0"},
        {"cause": "simulated node", "nodes": 3, "example": "n0"},
    ]
