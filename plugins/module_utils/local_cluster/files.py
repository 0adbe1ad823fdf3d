# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing what the parts read: keys, kubeconfigs, configuration."""

from __future__ import annotations

from collections.abc import Sequence

from .kubeconfig import write_kubeconfig
from .layout import Layout
from .parts import Part
from .pki import ADMIN, CONTROLLER_MANAGER, KWOK, SCHEDULER, Pki
from .settings import LOOPBACK
from .simulated import SERVICE_ADDRESS, part_kubeconfig


def write_files(layout: Layout, pki: Pki, *, endpoint: str, parts: Sequence[Part]) -> None:
    """Write everything that `parts` read, and the user's kubeconfig. Keys and tokens that are there stay."""
    layout.create()
    if not pki.complete:
        pki.create([LOOPBACK, SERVICE_ADDRESS])
    write_kubeconfig(layout.kubeconfig, server=endpoint, pki=pki, identity=ADMIN)
    for identity in (CONTROLLER_MANAGER, SCHEDULER, KWOK):
        path = part_kubeconfig(pki, identity.name)
        write_kubeconfig(path, server=endpoint, pki=pki, identity=identity)
    for part in parts:
        part.write_files()
