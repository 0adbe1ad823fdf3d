"""Traces that a real node could leave on a machine; tests compare them before and after."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, fields
from pathlib import Path

# Settings that the kubelet and kube-proxy of a whole machine would change.
SYSCTLS = (
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/pid_max",
    "kernel/keys/root_maxbytes",
    "net/ipv4/ip_forward",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
)
# Programs of a node. Processes of a cluster are marked in their environment; one without a mark escaped.
PROGRAMS = (
    "busybox", "conntrack", "containerd", "containerd-shim", "coredns", "csi-attacher", "csi-hostpath",
    "csi-provisioner", "csi-resizer", "csi-snapshotter", "snapshot-contro", "etcd", "host-local", "kube-apiserver",
    "kube-controller", "kube-proxy", "kube-scheduler", "kubelet", "kubestress-cni", "kwok", "nft", "pause", "runc",
    "unshare",
)  # fmt: skip
MARK = b"KUBESTRESS_LOCAL_CLUSTER="
# Default paths of containerd, libcni and the kubelet.
FOLDERS = ("/run", "/var/lib", "/var/log", "/opt", "/etc/cni", "/usr/libexec", "/var/run/netns")


@dataclass(frozen=True)
class Traces:
    """Sets of lines; equal if nothing was left. Other programs of the machine must not change them."""

    mounts: frozenset[str]
    links: frozenset[str]
    routes: frozenset[str]
    rules: frozenset[str]
    cgroups: frozenset[str]
    #: Network, mount and pid namespaces: everything in a pod runs in new ones.
    namespaces: frozenset[str]
    unmarked: frozenset[str]
    sysctls: frozenset[str]
    folders: frozenset[str]

    @classmethod
    def now(cls) -> Traces:
        """The current traces."""
        return cls(
            mounts=frozenset(Path("/proc/self/mountinfo").read_text().splitlines()),
            links=frozenset(_links()),
            routes=frozenset(_lines("ip", "route", "show", "table", "all")),
            rules=frozenset(_rules()),
            cgroups=frozenset(str(path) for path in Path("/sys/fs/cgroup").rglob("*kubestress*")),
            namespaces=frozenset(_namespaces()),
            unmarked=frozenset(_unmarked()),
            sysctls=frozenset(f"{name} {Path('/proc/sys', name).read_text()}" for name in SYSCTLS),
            folders=frozenset(str(path) for folder in FOLDERS for path in Path(folder).glob("*")),
        )

    def left(self, before: Traces) -> dict[str, set[str]]:
        """Differences from `before`, by kind; empty if nothing was left or removed."""
        pairs = {field.name: (getattr(before, field.name), getattr(self, field.name)) for field in fields(self)}
        return {name: set(old ^ new) for name, (old, new) in pairs.items() if old != new}


def _lines(*command: str) -> list[str]:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def _links() -> list[str]:
    # Without counters and index, which change while an address is in use.
    return [line.split(":")[1].strip() for line in _lines("ip", "-oneline", "link")] + _lines("ip", "-brief", "address")


def _rules() -> list[str]:
    rules = _lines("nft", "list", "ruleset")
    return rules + (_lines("iptables-save") if shutil.which("iptables-save") else [])


def _processes() -> list[Path]:
    return [entry for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _namespaces() -> set[str]:
    found = set()
    for entry in _processes():
        for kind in ("net", "mnt", "pid"):
            try:
                found.add(os.readlink(entry / "ns" / kind))
            except OSError:
                continue
    return found


def _unmarked() -> set[str]:
    """Processes, by pid and command, that only a cluster starts and that belong to no running cluster."""
    found = set()
    for entry in _processes():
        try:
            name = (entry / "comm").read_text().strip()
            # Empty for a zombie process.
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            if command and name.startswith(PROGRAMS) and MARK not in (entry / "environ").read_bytes():
                found.add(f"{entry.name} {command}")
        except OSError:
            continue
    return found
