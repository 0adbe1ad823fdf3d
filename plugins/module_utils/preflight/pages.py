# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fields that preflight reads from the lists it asks for, as types for decoding, named as in the API.

Fields that are not named here are never decoded, so the API may add to them or change them. One that is named and that
an object does not have is absent from its dict. A quantity is text as the API writes it, such as 250m; it is a number
where an object was not written by an API server.
"""

from __future__ import annotations

from typing import TypedDict

#: Of a page: the token of the next one, and how many objects come after it, which not every list says.
PageInfo = TypedDict("PageInfo", {"continue": str, "remainingItemCount": int}, total=False)


class Metadata(TypedDict, total=False):
    """Of any object."""

    name: str
    namespace: str
    labels: dict[str, str]
    annotations: dict[str, str]
    deletionTimestamp: str


class PodMetadata(TypedDict, total=False):
    """Of a pod: where it is and whose."""

    namespace: str
    labels: dict[str, str]


class Resources(TypedDict, total=False):
    """Of a container, or of a whole pod."""

    requests: dict[str, str | float]


class Container(TypedDict, total=False):
    """What the scheduler looks at."""

    resources: Resources
    restartPolicy: str


class PodSpec(TypedDict, total=False):
    """What the scheduler looks at."""

    nodeName: str
    containers: list[Container]
    initContainers: list[Container]
    resources: Resources
    overhead: dict[str, str | float]


class Pod(TypedDict):
    """For plan.pods.requests_of."""

    metadata: PodMetadata
    spec: PodSpec


class PodPage(TypedDict):
    """A page of pods."""

    metadata: PageInfo
    items: list[Pod] | None


class Named(TypedDict):
    """An object of which only the metadata matter."""

    metadata: Metadata


class NamedPage(TypedDict):
    """A page of any objects."""

    metadata: PageInfo
    items: list[Named] | None


class Taint(TypedDict, total=False):
    """Of a node."""

    key: str
    value: str
    effect: str


class NodeSpec(TypedDict, total=False):
    """Whether a node takes pods."""

    unschedulable: bool
    taints: list[Taint]


class Condition(TypedDict):
    """Of a node."""

    type: str
    status: str


class Endpoint(TypedDict, total=False):
    """Of a kubelet."""

    Port: int


class Endpoints(TypedDict, total=False):
    """Of a node."""

    kubeletEndpoint: Endpoint


class NodeInfo(TypedDict, total=False):
    """Software of a node."""

    kubeletVersion: str
    osImage: str
    kernelVersion: str
    containerRuntimeVersion: str
    architecture: str


class NodeStatus(TypedDict, total=False):
    """What a node offers; without its images, which are most of a real node's text."""

    allocatable: dict[str, str | float]
    capacity: dict[str, str | float]
    conditions: list[Condition]
    daemonEndpoints: Endpoints
    nodeInfo: NodeInfo


class NodeObject(TypedDict, total=False):
    """For supply.node_of."""

    metadata: Metadata
    spec: NodeSpec
    status: NodeStatus


class NodePage(TypedDict):
    """A page of nodes."""

    metadata: PageInfo
    items: list[NodeObject] | None


class QuotaSpec(TypedDict, total=False):
    """What a quota allows."""

    hard: dict[str, str | float]
    scopes: list[str]
    scopeSelector: dict[str, object]


class QuotaStatus(TypedDict, total=False):
    """What of it is in use."""

    hard: dict[str, str | float]
    used: dict[str, str | float]


class QuotaObject(TypedDict, total=False):
    """For supply.quota_of."""

    metadata: Metadata
    spec: QuotaSpec
    status: QuotaStatus


class QuotaPage(TypedDict):
    """A page of quotas."""

    metadata: PageInfo
    items: list[QuotaObject] | None
