# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing what the parts read: keys, kubeconfigs, configuration."""

from __future__ import annotations

from collections.abc import Sequence

from .kubeconfig import write_certificate_kubeconfig, write_kubeconfig
from .layout import Layout
from .parts import Part
from .pki import ADMIN, CONTROLLER_MANAGER, KWOK, SCHEDULER, Pki
from .settings import LOOPBACK, REAL_NODE_NAME
from .simulated import SERVICE_ADDRESS, part_kubeconfig


def write_files(layout: Layout, pki: Pki, *, address: str, endpoint: str, parts: Sequence[Part]) -> None:
    """Write everything that `parts` read, and the user's kubeconfig. Keys and tokens that are there stay.

    :param address: where the cluster listens; another one than the loopback address means that there is a real node.
    """
    layout.create()
    if not pki.complete:
        pki.create([LOOPBACK, SERVICE_ADDRESS])
    if address != LOOPBACK:
        pki.cover([address])
        pki.create_for_node(REAL_NODE_NAME, address)
        for name in ("kubelet", "kube-proxy", "coredns"):
            write_certificate_kubeconfig(part_kubeconfig(pki, name), server=endpoint, pki=pki, name=name)
    write_kubeconfig(layout.kubeconfig, server=endpoint, pki=pki, identity=ADMIN)
    for identity in (CONTROLLER_MANAGER, SCHEDULER, KWOK):
        path = part_kubeconfig(pki, identity.name)
        write_kubeconfig(path, server=endpoint, pki=pki, identity=identity)
    for part in parts:
        part.write_files()
