"""Packages for a real node on a development machine, and the settings of the demo on it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping

from helpers import control_plane
from steps import TargetFailedError

VARIABLE = "REAL_NODE"
# Programs of a real node: command or file -> Debian package.
PACKAGES = {
    "containerd": "containerd",
    "runc": "runc",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "busybox": "busybox-static",
    "nft": "nftables",
    "conntrack": "conntrack",
    "ip": "iproute2",
    "curl": "curl",
}
# Folders of system programs that may be missing from PATH.
SYSTEM_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin")
# Phases long enough for a kubelet to count their processes; Services checked; the kubelet read every second.
DEMO_SETTINGS: dict[str, object] = {
    "build_jobs_time_scale": 0.5,
    # With eight builds at a time, a machine with two cores has some CPU left for its kubelet.
    "build_jobs_limits": {"cpu": "150m", "memory": "256Mi"},
    "deployments_service_enabled": True,
    "connectivity_enabled": True,
    "connectivity_interval": 2,
    "connectivity_count": 5,
    "observe_node_interval": 1,
}


def wanted() -> bool | None:
    """Whether the variable REAL_NODE asks for a real node; None if it is not set.

    :raises TargetFailedError: if the value is invalid, or if this machine cannot have a real node.
    """
    value = os.environ.get(VARIABLE, "")
    if value not in ("", "true", "false"):
        raise TargetFailedError(f"{VARIABLE} is {value!r}; allowed are true and false")
    if value == "true" and not possible():
        raise TargetFailedError(f"{VARIABLE} is true, but a real node needs Linux and root (sudo make demo …)")
    return {"true": True, "false": False}.get(value)


def possible() -> bool:
    """Whether this is Linux and we are root."""
    return sys.platform.startswith("linux") and os.geteuid() == 0


def missing(packages: Mapping[str, str]) -> dict[str, str]:
    """Missing commands and files, with the packages that contain them."""
    path = os.pathsep.join([os.environ.get("PATH", ""), *SYSTEM_FOLDERS])
    return {name: package for name, package in packages.items() if not shutil.which(name, path=path)}


def install_debian_packages(packages: Mapping[str, str]) -> None:
    """Install missing packages (command or file -> package) if we are root on Debian; otherwise print what is missing.

    A missing program is not an error here: the step that needs it reports that.
    """
    absent = sorted(set(missing(packages).values()))
    if absent and os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"Installing {', '.join(absent)}", flush=True)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for step in (["update"], ["install", "--no-install-recommends", *absent]):
            subprocess.run(
                ["apt-get", "-q", "-y", *step], check=False, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
                env=environment,
            )  # fmt: skip
    for name, package in missing(packages).items():
        print(f"{name} is missing (Debian package {package}); steps that need it will say so", flush=True)


def prepare() -> None:
    """Build what tests of storage, JobSets and queues need, and if this machine can have a real node, what that needs.

    Building them here, with output, keeps the time limits of the tests short.
    """
    wanted = {"local_cluster_state": "built", "local_cluster_storage": True}
    wanted |= {"local_cluster_jobset": True, "local_cluster_kueue": True}
    if possible():
        install_debian_packages(PACKAGES)
        wanted["local_cluster_real_node"] = True
    else:
        print("The tests of the real node are skipped: they need Linux and root", flush=True)
    try:
        control_plane.playbook(wanted)
    except control_plane.ControlPlaneError as error:
        raise TargetFailedError(str(error)) from error
