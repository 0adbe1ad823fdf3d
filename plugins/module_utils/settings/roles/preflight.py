# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role preflight: its variables and its entry points."""

from __future__ import annotations

from ..setting import Entry, Range, Role, Setting

_SETTINGS = (
    Setting(
        "preflight_accept_over_limit",
        "bool",
        False,
        meaning=("Go on although the run needs more than the cluster offers. Each exceeded limit is then a warning."),
    ),
    Setting(
        "preflight_accept_risk",
        "bool",
        False,
        meaning="Accept the risk that the profile describes in C(preflight_risk).",
    ),
    Setting(
        "preflight_nodes_sampled",
        "int",
        10,
        allowed=Range(0, 1_000),
        meaning=(
            "Nodes whose kubelet is asked for podPidsLimit and pid_max, through the API server's node proxy.\n"
            "Simulated nodes are never asked."
        ),
    ),
    Setting(
        "preflight_read_budget",
        "float",
        5,
        allowed=Range(0, 600, above=True),
        meaning="Seconds for counting the pods that are there already. The table says what could not be read in time.",
    ),
    Setting(
        "preflight_exact_pods",
        "int",
        20_000,
        allowed=Range(0, 10_000_000),
        meaning=(
            "Up to this many pods in the cluster, preflight reads each of them. With more it counts them cheaply and "
            "says that it estimated."
        ),
    ),
    Setting(
        "preflight_rbac_out",
        "str",
        "",
        meaning=(
            "Path of a file, relative to where the user runs Ansible, into which preflight writes the Roles and "
            "bindings that the run and its cleanup need, and no more; also in check mode, and where permissions are "
            "missing."
        ),
    ),
    Setting(
        "preflight_rbac_account",
        "str",
        "",
        meaning=(
            "C(NAMESPACE/NAME) of the ServiceAccount that C(preflight_rbac_out) binds the rights to. Empty means the "
            "user of the connection."
        ),
    ),
    Setting(
        "preflight_risk",
        "str",
        "",
        meaning=(
            "What the profile can do to a cluster, in words. If set, the run needs C(preflight_accept_risk=true).\n"
            "Profiles set it; it is not meant to be set by hand."
        ),
    ),
)

ROLE = Role(
    "preflight",
    entries=(
        Entry(
            "main",
            "Compare what a run needs with what the cluster offers, before anything is created",
            (
                "Computes objects, pods, requests, processes and the expected length from the settings of all roles, "
                "reads nodes, pods, quotas, namespaces, permissions and some kubelets, and shows both as one table.\n"
                "Stops before anything is created when a limit is exceeded, a permission is missing, a namespace "
                "exists that the run does not own, or a risky profile was not agreed to. All reasons are reported "
                "at once.\n"
                "The module kubestress.core.preflight does the work; its result is in C(preflight_result)."
            ),
            settings=_SETTINGS,
        ),
    ),
)
