"""Two real API servers behind one address, as in a highly available cluster: their counters are told apart."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import re
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.control_plane import free_ports
from helpers.local_cluster import Driver, processes_of
from helpers.posting import posted, row_of
from helpers.waiting import until

COUNT = 300
SERVERS = {
    "apiVersion": "discovery.k8s.io/v1",
    "kind": "EndpointSlice",
    "metadata": {"name": "kubernetes", "namespace": "default", "labels": {"kubernetes.io/service-name": "kubernetes"}},
    "addressType": "IPv4",
    "ports": [{"name": "https", "port": 6443, "protocol": "TCP"}],
    # Of those set aside for documentation: who asks only counts them.
    "endpoints": [{"addresses": ["192.0.2.1"]}, {"addresses": ["192.0.2.2"]}],
}


@pytest.fixture
def second_port(driver: Driver, own_kubectl: Any, tmp_path: Path) -> Iterator[int]:
    """Start another API server on the cluster's etcd, as the first one was started; yield its port."""
    driver.ok()
    (pid,) = [pid for pid, command in processes_of(driver.data_dir).items() if "kube-apiserver" in command.split()[0]]
    first = Path(f"/proc/{pid}/cmdline").read_bytes().decode().rstrip("\0").split("\0")
    (port,) = free_ports(1)
    command = [re.sub(r"^--secure-port=.*", f"--secure-port={port}", word) for word in first]
    assert command != first
    with (tmp_path / "second.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=subprocess.STDOUT)
    try:
        ready = ("get", "--raw", "/readyz", "--server", f"https://127.0.0.1:{port}")
        until(lambda: answers(own_kubectl, *ready))
        yield port
    finally:
        process.terminate()
        process.wait(timeout=240)


def answers(own_kubectl: Any, *arguments: str) -> bool:
    with contextlib.suppress(AssertionError):
        return bool(own_kubectl(*arguments, parse=False) == "ok")
    return False


@contextlib.asynccontextmanager
async def balancer(*ports: int) -> AsyncIterator[int]:
    """Give each connection to the next of the ports in turn; yield the port that stands for all of them."""
    turns = itertools.cycle(ports)

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", next(turns))
        await asyncio.gather(carry(reader, server_writer), carry(server_reader, writer))

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def test_counters_of_two_servers_are_told_apart_and_added(driver: Driver, own_kubectl: Any, second_port: int):
    own_kubectl("create", "-f", "-", stdin=json.dumps(SERVERS))
    kubeconfig = str(driver.data_dir / "kubeconfig")
    async with balancer(driver.options["api_port"], second_port) as port:
        # Connections of somebody else in between may bring both first readings to the same server, and the other one's
        # counters are not counted then.
        for namespace in ("posted-1", "posted-2", "posted-3"):
            own_kubectl("create", "namespace", namespace)
            root_ca = ("configmap/kube-root-ca.crt", "-n", namespace)
            own_kubectl("wait", "--for=create", *root_ca, "--timeout=240s", parse=False)
            _seconds, document = await posted(
                namespace, count=COUNT, kubeconfig=kubeconfig, host=f"https://127.0.0.1:{port}"
            )
            if sum(instance["counted"] for instance in document["api_server"]["instances"]) == 2:
                break
    told = document["api_server"]
    assert told["servers"] == 2
    assert [(instance["counted"], instance["scrapes"] >= 2) for instance in told["instances"]] == [(True, True)] * 2
    assert not told["restarted"]
    # Each of them answered a part of the posts; only together are they all. Nobody else made ConfigMaps meanwhile.
    assert row_of(told)["count"] == COUNT
    assert told["cpu_seconds"] > 0
