# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rights that a plan needs, as Roles and bindings for `kubectl apply`. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..cluster.access import Access, Missing
from ..cluster.leases import CONTROLLERS

_GROUP = "rbac.authorization.k8s.io"
_ACCOUNT_PREFIX = "system:serviceaccount:"
#: Rights that no run needs, each with what it is good for: figures, and what preflight compares with.
OBSERVING: tuple[tuple[str, dict[str, list[str]]], ...] = (
    (
        "what preflight compares a run with",
        {"apiGroups": [""], "resources": ["namespaces", "nodes", "pods", "resourcequotas"], "verbs": ["list"]},
    ),
    (
        "conditions, limits and load of the nodes, and operations of their network plug-in, from their kubelets",
        {"apiGroups": [""], "resources": ["nodes", "nodes/proxy"], "verbs": ["get"]},
    ),
    (
        "nodes that are lost or under pressure, as soon as it happens (the guard)",
        {"apiGroups": [""], "resources": ["nodes"], "verbs": ["list", "watch"]},
    ),
    (
        "Warnings, and causes of what is not ready",
        {"apiGroups": [""], "resources": ["events"], "verbs": ["list", "watch"]},
    ),
    (
        "StorageClasses that a plan with claims is compared with",
        {"apiGroups": ["storage.k8s.io"], "resources": ["storageclasses"], "verbs": ["list"]},
    ),
    (
        "free volumes, where no class makes them",
        {"apiGroups": [""], "resources": ["persistentvolumes"], "verbs": ["list"]},
    ),
    (
        "classes that a plan with snapshots is compared with",
        {"apiGroups": ["snapshot.storage.k8s.io"], "resources": ["volumesnapshotclasses"], "verbs": ["list"]},
    ),
    (
        "how long volumes take to be attached",
        {"apiGroups": ["storage.k8s.io"], "resources": ["volumeattachments"], "verbs": ["list", "watch"]},
    ),
    (
        "queues that jobs are compared with",
        {"apiGroups": ["kueue.x-k8s.io"], "resources": ["clusterqueues"], "verbs": ["get"]},
    ),
    (
        "the same, in each namespace",
        {"apiGroups": ["kueue.x-k8s.io"], "resources": ["localqueues"], "verbs": ["list"]},
    ),
    (
        "how long accelerator jobs wait in their queue",
        {"apiGroups": ["kueue.x-k8s.io"], "resources": ["workloads"], "verbs": ["list", "watch"]},
    ),
    ("figures of the API server", {"nonResourceURLs": ["/metrics"], "verbs": ["get"]}),
    (
        "how many API servers there are",
        {
            "apiGroups": ["discovery.k8s.io"],
            "resources": ["endpointslices"],
            "resourceNames": ["kubernetes"],
            "verbs": ["get"],
        },
    ),
    (
        "controllers that have stopped",
        {
            "apiGroups": ["coordination.k8s.io"],
            "resources": ["leases"],
            "resourceNames": list(CONTROLLERS),
            "verbs": ["get"],
        },
    ),
)
#: Namespaces that a message lists before it only counts.
_LISTED = 5


@dataclass(frozen=True, kw_only=True)
class Rights:
    """By use, which becomes part of the Roles' names, what is needed. Without `namespaces`: in the whole cluster.

    `user` is what the API server calls somebody.
    """

    run_id: str
    user: str
    namespaces: Sequence[str]
    uses: Mapping[str, Iterable[Access]]


def missing_line(missing: Iterable[Missing]) -> str:
    """One line for all that the user lacks, by the place where it is lacking."""
    places: dict[tuple[str, ...], list[Access]] = defaultdict(list)
    for access, namespaces in missing:
        places[namespaces].append(access)
    parts = []
    for namespaces, lacking in places.items():
        more = f" and {len(namespaces) - _LISTED} more" if len(namespaces) > _LISTED else ""
        where = f" (in {', '.join(namespaces[:_LISTED])}{more})" if namespaces else ""
        parts.append(", ".join(str(access) for access in lacking) + where)
    return f"missing permissions: {'; '.join(parts)}: grant them to the user of this connection"


def user_of_account(account: str) -> str:
    """The user name of the ServiceAccount NAMESPACE/NAME."""
    namespace, _slash, name = account.partition("/")
    return f"{_ACCOUNT_PREFIX}{namespace}:{name}"


def rbac_documents(rights: Rights) -> list[dict[str, Any]]:
    """Roles and RoleBindings in each of the namespaces, and what has to hold in the whole cluster."""
    documents = []
    for use, needed in rights.uses.items():
        inside = [access for access in needed if access.namespaced and rights.namespaces]
        outside = [access for access in needed if access not in inside]
        name = f"kubestress-{use}"
        if outside:
            documents += _role(name, None, outside, rights.user)
        if inside:
            for namespace in rights.namespaces:
                documents += _role(name, namespace, inside, rights.user)
    return documents


def _role(name: str, namespace: str | None, needed: Iterable[Access], user: str) -> list[dict[str, Any]]:
    prefix = "" if namespace else "Cluster"
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    head = {"apiVersion": f"{_GROUP}/v1"}
    return [
        {**head, "kind": f"{prefix}Role", "metadata": metadata, "rules": rules_of(needed)},
        {
            **head,
            "kind": f"{prefix}RoleBinding",
            "metadata": dict(metadata),
            "roleRef": {"apiGroup": _GROUP, "kind": f"{prefix}Role", "name": name},
            "subjects": [_subject(user)],
        },
    ]


def rules_of(needed: Iterable[Access]) -> list[dict[str, Any]]:
    """The fewest rules that say just this: one for resources of a group that have the same verbs."""
    verbs: dict[tuple[str, str], set[str]] = defaultdict(set)
    for access in needed:
        verbs[access.group, access.resource].add(access.verb)
    alike: dict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    for (group, resource), its in sorted(verbs.items()):
        alike[group, tuple(sorted(its))].append(resource)
    return [
        {"apiGroups": [group], "resources": resources, "verbs": list(its)}
        for (group, its), resources in sorted(alike.items())
    ]


def _subject(user: str) -> dict[str, str]:
    if user.startswith(_ACCOUNT_PREFIX):
        namespace, _colon, name = user.removeprefix(_ACCOUNT_PREFIX).partition(":")
        return {"kind": "ServiceAccount", "namespace": namespace, "name": name}
    return {"apiGroup": _GROUP, "kind": "User", "name": user}


def rbac_text(rights: Rights) -> str:
    """The documents as YAML, with a head that says what they are for and what they leave out."""
    import yaml

    where = f"namespaces {', '.join(rights.namespaces)}" if rights.namespaces else "the whole cluster"
    head = [
        f"The rights that run {rights.run_id} needs in {where}, for {rights.user}: kubectl apply -f THIS-FILE",
        'These rights are left out. Without them, what they are for is "no data":',
        *(
            f"  {', '.join(rule['verbs'])}: {', '.join(rule.get('resources') or rule['nonResourceURLs'])} - {purpose}"
            for purpose, rule in OBSERVING
        ),
    ]
    text = "".join(f"# {line}\n" for line in head)
    return text + "".join(f"---\n{yaml.safe_dump(each, sort_keys=False)}" for each in rbac_documents(rights))
