# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The connection of the modules that look for runs, from their parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..cluster.arguments import auth_options
from ..cluster.client import Cluster
from ..cluster.limits import Limits
from ..cluster.retries import RetryPolicy


async def open_cluster(params: Mapping[str, Any]) -> Cluster:
    """Connect with the limits and patience of the parameters. Raises ClusterError."""
    limits = Limits(max_in_flight=params["max_concurrent"], per_second=params["qps"], burst=params["burst"])
    return await Cluster.open(
        auth_options(dict(params)),
        admission=lambda: limits,
        request_timeout_seconds=params["request_timeout"],
        retry=RetryPolicy(deadline_seconds=params["retry_deadline"]),
        outage_limit_seconds=params["outage_limit"],
    )
