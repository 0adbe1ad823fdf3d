# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs in queues of Kueue against the queues that there are: whether any would ever admit them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..plan.demand import Demand, PodGroup
from ..plan.pods import amounts
from ..readiness.queues import queue as queue_readiness
from ..readiness.state import spec_of
from ..text import text_of
from .rows import NO_DATA, OK, OVER, WARNING, Levers, Row

#: Namespaces that a note lists.
_LISTED = 3
_KUEUE = "kueue.x-k8s.io"
_UNITS = {"cpu": "cores", "memory": "bytes"}


@dataclass(frozen=True, kw_only=True)
class ClusterQueue:
    """What jobs behind it may have. `cause`: why it admits none now; empty where it does.

    `quota` by resource, over all flavors, CPU in thousandths of a core; None where it may borrow from others.
    """

    name: str
    cause: str = ""
    quota: Mapping[str, int] | None = None


@dataclass(frozen=True, kw_only=True)
class LocalQueue:
    """A queue of a namespace. `cause` as of ClusterQueue."""

    cluster_queue: str
    cause: str = ""


@dataclass(kw_only=True)
class QueueSupply:
    """What was read. `local` by namespace and name; None is "no data", with its cause in `unread`.

    `namespaces` are those of the run. `cluster` has the ClusterQueues that could be read.
    """

    namespaces: Sequence[str]
    local: dict[tuple[str, str], LocalQueue] | None = None
    cluster: dict[str, ClusterQueue] = field(default_factory=dict)
    unread: str = ""


def local_queue_of(obj: Mapping[str, Any]) -> LocalQueue:
    """A LocalQueue from its API object."""
    return LocalQueue(cluster_queue=str(spec_of(obj).get("clusterQueue") or ""), cause=_cause(obj))


def cluster_queue_of(obj: Mapping[str, Any]) -> ClusterQueue:
    """A ClusterQueue from its API object."""
    spec = spec_of(obj)
    quota: dict[str, int] | None = None
    # One in a cohort may borrow. In older versions of the API the field is called `cohort`.
    if not spec.get("cohortName") and not spec.get("cohort"):
        quota = {}
        for group in spec.get("resourceGroups") or ():
            for flavor in group.get("flavors") or ():
                for one in flavor.get("resources") or ():
                    amount = amounts({one["name"]: one.get("nominalQuota") or 0})[one["name"]]
                    quota[one["name"]] = quota.get(one["name"], 0) + amount
    return ClusterQueue(name=obj["metadata"]["name"], cause=_cause(obj), quota=quota)


def _cause(obj: Mapping[str, Any]) -> str:
    """Why a queue that its controller has looked at admits nothing; nothing is said of one that is new."""
    found = queue_readiness(obj)
    return "" if found.is_ready or not (obj.get("status") or {}).get("conditions") else found.cause.rstrip(".")


def queue_rows(demand: Demand, supply: QueueSupply | None, levers: Levers) -> list[Row]:
    """Rows for each role and queue: whether each namespace has the queue, and whether one slice fits its quota."""
    groups = [group for group in demand.groups if group.queue and group.in_all]
    if supply is None or not groups:
        return []
    made = _makes_queues(demand)
    rows = []
    for role, queue in dict.fromkeys((group.role, group.queue) for group in groups):
        row = Row(name=f"namespaces whose queue {queue} takes jobs of {role}", needed=len(supply.namespaces))
        if supply.local is None:
            rows.append(replace(row, verdict=NO_DATA, note=supply.unread))
            continue
        rows.append(_queue_row(row, queue, supply, levers.of(role, "queue"), made=made))
        own = [group for group in groups if (group.role, group.queue) == (role, queue)]
        rows += _quota_rows(own, supply, levers)
    return rows


def _makes_queues(demand: Demand) -> bool:
    """Whether the plan itself makes LocalQueues, so that those that are missing are no surprise."""
    return any(
        kind == "LocalQueue" and api_version.startswith(f"{_KUEUE}/")
        for fragment in demand.fragments
        for api_version, kind in fragment.objects
    )


def _queue_row(row: Row, queue: str, supply: QueueSupply, lever: str, *, made: bool) -> Row:
    causes: dict[str, list[str]] = {}
    verdict = OK
    for namespace in supply.namespaces:
        found = (supply.local or {}).get((namespace, queue))
        if found is None:
            if not made:
                causes.setdefault(f"there is no LocalQueue {queue}", []).append(namespace)
                verdict = OVER
        elif cause := _why_not(found, supply):
            causes.setdefault(cause, []).append(namespace)
            verdict = WARNING if verdict == OK else verdict
    without = sum(map(len, causes.values()))
    note = "; ".join(f"{cause} (in {_listed(names)})" for cause, names in causes.items())
    cure = f"create the queue in each namespace, or change {lever}" if lever else "create the queue in each namespace"
    if verdict == WARNING:
        cure = "until that is mended, or the queue is open again, the jobs wait"
    offered = len(supply.namespaces) - without
    return replace(row, offered=offered, verdict=verdict, note=note, cure="" if verdict == OK else cure)


def _why_not(local: LocalQueue, supply: QueueSupply) -> str:
    """The cause of the ClusterQueue where it could be read, which says more than that of the LocalQueue."""
    cluster = supply.cluster.get(local.cluster_queue)
    if cluster is not None and cluster.cause:
        return f"ClusterQueue {cluster.name}: {cluster.cause}"
    return local.cause


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED:,} more" if len(names) > _LISTED else ""
    return f"{', '.join(names[:_LISTED])}{more}"


def _quota_rows(groups: Iterable[PodGroup], supply: QueueSupply, levers: Levers) -> Iterator[Row]:
    """Rows for what a ClusterQueue can never admit, because one pod or slice alone is more than the whole quota."""
    groups = list(groups)
    queue = groups[0].queue
    behind = {one.cluster_queue for (_namespace, name), one in (supply.local or {}).items() if name == queue}
    for cluster in (supply.cluster[name] for name in sorted(behind) if name in supply.cluster):
        if cluster.quota is None or cluster.cause:
            continue
        for group in groups:
            pods = max(1, group.slice_pods)
            thing = "slice" if group.slice_pods else "pod"
            for resource in ("cpu", "memory", *group.shape.extended):
                needed, offered = pods * group.shape.request(resource), cluster.quota.get(resource)
                if not needed or (offered is not None and needed <= offered):
                    continue
                # Kueue can be configured not to count some resources.
                note = f"ClusterQueue {cluster.name} has no quota for it" if offered is None else ""
                yield Row(
                    name=f"{resource} quota of ClusterQueue {cluster.name} for one {thing} of {group.role}",
                    needed=needed,
                    offered=offered or 0,
                    unit=_UNITS.get(resource, ""),
                    verdict=WARNING if offered is None else OVER,
                    note=note,
                    cure=(
                        f"lower {levers.of(group.role, 'requests')}, or give ClusterQueue {cluster.name} more: it "
                        f"never admits jobs that need {text_of(needed, _UNITS.get(resource, ''))}"
                    ),
                )
