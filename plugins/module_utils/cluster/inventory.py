# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read what a cluster has: whole lists, API groups, kubelet configuration and statistics."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .client import Cluster
from .errors import ClusterError, Forbidden, Gone, NotFound
from .proof import page_of
from .watch import list_pages

#: Timeout for one kubelet, so that a node that hangs does not hold up the caller.
_KUBELET_SECONDS = 3.0


@dataclass(frozen=True, kw_only=True)
class KubeletFacts:
    """Configuration and statistics of one kubelet; empty if they cannot be read, and then `cause` says why."""

    node: str
    configuration: Mapping[str, Any] = field(default_factory=dict)
    statistics: Mapping[str, Any] = field(default_factory=dict)
    cause: str | None = None


async def serves_group(cluster: Cluster, group: str) -> bool:
    """Whether the API server has an API group. Raises ClusterError."""
    try:
        await cluster.get(f"/apis/{group}")
    except NotFound:
        return False
    return True


async def is_openshift(cluster: Cluster) -> bool:
    """Whether security context constraints rule what a pod's spec may say. Raises ClusterError."""
    return await serves_group(cluster, "security.openshift.io")


async def read_each(
    cluster: Cluster,
    path: str,
    take: Callable[[Any], object],
    *,
    query: Mapping[str, str] | None = None,
    budget_seconds: float | None = None,
    decode: Callable[[bytes], Any] = page_of,
    accept: str | None = None,
    begin_again: Callable[[], object] | None = None,
) -> str | None:
    """Hand every object of a list to `take`, page by page, so that memory does not grow with the list.

    Where the server has forgotten the page token, the list begins anew, once: `begin_again` is called first, and has
    to forget what was taken. `decode` and `accept` as of list_pages.

    Returns None when all were read, else why not: the list is forbidden, it was longer than could be read within
    `budget_seconds`, or its pages expired. Raises other ClusterErrors.
    """
    until = None if budget_seconds is None else time.monotonic() + budget_seconds
    while True:
        try:
            async for page in list_pages(cluster, path, query=query, decode=decode, accept=accept):
                for item in page.get("items") or ():
                    take(item)
                if page["metadata"].get("continue") and until is not None and time.monotonic() > until:
                    left = page["metadata"].get("remainingItemCount")
                    return f"{f'{left:,} ' if left else ''}more than could be read in {budget_seconds:g} s"
        except Forbidden as error:
            return str(error)
        except Gone:
            if begin_again is None:
                return "the list expired on the server while it was read"
            begin_again()
            begin_again = None
        else:
            return None


async def kubelet_facts(cluster: Cluster, node: str) -> KubeletFacts:
    """Configuration and statistics of a node's kubelet, through the API server's node proxy.

    Never raises ClusterError: these facts are optional, and many clusters do not permit reading them.
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
        # Whatever a kubelet answers, it is the API server's answer: it is not asked for again.
        answer = json.loads((await cluster.request("GET", path, deadline_seconds=_KUBELET_SECONDS)).body)
    except Forbidden:
        return "reading nodes/proxy is not permitted"
    except (ClusterError, ValueError) as error:
        return f"the kubelet does not answer: {str(error)[:120]}"
    return answer if isinstance(answer, dict) else "the kubelet's answer is not a JSON object"
