"""kubestress.core.local_cluster from nothing to nothing, on real processes. The tests build on each other, in order."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from helpers.local_cluster import Driver, processes_of

Kubectl = Callable[..., Any]
PARTS = {"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"}


def test_check_mode_tells_and_does_nothing(driver: Driver) -> None:
    checking = Driver(driver.options, {"CHECK": "1"})
    result = checking.ok()
    assert result["changed"]
    assert any(change.startswith("start etcd") for change in result["changes"])
    assert "create 3 nodes" in result["changes"]
    assert not driver.data_dir.exists()
    assert not processes_of(driver.data_dir)


def test_present(driver: Driver, own_kubectl: Kubectl) -> None:
    before = Path.home() / ".kube" / "config"
    stamp = before.stat().st_mtime_ns if before.exists() else None
    began = time.monotonic()
    result = driver.ok()
    assert time.monotonic() - began < 120
    assert result["changed"]
    assert set(result["parts"]) == PARTS
    assert result["kubeconfig"] == str(driver.data_dir / "kubeconfig")
    assert (before.stat().st_mtime_ns if before.exists() else None) == stamp
    nodes = own_kubectl("get", "nodes")["items"]
    assert len(nodes) == 3
    assert {node["status"]["allocatable"]["pods"] for node in nodes} == {"500"}
    own_kubectl("get", "serviceaccount", "default")


def test_files_are_for_this_user_only(driver: Driver) -> None:
    kubeconfig = driver.data_dir / "kubeconfig"
    assert stat.S_IMODE(kubeconfig.stat().st_mode) == 0o600
    assert stat.S_IMODE(driver.data_dir.stat().st_mode) == 0o700
    assert yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]["server"].startswith("https://127.0.0.1:")


def test_everything_listens_on_loopback_only(driver: Driver) -> None:
    ports = {port for name, port in driver.options.items() if name.endswith("_port")}
    listening: dict[int, set[str]] = {}
    for table in ("tcp", "tcp6"):
        for line in Path("/proc/net", table).read_text().splitlines()[1:]:
            columns = line.split()
            address, _colon, port = columns[1].rpartition(":")
            if columns[3] == "0A":
                listening.setdefault(int(port, 16), set()).add(address)
    assert ports <= set(listening)
    assert {address for port in ports for address in listening[port]} == {"0100007F"}


def test_again_is_no_change(driver: Driver) -> None:
    pids = {name: part["pid"] for name, part in driver.ok()["parts"].items()}
    result = driver.ok()
    assert not result["changed"]
    assert result["changes"] == []
    assert {name: part["pid"] for name, part in result["parts"].items()} == pids


def test_more_fewer_and_other_nodes_without_a_restart(driver: Driver, own_kubectl: Kubectl) -> None:
    pids = {name: part["pid"] for name, part in driver.ok()["parts"].items()}
    result = driver.ok(nodes=5, pods_per_node=110)
    assert result["changes"] == ["create 2 nodes", "resize 3 nodes"]
    nodes = own_kubectl("get", "nodes")["items"]
    assert [node["status"]["allocatable"]["pods"] for node in nodes] == ["110"] * 5
    result = driver.ok(nodes=2, pods_per_node=110)
    assert result["changes"] == ["delete 3 nodes"]
    assert len(own_kubectl("get", "nodes")["items"]) == 2
    assert {name: part["pid"] for name, part in result["parts"].items()} == pids


def test_other_ports_are_refused_and_said_how(driver: Driver) -> None:
    wanted = driver.options["scheduler_port"] + 1
    message = driver.failure(scheduler_port=wanted)
    assert f"scheduler_port is {driver.options['scheduler_port']} instead of {wanted}" in message
    assert "set restart to true" in message
    assert not driver.ok(nodes=2, pods_per_node=110)["changed"]


def test_other_ports_with_restart_keep_the_objects(driver: Driver, own_kubectl: Kubectl) -> None:
    own_kubectl("create", "configmap", "kept", "--from-literal=a=b")
    driver.options["api_port"], driver.options["etcd_peer_port"] = (
        driver.options["etcd_peer_port"],
        driver.options["api_port"],
    )
    result = driver.ok(restart=True)
    assert result["endpoint"] == f"https://127.0.0.1:{driver.options['api_port']}"
    assert own_kubectl("get", "configmap", "kept")["data"] == {"a": "b"}
    assert not driver.ok()["changed"]


def test_a_crashed_part_is_started_again_and_told(driver: Driver) -> None:
    before = driver.ok()["parts"]
    os.kill(before["kube-scheduler"]["pid"], 9)
    result = driver.ok()
    assert result["changes"] == ["start kube-scheduler"]
    told = " ".join(result.output.split())
    assert "kube-scheduler was no longer running" in told
    assert str(driver.data_dir / "logs" / "kube-scheduler.log") in told.replace(" ", "")
    assert result["parts"]["kube-scheduler"]["pid"] != before["kube-scheduler"]["pid"]
    assert result["parts"]["etcd"]["pid"] == before["etcd"]["pid"]


def test_a_lost_kubeconfig_is_written_again(driver: Driver, own_kubectl: Kubectl) -> None:
    (driver.data_dir / "kubeconfig").unlink()
    assert driver.ok()["changes"] == ["write the kubeconfig"]
    own_kubectl("get", "nodes")


def test_two_at_once_take_turns(driver: Driver) -> None:
    driver.ok(state="absent")
    running = [driver.start(), driver.start()]
    results = [driver.finish(process) for process in running]
    assert [result.failed for result in results] == [False, False], [result.message for result in results]
    assert sorted(result["changed"] for result in results) == [False, True]


def test_absent_in_check_mode_keeps_it(driver: Driver) -> None:
    result = Driver(driver.options, {"CHECK": "1"}).ok(state="absent")
    assert result["changes"] == ["end 5 processes", f"remove {driver.data_dir}"]
    assert not driver.ok()["changed"]


def test_absent_leaves_nothing(driver: Driver) -> None:
    assert len(processes_of(driver.data_dir)) == len(PARTS)
    assert driver.ok(state="absent")["changed"]
    assert processes_of(driver.data_dir) == {}
    assert not driver.data_dir.exists()
    assert not driver.ok(state="absent")["changed"]


def test_absent_after_the_folder_was_removed_by_hand(driver: Driver) -> None:
    """Nothing is written down any more, and still every process is found."""
    driver.ok()
    for path in sorted(driver.data_dir.rglob("*"), reverse=True):
        path.unlink(missing_ok=True) if not path.is_dir() else None
    assert driver.ok(state="absent")["changes"][0] == "end 5 processes"
    assert processes_of(driver.data_dir) == {}


def test_a_killed_start_is_cleaned_up_by_the_next(driver: Driver) -> None:
    """The run dies in the middle of the start; what it left is taken over or ended, never doubled."""
    interrupted = driver.start()
    while len(processes_of(driver.data_dir / "etcd")) < 1:
        assert interrupted.poll() is None
        time.sleep(0.02)
    for pid, command in processes_of(driver.data_dir).items():
        if "ansible" in command.lower():
            os.kill(pid, 9)
    interrupted.kill()
    interrupted.wait()
    result = driver.ok()
    assert set(result["parts"]) == PARTS
    assert len(processes_of(driver.data_dir)) == len(PARTS)
    driver.ok(state="absent")
    assert processes_of(driver.data_dir) == {}
