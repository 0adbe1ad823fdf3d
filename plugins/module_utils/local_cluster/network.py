# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The veth pair between this machine and the real node's network namespace."""

from __future__ import annotations

import ipaddress
import json
import os
import shutil
import subprocess
from dataclasses import dataclass

from ..machine.sync import wait_until
from .errors import LocalClusterError
from .host import search_path

INNER_LINK = "eth0"
COMMAND_SECONDS = 20
REMOVAL_SECONDS = 20.0


@dataclass(frozen=True)
class Network:
    """The pair. `key` is the cluster's; of the four addresses of `range_` the middle two are used."""

    key: str
    range_: str

    @property
    def link(self) -> str:
        """The name of our end, of at most 15 characters."""
        return f"ks{self.key[:10]}"

    @property
    def outside(self) -> str:
        """Our address."""
        return str(ipaddress.ip_network(self.range_)[1])

    @property
    def inside(self) -> str:
        """The cluster's address."""
        return str(ipaddress.ip_network(self.range_)[2])

    def check_free(self) -> None:
        """:raises LocalClusterError: if addresses of the range are taken by another link of this machine."""
        wanted = ipaddress.ip_network(self.range_)
        for link in json.loads(_run("ip", "-json", "-4", "address", "show").stdout):
            for item in link.get("addr_info", []):
                taken = ipaddress.ip_network(f"{item['local']}/{item['prefixlen']}", strict=False)
                if link["ifname"] != self.link and taken.overlaps(wanted):
                    raise LocalClusterError(
                        f"node_network {self.range_} overlaps {taken} of the link {link['ifname']}; name another range"
                    )

    def supported(self) -> bool:
        """Whether the program `ip` is installed; without it there can be no pair."""
        return shutil.which("ip", path=search_path()) is not None

    def exists(self) -> bool:
        """Whether our end exists."""
        return _run("ip", "link", "show", "dev", self.link, check=False).returncode == 0

    def create(self, pid: int) -> None:
        """Create the pair, with its inner end in the network namespace of `pid`."""
        self.remove()
        prefix = ipaddress.ip_network(self.range_).prefixlen
        _run("ip", "link", "add", self.link, "type", "veth", "peer", "name", INNER_LINK, "netns", str(pid))
        _run("ip", "address", "add", f"{self.outside}/{prefix}", "dev", self.link)
        _run("ip", "link", "set", self.link, "up")
        inner = ("nsenter", f"--target={pid}", "--net", "ip")
        _run(*inner, "address", "add", f"{self.inside}/{prefix}", "dev", INNER_LINK)
        _run(*inner, "link", "set", INNER_LINK, "up")
        # A node finds its own address by its default route, and Services need one for their first packet. Nothing here
        # forwards packets.
        _run(*inner, "route", "add", "default", "via", self.outside)

    def remove(self) -> None:
        """Remove the pair. It also goes with the namespace, but a moment later."""
        if self.exists():
            _run("ip", "link", "delete", self.link, check=False)
            if not wait_until(lambda: not self.exists(), timeout_seconds=REMOVAL_SECONDS):
                raise LocalClusterError(f"the link {self.link} could not be removed")


def _run(*command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=COMMAND_SECONDS,
            env={**os.environ, "PATH": search_path()},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LocalClusterError(f"{' '.join(command)}: {error}") from error
    if check and done.returncode != 0:
        raise LocalClusterError(f"{' '.join(command)}: {done.stderr.strip() or done.returncode}")
    return done
