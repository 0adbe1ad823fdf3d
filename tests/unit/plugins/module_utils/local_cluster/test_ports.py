"""A taken port is reported before anything starts; a cluster's processes are found by the mark in their environment."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.errors import PortTakenError
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.ports import (
    MARKER_VARIABLE,
    check_free,
    choose_ports,
    holder_of,
    marked,
    marker_of,
)
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.settings import Settings
from ansible_collections.kubestress.core.plugins.module_utils.machine.process import HAS_PROC
from ansible_collections.kubestress.core.plugins.module_utils.settings.roles.local_cluster import (
    PORT_COUNTS,
    USUAL_PORTS,
)

from .test_settings import PARAMS


@pytest.fixture
def taken():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def free():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def test_free_ports_pass(free):
    check_free({"api_port": free})


def test_taken_port_is_named_with_its_option(taken, free):
    with pytest.raises(PortTakenError) as caught:
        check_free({"kwok_port": free, "api_port": taken})
    assert f"port {taken} (option api_port)" in str(caught.value)
    assert "kwok_port" not in str(caught.value)


def settings(folder: Path, **changes: Any) -> Settings:
    """The settings of a cluster of which nobody has set a port."""
    unset = dict.fromkeys(USUAL_PORTS)
    values = {**PARAMS, **unset, "data_dir": str(folder), "storage": True, "jobset": True, "kueue": True, **changes}
    return Settings.from_params(values, {"XDG_STATE_HOME": "/state"})


def test_the_cluster_in_the_default_folder_has_the_usual_ports():
    default = settings(Path("/state/kubestress/local_cluster"))
    assert choose_ports(default, {}) == USUAL_PORTS
    assert choose_ports(default, {"api_port": 7000})["api_port"] == 7000
    without = settings(Path("/state/kubestress/local_cluster"), storage=False)
    assert set(USUAL_PORTS) - set(choose_ports(without, {})) == {"storage_port"}
    plain = settings(Path("/state/kubestress/local_cluster"), storage=False, jobset=False, kueue=False)
    assert set(USUAL_PORTS) - set(choose_ports(plain, {})) == set(PORT_COUNTS)


def test_one_in_another_folder_has_free_ports_that_it_keeps(tmp_path):
    other = settings(tmp_path)
    chosen = choose_ports(other, {})
    (distance,) = {port - USUAL_PORTS[option] for option, port in chosen.items()}
    assert distance > 0
    with socket.create_server(("127.0.0.1", chosen["scheduler_port"])):
        next_one = choose_ports(other, {})
        assert not set(next_one.values()) & set(chosen.values())
        assert choose_ports(other, chosen) == chosen


def test_a_port_that_is_set_is_taken_as_it_is(tmp_path, taken):
    chosen = choose_ports(settings(tmp_path, api_port=taken), {"api_port": 7000})
    assert chosen["api_port"] == taken
    with pytest.raises(PortTakenError):
        check_free(chosen)


def test_all_ports_of_storage_have_to_be_free(tmp_path):
    other = settings(Path("/x"))
    first = choose_ports(other, {})["storage_port"]
    with socket.create_server(("127.0.0.1", first + PORT_COUNTS["storage_port"] - 1)):
        assert choose_ports(other, {})["storage_port"] > first
        with pytest.raises(PortTakenError, match=rf"port {first + 4} \(option storage_port \+ 4\)"):
            check_free(other.with_ports(choose_ports(other, {"storage_port": first})).all_ports)


def test_a_real_node_has_the_usual_ports_in_a_network_of_its_own(tmp_path):
    assert choose_ports(settings(Path("/x"), real_node=True), {}) == USUAL_PORTS


@pytest.mark.skipif(not HAS_PROC, reason="who listens is only told by /proc")
def test_holder_is_named(taken):
    assert holder_of(taken) == os.getpid()
    with pytest.raises(PortTakenError, match=f"by process {os.getpid()} "):
        check_free({"api_port": taken})


def test_a_port_that_is_taken_on_all_addresses_is_taken():
    with socket.create_server(("0.0.0.0", 0)) as server, pytest.raises(PortTakenError):
        check_free({"api_port": server.getsockname()[1]})


FOREVER = "import signal; print(1, flush=True); signal.pause()"


@pytest.mark.skipif(not HAS_PROC, reason="other processes' environment can only be read from /proc")
def test_marked_processes_are_found_without_a_file(tmp_path):
    started = [
        subprocess.Popen(
            [sys.executable, "-c", FOREVER], env={**os.environ, MARKER_VARIABLE: mark}, stdout=subprocess.PIPE
        )
        for mark in (str(tmp_path), f"{tmp_path}-other")
    ]
    try:
        for child in started:
            assert child.stdout.readline() == b"1\n"
        assert [found.pid for found in marked(str(tmp_path))] == [started[0].pid]
        assert marker_of(started[0].pid) == str(tmp_path)
    finally:
        for child in started:
            child.kill()
            child.communicate()
