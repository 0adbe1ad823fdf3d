# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a batch works, and the cluster that it works on."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from ..cluster.client import Cluster
from ..cluster.discovery import Discovery, Resource
from ..cluster.limits import Limits
from ..cluster.meter import Meter
from ..cluster.retries import RetryPolicy
from ..errors import KubestressError
from ..guard.arguments import Thresholds
from ..observe.arguments import Intervals
from ..plan.demand import Demand, demand_of
from ..plan.fragment import Fragment
from ..plan.scope import OF_THE_RUN
from ..preflight.kinds import resources_of


class BatchError(KubestressError):
    """The batch could not begin, or its objects cannot be watched; the text is fit for the user."""


@dataclass(frozen=True, kw_only=True)
class BatchSettings:
    """How a batch works; the module's options, checked. Times are in seconds.

    `observe` None observes nothing beside it; without `results_dir` there is no place for an observation either.
    `guard` None: no sign of ill health ends it.
    """

    auth: dict[str, Any]
    run_id: str
    namespaces: list[str]
    first_index: int = 1
    existing: frozenset[str] = frozenset()
    parallel: int = 10
    state: str = "present"
    patch_type: str = "merge"
    max_concurrent: int = 50
    qps: float = 0.0
    burst: int = 0
    request_timeout_seconds: float = 60.0
    retry_deadline_seconds: float = 120.0
    outage_limit_seconds: float = 300.0
    wait: bool = True
    wait_timeout_seconds: float = 0.0
    observe: Intervals | None = None
    guard: Thresholds | None = None
    results_dir: Path | None = None
    ledger: Path | None = None
    progress: Path | None = None

    @property
    def numbered_namespaces(self) -> list[tuple[int, str]]:
        """The namespaces as (index, name)."""
        return list(enumerate(self.namespaces, self.first_index))

    def namespace_at(self, index: int) -> str:
        """The name of a namespace by its index; "" for what is made once for the run."""
        return OF_THE_RUN[1] if index == OF_THE_RUN[0] else self.namespaces[index - self.first_index]

    @property
    def makes_namespaces(self) -> bool:
        """Whether one of them may have to be made."""
        return not self.existing.issuperset(self.namespaces)

    def demand(self, fragments: list[Fragment]) -> Demand:
        """What the fragments weigh in these namespaces."""
        return demand_of(fragments, namespaces=self.numbered_namespaces, existing=self.existing)


class BatchParts(TypedDict):
    """What a Batch takes from an opened cluster.

    `resources` are the kinds of its fragments, `unserved` those of them that the batch itself has to define first.
    """

    cluster: Cluster
    discovery: Discovery
    resources: Mapping[tuple[str, str], Resource]
    unserved: frozenset[tuple[str, str]]
    limits: Limits
    meter: Meter


@dataclass(frozen=True)
class OpenedCluster:
    """A connected cluster whose every request passes the limits."""

    cluster: Cluster
    discovery: Discovery
    limits: Limits

    async def parts_for(self, fragments: list[Fragment]) -> BatchParts:
        """What a Batch of these fragments takes; from now on its meter measures all requests.

        Raises Invalid for a kind that the server does not serve and the fragments do not define, and PlanError.
        """
        resources = await resources_of(self.discovery, fragments)
        unserved = [kind for kind in resources if not await self.discovery.is_served(*kind)]
        # Not earlier: what was read to judge the plan is no part of the load.
        meter = Meter(max_in_flight=self.limits.in_flight.maximum)
        self.cluster.traffic = meter
        return BatchParts(
            cluster=self.cluster,
            discovery=self.discovery,
            resources=resources,
            unserved=frozenset(unserved),
            limits=self.limits,
            meter=meter,
        )


@contextlib.asynccontextmanager
async def opened_cluster(settings: BatchSettings) -> AsyncIterator[OpenedCluster]:
    """Connect as a batch's settings say. Raises ClusterError where the server cannot be reached or refuses us."""
    limits = Limits(max_in_flight=settings.max_concurrent, per_second=settings.qps, burst=settings.burst)
    connecting = await Cluster.open(
        settings.auth,
        retry=RetryPolicy(deadline_seconds=settings.retry_deadline_seconds),
        request_timeout_seconds=settings.request_timeout_seconds,
        outage_limit_seconds=settings.outage_limit_seconds,
        admission=lambda: limits,
    )
    async with connecting as cluster:
        await cluster.version()
        yield OpenedCluster(cluster, Discovery(cluster), limits)
