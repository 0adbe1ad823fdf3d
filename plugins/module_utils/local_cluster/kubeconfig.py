# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kubeconfig files: one for the administrator, one for each part that is a client."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path

from .pki import Identity, Pki

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


def write_kubeconfig(path: Path, *, server: str, pki: Pki, identity: Identity) -> None:
    """Write the kubeconfig of one client, readable by this user only; complete at every moment."""
    _write(path, server=server, pki=pki, user=identity.name, credentials={"token": pki.token(identity)})


def write_certificate_kubeconfig(path: Path, *, server: str, pki: Pki, name: str) -> None:
    """The same for a client that shows the certificate `name`."""
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
