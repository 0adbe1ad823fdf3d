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

#: Stands in a path for every entry of a list.
EACH = "*"
#: Kinds whose objects carry pod templates, and the path to them.
POD_TEMPLATE: dict[str, tuple[str, ...]] = {
    "Deployment": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "DaemonSet": ("spec", "template"),
    "ReplicaSet": ("spec", "template"),
    "ReplicationController": ("spec", "template"),
    "DeploymentConfig": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
    "JobSet": ("spec", "replicatedJobs", EACH, "template", "spec", "template"),
}
#: Kinds that start pods. They wait until their namespace has its ServiceAccount `default`; otherwise the first pods are
#: refused and their controllers back off.
POD_MAKERS = frozenset({"Pod", *POD_TEMPLATE})
#: Groups of Kubernetes itself whose names don't end in .k8s.io; `security.openshift.io` and the like make no pods.
_OWN_GROUPS = frozenset({"", "apps", "batch", "autoscaling", "policy", "extensions", "apps.openshift.io"})
#: Kinds of other groups of which it is known what their controllers make.
_KNOWN_CUSTOM = frozenset({("jobset.x-k8s.io", "JobSet")})
#: On a JobSet, or in one on the template of a Job: the label whose value the nodes of one Job share, and no other's.
_EXCLUSIVE_TOPOLOGY = "alpha.jobset.sigs.k8s.io/exclusive-topology"
#: By it Kueue holds a workload back until its queue has room.
_QUEUE = "kueue.x-k8s.io/queue-name"
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
class MadePods:
    """Pods of one template.

    `at_once` run together, `in_all` over the object's life; with `per_node` both are numbers for each node that takes
    the pods. With `pool_label` they come in slices of `slice_pods`: those of one slice share a value of this label of
    nodes, and no other slice has pods there.
    """

    template: Object
    at_once: int
    in_all: int
    per_node: bool = False
    slice_pods: int = 0
    pool_label: str = ""


@dataclass(frozen=True, kw_only=True)
class Made:
    """What one object leads to.

    `followers` counts further objects by kind. `unknown` says what cannot be known, or is empty. `queue`: a queue holds
    its pods back until there is room for them; empty for none.
    """

    pods: tuple[MadePods, ...] = ()
    followers: Counter[str] = field(default_factory=Counter)
    unknown: str = ""
    queue: str = ""

    @property
    def pods_at_once(self) -> int:
        """Pods of all templates that run together."""
        return sum(part.at_once for part in self.pods)


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
    if is_custom(obj["apiVersion"]) and (group_of(obj["apiVersion"]), kind) not in _KNOWN_CUSTOM:
        return _made_of_custom(obj)
    followers = Counter(_FOLLOWERS.get(kind, ()))
    if kind == "Service" and not (obj.get("spec") or {}).get("selector"):
        followers = Counter()
    if kind not in POD_MAKERS:
        return Made(followers=followers)
    queue = str((_at(obj, ("metadata", "labels")) or {}).get(_QUEUE) or "")
    if kind == "Pod":
        return Made(pods=(MadePods(template=obj, at_once=1, in_all=1),), queue=queue)
    if kind == "JobSet":
        return _made_of_job_set(obj, queue)
    spec = obj.get("spec") or {}
    template = _at(obj, POD_TEMPLATE[kind])
    if template is None:
        return Made(followers=followers)
    if kind == "DaemonSet":
        pods = MadePods(template=template, at_once=1, in_all=1, per_node=True)
        return Made(pods=(pods,), followers=followers)
    if kind == "Job":
        return Made(pods=(_pods_of_job(spec, template, jobs=1),), queue=queue)
    if kind == "CronJob":
        return _made_of_cron_job(obj, template)
    replicas = _number(spec.get("replicas"), 1)
    if kind == "StatefulSet":
        claims = replicas * len(spec.get("volumeClaimTemplates") or ())
        followers["PersistentVolumeClaim"] += claims
    return Made(pods=(MadePods(template=template, at_once=replicas, in_all=replicas),), followers=+followers)


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


def _pods_of_job(spec: Object, template: Object, *, jobs: int, pool_label: str = "") -> MadePods:
    """The pods of `jobs` Jobs of this spec. `pool_label`: where others than the template say that each is a slice."""
    at_once, in_all = _job_pods(spec)
    label = pool_label or _shared_alone(template)
    return MadePods(
        template=template,
        at_once=jobs * at_once,
        in_all=jobs * in_all,
        slice_pods=at_once if label else 0,
        pool_label=label,
    )


def _shared_alone(template: Object) -> str:
    """The label of nodes whose value pods must share with some and must not share with others; empty for none."""
    keys = [
        {term.get("topologyKey") for term in (_at(template, path) or {}).get(_REQUIRED) or ()}
        for path in (("spec", "affinity", "podAffinity"), ("spec", "affinity", "podAntiAffinity"))
    ]
    return str(next(iter(sorted(keys[0] & keys[1])), ""))


_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def _made_of_job_set(obj: Object, queue: str) -> Made:
    """Each replicated Job once for each of its replicas, and a Service for all of them."""
    spec = obj.get("spec") or {}
    followers = Counter({"Job": 0})
    if (spec.get("network") or {}).get("enableDNSHostnames", True):
        followers += Counter({"Service": 1, **_FOLLOWERS["Service"]})
    pods = []
    for part in spec.get("replicatedJobs") or ():
        jobs = _number(part.get("replicas"), 1)
        followers["Job"] += jobs
        job_spec, template = _at(part, ("template", "spec")), _at(part, ("template", "spec", "template"))
        if job_spec is None or template is None:
            continue
        annotations = [_at(one, ("metadata", "annotations")) or {} for one in (part["template"], obj)]
        label = next((str(one[_EXCLUSIVE_TOPOLOGY]) for one in annotations if one.get(_EXCLUSIVE_TOPOLOGY)), "")
        suspended = {"suspend": True} if spec.get("suspend") else {}
        pods.append(_pods_of_job({**job_spec, **suspended}, template, jobs=jobs, pool_label=label))
    return Made(pods=tuple(pods), followers=+followers, queue=queue)


def _made_of_cron_job(obj: Object, template: Object) -> Made:
    spec = obj.get("spec") or {}
    if spec.get("suspend"):
        return Made()
    job_spec = _at(obj, ("spec", "jobTemplate", "spec")) or {}
    overlapping = spec.get("concurrencyPolicy", "Allow") == "Allow"
    unknown = "how many Jobs it starts depends on its schedule; one is counted"
    if overlapping:
        unknown += ", and they may overlap (concurrencyPolicy Allow)"
    pods = _pods_of_job(job_spec, template, jobs=1)
    return Made(pods=(pods,), followers=Counter({"Job": 1}), unknown=unknown)


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
