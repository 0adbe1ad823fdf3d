# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module `node_pids_info`: check its parameters, read the nodes, compare with the limits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from ..cluster.arguments import auth_options
from ..cluster.client import Cluster, RetryPolicy
from ..cluster.errors import ClusterError, NotFound
from ..cluster.inventory import read_each
from ..cluster.labels import run_selector
from ..cluster.node_proxy import CADVISOR, CONFIGURATION, SUMMARY, NodeProxy
from ..errors import ModuleFailed
from ..measure.kubelet import Unreadable, parse_cgroups, parse_configuration, parse_summary
from ..readiness.nodes import is_simulated
from ..syntax import DNS_LABEL_RULE, LABEL_VALUE_RULE, is_dns_label, is_dns_subdomain, is_label_value
from .figures import NodeReading, by_usage, missing, node_row, pod_rows, tightest

#: Rows of nodes in the module's result, which also has the totals.
MAX_NODE_ROWS = 100
_REQUESTS_PER_NODE = 3
#: Seconds for which a list of nodes or pods is retried.
_LIST_SECONDS = 30.0
_RANGES: tuple[tuple[str, float, float], ...] = (
    ("top", 0, 1000),
    ("request_budget", _REQUESTS_PER_NODE, 30_000),
    ("max_concurrent", 1, 100),
    ("node_timeout", 0.1, 120),
)

T = TypeVar("T")


def run_module(params: Mapping[str, Any]) -> dict[str, Any]:
    """Run the module. Raises ModuleFailed: bad input, no connection, or no permission to list nodes."""
    _check(params)
    try:
        return asyncio.run(_run(params))
    except ClusterError as error:
        if error.status == 400 and params["node_selector"]:
            raise ModuleFailed(f"node_selector: {params['node_selector']!r}: {error}") from error
        raise ModuleFailed(str(error)) from error


def _check(params: Mapping[str, Any]) -> None:
    for name, lowest, highest in _RANGES:
        if not lowest <= params[name] <= highest:
            raise ModuleFailed(f"{name}: {params[name]:g}; allowed are {lowest:g} to {highest:g}")
    for node in params["nodes"]:
        # The name becomes part of a path.
        if not is_dns_subdomain(node):
            raise ModuleFailed(f"nodes: {node!r}; allowed are names of nodes: lower-case letters, digits, '-' and '.'")
    for namespace in params["namespaces"]:
        if not is_dns_label(namespace):
            raise ModuleFailed(f"namespaces: {namespace!r}; allowed are names of namespaces: {DNS_LABEL_RULE}")
    if params["run_id"] and not is_label_value(params["run_id"]):
        raise ModuleFailed(f"run_id: {params['run_id']!r}; allowed are {LABEL_VALUE_RULE}")


async def _run(params: Mapping[str, Any]) -> dict[str, Any]:
    slots = asyncio.Semaphore(params["max_concurrent"])
    cluster = await Cluster.open(
        auth_options(dict(params)),
        retry=RetryPolicy(deadline_seconds=_LIST_SECONDS),
        admission=lambda: slots,
    )
    async with cluster, NodeProxy(cluster, timeout_seconds=params["node_timeout"]) as proxy:
        await cluster.version()
        readings = await _nodes(cluster, params)
        uids, uids_cause = await _uids(cluster, params)
        await _read_nodes(proxy, readings, params["request_budget"] // _REQUESTS_PER_NODE)
        return _result(params, readings, uids=uids, uids_cause=uids_cause, requests=proxy.requests)


async def _nodes(cluster: Cluster, params: Mapping[str, Any]) -> list[NodeReading]:
    """The wanted nodes, by name or selector; names alone need no permission to list nodes."""
    names = list(dict.fromkeys(params["nodes"]))
    if names and not params["node_selector"]:
        return await _all_named(cluster, names)
    found: list[NodeReading] = []
    query = {"labelSelector": params["node_selector"]} if params["node_selector"] else None
    unread = await read_each(cluster, "/api/v1/nodes", lambda obj: found.append(_reading_of(obj)), query=query)
    if unread:
        raise ModuleFailed(f"nodes cannot be listed: {unread}; name them with the option nodes")
    there = {reading.name for reading in found}
    # A node that the selector does not select is none of the wanted ones; a name that no node has is a mistake.
    await _all_named(cluster, [name for name in names if name not in there])
    return [reading for reading in found if not names or reading.name in names]


async def _all_named(cluster: Cluster, names: Sequence[str]) -> list[NodeReading]:
    """The nodes of these names. Raises ModuleFailed for those that are not there: the rest could be taken for all."""
    named = await asyncio.gather(*(_named(cluster, name) for name in names))
    unknown = [name for name, reading in zip(names, named, strict=True) if reading is None]
    if unknown:
        raise ModuleFailed(f"nodes: the cluster has no node {', '.join(unknown)}")
    return [reading for reading in named if reading is not None]


async def _named(cluster: Cluster, name: str) -> NodeReading | None:
    """The node of that name; None if there is none."""
    try:
        return _reading_of(await cluster.get(f"/api/v1/nodes/{name}"))
    except NotFound:
        return None
    except ClusterError as error:
        # The kubelet's endpoints need another permission, so they may still be readable.
        return NodeReading(name=name, causes={"node": str(error)[:160]})


def _reading_of(obj: Mapping[str, Any]) -> NodeReading:
    conditions = {entry["type"]: entry["status"] for entry in obj.get("status", {}).get("conditions") or ()}
    return NodeReading(
        name=obj["metadata"]["name"],
        simulated=is_simulated(obj),
        pid_pressure={"True": True, "False": False}.get(conditions.get("PIDPressure", "")),
    )


async def _uids(cluster: Cluster, params: Mapping[str, Any]) -> tuple[set[str] | None, str | None]:
    """(uids of the run's pods, why they are unknown). Needed because kubelets do not report labels."""
    if not params["run_id"]:
        return None, None
    uids: set[str] = set()
    query = {"labelSelector": run_selector(params["run_id"])}
    scopes = [f"/api/v1/namespaces/{name}/pods" for name in params["namespaces"]] or ["/api/v1/pods"]
    for path in scopes:
        unread = await read_each(cluster, path, lambda pod: uids.add(pod["metadata"]["uid"]), query=query)
        if unread:
            return None, f"the run's pods are unknown: {unread}"
    return uids, None


async def _read_nodes(proxy: NodeProxy, readings: list[NodeReading], limit: int) -> None:
    """Fill the readings of at most `limit` real nodes, evenly spread over all."""
    real = []
    for reading in readings:
        if reading.simulated:
            reading.cause = "simulated node: it has no kubelet and runs no processes"
        elif reading.cause is None:
            real.append(reading)
    step = -(-len(real) // limit)
    for number, reading in enumerate(real):
        if number % max(step, 1):
            reading.cause = "not read: request_budget exhausted"
    await asyncio.gather(*(_read(proxy, reading) for reading in real if reading.cause is None))


async def _read(proxy: NodeProxy, reading: NodeReading) -> None:
    reading.summary, reading.cgroups, reading.configuration = await asyncio.gather(
        _parsed(proxy, reading, "summary", SUMMARY, parse_summary),
        _parsed(proxy, reading, "cadvisor", CADVISOR, parse_cgroups),
        _parsed(proxy, reading, "configuration", CONFIGURATION, parse_configuration),
    )


async def _parsed(
    proxy: NodeProxy, reading: NodeReading, name: str, endpoint: str, parse: Callable[[bytes], T]
) -> T | None:
    answer = await proxy.read(reading.name, endpoint)
    if answer.body is None:
        reading.causes[name] = answer.cause or ""
        return None
    try:
        return parse(answer.body)
    except Unreadable as error:
        reading.causes[name] = f"the answer is {error}"
        return None


def _result(
    params: Mapping[str, Any],
    readings: list[NodeReading],
    *,
    uids: set[str] | None,
    uids_cause: str | None,
    requests: int,
) -> dict[str, Any]:
    namespaces = set(params["namespaces"])

    def wanted(namespace: str, uid: str) -> bool:
        return (not namespaces or namespace in namespaces) and (uids is None or uid in uids)

    nodes = [node_row(reading) for reading in readings]
    pods = [] if uids_cause else sorted((row for one in readings for row in pod_rows(one, wanted=wanted)), key=by_usage)
    with_data = [node for node in nodes if node["pods"] is not None]
    # Nodes with data first, otherwise in the cluster's order.
    nodes.sort(key=lambda node: node["pods"] is None)
    return {
        "changed": False,
        "nodes": nodes[:MAX_NODE_ROWS],
        "nodes_total": len(nodes),
        "nodes_with_data": len(with_data),
        "pods": pods[: params["top"]],
        "pods_total": len(pods) if with_data and not uids_cause else None,
        "pods_cause": uids_cause or (None if with_data else "no data from any node"),
        "tightest": tightest(with_data, pods),
        "no_data": missing(readings)[:MAX_NODE_ROWS],
        "requests": requests,
    }
