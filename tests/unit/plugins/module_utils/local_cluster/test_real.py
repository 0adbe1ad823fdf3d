"""The real tier: who starts in which namespaces, with which configuration, and what is asked of the machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster import cgroups, host, tier
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.cluster import LocalCluster
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.errors import (
    LocalClusterError,
    SettingsError,
)
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.layout import Layout
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.node_namespaces import entering
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.parts import Inside
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.pki import Pki
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.preconditions import check_machine
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.real import RealTier
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.settings import Settings
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.tier import Decision
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.upstreams import (
    CONTROL_PLANE,
    NODE_PROGRAMS,
)

from .test_settings import PARAMS

FILES = Path(__file__).resolve().parents[5] / "roles" / "local_cluster" / "files"
HOST = host.Host({name: Path("/usr/bin") / name for name in host.PACKAGES}, Path("/usr/lib/cni"))


@pytest.fixture
def tmp_path(short_folder: Callable[[], Path]) -> Path:
    """Return one that is short enough for a real node."""
    return short_folder()


def settings(tmp_path: Path, **changes: object) -> Settings:
    values = {"data_dir": str(tmp_path / "data"), "sources_dir": str(FILES), "real_node": True, "state": "present"}
    return Settings.from_params({**PARAMS, **values, **changes})


def parts(tmp_path: Path, **changes: object):
    programs = {name: Path("/programs") / name for name in (*CONTROL_PLANE, *NODE_PROGRAMS)}
    layout = Layout(tmp_path / "data")
    made = RealTier(settings(tmp_path, **changes), layout, Pki(layout.pki), HOST, programs).parts()
    return {part.name: part for part in made}


def config_of(part) -> dict:
    return json.loads(next(text for path, text in part.files.items() if path.suffix == ".yaml"))


def test_control_plane_is_in_the_network_and_the_node_in_all(tmp_path: Path) -> None:
    made = parts(tmp_path)
    assert {name: part.inside for name, part in made.items()} == {
        "node": None,
        **dict.fromkeys((*CONTROL_PLANE, "coredns"), Inside.NETWORK),
        **dict.fromkeys(("containerd", "kubelet", "kube-proxy"), Inside.NODE),
    }
    assert all("node" in part.after for name, part in made.items() if name in CONTROL_PLANE)
    layout = Layout(tmp_path / "data")
    command = entering(made["kubelet"], 4711, layout)
    assert command[:2] == ("nsenter", "--target=4711")
    assert {"--net", "--mount", "--pid"} <= set(command)
    assert f"kubestress-{layout.key}/system" in command
    network = entering(made["etcd"], 4711, layout)
    assert "--pid" not in network
    assert network[-len(made["etcd"].command) :] == made["etcd"].command


def test_etcd_has_no_address_that_pods_reach_but_for_its_health(tmp_path: Path) -> None:
    command = parts(tmp_path)["etcd"].command
    assert "--listen-client-urls=http://127.0.0.1:22379" in command
    assert "--listen-metrics-urls=http://10.231.0.2:22379" in command


def test_names_are_resolved_by_a_server_of_the_clusters_own(tmp_path: Path) -> None:
    made = parts(tmp_path)
    (text,) = made["coredns"].files.values()
    assert "bind 10.231.0.2" in text
    assert "kubernetes cluster.local in-addr.arpa" in text
    assert "forward" not in text, "nothing leads out of that network"
    kubelet = config_of(made["kubelet"])
    assert (kubelet["clusterDNS"], kubelet["clusterDomain"]) == (["10.231.0.2"], "cluster.local")


def test_kubelet_asks_the_api_server(tmp_path: Path) -> None:
    config = config_of(parts(tmp_path)["kubelet"])
    assert config["authentication"]["anonymous"] == {"enabled": False}
    assert config["authorization"] == {"mode": "Webhook"}
    assert config["failCgroupV1"] is False
    assert config["cgroupDriver"] == "cgroupfs"
    assert "--housekeeping-interval=1s" in parts(tmp_path)["kubelet"].command


def test_knobs_reach_the_kubelet_and_leave_the_other_parts_alone(tmp_path: Path) -> None:
    knobs = {
        "real_node_max_pods": 20,
        "real_node_pod_pids_limit": 100,
        "real_node_reserved_pids": 300,
        "real_node_eviction_pids": "10%",
        "real_node_cni_delay_ms": 1500,
        "real_node_cni_fail_percent": 5,
        "real_node_registries": [" 10.231.0.1:5000\n"],
    }
    plain, turned = parts(tmp_path), parts(tmp_path, **knobs)
    changed = {name for name in plain if plain[name].fingerprint != turned[name].fingerprint}
    assert changed == {"kubelet"}
    assert turned["kubelet"].replaceable
    config = config_of(turned["kubelet"])
    assert (config["maxPods"], config["podPidsLimit"]) == (20, 100)
    assert config["systemReserved"] == {"pid": "300"}
    assert config["evictionHard"]["pid.available"] == "10%"
    assert "pid.available" not in config_of(plain["kubelet"])["evictionHard"]
    wrapper = next(text for path, text in turned["kubelet"].files.items() if path.name == "settings")
    assert wrapper == "delay_seconds=1.5\nfail_percent=5\n"
    (hosts,) = (path for path in turned["kubelet"].files if path.name == "hosts.toml")
    assert hosts.parent.name == "10.231.0.1:5000"
    assert any(f'config_path = "{hosts.parent.parent}"' in text for text in plain["containerd"].files.values())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"node_network": "10.0.0.0/24"}, "node_network is '10.0.0.0/24'; allowed is an IPv4 range such as"),
        ({"node_network": "10.0.0.1/30"}, "node_network is '10.0.0.1/30'"),
        ({"node_network": "fd00::/126"}, "node_network is 'fd00::/126'"),
        (
            {"real_node_pid_max": 100},
            "real_node_pid_max: 100 is not allowed; it must be 500 to 4,194,304",
        ),
        (
            {"real_node_pod_pids_limit": 0},
            "real_node_pod_pids_limit: 0 is not allowed; it must be 2 to 4,194,304",
        ),
        ({"real_node_eviction_pids": "most"}, "real_node_eviction_pids is 'most'; allowed is a number such as 500"),
        ({"real_node_cni_fail_percent": 101}, "real_node_cni_fail_percent: 101 is not allowed; it must be 0 to 100"),
        (
            {"real_node_registries": ["http://h:1"]},
            "real_node_registries has 'http://h:1'; allowed is HOST:PORT",
        ),
        ({"real_node_registries": ["h:1", "../x"]}, "real_node_registries has '../x'"),
        ({"real_node_max_pods": 0}, "real_node_max_pods: 0 is not allowed; it must be 1 to 1,000"),
        ({"data_dir": "/run/cluster"}, "allowed is a folder outside /run"),
        ({"data_dir": "/x" + "y" * 68}, "70 characters; with real_node allowed are 69 at most"),
    ],
)
def test_bad_values_are_named_with_their_cure(tmp_path: Path, changes: dict, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settings(tmp_path, **changes)
    assert message in str(caught.value)


def test_without_root_there_are_simulated_nodes_and_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    cluster = LocalCluster(settings(tmp_path), check_mode=True)
    assert not cluster.settings.real_node
    (warning,) = cluster.report.warnings
    assert "needs root, and this is user 1000" in warning or "needs Linux" in warning


def test_missing_programs_are_named_with_their_packages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(host, "search_path", lambda: str(tmp_path))
    monkeypatch.setattr(host, "CNI_FOLDERS", (tmp_path,))
    with pytest.raises(LocalClusterError) as caught:
        host.find()
    assert "apt-get install busybox-static conntrack containerd containernetworking-plugins" in str(caught.value)
    assert "containerd-shim-runc-v2" in str(caught.value)


def test_a_busybox_that_needs_libraries_is_found_before_anything_is_built(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With all that is missing besides, in one command."""
    dynamic = Path(sys.executable).resolve()
    assert not host.is_static(dynamic)
    (tmp_path / "busybox").symlink_to(dynamic)
    monkeypatch.setattr(host, "search_path", lambda: str(tmp_path))
    monkeypatch.setattr(host, "CNI_FOLDERS", (tmp_path,))
    monkeypatch.setattr(cgroups, "obstacle", lambda: "the cgroups in /x are read-only")
    with pytest.raises(LocalClusterError) as caught:
        check_machine(settings(tmp_path), running=False)
    told = str(caught.value)
    assert f"a busybox that is static, which {tmp_path}/busybox is not" in told
    assert told.count("apt-get install") == 1
    assert "apt-get install busybox-static conntrack containerd containernetworking-plugins iproute2 mount" in told
    assert "the cgroups in /x are read-only" in told


@pytest.mark.skipif(not Path("/bin/busybox").exists(), reason="there is no busybox here")
def test_a_static_busybox_is_one() -> None:
    listed = subprocess.run(["ldd", "/bin/busybox"], capture_output=True, text=True, check=False)
    assert host.is_static(Path("/bin/busybox")) is ("not a dynamic executable" in listed.stdout + listed.stderr)


@pytest.mark.parametrize(
    ("mounts", "controllers", "told"),
    [
        ("cgroup2 {0} cgroup2 rw 0 0", "cpu memory pids", None),
        ("cgroup2 {0} cgroup2 rw 0 0", "cpu memory", "the cgroup controller pids is missing"),
        ("cgroup {0} cgroup rw,pids 0 0", None, None),
        ("cgroup {0} cgroup rw,memory 0 0", None, "the cgroup controller pids is missing"),
        ("tmpfs /tmp tmpfs rw 0 0", None, "the cgroup controller pids is missing"),
    ],
)
def test_cgroups_that_cannot_limit_processes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mounts: str, controllers: str | None, told: str | None
) -> None:
    (tmp_path / "mounts").write_text(mounts.format(tmp_path))
    if controllers is not None:
        (tmp_path / "cgroup.controllers").write_text(controllers)
    monkeypatch.setattr(cgroups, "MOUNTS", tmp_path / "mounts")
    reason = cgroups.obstacle()
    assert (reason or "").startswith(told or "")
    assert (reason is None) is (told is None)


def test_lost_namespaces_take_all_parts_along() -> None:
    names = ("node", "etcd", "kubelet")
    lost = Decision(start=("node", "kubelet"))
    assert tier.restarted_with_node(lost, wanted=names, alive={"etcd"}).replace == ("etcd",)
    crashed = Decision(start=("kubelet",))
    assert tier.restarted_with_node(crashed, wanted=names, alive={"node", "etcd"}) == crashed


def test_cgroups_come_and_go_in_every_hierarchy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pids, memory = tmp_path / "pids", tmp_path / "memory"
    for folder in (pids, memory):
        folder.mkdir()
    mounts = tmp_path / "mounts"
    rows = [f"cgroup {pids} cgroup rw,pids 0 0", f"cgroup {memory} cgroup rw,memory 0 0", "tmpfs /tmp tmpfs rw 0 0"]
    mounts.write_text("\n".join(rows))
    monkeypatch.setattr(cgroups, "MOUNTS", mounts)
    cgroups.create("ours", "system")
    assert (pids / "ours" / "system").is_dir()
    with pytest.raises(LocalClusterError, match="no cgroup controller pids"):
        cgroups.limit_processes("ours", 500)
    (memory / "ours" / "kubepods" / "pod1").mkdir(parents=True)
    assert len(cgroups.existing("ours")) == 2
    cgroups.remove("ours")
    assert not cgroups.existing("ours")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["memory", "mounts", "pids"]
