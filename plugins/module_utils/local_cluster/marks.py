# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which processes belong to which embedded cluster.

Every process of a cluster carries a mark in its environment, with the data folder as value: so it is found again even
when the run that started it was killed before it could write the pid down.
"""

from __future__ import annotations

import os

from ..machine.process import Process, environment_of, pids

MARKER_VARIABLE = "KUBESTRESS_LOCAL_CLUSTER"


def marked(value: str) -> list[Process]:
    """Every process of this user whose environment says that it belongs to the cluster `value`. Linux only."""
    wanted = f"{MARKER_VARIABLE}={value}".encode()
    found = []
    for pid in pids():
        # A process that runs this very code was told the value by its caller, not started as a part.
        if pid != os.getpid() and wanted in environment_of(pid):
            process = Process.of(pid)
            if process:
                found.append(process)
    return found


def marker_of(pid: int) -> str | None:
    """The data folder of the cluster that a process belongs to, or None."""
    prefix = f"{MARKER_VARIABLE}=".encode()
    for entry in environment_of(pid):
        if entry.startswith(prefix):
            return entry[len(prefix) :].decode(errors="replace")
    return None
