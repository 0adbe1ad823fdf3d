"""What can be in the way of a start: one line that names it, and nothing left behind that was not there."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from helpers.local_cluster import Driver, processes_of


def test_taken_port_names_port_option_and_holder(driver: Driver) -> None:
    with socket.create_server(("127.0.0.1", driver.options["kwok_port"])):
        message = driver.failure()
    assert f"port {driver.options['kwok_port']} (option kwok_port)" in message
    assert f"by process {os.getpid()} " in message
    assert not driver.data_dir.exists()


def test_bad_values_are_refused_together_and_nothing_is_created(driver: Driver) -> None:
    message = driver.failure(nodes=-1, api_port=0)
    assert "nodes: -1 is not allowed; it must be 0 to 5,000" in message
    assert "api_port: 0 is not allowed; it must be 1 to 65,535" in message
    assert not driver.data_dir.exists()


def test_strings_as_awx_sends_them_are_numbers(driver: Driver) -> None:
    result = Driver(driver.options, {"CHECK": "1"}).ok(nodes="7", kubectl="false")
    assert "create 7 nodes" in result["changes"]


def test_a_strangers_folder_is_neither_used_nor_removed(driver: Driver, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    for state in ("present", "absent"):
        assert "is not a local cluster's folder" in driver.failure(data_dir=str(tmp_path), state=state)
    assert (tmp_path / "thesis.txt").exists()


def test_crashed_part_is_named_with_its_last_words_and_its_log(driver: Driver, tmp_path: Path) -> None:
    """A real crash: etcd finds its folder to be a file."""
    driver.data_dir.mkdir()
    (driver.data_dir / ".kubestress-local-cluster").touch()
    (driver.data_dir / "etcd").write_text("not a folder")
    message = driver.failure()
    log = driver.data_dir / "logs" / "etcd.log"
    assert "etcd ended with exit code 1" in message
    assert "not a directory" in message
    assert f"(log: {log})" in message
    assert log.stat().st_size
    assert processes_of(driver.data_dir) == {}
    driver.ok(state="absent")
    assert not driver.data_dir.exists()


def test_full_disk_is_named(driver: Driver, small_disk: Path) -> None:
    message = driver.failure(data_dir=str(small_disk / "data"))
    assert "no space left on device" in message.lower()
    assert str(small_disk) in message
    assert processes_of(small_disk) == {}
    driver.ok(state="absent", data_dir=str(small_disk / "data"))


@pytest.mark.parametrize("option", ["cache_dir", "data_dir"])
def test_a_folder_that_cannot_be_made_is_named(driver: Driver, tmp_path: Path, option: str) -> None:
    (tmp_path / "file").write_text("")
    assert str(tmp_path / "file") in driver.failure(**{option: str(tmp_path / "file" / "below")})


def test_not_ready_in_time_names_what_is_missing_and_leaves_no_process(driver: Driver) -> None:
    """A scheduler that runs and never serves: a program that only waits."""
    folder = driver.data_dir.parent / "binaries"
    folder.mkdir()
    program = folder / "kube-scheduler"
    program.write_text('#!/bin/sh\n[ "$1" = --version ] && { echo Kubernetes v1.36.3; exit; }\nexec sleep 1000\n')
    program.chmod(0o755)
    message = driver.failure(binaries_dir=str(folder), ready_timeout=25)
    assert "not ready within 25 s: kube-scheduler (log: " in message
    assert processes_of(driver.data_dir) == {}
    driver.ok(state="absent")
