"""Start and stop an embedded control plane with the collection's own playbook."""

from __future__ import annotations

import contextlib
import os
import random
import re
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

# Names a cluster for the tests to use instead of starting one. They create and delete there: use a throw-away cluster.
TEST_KUBECONFIG = "KUBESTRESS_TEST_KUBECONFIG"
PLAYBOOK = "kubestress.core.local_cluster"
PORT_VARIABLES = (
    "local_cluster_api_port",
    "local_cluster_etcd_client_port",
    "local_cluster_etcd_peer_port",
    "local_cluster_controller_manager_port",
    "local_cluster_scheduler_port",
    "local_cluster_kwok_port",
)
# Below the ephemeral ports of Linux and macOS, above well-known ports.
LISTENING_PORTS = range(20_000, 32_000)
KUBECONFIG_LINE = re.compile(r'KUBECONFIG=([^"\n]+)')


class ControlPlaneError(Exception):
    """The playbook failed or did not print the kubeconfig's path; the message is its output."""


def free_ports(count: int) -> list[int]:
    """Return `count` different loopback ports that nothing listens on now.

    They are outside the ephemeral range: otherwise another test's connection could take one before the server starts.
    """
    with ExitStack() as sockets:
        found: list[int] = []
        for port in random.sample(LISTENING_PORTS, k=len(LISTENING_PORTS)):
            if len(found) == count:
                break
            with contextlib.suppress(OSError):
                sockets.enter_context(socket.socket()).bind(("127.0.0.1", port))
                found.append(port)
        return found


def playbook(variables: Mapping[str, object], *, shown: bool = True) -> str:
    """Run the local_cluster playbook with these variables, optionally showing its output; return the output."""
    extra = [word for name, value in variables.items() for word in ("-e", f"{name}={value}")]
    command = ["ansible-playbook", PLAYBOOK, *extra]
    lines = []
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, env=os.environ
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if shown:
                print(line, end="", flush=True)
            lines.append(line)
    if process.returncode != 0:
        said = "its output is above" if shown else "".join(lines)
        raise ControlPlaneError(f"{PLAYBOOK} ended with {process.returncode}: {said}")
    return "".join(lines)


def start(variables: Mapping[str, object] | None = None) -> Path:
    """Start a control plane unless it runs; return its kubeconfig, from the playbook's last message."""
    output = playbook(variables or {})
    found = KUBECONFIG_LINE.findall(output)
    if not found:
        raise ControlPlaneError(f"{PLAYBOOK} printed no line KUBECONFIG=<path>")
    return Path(found[-1].strip())


@contextmanager
def running(folder: Path, variables: Mapping[str, object] | None = None) -> Iterator[Path]:
    """Start a control plane in the folder on free ports, yield its kubeconfig, and always stop it."""
    ports = zip(PORT_VARIABLES, free_ports(len(PORT_VARIABLES)), strict=True)
    chosen = {"local_cluster_data_dir": folder / "cluster", "local_cluster_kubectl": True, **dict(ports)}
    chosen |= variables or {}
    try:
        yield start(chosen)
    finally:
        # Not shown, because pytest's summary must be last; an error has the output.
        playbook(chosen | {"local_cluster_state": "absent"}, shown=False)
