# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How small and how large each number may be. One table, and the check that reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_DAY_SECONDS = 86_400
_WEEK_SECONDS = 7 * _DAY_SECONDS


@dataclass(frozen=True)
class Range:
    """Both ends are allowed, but for `low` where `above` says so. `zero`: 0 is allowed as well, and means `zero`."""

    low: float
    high: float
    above: bool = False
    zero: str = ""

    def allows(self, value: float) -> bool:
        """Whether the number lies in the range."""
        if value == 0 and self.zero:
            return True
        return (value > self.low if self.above else value >= self.low) and value <= self.high

    def __str__(self) -> str:
        low = f"more than {self.low:g}, up to {_number(self.high)}" if self.above else _span(self.low, self.high)
        return f"{low}, or 0 for {self.zero}" if self.zero else low


def _span(low: float, high: float) -> str:
    return f"{_number(low)} to {_number(high)}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:g}"


#: The upper ends lie well above what Kubernetes is published to carry (10,000 namespaces, 150,000 pods, 3,000 pods and
#: 2,000 Deployments a namespace), which preflight warns of: here only what can be nothing but a mistake is refused.
RANGES: dict[str, Range] = {
    "run_max_concurrent": Range(1, 2_000),
    "run_qps": Range(0, 100_000),
    "run_burst": Range(0, 100_000),
    "run_request_timeout": Range(1, 3_600),
    "run_retry_deadline": Range(0, _DAY_SECONDS),
    "run_seed": Range(0, 2**63 - 1),
    # The end of Linux's user numbers; 0 is root, which runAsNonRoot forbids.
    "run_user_id": Range(1, 2**32 - 2),
    "namespaces_total": Range(1, 100_000),
    "namespaces_first": Range(1, 1_000_000),
    "namespaces_parallel": Range(1, 10_000),
    "namespaces_ready_timeout": Range(1, _DAY_SECONDS),
    "deployments_per_namespace": Range(0, 10_000),
    "deployments_replicas": Range(0, 10_000),
    "deployments_ready_timeout": Range(1, _WEEK_SECONDS),
    "statefulsets_per_namespace": Range(0, 10_000),
    "statefulsets_replicas": Range(0, 10_000),
    "statefulsets_ready_timeout": Range(1, _WEEK_SECONDS),
    "statefulsets_memory_step_interval_ms": Range(1, 3_600_000),
    "connectivity_interval": Range(0, _DAY_SECONDS),
    "connectivity_count": Range(1, 1_000_000),
    "connectivity_request_timeout": Range(1, 3_600),
    "connectivity_warm_up": Range(0, _DAY_SECONDS),
    "build_jobs_per_namespace": Range(0, 10_000),
    "build_jobs_completions": Range(1, 100_000),
    "build_jobs_parallelism": Range(1, 10_000),
    "build_jobs_active_per_namespace": Range(0, 10_000),
    "build_jobs_backoff_limit": Range(0, 1_000),
    "build_jobs_timeout": Range(1, _WEEK_SECONDS),
    "build_jobs_ttl": Range(0, _WEEK_SECONDS),
    "build_jobs_wait_timeout": Range(1, 4 * _WEEK_SECONDS, zero="the derived one"),
    "build_jobs_wave_pause": Range(0, 3_600),
    "build_jobs_time_scale": Range(0, 100, above=True),
    # Measured on the farm that this stands for: a build has 60 to 85 processes while it compiles.
    "build_jobs_processes": Range(60, 85),
    "build_jobs_cpu_workers": Range(0, 83),
    "observe_api_interval": Range(1, 3_600, zero="only before and after"),
    "observe_node_interval": Range(1, 3_600, zero="never"),
    "observe_max_seconds": Range(1, 30 * _DAY_SECONDS),
    "preflight_nodes_sampled": Range(0, 1_000),
    "preflight_read_budget": Range(0, 600, above=True),
    "cleanup_timeout": Range(1, _WEEK_SECONDS),
    "cleanup_max_concurrent": Range(1, 2_000),
    "cleanup_grace_period": Range(0, _DAY_SECONDS),
}


def range_problems(settings: Mapping[str, Any]) -> list[str]:
    """A line for each number out of its range; what is not set is not checked."""
    return [
        f"{name}: {settings[name]} is not allowed; it must be {allowed}"
        for name, allowed in RANGES.items()
        if isinstance(settings.get(name), int | float) and not allowed.allows(settings[name])
    ]
