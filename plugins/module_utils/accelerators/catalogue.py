# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accelerators by the name of their type: what nodes with them carry, and which machines there are.

The table is data of the same form that users extend it with; `parse_catalogue` reads both. Machines, labels, taints and
topologies of Google's types are those of GKE's documentation; the names on plain clusters are the labels that NVIDIA's
GPU feature discovery and AMD's node labeller set.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from .. import syntax
from .errors import AcceleratorError

INSTANCE_TYPE = "node.kubernetes.io/instance-type"
ARCHITECTURE = "kubernetes.io/arch"
NODE_POOL = "cloud.google.com/gke-nodepool"
#: Edge of the cubes that 3D slices are made of, in chips.
CUBE = 4
TOPOLOGY = re.compile(r"[1-9]\d{0,3}(x[1-9]\d{0,3})+")

_TPU = "google.com/tpu"
_GPU = "nvidia.com/gpu"
_EFFECTS = ("NoSchedule", "NoExecute", "PreferNoSchedule")
_ARCHITECTURES = ("amd64", "arm64")
#: Keys of an entry whose value is text, and what they are without it.
_TEXTS = {
    "resource": "",
    "machine_label": "",
    "multi_host": "",
    "topology_label": "",
    "pool_label": "",
    "architecture": "amd64",
}

_TOPOLOGIES_2D = ["1x1", "2x2", "2x4", "4x4", "4x8", "8x8", "8x16", "16x16"]
_TOPOLOGIES_3D = [
    "2x2x1",
    "2x2x2",
    "2x2x4",
    "2x4x4",
    "4x4x4",
    "4x4x8",
    "4x8x8",
    "8x8x8",
    "8x8x16",
    "8x16x16",
]


def _tpu(
    label: str, machines: dict[str, int], *, multi_host: str, topologies: Sequence[str], cubes: int = 0
) -> dict[str, Any]:
    return {
        "resource": _TPU,
        "labels": {"cloud.google.com/gke-tpu-accelerator": label},
        "taints": [{"key": _TPU, "value": "present", "effect": "NoSchedule"}],
        "machines": machines,
        "machine_label": INSTANCE_TYPE,
        "multi_host": multi_host,
        "topology_label": "cloud.google.com/gke-tpu-topology",
        "topologies": topologies,
        "max_cubes": cubes,
        "pool_label": NODE_POOL,
    }


def _gpu(label: str, machines: dict[str, int], *, architecture: str = "amd64") -> dict[str, Any]:
    # GKE taints nodes of another architecture, too.
    other = [] if architecture == "amd64" else [{"key": ARCHITECTURE, "value": architecture, "effect": "NoSchedule"}]
    return {
        "resource": _GPU,
        "labels": {"cloud.google.com/gke-accelerator": label},
        "taints": [{"key": _GPU, "value": "present", "effect": "NoSchedule"}, *other],
        "machines": machines,
        "machine_label": INSTANCE_TYPE,
        "architecture": architecture,
    }


#: On a plain cluster a pod takes some of a node's GPUs, whatever machine the node is.
_ANY_NODE = {"1-gpu": 1, "2-gpu": 2, "4-gpu": 4, "8-gpu": 8}

BUILT_IN: dict[str, dict[str, Any]] = {
    "v4": _tpu(
        "tpu-v4-podslice",
        {"ct4p-hightpu-4t": 4},
        multi_host="ct4p-hightpu-4t",
        topologies=_TOPOLOGIES_3D,
        cubes=64,
    ),
    "v5p": _tpu(
        "tpu-v5p-slice",
        {"ct5p-hightpu-1t": 1, "ct5p-hightpu-2t": 2, "ct5p-hightpu-4t": 4},
        multi_host="ct5p-hightpu-4t",
        topologies=_TOPOLOGIES_3D,
        cubes=140,
    ),
    "v5e": _tpu(
        "tpu-v5-lite-podslice",
        {"ct5lp-hightpu-1t": 1, "ct5lp-hightpu-4t": 4, "ct5lp-hightpu-8t": 8},
        multi_host="ct5lp-hightpu-4t",
        topologies=_TOPOLOGIES_2D,
    ),
    "v6e": _tpu(
        "tpu-v6e-slice",
        {"ct6e-standard-1t": 1, "ct6e-standard-4t": 4, "ct6e-standard-8t": 8},
        multi_host="ct6e-standard-4t",
        topologies=_TOPOLOGIES_2D,
    ),
    "nvidia-l4": _gpu(
        "nvidia-l4",
        {"g2-standard-12": 1, "g2-standard-24": 2, "g2-standard-48": 4, "g2-standard-96": 8},
    ),
    "nvidia-tesla-a100": _gpu(
        "nvidia-tesla-a100",
        {"a2-highgpu-1g": 1, "a2-highgpu-2g": 2, "a2-highgpu-4g": 4, "a2-highgpu-8g": 8, "a2-megagpu-16g": 16},
    ),
    "nvidia-a100-80gb": _gpu(
        "nvidia-a100-80gb",
        {"a2-ultragpu-1g": 1, "a2-ultragpu-2g": 2, "a2-ultragpu-4g": 4, "a2-ultragpu-8g": 8},
    ),
    "nvidia-h100-80gb": _gpu(
        "nvidia-h100-80gb",
        {"a3-highgpu-1g": 1, "a3-highgpu-2g": 2, "a3-highgpu-4g": 4, "a3-highgpu-8g": 8},
    ),
    "nvidia-h100-mega-80gb": _gpu("nvidia-h100-mega-80gb", {"a3-megagpu-8g": 8}),
    "nvidia-h200-141gb": _gpu("nvidia-h200-141gb", {"a3-ultragpu-8g": 8}),
    "nvidia-b200": _gpu("nvidia-b200", {"a4-highgpu-8g": 8}),
    "nvidia-gb200": _gpu("nvidia-gb200", {"a4x-highgpu-4g": 4}, architecture="arm64"),
    # Plain clusters: examples, since every vendor's product has a label of its own.
    "nvidia": {"resource": _GPU, "labels": {"nvidia.com/gpu.present": "true"}, "machines": _ANY_NODE},
    "nvidia-h100-hbm3": {
        "resource": _GPU,
        "labels": {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"},
        "machines": _ANY_NODE,
    },
    "amd-mi300x": {
        "resource": "amd.com/gpu",
        "labels": {"amd.com/gpu.product-name": "AMD_Instinct_MI300X_OAM"},
        "machines": _ANY_NODE,
    },
}


@dataclass(frozen=True, kw_only=True)
class Accelerator:
    """One type.

    - `resource`: the extended resource that pods ask for; one piece of it is a chip here.
    - `labels`, `taints`: of every node with it. A pod selects the former and tolerates the latter.
    - `machines`: name -> chips of a node. With `machine_label` a pod selects the machine by it; without, the name only
      says how many chips of a node a pod takes.
    - `topology_label`: slices have a topology, which nodes carry in this label. `topologies` are the usual ones; with
      `max_cubes` also such of whole cubes. `multi_host`: the machine of which slices of several nodes are made.
    - `pool_label`: nodes that make one slice have the same value of it. Empty: the pods of a slice may be anywhere.
    """

    name: str
    resource: str
    labels: Mapping[str, str]
    machines: Mapping[str, int]
    taints: tuple[Mapping[str, str], ...] = ()
    machine_label: str = ""
    multi_host: str = ""
    topology_label: str = ""
    topologies: tuple[str, ...] = ()
    max_cubes: int = 0
    pool_label: str = ""
    architecture: str = "amd64"


#: The keys of an entry.
_KEYS = tuple(part.name for part in fields(Accelerator) if part.name != "name")


def parse_catalogue(own: Mapping[str, Any] | None = None) -> dict[str, Accelerator]:
    """The built-in types and the user's own, which come first. Raises AcceleratorError for an entry that cannot be."""
    merged = {**BUILT_IN, **(own or {})}
    return {str(name): _entry(str(name), given) for name, given in merged.items()}


def _entry(name: str, given: Any) -> Accelerator:
    where = f"the type {name}"
    if not name or not syntax.is_label_value(name):
        raise AcceleratorError("catalogue", f"{name!r} is no name of a type; {syntax.LABEL_VALUE_RULE}")
    if not isinstance(given, Mapping):
        raise AcceleratorError("catalogue", f"{where} is {given!r}; a dictionary with resource and machines is needed")
    unknown = {str(key) for key in given}.difference(_KEYS)
    if unknown:
        allowed = ", ".join(_KEYS)
        raise AcceleratorError("catalogue", f"{where} has the unknown key {min(unknown)!r}; allowed are {allowed}")
    machines = given.get("machines")
    if not isinstance(machines, Mapping) or not machines:
        raise AcceleratorError("catalogue", f"{where} has no machines; such as {{a3-highgpu-8g: 8}}, with their chips")
    texts = {key: given.get(key) or default for key, default in _TEXTS.items()}
    for key, value in texts.items():
        if not isinstance(value, str):
            raise AcceleratorError("catalogue", f"{where} has the {key} {value!r}, which is not text")
    entry = Accelerator(
        name=name,
        labels=labels_of(given.get("labels") or {}, option="catalogue", where=where),
        machines={str(machine): _chips(chips, f"{where}, machine {machine},") for machine, chips in machines.items()},
        taints=tuple(taint_of(taint, option="catalogue", where=where) for taint in _list(given, "taints", where)),
        topologies=tuple(_list(given, "topologies", where)),
        max_cubes=_chips(given.get("max_cubes") or 0, f"{where}, max_cubes,", least=0),
        **texts,
    )
    _check(entry, where)
    return entry


def _check(entry: Accelerator, where: str) -> None:
    if "/" not in entry.resource or not syntax.is_label_key(entry.resource):
        raise AcceleratorError(
            "catalogue", f"{where} has the resource {entry.resource!r}; an extended resource such as {_GPU} is needed"
        )
    for option in ("machine_label", "topology_label", "pool_label"):
        key = getattr(entry, option)
        if key and not syntax.is_label_key(key):
            raise AcceleratorError("catalogue", f"{where} has the {option} {key!r}, which is no label's key")
    if entry.multi_host and entry.multi_host not in entry.machines:
        listed = ", ".join(entry.machines)
        raise AcceleratorError("catalogue", f"{where} has multi_host {entry.multi_host!r}; its machines are {listed}")
    if bool(entry.topologies) != bool(entry.topology_label):
        raise AcceleratorError("catalogue", f"{where} needs both topologies and topology_label, or neither")
    for topology in entry.topologies:
        if not isinstance(topology, str) or not TOPOLOGY.fullmatch(topology):
            raise AcceleratorError(
                "catalogue", f"{where} has the topology {topology!r}; such as 4x4 or 2x2x4 is needed"
            )
    for machine in entry.machines if entry.machine_label else ():
        if not syntax.is_label_value(machine):
            raise AcceleratorError("catalogue", f"{where} has the machine {machine!r}; {syntax.LABEL_VALUE_RULE}")
    if entry.architecture not in _ARCHITECTURES:
        listed = " or ".join(_ARCHITECTURES)
        raise AcceleratorError("catalogue", f"{where} has the architecture {entry.architecture!r}; choose {listed}")


def _list(given: Mapping[str, Any], key: str, where: str) -> Sequence[Any]:
    value = given.get(key) or ()
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise AcceleratorError("catalogue", f"{where} has the {key} {value!r}; a list is needed")
    return value


def labels_of(given: Any, *, option: str, where: str) -> dict[str, str]:
    """A node's labels. Raises AcceleratorError."""
    if not isinstance(given, Mapping):
        raise AcceleratorError(option, f"{where} has the labels {given!r}; names with values are needed")
    for key, value in given.items():
        if not isinstance(value, str):
            raise AcceleratorError(
                option, f"{where} has the label {key}: {value!r}, which is not text; put it in quotes"
            )
        if not syntax.is_label_key(str(key)) or not syntax.is_label_value(value):
            raise AcceleratorError(option, f"{where} has the label {key}={value}, which no node can have")
    return {str(key): value for key, value in given.items()}


def taint_of(given: Any, *, option: str, where: str) -> dict[str, str]:
    """A node's taint: key, effect, and perhaps value. Raises AcceleratorError."""
    if not isinstance(given, Mapping) or set(given) - {"key", "value", "effect"}:
        raise AcceleratorError(option, f"{where} has the taint {given!r}; allowed are key, value and effect")
    key, value, effect = (str(given.get(part) or "") for part in ("key", "value", "effect"))
    if not syntax.is_label_key(key) or not syntax.is_label_value(value):
        raise AcceleratorError(
            option, f"{where} has the taint {key!r} with the value {value!r}, which no node can have"
        )
    if effect not in _EFFECTS:
        listed = ", ".join(_EFFECTS)
        raise AcceleratorError(
            option, f"{where} has the taint {key} with the effect {effect!r}; choose one of {listed}"
        )
    return {"key": key, **({"value": value} if value else {}), "effect": effect}


def _chips(value: Any, where: str, *, least: int = 1) -> int:
    if isinstance(value, bool) or not str(value).isdigit() or int(value) < least:
        raise AcceleratorError("catalogue", f"{where} is {value!r}; a whole number of {least} or more is needed")
    return int(value)
