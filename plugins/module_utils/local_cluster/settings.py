# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of a local cluster, checked once."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from ..settings.roles.local_cluster import PORT_COUNTS, USUAL_PORTS
from ..settings.roles.local_cluster import ROLE as LOCAL_CLUSTER
from .errors import SettingsError
from .layout import Layout
from .pools import Pool, parse_pools

LOOPBACK = "127.0.0.1"

NODE_PREFIX = 30
# A socket's path has at most 107 bytes on Linux, including "/node/kubelet/pod-resources/" and a number of ten digits.
MAX_REAL_DATA_DIR = 107 - 38
# The same for "/csi/csi.sock".
MAX_STORAGE_DATA_DIR = 107 - 13
REAL_NODE_NAME = "real-0001"
# What a kubelet accepts for pid.available: a count or a percentage.
PID_THRESHOLD = re.compile(r"^([1-9][0-9]*|[1-9][0-9]?%)?$")

# It becomes the name of a folder.
REGISTRY = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?:[1-9][0-9]{0,4}")

QUANTITY = re.compile(r"^[1-9][0-9]*(m|k|M|G|T|Ki|Mi|Gi|Ti)?$")

PORT_OPTIONS = tuple(USUAL_PORTS)
STORAGE_PORT = "storage_port"
# The options, programs, parts and users of these names.
CONTROLLERS_OF_JOBS = ("jobset", "kueue")
# Ports that a cluster has only with the option of the same beginning.
SWITCHED_PORTS = {option: option.removesuffix("_port") for option in PORT_COUNTS}


def default_data_dir(environ: Mapping[str, str]) -> Path:
    """The default data folder: `${XDG_STATE_HOME:-~/.local/state}/kubestress/local_cluster`."""
    base = environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(base).expanduser() / "kubestress" / "local_cluster"


def default_cache_dir(environ: Mapping[str, str]) -> Path:
    """The folder of built programs: `${KUBESTRESS_CACHE:-${XDG_CACHE_HOME:-~/.cache}/kubestress}`."""
    if environ.get("KUBESTRESS_CACHE"):
        return Path(environ["KUBESTRESS_CACHE"]).expanduser()
    return Path(environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "kubestress"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The module's options.

    `node_cpu` and `node_memory` are Kubernetes quantities. Timeouts are seconds. Folders are absolute. A port of 0 is
    not chosen yet; `in_default_folder` is one of the things that decide.
    """

    nodes: int
    pods_per_node: int
    node_cpu: str
    node_memory: str
    node_pools: tuple[Pool, ...]
    api_port: int
    etcd_client_port: int
    etcd_peer_port: int
    controller_manager_port: int
    scheduler_port: int
    kwok_port: int
    data_dir: Path
    in_default_folder: bool
    cache_dir: Path
    sources_dir: Path
    binaries_dir: Path | None
    kubectl: bool
    ready_timeout: int
    build_timeout: int
    restart: bool
    storage: bool
    storage_port: int
    jobset: bool
    jobset_port: int
    kueue: bool
    kueue_port: int
    real_node: bool
    node_network: str
    real_node_max_pods: int
    real_node_pod_pids_limit: int
    real_node_reserved_pids: int
    real_node_eviction_pids: str
    real_node_pid_max: int
    real_node_cni_delay_ms: int
    real_node_cni_fail_percent: int
    real_node_registries: tuple[str, ...]

    @classmethod
    def from_params(cls, params: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> Settings:
        """Settings from the module's options.

        :raises SettingsError: naming option, value and what is allowed, for all wrong options at once.
        """
        environ = os.environ if environ is None else environ
        values = {field.name: params[field.name] for field in fields(cls) if field.name in params}
        values |= {option: params[option] or 0 for option in PORT_OPTIONS}
        values["real_node_registries"] = tuple(one.strip() for one in params["real_node_registries"] or ())
        values["data_dir"] = _folder(values["data_dir"] or default_data_dir(environ))
        values["in_default_folder"] = values["data_dir"] == _folder(default_data_dir(environ))
        values["cache_dir"] = _folder(values["cache_dir"] or default_cache_dir(environ))
        values["sources_dir"] = _folder(values["sources_dir"] or "")
        values["binaries_dir"] = _folder(values["binaries_dir"]) if values["binaries_dir"] else None
        values["node_pools"], pool_problems = parse_pools(params["node_pools"], catalogue=params["accelerators"])
        settings = cls(**values)
        problems = [
            *pool_problems,
            *_range_problems(settings, params),
            *_port_problems(settings),
            *_data_dir_problems(settings),
            *_node_problems(settings),
        ]
        if params.get("state") != "absent":
            # Folders that only a start needs must not prevent a removal.
            problems += _folder_problems(settings)
        if problems:
            raise SettingsError("; ".join(problems))
        return settings

    @property
    def all_nodes(self) -> int:
        """Simulated nodes, those of pools included."""
        return self.nodes + sum(pool.count for pool in self.node_pools)

    @property
    def controllers(self) -> tuple[str, ...]:
        """The names of the controllers of jobs that the cluster has."""
        return tuple(name for name in CONTROLLERS_OF_JOBS if getattr(self, name))

    @property
    def ports(self) -> dict[str, int]:
        """The cluster's ports by option name; of several that begin at one, the first."""
        return {
            name: getattr(self, name)
            for name in PORT_OPTIONS
            if name not in SWITCHED_PORTS or getattr(self, SWITCHED_PORTS[name])
        }

    @property
    def all_ports(self) -> dict[str, int]:
        """Every port of the cluster, as in an error about it."""
        return {label: one for option, port in self.ports.items() for label, one in span(option, port).items()}

    def with_ports(self, ports: Mapping[str, int]) -> Settings:
        """The same with a port for every option."""
        return replace(
            self,
            api_port=ports["api_port"],
            etcd_client_port=ports["etcd_client_port"],
            etcd_peer_port=ports["etcd_peer_port"],
            controller_manager_port=ports["controller_manager_port"],
            scheduler_port=ports["scheduler_port"],
            kwok_port=ports["kwok_port"],
            storage_port=ports.get(STORAGE_PORT, self.storage_port),
            jobset_port=ports.get("jobset_port", self.jobset_port),
            kueue_port=ports.get("kueue_port", self.kueue_port),
        )

    @property
    def address(self) -> str:
        """Where the cluster listens: on loopback, or with a real node in its own network namespace."""
        return str(ipaddress.ip_network(self.node_network)[2]) if self.real_node else LOOPBACK

    @property
    def endpoint(self) -> str:
        """The URL of the API server."""
        return f"https://{self.address}:{self.api_port}"

    @property
    def key(self) -> str:
        """A short name of this cluster, the same for all paths to its data folder."""
        return Layout(self.data_dir).key


def span(option: str, port: int) -> dict[str, int]:
    """The ports that an option stands for, by how an error names them."""
    return {f"{option} + {number}" if number else option: port + number for number in range(PORT_COUNTS.get(option, 1))}


def _folder(value: str | Path) -> Path:
    # Path.resolve would follow symbolic links, and the user would not recognise the folder.
    return Path(os.path.abspath(Path(value).expanduser()))


def _range_problems(settings: Settings, params: Mapping[str, Any]) -> list[str]:
    problems = []
    for setting in LOCAL_CLUSTER.settings:
        option = setting.name.removeprefix("local_cluster_")
        value = params.get(option)
        if setting.allowed and value is not None and (problem := setting.allowed.problem(option, value)):
            problems.append(problem)
    for option, sample in (("node_cpu", "64 or 500m"), ("node_memory", "256Gi")):
        if not QUANTITY.match(getattr(settings, option)):
            problems.append(
                f"{option} is {getattr(settings, option)!r}; allowed is a quantity of Kubernetes such as {sample}"
            )
    return problems


def _node_problems(settings: Settings) -> list[str]:
    problems = []
    allowed = LOCAL_CLUSTER["local_cluster_nodes"].allowed
    if allowed and settings.nodes <= allowed.high < settings.all_nodes:
        problems.append(
            f"node_pools: with nodes, {settings.nodes}, they are {settings.all_nodes:,} nodes; at most "
            f"{allowed.high:,} are allowed"
        )
    try:
        network = ipaddress.ip_network(settings.node_network)
        usable = isinstance(network, ipaddress.IPv4Network) and network.prefixlen == NODE_PREFIX
    except ValueError:
        usable = False
    if not usable:
        problems.append(f"node_network is {settings.node_network!r}; allowed is an IPv4 range such as 10.231.0.0/30")
    if not PID_THRESHOLD.match(settings.real_node_eviction_pids):
        problems.append(
            f"real_node_eviction_pids is {settings.real_node_eviction_pids!r}; allowed is a number such as 500, "
            "a percentage such as 10%, or nothing"
        )
    problems += [
        f"real_node_registries has {registry!r}; allowed is HOST:PORT such as 10.231.0.1:5000"
        for registry in settings.real_node_registries
        if not REGISTRY.fullmatch(registry)
    ]
    # The node mounts its own /run.
    if settings.real_node and settings.data_dir.is_relative_to("/run"):
        problems.append(f"data_dir is {settings.data_dir}; with real_node allowed is a folder outside /run")
    length = len(os.fsencode(settings.data_dir))
    if settings.storage and not settings.real_node and length > MAX_STORAGE_DATA_DIR:
        problems.append(
            f"data_dir is {settings.data_dir}, {length} characters; with storage allowed are {MAX_STORAGE_DATA_DIR} at "
            "most, because the driver's socket is in it and the length of a socket's path is limited"
        )
    if settings.real_node and length > MAX_REAL_DATA_DIR:
        problems.append(
            f"data_dir is {settings.data_dir}, {length} characters; with real_node allowed are {MAX_REAL_DATA_DIR} at "
            "most, because the kubelet's sockets are in it and the length of a socket's path is limited"
        )
    return problems


def _port_problems(settings: Settings) -> list[str]:
    users: dict[int, list[str]] = {}
    for option, first in settings.ports.items():
        for name, port in span(option, first).items() if first else ():
            users.setdefault(port, []).append(name)
    return [
        f"{' and '.join(names)} are both {port}; each part needs its own port"
        for port, names in users.items()
        if len(names) > 1
    ]


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
        return [f"data_dir is {settings.data_dir}; allowed is a dedicated folder, since it is removed with its content"]
    return []
