# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The namespaces of the real node, as its other parts and the supervisor see them."""

from __future__ import annotations

from .layout import Layout
from .parts import Inside, Part

# The part that is the first process of the namespaces.
NODE = "node"
# Below the node's cgroup: containerd, kubelet, kube-proxy. The pods have one beside it.
SYSTEM_CGROUP = "system"


def cgroup_name(key: str) -> str:
    """The cgroup of everything on the node of the cluster `key`."""
    return f"kubestress-{key}"


def entering(part: Part, pid: int, layout: Layout) -> tuple[str, ...]:
    """The command that starts a part inside the namespaces of the node whose first process is `pid`."""
    if part.inside is Inside.NETWORK:
        return ("nsenter", f"--target={pid}", "--net", "--", *part.command)
    # With a process namespace nsenter has to wait for a child: only a child can be a process of that namespace.
    namespaces = ("--net", "--mount", "--pid", "--wd=/")
    enter = str(layout.node / "scripts" / "enter.sh")
    cgroup = f"{cgroup_name(layout.key)}/{SYSTEM_CGROUP}"
    return ("nsenter", f"--target={pid}", *namespaces, "--", "sh", enter, cgroup, *part.command)
