"""What the real node needs on a development machine, and the demo on it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping

from helpers import control_plane
from steps import TargetFailedError

VARIABLE = "REAL_NODE"
# What a real node is made of, by a command or file that the package brings.
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
# Where system programs lie also when the PATH does not say so.
SYSTEM_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin")
# Phases long enough for a kubelet to count the processes in them, the Services asked, the kubelet asked every second.
DEMO_SETTINGS: dict[str, object] = {
    "build_jobs_time_scale": 0.5,
    # Eight builds at a time leave a machine of two cores some CPU, which its kubelet needs to count them.
    "build_jobs_limits": {"cpu": "150m", "memory": "256Mi"},
    "deployments_service_enabled": True,
    "connectivity_enabled": True,
    "connectivity_interval": 2,
    "connectivity_count": 5,
    "observe_node_interval": 1,
}


def wanted() -> bool | None:
    """Whether the variable REAL_NODE asks for a real node; None if it says nothing.

    :raises TargetFailedError: naming the variable, its value and what is allowed, or why there can be no real node.
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
    """Those of the commands and files that are not here, with the packages that bring them."""
    path = os.pathsep.join([os.environ.get("PATH", ""), *SYSTEM_FOLDERS])
    return {name: package for name, package in packages.items() if not shutil.which(name, path=path)}


def install_debian_packages(packages: Mapping[str, str]) -> None:
    """Install the packages (by a file or command that each brings), where that is ours to do; else say what is missing.

    Whoever needs the command reports its absence; this only saves a bare CI machine a step.
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
        print(f"{name} is missing (Debian package {package}); what needs it says so", flush=True)


def prepare() -> None:
    """Have what the tests of the real node need, where there can be one: packages, and the programs of a node.

    Building them here, with output, keeps the tests' own time limits short.
    """
    if not possible():
        print("The tests of the real node are skipped: they need Linux and root", flush=True)
        return
    install_debian_packages(PACKAGES)
    try:
        control_plane.playbook({"local_cluster_state": "built", "local_cluster_real_node": True})
    except control_plane.ControlPlaneError as error:
        raise TargetFailedError(str(error)) from error
