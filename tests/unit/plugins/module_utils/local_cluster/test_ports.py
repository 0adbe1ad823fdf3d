"""A taken port is told before anything is started: number, option, and who has it."""

from __future__ import annotations

import os
import socket

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.errors import PortTakenError
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.ports import check_free, holder_of
from ansible_collections.kubestress.core.plugins.module_utils.machine.process import HAS_PROC


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


@pytest.mark.skipif(not HAS_PROC, reason="who listens is only told by /proc")
def test_holder_is_named(taken):
    assert holder_of(taken) == os.getpid()
    with pytest.raises(PortTakenError, match=f"by process {os.getpid()} "):
        check_free({"api_port": taken})


def test_a_port_that_is_taken_on_all_addresses_is_taken():
    with socket.create_server(("0.0.0.0", 0)) as server, pytest.raises(PortTakenError):
        check_free({"api_port": server.getsockname()[1]})
