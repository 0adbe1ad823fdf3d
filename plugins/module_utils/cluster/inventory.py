# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what a cluster has and permits: whole lists, permissions, kubelets. It knows nothing of why they are read."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .client import Cluster
from .errors import ClusterError, Forbidden, NotFound
from .watch import list_pages

#: Seconds that one kubelet may take to answer; a node that hangs must not hold up whoever asks.
_KUBELET_SECONDS = 3.0
_REVIEW_PATH = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


class Access(NamedTuple):
    """One verb on one resource in all namespaces; `group` "" is the core group."""

    group: str
    resource: str
    verb: str

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}" + (f".{self.group}" if self.group else "")


@dataclass(frozen=True, kw_only=True)
class KubeletFacts:
    """What one kubelet told: its configuration and its statistics, empty where it did not; `cause` then says why."""

    node: str
    configuration: Mapping[str, Any] = field(default_factory=dict)
    statistics: Mapping[str, Any] = field(default_factory=dict)
    cause: str | None = None


async def missing_access(cluster: Cluster, needed: Iterable[Access]) -> list[Access]:
    """Those of the permissions that the user of this connection lacks, in the order given. Raises ClusterError."""
    # One question answers all for whoever may do everything.
    if await _allowed(cluster, Access("*", "*", "*")):
        return []
    needed = list(needed)
    answers = await asyncio.gather(*(_allowed(cluster, access) for access in needed))
    return [access for access, allowed in zip(needed, answers, strict=True) if not allowed]


async def _allowed(cluster: Cluster, access: Access) -> bool:
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": access._asdict()},
    }
    reply = await cluster.request("POST", _REVIEW_PATH, body=json.dumps(review).encode())
    return bool(reply.json().get("status", {}).get("allowed"))


async def serves_group(cluster: Cluster, group: str) -> bool:
    """Whether the API server has an API group. Raises ClusterError."""
    try:
        await cluster.get(f"/apis/{group}")
    except NotFound:
        return False
    return True


async def read_each(
    cluster: Cluster,
    path: str,
    take: Callable[[dict[str, Any]], None],
    *,
    query: Mapping[str, str] | None = None,
    budget_seconds: float | None = None,
) -> str | None:
    """Hand every object of a list to `take`, page by page, so that no long list is ever held in memory.

    Returns None when all were read, else why not: the list is forbidden, or it was longer than could be read within
    `budget_seconds`. Raises other ClusterErrors.
    """
    until = None if budget_seconds is None else time.monotonic() + budget_seconds
    try:
        async for page in list_pages(cluster, path, query=query):
            for item in page.get("items") or ():
                take(item)
            if page["metadata"].get("continue") and until is not None and time.monotonic() > until:
                left = page["metadata"].get("remainingItemCount")
                return f"{f'{left:,} ' if left else ''}more than could be read in {budget_seconds:g} s"
    except Forbidden as error:
        return str(error)
    return None


async def kubelet_facts(cluster: Cluster, node: str) -> KubeletFacts:
    """Configuration and statistics of a node's kubelet, through the API server's node proxy.

    Never raises ClusterError: what a kubelet says is extra knowledge, and many clusters do not permit asking.
    """
    proxy = f"/api/v1/nodes/{node}/proxy"
    configuration, statistics = await asyncio.gather(
        _from_kubelet(cluster, f"{proxy}/configz"), _from_kubelet(cluster, f"{proxy}/stats/summary")
    )
    causes = [answer for answer in (configuration, statistics) if isinstance(answer, str)]
    return KubeletFacts(
        node=node,
        configuration=configuration.get("kubeletconfig", {}) if isinstance(configuration, dict) else {},
        statistics=statistics.get("node", {}) if isinstance(statistics, dict) else {},
        cause=causes[0] if causes else None,
    )


async def _from_kubelet(cluster: Cluster, path: str) -> dict[str, Any] | str:
    try:
        answer = await cluster.get(path, deadline_seconds=_KUBELET_SECONDS)
    except Forbidden:
        return "reading nodes/proxy is not permitted"
    except (ClusterError, ValueError) as error:
        return f"the kubelet does not answer: {str(error)[:120]}"
    return answer if isinstance(answer, dict) else "the kubelet's answer is no JSON object"
