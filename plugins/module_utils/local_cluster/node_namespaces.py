# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How to enter the real node's namespaces and cgroup."""

from __future__ import annotations

from .layout import Layout
from .parts import Inside, Part

# The part whose process is the first in the namespaces.
NODE = "node"
# A child of the node's cgroup, for containerd, kubelet and kube-proxy; pods have their own.
SYSTEM_CGROUP = "system"


def cgroup_name(key: str) -> str:
    """The cgroup of everything on the node of the cluster `key`."""
    return f"kubestress-{key}"


def entering(part: Part, pid: int, layout: Layout) -> tuple[str, ...]:
    """The command that starts a part inside the namespaces of the node whose first process is `pid`."""
    if part.inside is Inside.NETWORK:
        return ("nsenter", f"--target={pid}", "--net", "--", *part.command)
    # With --pid nsenter forks and waits, because only a child can be in the new pid namespace.
    namespaces = ("--net", "--mount", "--pid", "--wd=/")
    enter = str(layout.node / "scripts" / "enter.sh")
    cgroup = f"{cgroup_name(layout.key)}/{SYSTEM_CGROUP}"
    return ("nsenter", f"--target={pid}", *namespaces, "--", "sh", enter, cgroup, *part.command)
