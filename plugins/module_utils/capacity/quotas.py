# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Demand of one namespace against the ResourceQuotas of those that exist already. Pure arithmetic."""

from __future__ import annotations

from .demand import Demand
from .quantities import cpu_milli, whole
from .rows import NO_DATA, WARNING, Row, judged
from .supply import Quota, Supply

#: Names of a quota's resources, other than count/…, for what the arithmetic knows. "cpu" and "memory" mean requests.
_REQUESTS = {
    "cpu": "cpu_request",
    "requests.cpu": "cpu_request",
    "limits.cpu": "cpu_limit",
    "memory": "memory_request",
    "requests.memory": "memory_request",
    "limits.memory": "memory_limit",
}
_COUNTS = {
    "configmaps": "ConfigMap",
    "secrets": "Secret",
    "services": "Service",
    "count/configmaps": "ConfigMap",
    "count/secrets": "Secret",
    "count/services": "Service",
    "count/deployments.apps": "Deployment",
    "count/statefulsets.apps": "StatefulSet",
    "count/jobs.batch": "Job",
    "count/replicasets.apps": "ReplicaSet",
}


def quota_rows(demand: Demand, supply: Supply, *, own_namespaces: set[str]) -> list[Row]:
    """One row for each quota's resource that is too small; silent on what suffices.

    Where this run has worked before (its own namespaces, or its pods in them), part of what it needs is already
    counted as used, so what looks exhausted is only a warning.
    """
    if supply.quotas is None:
        cause = supply.unread.get("quotas", "")
        return [Row(name="quotas of existing namespaces", needed=None, verdict=NO_DATA, note=cause)] if cause else []
    worked_in = own_namespaces | supply.own_pods_in
    rows = []
    for quota in supply.quotas:
        rows += _rows_of(quota, demand, worked_here=quota.namespace in worked_in)
    return rows


def _rows_of(quota: Quota, demand: Demand, *, worked_here: bool) -> list[Row]:
    name = f"quota {quota.namespace}/{quota.name}"
    if quota.scoped:
        return [Row(name=name, needed=None, verdict=NO_DATA, note="it counts some pods only (scopes)")]
    rows = []
    for resource in quota.hard:
        needed = _needed(resource, demand)
        if not needed:
            continue
        figure, unit = (cpu_milli, "cores") if resource.endswith("cpu") else (whole, "")
        unit = "bytes" if resource.endswith("memory") else unit
        free = figure(quota.hard[resource]) - figure(quota.used.get(resource, "0"))
        cure = f"raise the quota, free some of it, or take {quota.namespace} out of namespaces_existing"
        row = Row(name=f"{name} {resource}", needed=needed, offered=max(0, free), unit=unit, cure=cure)
        row = judged(row, when_over=WARNING) if worked_here else judged(row)
        if row.cure:
            rows.append(row)
    return rows


def _needed(resource: str, demand: Demand) -> int:
    if resource in _REQUESTS:
        return demand.per_namespace(_REQUESTS[resource])
    if resource == "pods":
        return demand.pods_per_namespace
    if resource == "count/pods":
        # Finished pods count here until they are removed.
        return sum(group.in_all for group in demand.groups)
    kind = _COUNTS.get(resource, "")
    return demand.objects.get(kind, 0) + (demand.followers.get(kind, 0) if kind == "ReplicaSet" else 0)
