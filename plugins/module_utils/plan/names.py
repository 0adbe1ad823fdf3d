# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a plan makes each of its objects once. Pure.

A name that is made twice is stored once: the second create finds it and counts it as unchanged, and the load is
smaller than was asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .fragment import Fragment, Item, PlanError
from .kinds import group_of

#: (API group, kind), as far as these are Kubernetes' own; of others only the API server knows.
_CLUSTER_SCOPED = frozenset(
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
_OF_NAMESPACE = frozenset({"namespace", "namespace_index"})


@dataclass(frozen=True, slots=True)
class _Maker:
    """The member of a fragment that makes an object, for messages."""

    role: str
    index: int
    item: int
    items: int
    namespace: str
    template: str

    def shown(self, *, with_namespace: bool) -> str:
        item = f", item {self.item}" if self.items > 1 else ""
        place = f" in namespace {self.namespace}" if with_namespace else ""
        return f"member {self.index}{item} of role {self.role}{place} (template {self.template})"


_Key = tuple[str, str, str]


def check_names(fragments: Sequence[Fragment], namespaces: Sequence[tuple[int, str]]) -> None:
    """Check that no two objects of a kind have the same name in a namespace, or in the cluster if the kind lies there.

    Raises PlanError for the first that do, and TemplateError. Members are compared within the first namespace, and
    cluster-scoped objects of known kinds over all namespaces.
    """
    made: dict[_Key, _Maker] = {}
    for fragment in fragments:
        for key, maker in _made_by(fragment, namespaces[0]):
            _add(made, key, maker)
    for fragment in fragments:
        if fragment.count and any(_is_cluster_scoped(*kind) for kind in fragment.kinds):
            _check_over_namespaces(made, fragment, namespaces)


def _check_over_namespaces(made: dict[_Key, _Maker], fragment: Fragment, namespaces: Sequence[tuple[int, str]]) -> None:
    items = [item for step in fragment.steps for item in step]
    # Where no name depends on the namespace, the second one repeats the first.
    differ = any(item.template.names_use(_OF_NAMESPACE) for item in items)
    for namespace in namespaces[1:] if differ else namespaces[1:2]:
        for key, maker in _made_by(fragment, namespace):
            if (key[0], key[1]) in _CLUSTER_SCOPED:
                _add(made, key, maker)


def _is_cluster_scoped(api_version: str, kind: str) -> bool:
    return (group_of(api_version), kind) in _CLUSTER_SCOPED


def _made_by(fragment: Fragment, namespace: tuple[int, str]) -> Iterator[tuple[_Key, _Maker]]:
    """The objects of a fragment in one namespace."""
    number, name = namespace
    items: list[Item] = [item for step in fragment.steps for item in step]
    for index in range(1, fragment.count + 1):
        values = fragment.values(namespace=name, namespace_index=number, index=index)
        for item in items:
            for place in range(1, item.count + 1):
                values["item"] = place
                maker = _Maker(fragment.role, index, place, item.count, name, item.template.name)
                for api_version, kind, object_name in item.template.names(values):
                    yield (group_of(api_version), kind, object_name), maker


def _add(made: dict[_Key, _Maker], key: _Key, maker: _Maker) -> None:
    first = made.get(key)
    if first is None:
        made[key] = maker
        return
    _group, kind, name = key
    apart = first.namespace != maker.namespace
    if apart:
        cure = ", such as with {{ namespace }}"
    elif first.role == maker.role and first.index != maker.index:
        cure = ", such as with {{ index }}"
    else:
        cure = ", such as with {{ item }}" if first.item != maker.item else ""
    raise PlanError(
        f"fragments: {kind} {name!r} comes twice, from {first.shown(with_namespace=apart)} and from "
        f"{maker.shown(with_namespace=apart)}, so it would be made once; give each a name of its own{cure}"
    )
