# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes, threads and their limits from the answers of kubelets. No I/O.

Three endpoints of a kubelet have such figures:

- /stats/summary: `node.rlimit.maxpid`, which is the smaller of the kernel's pid_max and threads-max; `curproc`, the
  threads that live on the node; and each pod's `process_stats.process_count`, the processes of its containers. Beside
  that the node's CPU and memory, as the kubelet's own evictions see them.
- /metrics/cadvisor: threads and the limit in force (pids.current and pids.max) of every pod's cgroup and of the one
  that holds all pods, and the processes of every container's. A pod's cgroup includes its sandbox.
- /configz: `podPidsLimit`, what is reserved of the node's pids, and the thresholds of eviction.

A kubelet that does not count processes omits the figure or reports 0. Running pods have some, so both are None here.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import KubestressError
from .exposition import labels_of, samples

#: What the kernel calls "max" comes as 0, as infinity, or as the largest number of its type.
_NO_LIMIT_FROM = 2**62
#: Of a pod's own cgroup: /kubepods/burstable/pod<uid>, or /kubepods.slice/…/kubepods-burstable-pod<uid>.slice with
#: dashes of the uid written as underscores.
_POD_SEGMENT = re.compile(r"(?:kubepods-(?:\w+-)?)?pod([0-9a-f_-]{16,})(?:\.slice)?")
_ALL_PODS_SEGMENTS = ("kubepods", "kubepods.slice")
_PROCESSES = "container_processes"
_THREADS = "container_threads"
_LIMIT = "container_threads_max"


class Unreadable(KubestressError, ValueError):
    """An answer that is not what the endpoint is to give; the text says what it is instead."""


@dataclass(frozen=True, kw_only=True)
class PodProcesses:
    """One pod of /stats/summary. `taken` is when the kubelet measured it, as it writes it, None if it does not say."""

    namespace: str
    name: str
    uid: str
    processes: int | None
    taken: str | None = None


@dataclass(frozen=True, kw_only=True)
class Summary:
    """/stats/summary. `max_threads` is min(pid_max, threads-max) of the node's kernel, `threads` what lives there.

    `cpu_cores` is what the whole node used in the kubelet's last interval, `memory_bytes` its working set: the memory
    less the page cache that can be given back.
    """

    max_threads: int | None
    threads: int | None
    pods: tuple[PodProcesses, ...]
    cpu_cores: float | None = None
    memory_bytes: int | None = None


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """/configz. `pod_pids_limit` None is "not said", `pod_pids_unlimited` a kubelet that sets no limit of its own.

    `reserved_pids` is what kubeReserved and systemReserved take away from the pods; `eviction_available` the
    pid.available below which it evicts, such as "10%" or "500", None where it never does.
    """

    pod_pids_limit: int | None
    pod_pids_unlimited: bool
    reserved_pids: int
    eviction_available: str | None


@dataclass(kw_only=True)
class Cgroup:
    """One cgroup with all below it. `limit` None with `unlimited` is "max", without it "not said".

    `namespace` and `name` are the pod's, where the metrics name it.
    """

    namespace: str = ""
    name: str = ""
    threads: int | None = None
    limit: int | None = None
    unlimited: bool = False
    processes: int | None = None


@dataclass(kw_only=True)
class Cgroups:
    """/metrics/cadvisor: the pods' cgroups by pod uid, and the one that holds all of them."""

    pods: dict[str, Cgroup] = field(default_factory=dict)
    all_pods: Cgroup | None = None


def count_of(value: object) -> int | None:
    """A count above 0 out of anything that JSON holds, else None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 1 <= value < _NO_LIMIT_FROM:
        return None
    return int(value)


def parse_summary(body: bytes) -> Summary:
    """Raises Unreadable."""
    document = _json_object(body)
    if "node" not in document and "pods" not in document:
        raise Unreadable("no statistics: neither node nor pods")
    node = _mapping(document.get("node"))
    rlimit = _mapping(node.get("rlimit"))
    nano_cores = count_of(_mapping(node.get("cpu")).get("usageNanoCores"))
    entries = document.get("pods")
    pods = [_pod(entry) for entry in entries] if isinstance(entries, list) else []
    return Summary(
        max_threads=count_of(rlimit.get("maxpid")),
        threads=count_of(rlimit.get("curproc")),
        pods=tuple(pod for pod in pods if pod is not None),
        cpu_cores=None if nano_cores is None else nano_cores / 1e9,
        memory_bytes=count_of(_mapping(node.get("memory")).get("workingSetBytes")),
    )


def _pod(entry: object) -> PodProcesses | None:
    pod = _mapping(entry)
    reference = _mapping(pod.get("podRef"))
    words = [reference.get(key) for key in ("namespace", "name", "uid")]
    if not all(isinstance(word, str) and word for word in words):
        return None
    taken = _mapping(pod.get("cpu")).get("time")
    return PodProcesses(
        namespace=str(words[0]),
        name=str(words[1]),
        uid=str(words[2]),
        processes=count_of(_mapping(pod.get("process_stats")).get("process_count")),
        taken=taken if isinstance(taken, str) else None,
    )


def parse_configuration(body: bytes) -> Configuration:
    """Raises Unreadable."""
    document = _json_object(body).get("kubeletconfig")
    if not isinstance(document, dict):
        raise Unreadable("no configuration: without kubeletconfig")
    limit = document.get("podPidsLimit")
    reserved = (_mapping(document.get(key)).get("pid") for key in ("kubeReserved", "systemReserved"))
    threshold = _mapping(document.get("evictionHard")).get("pid.available")
    return Configuration(
        pod_pids_limit=count_of(limit),
        pod_pids_unlimited=isinstance(limit, int) and not isinstance(limit, bool) and limit < 0,
        reserved_pids=sum(_reserved(value) for value in reserved),
        eviction_available=threshold if isinstance(threshold, str) and threshold else None,
    )


def _reserved(value: object) -> int:
    # A quantity; of pids nobody writes anything but a whole number, perhaps with k.
    text = str(value or "0")
    number = text.removesuffix("k")
    return int(number) * (1000 if number != text else 1) if number.isdecimal() else 0


def eviction_starts_at(threshold: str | None, max_threads: int | None) -> int | None:
    """The threads on a node above which its kubelet sees PIDPressure; None where there is no threshold, or no data."""
    if threshold is None or max_threads is None:
        return None
    try:
        share = float(threshold.removesuffix("%")) / 100 if threshold.endswith("%") else None
        available = max_threads * share if share is not None else _reserved(threshold)
    except ValueError:
        return None
    return max_threads - math.ceil(available) if 0 < available < max_threads else None


def parse_cgroups(body: bytes) -> Cgroups:
    """Out of the text of /metrics/cadvisor. Raises Unreadable."""
    found = Cgroups()
    told = False
    for metric in (_PROCESSES, _THREADS, _LIMIT):
        # One cgroup may be listed twice while its container is replaced.
        by_path = {}
        for series, value in samples(body, metric).items():
            labels = labels_of(series)
            if value >= 0 and "id" in labels:
                by_path[labels["id"]] = (value, labels)
        for path, (value, labels) in by_path.items():
            _take(found, metric, path, value, labels)
        told = told or bool(by_path)
    if not told and b"container_" not in body:
        raise Unreadable("no metrics of cAdvisor")
    for cgroup in [*found.pods.values(), *([found.all_pods] if found.all_pods else [])]:
        # Without a count there is no pids controller, and "no limit" would be an invention.
        cgroup.unlimited = cgroup.unlimited and cgroup.threads is not None
    return found


def _take(found: Cgroups, metric: str, path: str, value: float, labels: Mapping[str, str]) -> None:
    segments = path.strip("/").split("/")
    place = next((n for n, segment in enumerate(segments) if _POD_SEGMENT.fullmatch(segment)), None)
    if place is not None:
        match = _POD_SEGMENT.fullmatch(segments[place])
        uid = match[1].replace("_", "-") if match else ""
        cgroup = found.pods.setdefault(uid, Cgroup())
        cgroup.namespace = cgroup.namespace or labels.get("namespace", "")
        cgroup.name = cgroup.name or labels.get("pod", "")
        itself = place == len(segments) - 1
    elif segments[-1] in _ALL_PODS_SEGMENTS:
        cgroup = found.all_pods = found.all_pods or Cgroup()
        itself = True
    else:
        return
    if metric == _PROCESSES:
        # Counted in each cgroup alone, without those below it.
        cgroup.processes = (cgroup.processes or 0) + int(value) or None
    elif itself and metric == _THREADS:
        cgroup.threads = count_of(value)
    elif itself:
        cgroup.unlimited = not 1 <= value < _NO_LIMIT_FROM
        cgroup.limit = None if cgroup.unlimited else int(value)


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"no JSON: {body[:40].decode(errors='replace').strip()!r}") from error
    if not isinstance(document, dict):
        raise Unreadable(f"JSON, but no object: {type(document).__name__}")
    return document


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
