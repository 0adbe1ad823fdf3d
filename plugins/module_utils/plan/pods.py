# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a pod's spec asks of a node: requests and limits of every resource, where it may run. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..syntax import cpu_milli, whole

#: Resource name -> amount: CPU in thousandths of a core, memory and storage in bytes, anything else in pieces.
Resources = dict[str, int]
Spec = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class PodShape:
    """One pod as the scheduler sees it. A limit without a request is the request, as in the API server's defaults."""

    requests: Resources = field(default_factory=dict)
    limits: Resources = field(default_factory=dict)
    node_selector: Mapping[str, str] = field(default_factory=dict)
    #: The terms of a required node affinity; a node must match one of them.
    affinity_terms: tuple[Mapping[str, Any], ...] = ()
    tolerations: tuple[Mapping[str, Any], ...] = ()

    def request(self, resource: str) -> int:
        """How much of a resource the scheduler sets aside."""
        return self.requests.get(resource, 0)

    def limit(self, resource: str) -> int:
        """The limit of a resource; 0 where there is none."""
        return self.limits.get(resource, 0)

    @property
    def extended(self) -> Resources:
        """Requests of everything that is neither CPU nor memory nor local storage: accelerators, huge pages."""
        return {name: amount for name, amount in self.requests.items() if name not in _ORDINARY and amount}

    @property
    def key(self) -> tuple[Any, ...]:
        """Pods with the same key are alike."""
        places = (self.node_selector, self.affinity_terms, self.tolerations)
        return (*(tuple(sorted(part.items())) for part in (self.requests, self.limits)), repr(places))


_ORDINARY = frozenset({"cpu", "memory", "ephemeral-storage"})


def amounts(resources: Mapping[str, Any] | None) -> Resources:
    """`requests` or `limits` of the API in whole numbers. Raises ValueError for what is no quantity."""
    return {
        name: cpu_milli(quantity) if name == "cpu" else whole(quantity)
        for name, quantity in (resources or {}).items()
        if quantity is not None
    }


def plus(one: Resources, other: Resources) -> Resources:
    """Resource by resource."""
    if not one or not other:
        return one or other
    return {name: one.get(name, 0) + other.get(name, 0) for name in {**one, **other}}


def largest(one: Resources, other: Resources) -> Resources:
    """Resource by resource, the larger of the two."""
    if not one or not other:
        return one or other
    return {name: max(one.get(name, 0), other.get(name, 0)) for name in {**one, **other}}


def pod_amounts(containers: Iterable[Resources], init_containers: Iterable[tuple[Resources, bool]]) -> Resources:
    """What a pod needs of what its containers need; of init containers (amounts, whether it keeps running).

    All containers together with the sidecars, or the largest init container together with the sidecars started before
    it, whichever is more (KEP-753).
    """
    running: Resources = {}
    for container in containers:
        running = plus(running, container)
    sidecars: Resources = {}
    starting: Resources = {}
    for amount, is_sidecar in init_containers:
        together = plus(sidecars, amount)
        starting = largest(starting, together)
        if is_sidecar:
            sidecars = together
    return largest(plus(running, sidecars), starting)


def shape_of(spec: Spec) -> PodShape:
    """The shape of a pod with this spec. Raises ValueError naming the quantity that is none."""
    limits = _amounts(spec, "limits")
    return PodShape(
        requests=requests_of(spec),
        limits=limits,
        node_selector={str(key): str(value) for key, value in (spec.get("nodeSelector") or {}).items()},
        affinity_terms=_affinity_terms(spec),
        tolerations=tuple(spec.get("tolerations") or ()),
    )


def requests_of(spec: Spec) -> Resources:
    """What the scheduler sets aside for a pod with this spec, its runtime's overhead included. Raises ValueError."""
    return plus(_amounts(spec, "requests"), amounts(spec.get("overhead")))


def _amounts(spec: Spec, part: str) -> Resources:
    containers = (_of_container(container, part) for container in spec.get("containers") or ())
    init_containers = (
        (_of_container(container, part), container.get("restartPolicy") == "Always")
        for container in spec.get("initContainers") or ()
    )
    # Resources of the whole pod go first (KEP-2837).
    return {**pod_amounts(containers, init_containers), **_of_container(spec, part)}


def _of_container(container: Spec, part: str) -> Resources:
    resources = container.get("resources") or {}
    if part == "limits":
        return amounts(resources.get("limits"))
    return {**amounts(resources.get("limits")), **amounts(resources.get("requests"))}


def _affinity_terms(spec: Spec) -> tuple[Mapping[str, Any], ...]:
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    return tuple(required.get("nodeSelectorTerms") or ())
