"""What a real node could leave behind on a machine: taken before and after, compared by the tests."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, fields
from pathlib import Path

# What the kubelet and kube-proxy of a whole machine would set.
SYSCTLS = (
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/pid_max",
    "kernel/keys/root_maxbytes",
    "net/ipv4/ip_forward",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
)
# Where containerd, libcni and the kubelet write by themselves.
FOLDERS = ("/run", "/var/lib", "/var/log", "/opt", "/etc/cni", "/usr/libexec", "/var/run/netns")


@dataclass(frozen=True)
class Traces:
    """Sets of lines; equal when nothing was left. Other programs of the machine must keep still meanwhile."""

    mounts: frozenset[str]
    links: frozenset[str]
    routes: frozenset[str]
    rules: frozenset[str]
    cgroups: frozenset[str]
    namespaces: frozenset[str]
    sysctls: frozenset[str]
    folders: frozenset[str]

    @classmethod
    def now(cls) -> Traces:
        """What there is now."""
        return cls(
            mounts=frozenset(Path("/proc/self/mountinfo").read_text().splitlines()),
            links=frozenset(_links()),
            routes=frozenset(_lines("ip", "route", "show", "table", "all")),
            rules=frozenset(_rules()),
            cgroups=frozenset(str(path) for path in Path("/sys/fs/cgroup").rglob("*kubestress*")),
            namespaces=frozenset(_network_namespaces()),
            sysctls=frozenset(f"{name} {Path('/proc/sys', name).read_text()}" for name in SYSCTLS),
            folders=frozenset(str(path) for folder in FOLDERS for path in Path(folder).glob("*")),
        )

    def left(self, before: Traces) -> dict[str, set[str]]:
        """What differs from `before`, by kind; empty if nothing was left and nothing taken."""
        pairs = {field.name: (getattr(before, field.name), getattr(self, field.name)) for field in fields(self)}
        return {name: set(old ^ new) for name, (old, new) in pairs.items() if old != new}


def _lines(*command: str) -> list[str]:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def _links() -> list[str]:
    # Without the counters and the index, which an address in use changes.
    return [line.split(":")[1].strip() for line in _lines("ip", "-oneline", "link")] + _lines("ip", "-brief", "address")


def _rules() -> list[str]:
    rules = _lines("nft", "list", "ruleset")
    return rules + (_lines("iptables-save") if shutil.which("iptables-save") else [])


def _network_namespaces() -> set[str]:
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                found.add(os.readlink(entry / "ns" / "net"))
            except OSError:
                continue
    return found
