# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the files that the parts read: keys, kubeconfigs, configuration."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path

from .controllers import user_of
from .layout import Layout
from .parts import Part
from .pki import ADMIN, CONTROLLER_MANAGER, KWOK, SCHEDULER, STORAGE_CLIENT, Identity, Pki
from .settings import LOOPBACK, REAL_NODE_NAME
from .simulated import SERVICE_ADDRESS, part_kubeconfig

CLUSTER_NAME = "kubestress-local"

TEMPLATE = """\
apiVersion: v1
kind: Config
clusters:
  - name: {cluster}
    cluster:
      server: {server}
      certificate-authority-data: {authority}
users:
  - name: {user}
    user:
{credentials}
contexts:
  - name: {cluster}
    context:
      cluster: {cluster}
      user: {user}
current-context: {cluster}
"""


def write_files(
    layout: Layout,
    pki: Pki,
    *,
    address: str,
    endpoint: str,
    parts: Sequence[Part],
    storage: bool = False,
    controllers: Sequence[str] = (),
) -> None:
    """Write everything that `parts` read, and the user's kubeconfig. Existing keys and tokens are kept.

    :param address: where the cluster listens; not the loopback address if there is a real node.
    :param storage: whether the cluster provides volumes.
    :param controllers: the controllers of jobs that the cluster has.
    """
    layout.create()
    if not pki.complete:
        pki.create([LOOPBACK, SERVICE_ADDRESS])
    if address != LOOPBACK:
        pki.cover([address])
        pki.create_for_node(REAL_NODE_NAME, address)
        for name in ("kubelet", "kube-proxy", "coredns"):
            write_certificate_kubeconfig(part_kubeconfig(pki, name), server=endpoint, pki=pki, name=name)
    if storage:
        pki.create_client("storage", STORAGE_CLIENT)
        write_certificate_kubeconfig(part_kubeconfig(pki, "storage"), server=endpoint, pki=pki, name="storage")
        layout.csi.mkdir(exist_ok=True, mode=0o700)
    for name in controllers:
        pki.create_client(name, user_of(name))
        write_certificate_kubeconfig(part_kubeconfig(pki, name), server=endpoint, pki=pki, name=name)
    write_kubeconfig(layout.kubeconfig, server=endpoint, pki=pki, identity=ADMIN)
    for identity in (CONTROLLER_MANAGER, SCHEDULER, KWOK):
        path = part_kubeconfig(pki, identity.name)
        write_kubeconfig(path, server=endpoint, pki=pki, identity=identity)
    for part in parts:
        part.write_files()


def write_kubeconfig(path: Path, *, server: str, pki: Pki, identity: Identity) -> None:
    """Write the kubeconfig of one client atomically, readable by this user only."""
    _write(path, server=server, pki=pki, user=identity.name, credentials={"token": pki.token(identity)})


def write_certificate_kubeconfig(path: Path, *, server: str, pki: Pki, name: str) -> None:
    """The same for a client with the certificate `name`."""
    credentials = {"client-certificate": str(pki.certificate_of(name)), "client-key": str(pki.key_of(name))}
    _write(path, server=server, pki=pki, user=name, credentials=credentials)


def _write(path: Path, *, server: str, pki: Pki, user: str, credentials: Mapping[str, str]) -> None:
    text = TEMPLATE.format(
        cluster=CLUSTER_NAME,
        server=server,
        authority=base64.b64encode(pki.ca_certificate.read_bytes()).decode(),
        user=user,
        credentials="\n".join(f"      {key}: {value}" for key, value in credentials.items()),
    )
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.unlink(missing_ok=True)
    temporary.touch(mode=0o600)
    temporary.write_text(text)
    temporary.replace(path)
