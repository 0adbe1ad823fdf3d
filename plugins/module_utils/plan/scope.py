# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which fragments are made once for the run, and not in each namespace. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from .errors import PlanError
from .kinds import group_of

#: (API group, kind), as far as these are Kubernetes' own or Kueue's; of others only the API server knows.
CLUSTER_SCOPED = frozenset(
    {
        ("", "Namespace"),
        ("", "Node"),
        ("", "PersistentVolume"),
        ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"),
        ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"),
        ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"),
        ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
        ("apiextensions.k8s.io", "CustomResourceDefinition"),
        ("apiregistration.k8s.io", "APIService"),
        ("certificates.k8s.io", "CertificateSigningRequest"),
        ("flowcontrol.apiserver.k8s.io", "FlowSchema"),
        ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"),
        ("kueue.x-k8s.io", "ClusterQueue"),
        ("kueue.x-k8s.io", "Cohort"),
        ("kueue.x-k8s.io", "ResourceFlavor"),
        ("kueue.x-k8s.io", "Topology"),
        ("kueue.x-k8s.io", "WorkloadPriorityClass"),
        ("networking.k8s.io", "IngressClass"),
        ("node.k8s.io", "RuntimeClass"),
        ("rbac.authorization.k8s.io", "ClusterRole"),
        ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
        ("resource.k8s.io", "DeviceClass"),
        ("resource.k8s.io", "ResourceSlice"),
        ("scheduling.k8s.io", "PriorityClass"),
        ("storage.k8s.io", "CSIDriver"),
        ("storage.k8s.io", "StorageClass"),
        ("storage.k8s.io", "VolumeAttachment"),
    }
)
#: Variables that differ from namespace to namespace.
OF_NAMESPACE = frozenset({"namespace", "namespace_index"})
#: Where a fragment is made that is made once: (index, name), as of a namespace.
OF_THE_RUN = (0, "")


def is_cluster_scoped(api_version: str, kind: str) -> bool:
    """Whether Kubernetes itself says that objects of this kind lie in no namespace. Of others only its server knows."""
    return (group_of(api_version), kind) in CLUSTER_SCOPED


def is_made_once(wanted: str | None, *, kinds: Collection[tuple[str, str]], used: Collection[str], where: str) -> bool:
    """Whether a fragment is made once for the run.

    `wanted` is its option `scope`, `used` are the varying variables in its templates. If nothing is wanted, that is so
    for kinds of Kubernetes that lie in no namespace, unless a template says that each namespace has an object of its
    own. Raises PlanError if that contradicts what is wanted.
    """
    of_namespace = sorted(OF_NAMESPACE.intersection(used))
    if wanted == "run" and of_namespace:
        raise PlanError(f"{where}.scope: run, but a template uses {of_namespace[0]}, and there is none of the run")
    if wanted == "run" and ("v1", "Namespace") in kinds:
        raise PlanError(f"{where}.scope: run, but the fragment makes the Namespaces, which are several")
    if wanted is not None:
        return wanted == "run"
    alone = bool(kinds) and ("v1", "Namespace") not in kinds
    return alone and not of_namespace and all(is_cluster_scoped(*kind) for kind in kinds)


def check_scope(role: str, kinds: Iterable[tuple[str, str]], namespaced: Collection[tuple[str, str]]) -> None:
    """Check a fragment that is made once against what the API server says: `namespaced` kinds lie in namespaces.

    Raises PlanError.
    """
    for api_version, kind in sorted(kinds):
        if (api_version, kind) in namespaced:
            raise PlanError(
                f"fragments (role {role}).scope: run, but a {kind} of {api_version} lies in a namespace; leave scope "
                "out, or put it into a fragment of its own"
            )
