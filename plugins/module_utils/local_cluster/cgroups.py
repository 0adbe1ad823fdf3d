# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real node's cgroup, in all hierarchies of the machine, version 1 or 2."""

from __future__ import annotations

import os
from pathlib import Path

from ..machine.sync import wait_until
from .errors import LocalClusterError

MOUNTS = Path("/proc/self/mounts")
REMOVAL_SECONDS = 20.0
# What a kubelet limits; in version 2 child cgroups have them only if they are enabled.
CONTROLLERS = ("cpu", "cpuset", "io", "memory", "pids", "hugetlb")


def hierarchies() -> list[Path]:
    """The mount points of cgroup hierarchies."""
    try:
        rows = [line.split() for line in MOUNTS.read_text().splitlines()]
    except OSError:
        return []
    return [Path(row[1]) for row in rows if row[2] in ("cgroup", "cgroup2")]


def obstacle() -> str | None:
    """Why a node's cgroup cannot be made, or cannot limit processes, on this machine; None if it can."""
    mounts = hierarchies()
    rows = [line.split() for line in MOUNTS.read_text().splitlines()] if mounts else []
    of_version_1 = any(row[2] == "cgroup" and "pids" in row[3].split(",") for row in rows)
    lists = [path.read_text().split() for mount in mounts if (path := mount / "cgroup.controllers").exists()]
    if not of_version_1 and not any("pids" in listed for listed in lists):
        return "the cgroup controller pids is missing, without which a node could exhaust this machine's processes"
    read_only = [mount for mount in mounts if os.statvfs(mount).f_flag & os.ST_RDONLY]
    return f"the cgroups in {read_only[0]} are read-only" if read_only else None


def create(name: str, child: str) -> None:
    """Create the cgroup `name` with `child` in every hierarchy, ready for processes."""
    for mount in hierarchies():
        if (mount / "cgroup.controllers").exists():
            _enable_controllers(mount)
        for folder in (mount / name, mount / name / child):
            try:
                folder.mkdir(exist_ok=True)
            except OSError as error:
                raise LocalClusterError(f"cannot make the cgroup {folder}: {error.strerror}") from error
            _inherit_cpuset(folder)
        if (mount / "cgroup.controllers").exists():
            _enable_controllers(mount / name)


def limit_processes(name: str, count: int) -> None:
    """Limit the processes and threads of the cgroup to `count`, to protect the rest of the machine."""
    limits = [path for mount in hierarchies() if (path := mount / name / "pids.max").exists()]
    if not limits:
        raise LocalClusterError("this machine has no cgroup controller pids; a real node could exhaust its processes")
    for path in limits:
        path.write_text(str(count))


def existing(name: str) -> list[Path]:
    """The folders of the cgroup `name`, one per hierarchy that has it."""
    return [mount / name for mount in hierarchies() if (mount / name).is_dir()]


def remove(name: str) -> None:
    """Remove the cgroup and its children. Its processes must have ended, but the kernel may need a moment more.

    :raises LocalClusterError: naming those that cannot be removed.
    """

    def gone() -> bool:
        for top in existing(name):
            for folder in sorted((item for item in top.rglob("*") if item.is_dir()), reverse=True):
                _try_rmdir(folder)
            _try_rmdir(top)
        return not existing(name)

    if not wait_until(gone, timeout_seconds=REMOVAL_SECONDS):
        listed = ", ".join(str(path) for path in existing(name))
        raise LocalClusterError(f"the cgroup {listed} still has processes and could not be removed")


def _try_rmdir(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        # Still busy; the caller tries again.
        return


def _enable_controllers(folder: Path) -> None:
    available = (folder / "cgroup.controllers").read_text().split()
    enabled = (folder / "cgroup.subtree_control").read_text().split()
    for name in CONTROLLERS:
        if name in available and name not in enabled:
            (folder / "cgroup.subtree_control").write_text(f"+{name}")


def _inherit_cpuset(folder: Path) -> None:
    """Copy the parent's CPUs and memory nodes: version 1 refuses processes in an empty cpuset."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        path = folder / name
        if path.exists() and (folder.parent / name).exists() and not path.read_text().strip():
            inherited = (folder.parent / name).read_text().strip()
            if inherited:
                path.write_text(inherited)
