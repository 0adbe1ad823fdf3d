# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a profile that can break a cluster would do, in words, for whoever has to agree. Pure."""

from __future__ import annotations

from .demand import Demand
from .supply import NodeProcesses


def consent_line(demand: Demand, *, profile: str, risk: str, nodes: int | None, processes: list[NodeProcesses]) -> str:
    """One line: what the profile is for, pods and processes at once, against pid_max, and what to set."""
    builds = demand.builds
    pods = builds.ceiling_active_pods
    share = f", {builds.processes_of(-(-pods // nodes)):,} on each of {nodes:,} nodes" if nodes else ""
    known = sorted({node.pid_max for node in processes if node.pid_max is not None})
    limit = f"pid_max there is {known[0]:,}" if known else "kernel.pid_max is often 32,768 or 65,536 a node"
    would = f"up to {pods:,} build pods at once with {builds.processes_of(pods):,} processes{share} ({limit})"
    what = f"profile {profile}" if profile else "preflight_risk"
    return f"{what}: {risk.rstrip('. ')}. It would run {would}. Set preflight_accept_risk=true if you want that"
