# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a real node needs of this machine, all of it checked before a build that takes minutes."""

from __future__ import annotations

from . import cgroups, host
from .errors import LocalClusterError
from .real import network_of
from .settings import Settings


def check_machine(settings: Settings, *, running: bool) -> None:
    """Check programs, cgroups, and unless the node is `running`, its network and what the kernel allows.

    :raises LocalClusterError: with all that is in the way, and one command for all that can be installed.
    """
    problems = []
    try:
        host.find()
        programs = True
    except LocalClusterError as error:
        problems.append(str(error))
        programs = False
    if reason := cgroups.obstacle():
        problems.append(reason)
    if programs and not running:
        if reason := host.refusal():
            problems.append(f"this machine does not allow what a node is made of: {reason}")
        try:
            network_of(settings).check_free()
        except LocalClusterError as error:
            problems.append(str(error))
    if problems:
        raise LocalClusterError("; ".join(problems))
