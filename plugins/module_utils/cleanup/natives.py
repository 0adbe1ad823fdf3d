# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which objects of a namespace nobody made on purpose: pure judgements on metadata."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from ..cluster.discovery import Resource

#: Groups that show the same things again: events twice, OpenShift's projects are the namespaces, its roles RBAC's.
_MIRROR_GROUPS = frozenset({"events.k8s.io", "metrics.k8s.io", "project.openshift.io", "authorization.openshift.io"})
#: Kinds that controllers write about other objects, and that nobody would miss with them.
_BOOKKEEPING = frozenset(
    {("v1", "Event"), ("v1", "Endpoints"), ("discovery.k8s.io", "EndpointSlice"), ("coordination.k8s.io", "Lease")}
)
#: What a controller puts into every namespace: (kind, name).
_IN_EVERY_NAMESPACE = frozenset(
    {
        ("ServiceAccount", "default"),
        ("ServiceAccount", "builder"),  # OpenShift, as is deployer
        ("ServiceAccount", "deployer"),
        ("ConfigMap", "kube-root-ca.crt"),
        ("ConfigMap", "openshift-service-ca.crt"),
        ("ConfigMap", "istio-ca-root-cert"),
    }
)
_NAMES = frozenset(name for _kind, name in _IN_EVERY_NAMESPACE)
_TOKEN_ANNOTATIONS = (
    "kubernetes.io/service-account.name",
    "openshift.io/internal-registry-auth-token.service-account",
)


def group_of(resource: Resource) -> str:
    """Its API group; "v1" for the core group, as in apiVersion."""
    return resource.api_version.partition("/")[0]


def is_mirror(resource: Resource) -> bool:
    """Whether its objects are other objects seen again, or are nothing but records."""
    group = group_of(resource)
    return group in _MIRROR_GROUPS or (group, resource.kind) == ("v1", "Event")


def uncounted_names(resource: Resource) -> str:
    """A field selector that leaves out what is in every namespace anyway, so that lists of strangers stay short."""
    names = sorted(name for kind, name in _IN_EVERY_NAMESPACE if kind == resource.kind)
    return ",".join(f"metadata.name!={name}" for name in names) if group_of(resource) == "v1" else ""


def made_by_cluster(resource: Resource, metadata: Mapping[str, Any]) -> bool:
    """Whether a controller of the cluster put it there by itself, as it does into every namespace."""
    group, kind, name = group_of(resource), resource.kind, metadata["name"]
    if (group, kind) in _BOOKKEEPING:
        return True
    if group == "v1" and (kind, name) in _IN_EVERY_NAMESPACE:
        return True
    if group == "v1" and kind == "Secret":
        annotations = metadata.get("annotations") or {}
        return any(annotations.get(key) in _NAMES for key in _TOKEN_ANNOTATIONS)
    if kind == "RoleBinding" and name.startswith("system:"):
        return True  # OpenShift's image-pullers, image-builders and deployers
    # The operator lifecycle manager copies its ClusterServiceVersions into every namespace.
    return "olm.copiedFrom" in (metadata.get("labels") or {})


def claimed_by_set(name: str, sets: Collection[str]) -> bool:
    """Whether a PersistentVolumeClaim's name is one that a StatefulSet of these names gives: template-set-ordinal.

    Claims have no owner and get only the set's selector as labels.
    """
    match = re.fullmatch(r"(.+)-\d+", name)
    return match is not None and any(match[1].endswith(f"-{each}") for each in sets)
