# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which predicate applies to which kind. The documentation's list of kinds is generated from this table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from . import kinds, pods, queues, volumes
from .causes import explained, pods_of
from .pods import pod_cause, pod_reason
from .state import Predicate, Readiness, State, waiting

__all__ = [
    "Readiness",
    "State",
    "cause_of",
    "documented_kinds",
    "explained",
    "finishes",
    "has_predicate",
    "pod_cause",
    "pod_reason",
    "pods_of",
    "predicate_for",
    "readiness_of",
]

#: (API group, kind) -> predicate. Any version of the group.
_PREDICATES: dict[tuple[str, str], Predicate] = {
    ("", "Namespace"): kinds.namespace,
    ("", "Pod"): pods.pod,
    ("apps", "Deployment"): kinds.deployment,
    ("apps", "StatefulSet"): kinds.stateful_set,
    ("apps", "DaemonSet"): kinds.daemon_set,
    ("apps", "ReplicaSet"): kinds.replica_set,
    ("", "ReplicationController"): kinds.replica_set,
    ("batch", "Job"): kinds.job,
    ("", "Service"): kinds.service,
    ("", "PersistentVolumeClaim"): volumes.persistent_volume_claim,
    ("", "PersistentVolume"): volumes.persistent_volume,
    ("storage.k8s.io", "VolumeAttachment"): volumes.volume_attachment,
    ("snapshot.storage.k8s.io", "VolumeSnapshot"): volumes.volume_snapshot,
    ("snapshot.storage.k8s.io", "VolumeSnapshotContent"): volumes.volume_snapshot_content,
    ("", "Node"): kinds.node,
    ("policy", "PodDisruptionBudget"): kinds.pod_disruption_budget,
    ("jobset.x-k8s.io", "JobSet"): queues.job_set,
    ("kueue.x-k8s.io", "Workload"): queues.workload,
    ("kueue.x-k8s.io", "LocalQueue"): queues.queue,
    ("kueue.x-k8s.io", "ClusterQueue"): queues.queue,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): kinds.custom_resource_definition,
    ("apiregistration.k8s.io", "APIService"): kinds.api_service,
}
#: Kinds that end, with what counts as the end.
_FINISHING: dict[tuple[str, str], str] = {
    ("", "Pod"): "phase Succeeded or Failed",
    ("batch", "Job"): "condition Complete or Failed",
    ("jobset.x-k8s.io", "JobSet"): "condition Completed or Failed",
}
_BY_KIND: dict[str, Predicate] = {kind: predicate for (_group, kind), predicate in _PREDICATES.items()}
#: Groups of Kubernetes itself whose names don't end in .k8s.io. Their other kinds have no readiness: ConfigMap, Role…
_OWN_GROUPS = frozenset({"", "apps", "batch", "autoscaling", "policy", "extensions"})


def _group_of(api_version: str) -> str:
    group, slash, _version = api_version.partition("/")
    return group if slash else ""


def has_predicate(api_version: str, kind: str, *, has_status: bool = True) -> bool:
    """Whether there is more to being ready than being stored. `has_status` as of predicate_for()."""
    return predicate_for(api_version, kind, has_status=has_status) is not kinds.exists


def finishes(api_version: str, kind: str) -> bool:
    """Whether objects of this kind come to an end by themselves."""
    return (_group_of(api_version), kind) in _FINISHING


def predicate_for(api_version: str, kind: str, *, has_status: bool = True) -> Predicate:
    """The predicate of a kind: look it up once per watch, call it per event.

    `has_status`: its objects have a status of their own, as discovery says. A custom kind without one has nobody who
    could say that an object is ready; it is when it is stored.
    """
    group = _group_of(api_version)
    found = _PREDICATES.get((group, kind))
    if found is not None:
        return found
    is_own = group in _OWN_GROUPS or group.endswith(".k8s.io")
    return kinds.exists if is_own or not has_status else kinds.by_condition


def readiness_of(obj: Mapping[str, Any], *, api_version: str = "", kind: str = "") -> Readiness:
    """Judge one object.

    The items of a list carry neither apiVersion nor kind: then both have to be given. Raises ValueError if the kind
    is not known either way.
    """
    kind = kind or obj.get("kind") or ""
    if not kind:
        raise ValueError("readiness_of: the object has no kind, and none is given")
    version = api_version or obj.get("apiVersion")
    predicate = _BY_KIND.get(kind, kinds.exists) if version is None else predicate_for(version, kind)
    answer = predicate(obj)
    if answer.is_ready and obj["metadata"].get("deletionTimestamp") and answer.state is State.READY:
        return waiting("is being deleted")
    return answer


def cause_of(
    obj: Mapping[str, Any], pods: Iterable[Mapping[str, Any]] = (), events: Iterable[Mapping[str, Any]] = ()
) -> str:
    """Why an object is not ready, its pods' causes included; empty if it is. Arguments as of explained()."""
    return explained(obj, readiness_of(obj), pods=pods, events=events).cause


def documented_kinds() -> list[dict[str, str]]:
    """Rows for the documentation: api_group ("core" for the oldest), kind, ready, finished (empty if it never is)."""
    return [
        {
            "api_group": group or "core",
            "kind": kind,
            "ready": " ".join((predicate.__doc__ or "").split()),
            "finished": _FINISHING.get((group, kind), ""),
        }
        for (group, kind), predicate in sorted(_PREDICATES.items())
    ]
