# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes of the build pods against what kubelets and kernels allow. Pure arithmetic."""

from __future__ import annotations

from .demand import Demand
from .rows import INFO, NO_DATA, Row, judged
from .supply import Node, NodeProcesses, Supply


def process_rows(demand: Demand, supply: Supply, nodes: list[Node] | None) -> list[Row]:
    """Processes in all, on a node, and in a pod; without build jobs, nothing.

    A kernel counts threads against kernel.pid_max, and so does node.rlimit of the kubelet; the build script's
    processes have one thread each.
    """
    builds = demand.builds
    if not builds.jobs_all:
        return []
    at_peak, unheld = builds.ceiling_active_pods, builds.pods_all_jobs_active
    note = f"{builds.processes_of(unheld):,} with all Jobs active"
    rows = [Row(name="build processes at peak", needed=builds.processes_of(at_peak), verdict=INFO, note=note)]
    if nodes:
        rows.append(_on_a_node(demand, supply, len(nodes)))
    rows.append(_in_a_pod(demand, supply))
    return rows


def _on_a_node(demand: Demand, supply: Supply, nodes: int) -> Row:
    builds = demand.builds
    share = builds.processes_of(-(-builds.ceiling_active_pods // nodes))
    unheld = builds.processes_of(-(-builds.pods_all_jobs_active // nodes))
    known = [node for node in supply.processes if node.pid_max is not None]
    if not known:
        note = f"pid_max: {_cause(supply)}; {unheld:,} with all Jobs active"
        return Row(name="build processes on a node", needed=share, verdict=NO_DATA, note=note)
    tightest = min(known, key=_free_processes)
    levers = f"build_jobs_processes={builds.processes}"
    return judged(
        Row(
            name="build processes on a node",
            needed=share,
            offered=_free_processes(tightest),
            note=f"pid_max {tightest.pid_max:,} of {tightest.name}; {unheld:,} with all Jobs active",
            cure=f"lower namespaces_total={demand.namespaces}, "
            f"build_jobs_parallelism={builds.parallelism} or {levers}, or raise kernel.pid_max",
        )
    )


def _free_processes(node: NodeProcesses) -> int:
    return (node.pid_max or 0) - (node.running or 0)


def _in_a_pod(demand: Demand, supply: Supply) -> Row:
    needed = demand.builds.processes
    known = [node for node in supply.processes if node.pod_pids_limit is not None]
    if not known:
        note = f"podPidsLimit: {_cause(supply)}"
        return Row(name="processes in a build pod", needed=needed, verdict=NO_DATA, note=note)
    limits = {node.name: node.pod_pids_limit or 0 for node in known if (node.pod_pids_limit or 0) > 0}
    if not limits:
        # -1 is the kubelet's word for "no limit of its own"; the node's then counts, which has a row.
        return Row(name="processes in a build pod", needed=needed, verdict="ok", note="podPidsLimit not set")
    name = min(limits, key=lambda node: limits[node])
    return judged(
        Row(
            name="processes in a build pod",
            # The pod's sandbox holds one more process (pause), which counts against the same limit.
            needed=needed + 1,
            offered=limits[name],
            note=f"podPidsLimit of {name}; one of them is pause",
            cure=f"lower build_jobs_processes={needed} (60 to 85), or raise podPidsLimit",
        )
    )


def _cause(supply: Supply) -> str:
    causes = {node.cause for node in supply.processes if node.cause}
    return "; ".join(sorted(causes)) or supply.unread.get("processes", "no kubelet to ask")
