# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of a local cluster: checked once, then passed around as one value."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from .errors import SettingsError
from .layout import Layout

LOOPBACK = "127.0.0.1"

# 5,000 nodes is the published scalability limit of Kubernetes; 10,000 pods a node is far above any kubelet's.
MAX_NODES = 5000
MAX_PODS_PER_NODE = 10000

# The pod network has 65,533 addresses; far more processes than that would be needed first.
MAX_REAL_PODS = 1000
# The largest pid_max of a 64-bit Linux.
MAX_PIDS = 4_194_304
# The node's own processes and threads at rest are about 100; below that it does not start.
MIN_PID_MAX = 500
MIN_POD_PIDS = 2
NODE_PREFIX = 30
# Linux takes 107 bytes for a socket's path, of which "/node/kubelet/pod-resources/" and a number of ten digits come
# below the data folder.
MAX_REAL_DATA_DIR = 107 - 38
REAL_NODE_NAME = "real-0001"
# What a kubelet accepts for pid.available: a count or a share.
PID_THRESHOLD = re.compile(r"^([1-9][0-9]*|[1-9][0-9]?%)?$")

QUANTITY = re.compile(r"^[1-9][0-9]*(m|k|M|G|T|Ki|Mi|Gi|Ti)?$")

PORT_OPTIONS = (
    "api_port",
    "etcd_client_port",
    "etcd_peer_port",
    "controller_manager_port",
    "scheduler_port",
    "kwok_port",
)
# What a running cluster takes over without being stopped.
LIVE_OPTIONS = ("nodes", "pods_per_node", "node_cpu", "node_memory")


def default_data_dir(environ: Mapping[str, str]) -> Path:
    """Where the cluster keeps its files: `${XDG_STATE_HOME:-~/.local/state}/kubestress/local_cluster`."""
    base = environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(base).expanduser() / "kubestress" / "local_cluster"


def default_cache_dir(environ: Mapping[str, str]) -> Path:
    """Where programs are kept for all checkouts: `${KUBESTRESS_CACHE:-${XDG_CACHE_HOME:-~/.cache}/kubestress}`."""
    if environ.get("KUBESTRESS_CACHE"):
        return Path(environ["KUBESTRESS_CACHE"]).expanduser()
    return Path(environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "kubestress"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the user asked for.

    `node_cpu` and `node_memory` are Kubernetes quantities. Timeouts are seconds. Folders are absolute.
    """

    nodes: int
    pods_per_node: int
    node_cpu: str
    node_memory: str
    api_port: int
    etcd_client_port: int
    etcd_peer_port: int
    controller_manager_port: int
    scheduler_port: int
    kwok_port: int
    data_dir: Path
    cache_dir: Path
    sources_dir: Path
    binaries_dir: Path | None
    kubectl: bool
    ready_timeout: int
    build_timeout: int
    restart: bool
    real_node: bool = False
    node_network: str = "10.231.0.0/30"
    real_node_max_pods: int = 110
    real_node_pod_pids_limit: int = -1
    real_node_reserved_pids: int = 0
    real_node_eviction_pids: str = ""
    real_node_pid_max: int = 0
    real_node_cni_delay_ms: int = 0
    real_node_cni_fail_percent: int = 0

    @classmethod
    def from_params(cls, params: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> Settings:
        """Settings from the module's options.

        :raises SettingsError: naming option, value and what is allowed; every bad option of the call at once.
        """
        environ = os.environ if environ is None else environ
        values = {field.name: params[field.name] for field in fields(cls)}
        values["data_dir"] = _folder(values["data_dir"] or default_data_dir(environ))
        values["cache_dir"] = _folder(values["cache_dir"] or default_cache_dir(environ))
        values["sources_dir"] = _folder(values["sources_dir"] or "")
        values["binaries_dir"] = _folder(values["binaries_dir"]) if values["binaries_dir"] else None
        settings = cls(**values)
        problems = [
            *_range_problems(settings),
            *_port_problems(settings),
            *_data_dir_problems(settings),
            *_node_problems(settings),
        ]
        if params.get("state") != "absent":
            # What is only read for a start must not be in the way of a removal.
            problems += _folder_problems(settings)
        if problems:
            raise SettingsError("; ".join(problems))
        return settings

    @property
    def ports(self) -> dict[str, int]:
        """Every port that the cluster listens on, by the option that sets it."""
        return {name: getattr(self, name) for name in PORT_OPTIONS}

    @property
    def address(self) -> str:
        """Where the cluster listens: the loopback address, or with a real node that of its own network namespace."""
        return str(ipaddress.ip_network(self.node_network)[2]) if self.real_node else LOOPBACK

    @property
    def endpoint(self) -> str:
        """The URL of the API server."""
        return f"https://{self.address}:{self.api_port}"

    @property
    def key(self) -> str:
        """A short name of this cluster, the same for every spelling of its data folder."""
        return Layout(self.data_dir).key


def _folder(value: str | Path) -> Path:
    # Not Path.resolve, which would follow symbolic links: a user finds back the folder as named.
    return Path(os.path.abspath(Path(value).expanduser()))


def _range_problems(settings: Settings) -> list[str]:
    limits = {
        "nodes": (0, MAX_NODES),
        "pods_per_node": (1, MAX_PODS_PER_NODE),
        "ready_timeout": (1, 3600),
        "real_node_max_pods": (1, MAX_REAL_PODS),
        "real_node_reserved_pids": (0, MAX_PIDS),
        "real_node_cni_delay_ms": (0, 600_000),
        "real_node_cni_fail_percent": (0, 100),
        "build_timeout": (60, 86400),
    }
    problems = [
        f"{name} is {getattr(settings, name)}; allowed are {low} to {high}"
        for name, (low, high) in limits.items()
        if not low <= getattr(settings, name) <= high
    ]
    problems += [
        f"{name} is {getattr(settings, name)!r}; allowed is a quantity of Kubernetes such as {sample}"
        for name, sample in (("node_cpu", "64 or 500m"), ("node_memory", "256Gi"))
        if not QUANTITY.match(getattr(settings, name))
    ]
    return problems


def _node_problems(settings: Settings) -> list[str]:
    problems = []
    try:
        network = ipaddress.ip_network(settings.node_network)
        usable = isinstance(network, ipaddress.IPv4Network) and network.prefixlen == NODE_PREFIX
    except ValueError:
        usable = False
    if not usable:
        problems.append(f"node_network is {settings.node_network!r}; allowed is an IPv4 range such as 10.231.0.0/30")
    if settings.real_node_pid_max and not MIN_PID_MAX <= settings.real_node_pid_max <= MAX_PIDS:
        problems.append(
            f"real_node_pid_max is {settings.real_node_pid_max}; allowed are 0 and {MIN_PID_MAX} to {MAX_PIDS}"
        )
    limit = settings.real_node_pod_pids_limit
    if limit != -1 and not MIN_POD_PIDS <= limit <= MAX_PIDS:
        problems.append(f"real_node_pod_pids_limit is {limit}; allowed are -1 and {MIN_POD_PIDS} to {MAX_PIDS}")
    if not PID_THRESHOLD.match(settings.real_node_eviction_pids):
        problems.append(
            f"real_node_eviction_pids is {settings.real_node_eviction_pids!r}; allowed is a number such as 500, "
            "a share such as 10%, or nothing"
        )
    # The node's own namespace has a /run of its own.
    if settings.real_node and settings.data_dir.is_relative_to("/run"):
        problems.append(f"data_dir is {settings.data_dir}; with real_node allowed is a folder outside /run")
    length = len(os.fsencode(settings.data_dir))
    if settings.real_node and length > MAX_REAL_DATA_DIR:
        problems.append(
            f"data_dir is {settings.data_dir}, {length} characters; with real_node allowed are {MAX_REAL_DATA_DIR} at "
            "most, because the kubelet's sockets lie below it and a socket's path is short"
        )
    return problems


def _port_problems(settings: Settings) -> list[str]:
    problems = [
        f"{name} is {port}; allowed are 1 to 65535" for name, port in settings.ports.items() if not 1 <= port <= 65535
    ]
    users: dict[int, list[str]] = {}
    for name, port in settings.ports.items():
        users.setdefault(port, []).append(name)
    problems += [
        f"{' and '.join(names)} are both {port}; each part needs a port of its own"
        for port, names in users.items()
        if len(names) > 1
    ]
    return problems


def _folder_problems(settings: Settings) -> list[str]:
    problems = []
    if settings.binaries_dir and not settings.binaries_dir.is_dir():
        problems.append(f"binaries_dir is {settings.binaries_dir}; allowed is an existing folder")
    for sub in ("go", "stages"):
        if not (settings.sources_dir / sub).is_dir():
            problems.append(
                f"sources_dir is {settings.sources_dir}, which has no folder {sub!r}; "
                "allowed is the role local_cluster's files folder on the machine where the module runs"
            )
            break
    return problems


def _data_dir_problems(settings: Settings) -> list[str]:
    if settings.data_dir in (Path("/"), Path.home()):
        return [f"data_dir is {settings.data_dir}; allowed is a folder of its own, for it is removed as a whole"]
    return []
