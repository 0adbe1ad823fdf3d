# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether ports are free and which process has them, and how to find the processes of a cluster."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..machine.process import HAS_PROC, PROC, Process, command_of, environment_of, pids
from ..settings.roles.local_cluster import USUAL_PORTS
from .errors import PortTakenError
from .settings import LOOPBACK, Settings, span

# In the environment of every process of a cluster: its data folder.
MARKER_VARIABLE = "KUBESTRESS_LOCAL_CLUSTER"
# The state LISTEN in /proc/net/tcp.
LISTEN_STATE = "0A"
# Distances from the usual ports. Above the last one begin the ports that systems give to outgoing connections.
_RANGE_STEP, _RANGE_END = 100, 6_000


def check_free(ports: Mapping[str, int]) -> None:
    """Check that every port is free.

    :param ports: option name -> port.
    :raises PortTakenError: naming each taken port, its option and, if known, the process.
    """
    taken = [(option, port) for option, port in ports.items() if not _is_free(port)]
    if taken:
        listed = ", ".join(f"{port} (option {option}){_holder(port)}" for option, port in taken)
        raise PortTakenError(
            f"taken on {LOOPBACK}: port {listed}; end what listens there or set the option to another port"
        )


def choose_ports(settings: Settings, recorded: Mapping[str, Any]) -> dict[str, int]:
    """The port of every option: the one that is set, else that of the cluster in this folder, else the usual one.

    A cluster in another folder than the default one gets the first range of free ports above the usual ones, so that it
    stands in nobody's way. One with a real node is in a network namespace of its own, where nobody else listens.

    :param recorded: the settings of the cluster that the folder has, if any.
    :raises PortTakenError: if there is no such range.
    """
    chosen = {option: port or int(recorded.get(option) or 0) for option, port in settings.ports.items()}
    open_options = [option for option, port in chosen.items() if not port]
    alone = settings.in_default_folder or settings.real_node
    for distance in (0,) if alone else range(_RANGE_STEP, _RANGE_END, _RANGE_STEP):
        found = {option: USUAL_PORTS[option] + distance for option in open_options}
        needed = _spread(found)
        clash = needed & _spread({option: port for option, port in chosen.items() if port})
        if alone or (not clash and all(_is_free(port) for port in needed)):
            return chosen | found
    raise PortTakenError(f"no free ports were found for {', '.join(open_options)}; set each of these options")


def _spread(ports: Mapping[str, int]) -> set[int]:
    return {one for option, port in ports.items() for one in span(option, port).values()}


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        # As in Go's servers: connections of an earlier cluster in TIME_WAIT do not matter.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((LOOPBACK, port))
        except PermissionError as error:
            raise PortTakenError(f"port {port} may not be used by this user; name one above 1023") from error
        except OSError:
            return False
    return True


def _holder(port: int) -> str:
    """The process that listens on the port, as part of a sentence; empty if unknown."""
    pid = holder_of(port)
    if pid is None:
        return ""
    cluster = marker_of(pid)
    owner = f" of the local cluster in {cluster}" if cluster else ""
    return f" by process {pid} ({command_of(pid) or 'unknown'}){owner}"


def marked(value: str) -> list[Process]:
    """Every process of this user whose environment marks it as part of the cluster `value`. Linux only."""
    wanted = f"{MARKER_VARIABLE}={value}".encode()
    found = []
    for pid in pids():
        # This process may have inherited the variable, but is not a part.
        if pid != os.getpid() and wanted in environment_of(pid):
            process = Process.of(pid)
            if process:
                found.append(process)
    return found


def marker_of(pid: int) -> str | None:
    """The data folder of the cluster that a process belongs to, or None."""
    prefix = f"{MARKER_VARIABLE}=".encode()
    for entry in environment_of(pid):
        if entry.startswith(prefix):
            return entry[len(prefix) :].decode(errors="replace")
    return None


def holder_of(port: int) -> int | None:
    """The process that listens on the port, or None if this user cannot see it. Linux only."""
    if not HAS_PROC:
        return None
    inodes = {f"socket:[{inode}]" for name in ("tcp", "tcp6") for inode in _listening_inodes(PROC / "net" / name, port)}
    if not inodes:
        return None
    for entry in PROC.iterdir():
        if entry.name.isdigit() and inodes & _sockets_of(entry):
            return int(entry.name)
    return None


def _listening_inodes(table: Path, port: int) -> list[str]:
    try:
        rows = [line.split() for line in table.read_text().splitlines()[1:]]
    except OSError:
        return []
    # proc_net_tcp: local address is HEX_IP:HEX_PORT in column 1, state in 3, inode in 9.
    return [row[9] for row in rows if row[3] == LISTEN_STATE and int(row[1].rpartition(":")[2], 16) == port]


def _sockets_of(process: Path) -> set[str]:
    links = set()
    try:
        for handle in (process / "fd").iterdir():
            try:
                links.add(os.readlink(handle))
            except OSError:
                continue
    except OSError:
        return set()
    return links
