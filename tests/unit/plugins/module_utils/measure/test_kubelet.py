"""What kubelets send, whole, in part and broken: figures where they are, nothing invented where they are not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.measure.kubelet import (
    Cgroup,
    Configuration,
    Unreadable,
    count_of,
    eviction_starts_at,
    parse_cgroups,
    parse_configuration,
    parse_summary,
)

UID = "0f0c1c4e-6a55-4c55-9b0a-0d4c6d5a9b11"
OTHER = "7b7d6a0e-0f63-4a4c-8f0d-3f2f0a6f1c22"
STATIC = "5f1d0a3c2b4e69788796a5b4c3d2e1f0"


def pod(uid: str = UID, **rest: Any) -> dict[str, Any]:
    return {"podRef": {"namespace": "ns", "name": "build", "uid": uid}, **rest}


def encoded(document: Any) -> bytes:
    return json.dumps(document).encode()


# --- /stats/summary ---------------------------------------------------------------------------------------------------


def test_a_whole_summary():
    document = {
        "node": {"nodeName": "n1", "rlimit": {"time": "2026-01-01T00:00:00Z", "maxpid": 32768, "curproc": 512}},
        "pods": [
            pod(process_stats={"process_count": 72}, cpu={"time": "2026-01-01T00:00:01Z", "usageNanoCores": 5}),
            pod(OTHER),
        ],
    }
    summary = parse_summary(encoded(document))
    assert (summary.max_threads, summary.threads) == (32768, 512)
    assert [(one.uid, one.processes, one.taken) for one in summary.pods] == [
        (UID, 72, "2026-01-01T00:00:01Z"),
        (OTHER, None, None),
    ]


@pytest.mark.parametrize(
    "value",
    [None, True, "72", 0, -1, 0.5, [], {}, float("nan"), float("inf"), 10**400, 2**64 - 1],
    ids=repr,
)
def test_what_is_no_count_is_no_data(value):
    """A node without rlimit and a pod that counts 0 processes are both kubelets that do not count."""
    assert count_of(value) is None


@pytest.mark.parametrize(("value", "count"), [(1, 1), (72, 72), (72.0, 72), (4194304, 4194304)])
def test_what_is_a_count(value, count):
    assert count_of(value) == count


@pytest.mark.parametrize(
    "document",
    [
        {"node": None},
        {"node": [], "pods": None},
        {"node": {"rlimit": "no"}, "pods": {"a": 1}},
        {"node": {"rlimit": {"maxpid": "x", "curproc": None}}, "pods": [None, 1, {}, {"podRef": None}]},
        {"pods": [{"podRef": {"namespace": "ns", "name": 7, "uid": UID}}, {"podRef": {"namespace": "", "name": "a"}}]},
    ],
)
def test_a_summary_of_the_wrong_shapes_has_no_figures(document):
    summary = parse_summary(encoded(document))
    assert (summary.max_threads, summary.threads, summary.pods) == (None, None, ())


def test_wrong_shapes_beside_a_pod_do_not_hide_the_others():
    document = {
        "pods": [{"podRef": []}, pod(process_stats=[1], cpu="x"), pod(OTHER, process_stats={"process_count": 3})]
    }
    assert [(one.uid, one.processes) for one in parse_summary(encoded(document)).pods] == [(UID, None), (OTHER, 3)]


NOT_JSON = [
    (b"", "no JSON: ''"),
    (b"<html>\n<body>", "no JSON: '<html>"),
    (b"\xff\xfe\x00", "no JSON: "),
    (b"[" * 100_000, "no JSON: "),
    (b'{"node": {', "no JSON: "),
    (b"[1]", "JSON, but no object: list"),
    (b"null", "JSON, but no object: NoneType"),
    (b"9" * 5000, "no JSON: "),
]


@pytest.mark.parametrize(
    ("body", "told"), [*NOT_JSON, (b"{}", "no statistics"), (b'{"kind": "Status"}', "no statistics")]
)
def test_what_is_no_summary_is_told(body, told):
    with pytest.raises(Unreadable, match=told.split("'")[0]) as failure:
        parse_summary(body)
    assert str(failure.value).startswith(told)


@pytest.mark.parametrize(
    ("node", "cpu_cores", "memory_bytes"),
    [
        (
            {"cpu": {"usageNanoCores": 1_250_000_000}, "memory": {"workingSetBytes": 4096, "usageBytes": 9999}},
            1.25,
            4096,
        ),
        ({"cpu": {"usageCoreNanoSeconds": 5}, "memory": {"availableBytes": 5}}, None, None),
        ({"cpu": {"usageNanoCores": 0}, "memory": {"workingSetBytes": 0}}, None, None),
        ({"cpu": {"usageNanoCores": "1"}, "memory": {"workingSetBytes": True}}, None, None),
        ({"cpu": None, "memory": [1]}, None, None),
    ],
)
def test_cpu_and_memory_of_a_node(node, cpu_cores, memory_bytes):
    """A node that runs a kubelet uses some of both: 0 is a kubelet that has not looked yet."""
    summary = parse_summary(encoded({"node": node}))
    assert (summary.cpu_cores, summary.memory_bytes) == (cpu_cores, memory_bytes)


# --- /configz ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kubelet", "limit", "unlimited", "reserved", "eviction"),
    [
        ({}, None, False, 0, None),
        ({"podPidsLimit": 4096}, 4096, False, 0, None),
        ({"podPidsLimit": -1}, None, True, 0, None),
        ({"podPidsLimit": 0}, None, False, 0, None),
        ({"podPidsLimit": "4096"}, None, False, 0, None),
        ({"podPidsLimit": True}, None, False, 0, None),
        ({"kubeReserved": {"pid": "500", "cpu": "1"}, "systemReserved": {"pid": "1k"}}, None, False, 1500, None),
        ({"kubeReserved": {"pid": "many"}, "systemReserved": ["pid"]}, None, False, 0, None),
        ({"evictionHard": {"pid.available": "10%"}}, None, False, 0, "10%"),
        ({"evictionHard": {"memory.available": "100Mi"}}, None, False, 0, None),
        ({"evictionHard": {"pid.available": 5}}, None, False, 0, None),
    ],
)
def test_a_configuration(kubelet, limit, unlimited, reserved, eviction):
    assert parse_configuration(encoded({"kubeletconfig": kubelet})) == Configuration(
        pod_pids_limit=limit, pod_pids_unlimited=unlimited, reserved_pids=reserved, eviction_available=eviction
    )


@pytest.mark.parametrize(
    ("body", "told"), [*NOT_JSON, (b"{}", "no configuration"), (b'{"kubeletconfig": 1}', "no configuration")]
)
def test_what_is_no_configuration_is_told(body, told):
    with pytest.raises(Unreadable) as failure:
        parse_configuration(body)
    assert str(failure.value).startswith(told)


@pytest.mark.parametrize(
    ("threshold", "maximum", "starts"),
    [
        ("10%", 32768, 29491),
        ("500", 32768, 32268),
        ("1k", 32768, 31768),
        (None, 32768, None),
        ("10%", None, None),
        ("0%", 32768, None),
        ("100%", 32768, None),
        ("ten%", 32768, None),
        ("nan%", 32768, None),
        ("inf%", 32768, None),
        ("-5%", 32768, None),
        ("99999", 32768, None),
        ("some", 32768, None),
    ],
)
def test_where_eviction_starts(threshold, maximum, starts):
    assert eviction_starts_at(threshold, maximum) == starts


# --- /metrics/cadvisor ------------------------------------------------------------------------------------------------

CGROUPFS = f"/kubepods/burstable/pod{UID}"
SYSTEMD = f"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{OTHER.replace('-', '_')}.slice"


def sample(metric: str, path: str, value: object, *, tail: str = " 1767225600000", **labels: str) -> str:
    named = {"container": "", "id": path, "image": "", "name": "", **labels}
    inner = ",".join(f'{name}="{text}"' for name, text in named.items())
    return f"container_{metric}{{{inner}}} {value}{tail}"


def cgroups(*lines: str) -> Any:
    return parse_cgroups("\n".join(["# HELP container_threads Number of threads", *lines]).encode())


def test_cgroups_of_both_drivers_with_all_below_them():
    found = cgroups(
        'container_cpu_usage_seconds_total{id="/"} 5',
        sample("threads", "/", 0),
        sample("threads", "/kubepods", 300),
        sample("threads_max", "/kubepods", "31768"),
        sample("processes", "/kubepods", 0),
        sample("processes", CGROUPFS, 0, pod="build", namespace="ns"),
        sample("threads", CGROUPFS, "74", pod="build", namespace="ns"),
        sample("threads_max", CGROUPFS, "1.024e+03"),
        sample("processes", f"{CGROUPFS}/aaaa", 72, container="build"),
        sample("threads", f"{CGROUPFS}/aaaa", 73, container="build"),
        sample("threads_max", f"{CGROUPFS}/aaaa", 0),
        sample("processes", f"{CGROUPFS}/bbbb", 1, image="pause"),
        sample("threads", SYSTEMD, 9, tail=""),
        sample("threads_max", SYSTEMD, 0),
        sample("processes", f"{SYSTEMD}/cri-containerd-cccc.scope", 4),
        sample("threads", f"/kubepods/besteffort/pod{STATIC}", 5),
        sample("threads", "/system.slice/kubelet.service", 40),
        sample("threads", "/podman/podman.service", 40),
    )
    assert found.all_pods == Cgroup(threads=300, limit=31768)
    assert found.pods == {
        UID: Cgroup(namespace="ns", name="build", threads=74, limit=1024, processes=73),
        OTHER: Cgroup(threads=9, unlimited=True, processes=4),
        STATIC: Cgroup(threads=5),
    }


@pytest.mark.parametrize("value", ["0", "+Inf", "1.8446744073709552e+19", "9.223372036854776e+18"])
def test_every_way_to_say_max_is_no_limit(value):
    found = cgroups(sample("threads", CGROUPFS, 5), sample("threads_max", CGROUPFS, value)).pods[UID]
    assert (found.limit, found.unlimited) == (None, True)


def test_a_cgroup_whose_threads_nobody_counts_is_not_called_unlimited():
    found = cgroups(
        sample("threads", CGROUPFS, 0), sample("threads_max", CGROUPFS, 0), sample("processes", f"{CGROUPFS}/a", 3)
    )
    assert found.pods[UID] == Cgroup(processes=3)


@pytest.mark.parametrize(
    "line",
    [
        sample("threads", CGROUPFS, "NaN"),
        sample("threads", CGROUPFS, "-3"),
        sample("threads", CGROUPFS, "many"),
        f'container_threads{{id="{CGROUPFS}"}}',
        f'container_threads{{id="{CGROUPFS} 5',
        'container_threads{container="x"} 5',
        "container_threads 5",
        f'container_threads_maximum{{id="{CGROUPFS}"}} 5',
    ],
)
def test_a_broken_line_is_no_figure_and_hides_no_other(line):
    found = cgroups(line, sample("threads", "/kubepods.slice", 300))
    assert found.pods == {}
    assert found.all_pods == Cgroup(threads=300)


def test_labels_may_hold_anything():
    odd = r"a\"b},id=\"/kubepods\",c=\\"
    found = cgroups(sample("processes", f"{CGROUPFS}/aaaa", 7, container=odd, tail=" 5"))
    assert found.pods == {UID: Cgroup(processes=7)}
    assert found.all_pods is None


def test_a_cgroup_that_is_listed_twice_counts_once():
    line = sample("processes", f"{CGROUPFS}/aaaa", 7)
    assert cgroups(line, line).pods[UID].processes == 7


def test_metrics_without_processes_are_an_answer_without_figures():
    found = parse_cgroups(b'container_cpu_usage_seconds_total{id="/"} 5\n')
    assert (found.pods, found.all_pods) == ({}, None)


@pytest.mark.parametrize("body", [b"", b"<html></html>", b"\x00\xff", b'{"kind": "Status"}', b"go_threads 5\n"])
def test_what_are_no_metrics_of_cadvisor_is_told(body):
    with pytest.raises(Unreadable, match="no metrics of cAdvisor"):
        parse_cgroups(body)
