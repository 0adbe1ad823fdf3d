# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What controllers make of one object: pods, and objects that nobody sent. Pure: from the object as it will be sent.

The tables follow Kubernetes' own controllers (kube-controller-manager). A kind of somebody else's API is not guessed
at: what its controller makes is unknown, and that is reported.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Object = Mapping[str, Any]

#: Kinds whose objects carry a pod template, and the path to it.
POD_TEMPLATE: dict[str, tuple[str, ...]] = {
    "Deployment": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "DaemonSet": ("spec", "template"),
    "ReplicaSet": ("spec", "template"),
    "ReplicationController": ("spec", "template"),
    "DeploymentConfig": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}
#: Kinds that start pods. They wait until their namespace has its ServiceAccount `default`; otherwise the first pods are
#: refused and their controllers back off.
POD_MAKERS = frozenset({"Pod", *POD_TEMPLATE})
#: Groups of Kubernetes itself whose names don't end in .k8s.io; `security.openshift.io` and the like make no pods.
_OWN_GROUPS = frozenset({"", "apps", "batch", "autoscaling", "policy", "extensions", "apps.openshift.io"})
#: What a new object of a kind is followed by, beside pods.
_FOLLOWERS: dict[str, Counter[str]] = {
    # The ServiceAccount `default` and the ConfigMap kube-root-ca.crt.
    "Namespace": Counter({"ServiceAccount": 1, "ConfigMap": 1}),
    "Deployment": Counter({"ReplicaSet": 1}),
    "DeploymentConfig": Counter({"ReplicationController": 1}),
    "StatefulSet": Counter({"ControllerRevision": 1}),
    "DaemonSet": Counter({"ControllerRevision": 1}),
    "Service": Counter({"Endpoints": 1, "EndpointSlice": 1}),
    # Where the default or the named class makes them: their volumes and contents, one each.
    "PersistentVolumeClaim": Counter({"PersistentVolume": 1}),
}


@dataclass(frozen=True, kw_only=True)
class Made:
    """What one object leads to.

    `pods_at_once` run together, `pods_in_all` over the object's life; with `per_node` both are numbers for each node
    that takes the pods. `followers` counts further objects by kind. `unknown` says what cannot be known, or is empty.
    """

    pods_at_once: int = 0
    pods_in_all: int = 0
    per_node: bool = False
    template: Object | None = None
    followers: Counter[str] = field(default_factory=Counter)
    unknown: str = ""


def group_of(api_version: str) -> str:
    """The API group of an apiVersion; "" is the core group."""
    return api_version.rpartition("/")[0]


def is_custom(api_version: str) -> bool:
    """Whether an API is not one of Kubernetes' own, so that nobody here knows what its controller does."""
    group = group_of(api_version)
    return group not in _OWN_GROUPS and not group.endswith(".k8s.io")


def made_of(obj: Object) -> Made:
    """What the controllers of the cluster make of an object."""
    kind = obj["kind"]
    if is_custom(obj["apiVersion"]):
        return _made_of_custom(obj)
    followers = Counter(_FOLLOWERS.get(kind, ()))
    if kind == "Service" and not (obj.get("spec") or {}).get("selector"):
        followers = Counter()
    if kind not in POD_MAKERS:
        return Made(followers=followers)
    if kind == "Pod":
        return Made(pods_at_once=1, pods_in_all=1, template=obj)
    spec = obj.get("spec") or {}
    template = _at(obj, POD_TEMPLATE[kind])
    if kind == "DaemonSet":
        return Made(pods_at_once=1, pods_in_all=1, per_node=True, template=template, followers=followers)
    if kind == "Job":
        at_once, in_all = _job_pods(spec)
        return Made(pods_at_once=at_once, pods_in_all=in_all, template=template)
    if kind == "CronJob":
        return _made_of_cron_job(obj, template)
    replicas = _number(spec.get("replicas"), 1)
    if kind == "StatefulSet":
        claims = replicas * len(spec.get("volumeClaimTemplates") or ())
        followers["PersistentVolumeClaim"] += claims
    return Made(pods_at_once=replicas, pods_in_all=replicas, template=template, followers=+followers)


def changed_by(patch: Object) -> Made:
    """What the controllers make when an object is patched: nothing is counted twice, and of pods nothing is known."""
    makes_pods = patch["kind"] in POD_MAKERS or is_custom(patch["apiVersion"])
    return Made(unknown="what it makes once it is patched is unknown" if makes_pods else "")


def _job_pods(spec: Object) -> tuple[int, int]:
    """(pods at once, pods in all): a Job never runs more pods than it still has to complete."""
    if spec.get("suspend"):
        return 0, 0
    parallelism = _number(spec.get("parallelism"), 1)
    completions = spec.get("completions")
    if completions is None:
        return parallelism, parallelism
    return min(parallelism, _number(completions, 1)), _number(completions, 1)


def _made_of_cron_job(obj: Object, template: Object | None) -> Made:
    spec = obj.get("spec") or {}
    if spec.get("suspend"):
        return Made()
    at_once, in_all = _job_pods(_at(obj, ("spec", "jobTemplate", "spec")) or {})
    overlapping = spec.get("concurrencyPolicy", "Allow") == "Allow"
    unknown = "how many Jobs it starts depends on its schedule; one is counted"
    if overlapping:
        unknown += ", and they may overlap (concurrencyPolicy Allow)"
    return Made(
        pods_at_once=at_once, pods_in_all=in_all, template=template, followers=Counter({"Job": 1}), unknown=unknown
    )


def _made_of_custom(obj: Object) -> Made:
    templates = sum(1 for _template in pod_templates(obj))
    seen = f"; it holds {templates} pod template{'' if templates == 1 else 's'}" if templates else ""
    return Made(unknown=f"what its controller makes is unknown{seen}")


def pod_templates(obj: Object) -> Iterator[Object]:
    """The pod templates of an object, wherever they stand in it: mappings whose `spec` has `containers`."""
    pending: list[Any] = [obj]
    while pending:
        node = pending.pop()
        if isinstance(node, Mapping):
            spec = node.get("spec")
            if isinstance(spec, Mapping) and isinstance(spec.get("containers"), list):
                yield node
            else:
                pending.extend(node.values())
        elif isinstance(node, list):
            pending.extend(node)


def _at(obj: Object, path: tuple[str, ...]) -> Object | None:
    found: Any = obj
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else None


def _number(value: Any, default: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else default
