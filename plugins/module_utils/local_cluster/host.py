# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether this machine can run a real node, and which programs it has for that."""

from __future__ import annotations

import os
import platform
import shutil
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from .errors import LocalClusterError

# Where system programs are, even if the PATH of a service does not list it.
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PACKAGES = {
    "containerd": "containerd",
    "ctr": "containerd",
    "containerd-shim-runc-v2": "containerd",
    "runc": "runc",
    "busybox": "busybox-static",
    "nft": "nftables",
    "conntrack": "conntrack",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "unshare": "util-linux",
    "mount": "mount",
}
CNI_PACKAGE = "containernetworking-plugins"
CNI_PLUGINS = ("bridge", "host-local", "loopback")
CNI_FOLDERS = (Path("/usr/lib/cni"), Path("/opt/cni/bin"), Path("/usr/libexec/cni"))
CAP_SYS_RESOURCE = 24
# The first Linux version with a pid_max per pid namespace.
OWN_PID_MAX = (6, 14)
# The type PT_INTERP of a program header, in elf(5).
_DYNAMIC_LINKER = 3
_TRY_SECONDS = 20


@dataclass(frozen=True)
class Host:
    """Programs by name, and the folder of the network plug-ins."""

    programs: dict[str, Path]
    cni_folder: Path


def obstacle() -> str | None:
    """Why this machine cannot run a real node, as the end of a sentence; None if it can."""
    if not sys.platform.startswith("linux"):
        return f"a real node needs Linux, and this is {platform.system()}"
    if os.geteuid() != 0:
        return f"a real node needs root, and this is user {os.geteuid()}"
    return None


def search_path() -> str:
    """The PATH for all programs of a node."""
    return os.pathsep.join(dict.fromkeys([*os.environ.get("PATH", "").split(os.pathsep), *SYSTEM_PATH.split(":")]))


def find() -> Host:
    """The programs for a real node.

    :raises LocalClusterError: naming every missing program, a busybox that cannot be part of an image, and the Debian
        packages that have them.
    """
    found = {name: shutil.which(name, path=search_path()) for name in PACKAGES}
    folders = [folder for folder in CNI_FOLDERS if all((folder / name).is_file() for name in CNI_PLUGINS)]
    missing = [name for name, path in found.items() if path is None]
    packages = {PACKAGES[name] for name in missing}
    if (busybox := found["busybox"]) and not is_static(Path(busybox)):
        missing.append(f"a busybox that is static, which {busybox} is not,")
        packages.add(PACKAGES["busybox"])
    if not folders:
        missing.append(f"the CNI plug-ins {', '.join(CNI_PLUGINS)}")
        packages.add(CNI_PACKAGE)
    if missing:
        raise LocalClusterError(
            f"a real node needs {', '.join(missing)}, not found here; on Debian: apt-get install "
            f"{' '.join(sorted(packages))}; or set real_node to false"
        )
    return Host({name: Path(path) for name, path in found.items() if path}, folders[0])


def is_static(program: Path) -> bool:
    """Whether a program runs without the libraries of this machine: it asks for no dynamic linker."""
    with program.open("rb") as file:
        head = file.read(64)
        if head[:4] != b"\x7fELF" or len(head) < 64:
            return False
        order = "<" if head[5] == 1 else ">"
        is_64_bit = head[4] == 2
        offset = struct.unpack_from(order + ("Q" if is_64_bit else "I"), head, 32 if is_64_bit else 28)[0]
        size, count = struct.unpack_from(order + "HH", head, 54 if is_64_bit else 42)
        file.seek(offset)
        table = file.read(size * count)
    types = [struct.unpack_from(order + "I", table, number * size)[0] for number in range(count)]
    return _DYNAMIC_LINKER not in types


def refusal() -> str | None:
    """Why the kernel refuses what a node is made of, in its own words; None if it does not.

    Tried in namespaces that end with the try: a link of two ends, and packet filters.
    """
    tries = "ip link add ks0 type veth peer name ks1 && nft list ruleset"
    command = ["unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "sh", "-c", tries]
    environment = {**os.environ, "PATH": search_path()}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_TRY_SECONDS, env=environment)
    return None if done.returncode == 0 else " ".join(done.stderr.split()) or f"exit code {done.returncode}"


def may_lower_oom_score() -> bool:
    """Whether this process may protect others from the OOM killer."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> CAP_SYS_RESOURCE & 1)
    return False


def has_apparmor() -> bool:
    """Whether the kernel enforces AppArmor profiles."""
    switch = Path("/sys/module/apparmor/parameters/enabled")
    return switch.exists() and switch.read_text().strip() == "Y"


def has_own_pid_max() -> bool:
    """Whether each pid namespace has its own pid_max; on older kernels writing it changes the whole machine's."""
    numbers = tuple(int(part) for part in platform.release().split("-")[0].split(".")[:2] if part.isdigit())
    return numbers >= OWN_PID_MAX


def file_system_of(folder: Path) -> str:
    """The file system type of a folder, or of its nearest existing parent."""
    while not folder.exists():
        folder = folder.parent
    device = os.stat(folder).st_dev
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields = line.split()
        if fields[2] == f"{os.major(device)}:{os.minor(device)}":
            return fields[fields.index("-") + 1]
    return ""
