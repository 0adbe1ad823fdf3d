# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask the kubelets of the nodes that have claims mounted how full these are."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterable
from functools import partial

from ..cluster.client import Cluster
from ..cluster.decoding import decoder
from ..cluster.node_proxy import SUMMARY, NodeProxy
from ..cluster.proof import Unproven
from ..syntax import is_dns_subdomain
from . import structs
from .document import Part
from .inventory import Inventory, short
from .reading import bounded
from .usage import Fill

#: Kubelets that are asked at once, and seconds for one of them and for all.
_AT_ONCE, _TIMEOUT_SECONDS, _BUDGET_SECONDS = 10, 5.0, 60.0
_REFUSED = "the user may not get nodes/proxy"
_NO_NODE = "no node can have this name"
_SIMULATED = "simulated node: it has no kubelet and mounts nothing"


async def read_fill(cluster: Cluster, inventory: Inventory, wanted: Iterable[str]) -> Fill:
    """Ask for the claims of these keys. The inventory's part `usage` tells how far that went."""
    fill, part, began = Fill(), Part(), time.monotonic()
    inventory.parts["usage"] = part
    nodes = sorted({inventory.on_node[key] for key in wanted if key in inventory.on_node})
    fill.causes = {node: _SIMULATED for node in nodes if inventory.nodes.get(node)}
    kubelets = [node for node in nodes if node not in fill.causes]
    # A name becomes part of a path.
    fill.causes |= {node: _NO_NODE for node in kubelets if not is_dns_subdomain(node)}
    real = [node for node in kubelets if node not in fill.causes]
    if real:
        slots = asyncio.Semaphore(_AT_ONCE)
        async with NodeProxy(cluster, timeout_seconds=_TIMEOUT_SECONDS) as proxy:
            await asyncio.gather(*(_one(cluster, proxy, slots, fill, node, began) for node in real))
    unasked = inventory.incomplete("claims", "pods")
    told = Counter(cause.replace(node, "NODE") for node, cause in fill.causes.items() if cause != _SIMULATED)
    if told:
        cause, number = told.most_common(1)[0]
        unasked.append(f"{sum(told.values()):,} of {len(kubelets):,} kubelets told nothing; {number:,} × {cause}")
    part.complete, part.cause = not unasked, "; ".join(unasked) or None
    part.objects, part.seconds = len(fill.figures), round(time.monotonic() - began, 4)
    return fill


async def _one(
    cluster: Cluster, proxy: NodeProxy, slots: asyncio.Semaphore, fill: Fill, node: str, began: float
) -> None:
    async with slots:
        if _REFUSED in fill.causes.values():
            # Nobody may ask some kubelets and not others.
            fill.causes[node] = _REFUSED
            return
        if time.monotonic() - began > _BUDGET_SECONDS:
            fill.causes[node] = f"not asked, because the others took {_BUDGET_SECONDS:g} s"
            return
        answer = await proxy.read(node, SUMMARY, read=partial(bounded, cluster, bytearray()))
    if answer.body is None:
        fill.causes[node] = short(answer.cause)
        return
    try:
        fill.take(node, decoder(structs.Summary)(answer.body))
    except Unproven as error:
        fill.causes[node] = short(f"its answer holds no statistics: {error}")
